//! What the queue promises of each job, in memory. Knows no SQL; it is told what was done and says what may be seen.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::Leased;
use uuid::Uuid;

use super::op::Outcome;

/// So many dead workers are the end of a job.
pub const MOST_CRASHES: i16 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting,
    Running { process: Uuid, fence: i64 },
    Completed,
    Discarded,
    Quarantined,
    Cancelled,
}

#[derive(Debug)]
pub struct Entry {
    pub lane: usize,
    priority: i16,
    run_at: DateTime<Utc>,
    /// It became due anew in this step, so many seconds after it.
    due_in: Option<f64>,
    pub state: State,
    /// Starts that have ended.
    attempt: i16,
    crashes: i16,
    /// An operator may have it run again.
    pub is_kept: bool,
}

impl Entry {
    fn place(&self, id: i64) -> (i16, DateTime<Utc>, i64) {
        (self.priority, self.run_at, id)
    }
}

/// What a lane must pass.
#[derive(Debug, Clone, Copy)]
pub enum Gate {
    None,
    Cap(i32),
    /// Tokens as they would be at a time, at the most.
    Bucket {
        rate: f64,
        burst: f64,
        tokens: f64,
        at: DateTime<Utc>,
    },
}

#[derive(Debug)]
pub struct Lane {
    pub gate: Gate,
    pub is_paused: bool,
    pub is_cancelled: bool,
}

/// A job as the database shows it.
#[derive(Debug, sqlx::FromRow)]
pub struct Seen {
    pub id: i64,
    pub state: String,
    pub attempt: i16,
    pub crashes: Option<i16>,
    pub run_at: DateTime<Utc>,
    pub leased_by: Option<Uuid>,
    pub lease_fence: Option<i64>,
}

pub struct Model {
    pub jobs: BTreeMap<i64, Entry>,
    pub lanes: Vec<Lane>,
    /// The greatest number a lease had.
    fence: i64,
}

/// The time when a step began and when it had ended.
pub type Span = (DateTime<Utc>, DateTime<Utc>);

impl Model {
    pub fn new(lanes: Vec<Lane>) -> Self {
        Self { jobs: BTreeMap::new(), lanes, fence: 0 }
    }

    pub fn enqueued(&mut self, id: i64, lane: usize, priority: i16, wait_s: f64, now: DateTime<Utc>) {
        let entry = Entry {
            lane,
            priority,
            run_at: now,
            due_in: Some(wait_s),
            state: State::Waiting,
            attempt: 0,
            crashes: 0,
            is_kept: false,
        };
        self.jobs.insert(id, entry);
    }

    /// Whether the lane lets anything start.
    fn is_open(&self, lane: usize) -> bool {
        !self.lanes[lane].is_paused && !self.lanes[lane].is_cancelled
    }
    fn running_in(&self, lane: usize) -> usize {
        let runs = |entry: &&Entry| entry.lane == lane && matches!(entry.state, State::Running { .. });
        self.jobs.values().filter(runs).count()
    }
    /// Jobs that wait in open lanes and were due by then.
    pub fn ready(&self, by: DateTime<Utc>) -> impl Iterator<Item = (i64, &Entry)> {
        let jobs = self.jobs.iter().map(|(id, entry)| (*id, entry));
        jobs.filter(move |(_, job)| job.state == State::Waiting && job.run_at <= by && self.is_open(job.lane))
    }

    /// A claim has answered: only what may start, in the order of its lane, no more than its gates let through.
    pub fn claimed(&mut self, process: Uuid, most: i32, leased: &[Leased], (began, ended): Span) -> Result<()> {
        ensure!(leased.len() <= most as usize, "{} were leased, {most} asked for", leased.len());
        let mut by_lane: HashMap<usize, Vec<i64>> = HashMap::new();
        let before = self.fence;
        for job in leased {
            let entry = self.jobs.get(&job.id).with_context(|| format!("nobody enqueued {}", job.id))?;
            ensure!(entry.state == State::Waiting, "{} was leased while {:?}", job.id, entry.state);
            ensure!(self.is_open(entry.lane), "{} was leased of a lane that is shut", job.id);
            ensure!(entry.run_at <= ended, "{} was leased before it was due", job.id);
            let starts = (job.attempt, job.crashes);
            ensure!(starts == (entry.attempt + 1, entry.crashes), "{} starts as {starts:?}: {entry:?}", job.id);
            ensure!(job.fence > before, "the lease of {} has an old number", job.id);
            self.fence = self.fence.max(job.fence);
            by_lane.entry(entry.lane).or_default().push(job.id);
        }
        for (lane, ids) in &by_lane {
            let places: Vec<_> = ids.iter().map(|id| self.jobs[id].place(*id)).collect();
            ensure!(places.is_sorted(), "lane {lane} was leased out of order: {ids:?}");
            let first = self.ready(began).filter(|(id, job)| job.lane == *lane && !ids.contains(id));
            if let Some(passed) = first.map(|(id, job)| job.place(id)).min() {
                ensure!(places.last() < Some(&passed), "{} was passed over in lane {lane} for {ids:?}", passed.2);
            }
        }
        for job in leased {
            self.entry(job.id).state = State::Running { process, fence: job.fence };
        }
        for (lane, ids) in by_lane {
            self.pass(lane, ids.len(), ended)?;
        }
        Ok(())
    }

