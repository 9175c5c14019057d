//! The cycle: one task of a process that writes the last outcomes and claims the next jobs in one round trip, and keeps count of what
//! runs. A slot is free again only when the database has confirmed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use db::{Db, EngineConn};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::dispatch::{Finished, Leased, Running, RunningJobs};

/// Outcomes wait this long for others to join them.
const LINGER: Duration = Duration::from_millis(1);
/// Cycles of a busy process follow one another no faster than this, so that each carries more.
const PACE: Duration = Duration::from_millis(12);
/// So many outcomes are written without waiting for more.
const ENOUGH: usize = 200;
/// A claim takes at most so many jobs of one queue.
const MOST: usize = 500;

/// A queue that this process serves.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    pub queue: i16,
    pub count: usize,
}

pub(crate) struct Cycle {
    pub db: Db,
    pub process: Uuid,
    pub lease: Duration,
    pub slots: Vec<Slots>,
    pub running: RunningJobs,
    pub feed: mpsc::UnboundedSender<Leased>,
    pub finished: mpsc::UnboundedReceiver<Finished>,
    /// Something may be due: sent by the listener.
    pub wake: std::sync::Arc<tokio::sync::Notify>,
    pub stopping: CancellationToken,
}

/// What is waiting to be told to the database.
#[derive(Default)]
struct Outbox {
    ids: Vec<i64>,
    fences: Vec<i64>,
    outcomes: Vec<i16>,
    delays: Vec<f64>,
    errors: Vec<Option<String>>,
    /// Ended by the handler's own commit: only the slot is to be freed.
    settled: Vec<(i64, i64)>,
}

impl Outbox {
    fn push(&mut self, finished: Finished) {
        match finished.outcome {
            None => self.settled.push((finished.job_id, finished.fence)),
            Some(outcome) => {
                self.ids.push(finished.job_id);
                self.fences.push(finished.fence);
                self.outcomes.push(outcome.code as i16);
                self.delays.push(outcome.delay);
                self.errors.push(outcome.error);
            }
        }
    }
    fn len(&self) -> usize {
        self.ids.len() + self.settled.len()
    }
    /// Everything that has ended, as (job, fence): a process that was stopped for longer than a lease may hold the same job anew.
    fn ended(&self) -> impl Iterator<Item = (i64, i64)> {
        self.ids.iter().copied().zip(self.fences.iter().copied()).chain(self.settled.iter().copied())
    }
}

/// A row of `jobs.cycle`: a job, or the header with its two last columns.
#[derive(sqlx::FromRow)]
struct Row {
    id: Option<i64>,
    fence: Option<i64>,
    tenant_number: Option<i32>,
    lane_id: Option<i64>,
    queue: Option<i16>,
    kind: Option<i16>,
    attempt: Option<i16>,
    max_attempts: Option<i16>,
    crashes: Option<i16>,
    key_scope: Option<i16>,
    run_at: Option<chrono::DateTime<chrono::Utc>>,
    leased_at: Option<chrono::DateTime<chrono::Utc>>,
    gates: Option<Vec<i64>>,
    is_probe: Option<bool>,
    payload: Option<String>,
    settled: Option<i32>,
    wake_s: Option<f64>,
}

impl Row {
    fn job(self) -> Option<Leased> {
        Some(Leased {
            id: self.id?,
            fence: self.fence?,
            tenant_number: self.tenant_number?,
            lane_id: self.lane_id?,
            queue: self.queue?,
            kind: self.kind?,
            attempt: self.attempt?,
            max_attempts: self.max_attempts?,
            crashes: self.crashes?,
            key_scope: self.key_scope?,
            run_at: self.run_at?,
            leased_at: self.leased_at?,
            gates: self.gates.unwrap_or_default(),
            is_probe: self.is_probe.unwrap_or(false),
            payload: self.payload?,
        })
    }
}

impl Cycle {
    /// Runs until everything has ended after `stopping`: then nothing is claimed any more, and what has ended is written.
    pub async fn run(mut self) {
        let mut conn: Option<EngineConn> = None;
        let mut outbox = Outbox::default();
        let mut claims: HashMap<i64, usize> = HashMap::new();
        let mut next = Instant::now();
        let mut failures = 0_u32;
        let (mut last, mut looked) = (Instant::now(), Instant::now());
        loop {
            let done = self.stopping.is_cancelled() && outbox.len() == 0 && self.count() == 0;
            if done {
                break;
            }
            if !self.gather(&mut outbox, next, last).await {
                break;
            }
            last = Instant::now();
            match self.once(&mut conn, &outbox, &claims, &mut looked).await {
                Ok((leased, wait)) => {
                    failures = 0;
                    self.forget(&mut outbox, &mut claims);
                    let full = self.take(leased, &mut claims);
                    next = Instant::now() + if full { Duration::from_secs(1) } else { wait };
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, failures, "the cycle failed; outcomes are kept");
                    conn = None;
                    next = Instant::now() + Duration::from_millis(50 * u64::from(failures.min(40)));
                    tokio::time::sleep_until(next.into()).await;
                }
            }
        }
    }

    fn count(&self) -> usize {
        self.running.lock().expect("nothing panics while it is held").len()
    }

    /// Waits until there is something to do, then a little longer for more of it. False: nobody is left to hear from.
    async fn gather(&mut self, outbox: &mut Outbox, next: Instant, last: Instant) -> bool {
        if outbox.len() == 0 {
            let idle = self.stopping.is_cancelled();
            tokio::select! {
                biased;
                finished = self.finished.recv() => match finished {
                    Some(finished) => outbox.push(finished),
                    None => return false,
                },
                // told often, as by a stream of webhooks, it still looks no faster than its pace
                () = async { self.wake.notified().await; tokio::time::sleep_until((last + PACE).into()).await }, if !idle => {}
                () = tokio::time::sleep_until(next.max(last + PACE).into()) => {}
                () = self.stopping.cancelled(), if !idle => {}
            }
        }
        let linger = tokio::time::Instant::now() + LINGER;
        while outbox.len() > 0 && outbox.len() < ENOUGH {
            // with nothing else running there is nothing more to wait for
            let until = if outbox.len() < self.count() { linger.max((last + PACE).into()) } else { linger };
            match tokio::time::timeout_at(until, self.finished.recv()).await {
                Ok(Some(finished)) => outbox.push(finished),
                Ok(None) | Err(_) => break,
            }
        }
        while let Ok(finished) = self.finished.try_recv() {
            outbox.push(finished);
        }
        true
    }

    /// One round trip. Nothing is forgotten here: if it fails, the same outcomes are sent again.
    async fn once(
        &self,
        conn: &mut Option<EngineConn>,
        outbox: &Outbox,
        claims: &HashMap<i64, usize>,
        looked: &mut Instant,
    ) -> Result<(Vec<Leased>, Duration), db::Error> {
        let is_new = conn.is_none();
        if is_new {
            *conn = Some(self.db.engine().await?);
        }
        let Some(conn) = conn.as_mut() else { return Ok((Vec::new(), Duration::ZERO)) };
        if is_new || looked.elapsed() >= self.lease {
            // an answer may have been lost with an old connection, whose server process may even commit long after: what it leased goes back
            let known: Vec<i64> = claims.keys().copied().collect();
            let freed: i32 = sqlx::query_scalar("select jobs.release_unknown($1, $2)")
                .bind(self.process)
                .bind(&known)
                .fetch_one(conn.conn())
                .await?;
            if freed > 0 {
                tracing::warn!(jobs = freed, "gave back what was leased by a claim whose answer was lost");
            }
            *looked = Instant::now();
        }
        let (gates, running, free, over) = self.usage(outbox, claims);
        let queues: Vec<i16> = self.slots.iter().map(|slots| slots.queue).collect();
        let rows: Vec<Row> =
            sqlx::query_as("select * from jobs.cycle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
                .bind(self.process)
                .bind(self.lease.as_secs_f64())
                .bind(&outbox.ids)
                .bind(&outbox.fences)
                .bind(&outbox.outcomes)
                .bind(&outbox.delays)
                .bind(&outbox.errors)
                .bind(gates)
                .bind(running)
                .bind(over)
                .bind(queues)
                .bind(free)
                .fetch_all(conn.conn())
                .await?;
        let mut wait = Duration::from_secs(1);
        let mut leased = Vec::with_capacity(rows.len());
        for row in rows {
            if let (Some(settled), Some(wake_s)) = (row.settled, row.wake_s) {
                wait = Duration::from_secs_f64(wake_s.clamp(0.0, 1.0));
                let lost = outbox.ids.len().saturating_sub(usize::try_from(settled).unwrap_or(0));
                if lost > 0 {
                    tracing::warn!(lost, "leases had been lost before their outcomes were written");
                    metrics::counter!("paloma_leases_lost_total").increment(lost as u64);
                }
            } else if let Some(job) = row.job() {
                leased.push(job);
            }
        }
        metrics::counter!("paloma_claims_total").increment(1);
        Ok((leased, wait))
    }

    /// Gates in use with their running jobs, free slots by queue and claims all of whose jobs have ended, as they are once the outbox is written.
    fn usage(&self, outbox: &Outbox, claims: &HashMap<i64, usize>) -> (Vec<i64>, Vec<i32>, Vec<i32>, Vec<i64>) {
        let running = self.running.lock().expect("nothing panics while it is held");
        let mut gates: HashMap<i64, i32> = HashMap::new();
        let mut used: HashMap<i16, usize> = HashMap::new();
        let mut left = claims.clone();
        for job in running.values() {
            *used.entry(job.queue).or_default() += 1;
        }
        let mut freed: Vec<i64> = Vec::new();
        for (id, fence) in outbox.ended() {
            let Some(job) = running.get(&id).filter(|job| job.fence == fence) else { continue };
            if let Some(count) = used.get_mut(&job.queue) {
                *count = count.saturating_sub(1);
            }
            if let Some(count) = left.get_mut(&job.fence) {
                *count = count.saturating_sub(1);
            }
            freed.extend(&job.gates);
        }
        // gates of what has just ended are told too, so that their slots go down to what still runs
        for gate in freed {
            gates.insert(gate, 0);
        }
        if !gates.is_empty() {
            let ended: std::collections::HashSet<(i64, i64)> = outbox.ended().collect();
            for (id, job) in running.iter() {
                for gate in &job.gates {
                    if let (false, Some(count)) = (ended.contains(&(*id, job.fence)), gates.get_mut(gate)) {
                        *count += 1;
                    }
                }
            }
        }
        let stopping = self.stopping.is_cancelled();
        let free = self
            .slots
            .iter()
            .map(|slots| {
                let free = slots.count.saturating_sub(used.get(&slots.queue).copied().unwrap_or(0)).min(MOST);
                if stopping { 0 } else { i32::try_from(free).unwrap_or(0) }
            })
            .collect();
        let over = left.iter().filter(|(_, count)| **count == 0).map(|(fence, _)| *fence).collect();
        let (gates, counts) = gates.into_iter().unzip();
        (gates, counts, free, over)
    }

    /// The database has confirmed: slots are free.
    fn forget(&self, outbox: &mut Outbox, claims: &mut HashMap<i64, usize>) {
        let written = std::mem::take(outbox);
        let mut running = self.running.lock().expect("nothing panics while it is held");
        for (id, fence) in written.ended() {
            if running.get(&id).is_some_and(|job| job.fence == fence) {
                running.remove(&id);
                if let Some(count) = claims.get_mut(&fence) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        claims.retain(|_, count| *count > 0);
    }

    /// Notes what was leased and hands it on. True: no slot is free any more.
    fn take(&self, leased: Vec<Leased>, claims: &mut HashMap<i64, usize>) -> bool {
        let mut running = self.running.lock().expect("nothing panics while it is held");
        for job in leased {
            *claims.entry(job.fence).or_default() += 1;
            let entry = Running {
                fence: job.fence,
                queue: job.queue,
                gates: job.gates.clone(),
                cancel: CancellationToken::new(),
            };
            if let Some(lost) = running.insert(job.id, entry) {
                // its lease was lost while this process stood still, and the job has come back to it
                lost.cancel.cancel();
                if let Some(count) = claims.get_mut(&lost.fence) {
                    *count = count.saturating_sub(1);
                }
            }
            // the receiver ends after this task
            let _ = self.feed.send(job);
        }
        let mut used: HashMap<i16, usize> = HashMap::new();
        for job in running.values() {
            *used.entry(job.queue).or_default() += 1;
        }
        self.slots.iter().all(|slots| used.get(&slots.queue).copied().unwrap_or(0) >= slots.count)
    }
}