    fn pass(&mut self, lane: usize, count: usize, ended: DateTime<Utc>) -> Result<()> {
        let running = self.running_in(lane);
        match &mut self.lanes[lane].gate {
            Gate::None => {}
            Gate::Cap(cap) => ensure!(running <= *cap as usize, "{running} run behind a cap of {cap}"),
            Gate::Bucket { rate, burst, tokens, at } => {
                let most = (*tokens + *rate * (ended - *at).as_seconds_f64()).min(*burst);
                // what a step lasts may be worth a bit of a token more
                ensure!(count as f64 <= most + 0.1, "{count} passed a bucket with {most} tokens");
                (*tokens, *at) = (most - count as f64, ended);
            }
        }
        Ok(())
    }

    pub fn settled(&mut self, id: i64, outcome: Outcome) {
        let entry = self.entry(id);
        entry.attempt += i16::from(!matches!(outcome, Outcome::Snooze | Outcome::Release));
        entry.state = match outcome {
            Outcome::Completed => State::Completed,
            Outcome::Discarded => State::Discarded,
            Outcome::Cancelled => State::Cancelled,
            Outcome::Retry | Outcome::RetryLater | Outcome::Snooze | Outcome::Release => State::Waiting,
        };
        entry.is_kept = matches!(outcome, Outcome::Discarded | Outcome::Cancelled);
        // a job that is given back is due since it was
        entry.due_in = (entry.state == State::Waiting && outcome != Outcome::Release).then_some(outcome.delay());
    }

    /// What the process held without knowing it goes back.
    pub fn given_back(&mut self, process: Uuid, known: &[i64]) {
        for entry in self.jobs.values_mut() {
            if matches!(entry.state, State::Running { process: by, fence } if by == process && !known.contains(&fence))
            {
                entry.state = State::Waiting;
            }
        }
    }

    /// The process has died and was found.
    pub fn died(&mut self, process: Uuid) {
        for entry in self.jobs.values_mut() {
            if matches!(entry.state, State::Running { process: by, .. } if by == process) {
                entry.crashes += 1;
                entry.attempt += 1;
                entry.is_kept = entry.crashes >= MOST_CRASHES;
                entry.state = if entry.is_kept { State::Quarantined } else { State::Waiting };
            }
        }
    }

    pub fn swept(&mut self) {
        for entry in self.jobs.values_mut() {
            if entry.state == State::Waiting && self.lanes[entry.lane].is_cancelled {
                entry.state = State::Cancelled;
            }
        }
    }

    /// What an operator's cancel answers.
    pub fn cancelled(&mut self, id: i64) -> &'static str {
        let entry = self.entry(id);
        match entry.state {
            State::Waiting => {
                (entry.state, entry.is_kept) = (State::Cancelled, true);
                "cancelled"
            }
            State::Running { .. } => "running",
            _ => "not_found",
        }
    }

    /// What an operator's retry answers.
    pub fn retried(&mut self, id: i64) -> &'static str {
        let entry = &self.jobs[&id];
        if !entry.is_kept {
            return "not_found";
        }
        if self.lanes[entry.lane].is_cancelled {
            return "lane_cancelled";
        }
        let entry = self.entry(id);
        (entry.state, entry.is_kept, entry.attempt, entry.crashes) = (State::Waiting, false, 0, 0);
        entry.due_in = Some(0.0);
        "available"
    }

    /// Whether the database shows each job as it must be. The time at which a job has become due is taken from there, within the step.
    pub fn agrees(&mut self, rows: &[Seen], (began, ended): Span) -> Result<()> {
        ensure!(rows.len() == self.jobs.len(), "{} jobs are seen of {}", rows.len(), self.jobs.len());
        for row in rows {
            let job = self.jobs.get_mut(&row.id).with_context(|| format!("nobody enqueued {}", row.id))?;
            if let Some(seconds) = job.due_in.take() {
                let wait = TimeDelta::milliseconds((seconds * 1000.0) as i64);
                ensure!((began + wait..=ended + wait).contains(&row.run_at), "{} is due at {}", row.id, row.run_at);
                job.run_at = row.run_at;
            }
            let agrees = match job.state {
                State::Waiting => row.state == "scheduled" || row.state == "available" && row.run_at <= ended,
                State::Running { process, fence } => (row.leased_by, row.lease_fence) == (Some(process), Some(fence)),
                State::Completed => row.state == "completed",
                State::Discarded => row.state == "discarded",
                State::Quarantined => row.state == "quarantined",
                State::Cancelled => row.state == "cancelled",
            };
            let counts = (row.attempt, row.crashes.unwrap_or(job.crashes), row.run_at);
            ensure!(agrees && counts == (job.attempt, job.crashes, job.run_at), "{row:?} is to be {job:?}");
        }
        Ok(())
    }

    fn entry(&mut self, id: i64) -> &mut Entry {
        self.jobs.get_mut(&id).expect("only jobs that were enqueued are spoken of")
    }
}
