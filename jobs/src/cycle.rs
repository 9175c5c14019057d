//! The cycle: one task of a process that writes the last outcomes and claims the next jobs in one round trip, and keeps count of what
//! runs. A slot is free again only when the database has confirmed. A busy process has two round trips under way, one that writes and
//! one that claims, so that claims do not wait for the disk and outcomes not for claims.

mod next;
mod outbox;
mod trip;

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use db::{Db, EngineConn};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    next::Next,
    outbox::Outbox,
    trip::{Claimed, Known, Landed, Trip},
};
use crate::dispatch::{Finished, Leased, Running, RunningJobs};

/// Outcomes wait this long for others to join them.
const LINGER: Duration = Duration::from_millis(1);
/// Cycles of a busy process follow one another no faster than this, so that each carries more.
const PACE: Duration = Duration::from_millis(12);
/// So many outcomes are written without waiting for more.
const ENOUGH: usize = 400;
/// A claim takes at most so many jobs of one queue.
const MOST: usize = 500;
/// Jobs that wait in the process for a slot are no more than end within this.
const AHEAD: Duration = Duration::from_millis(20);
/// Free slots for which a claim goes beside a trip that writes.
const WORTH_IT: usize = 100;
/// Round trips under way at once: one that claims, one that does not.
const TRIPS: usize = 2;

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

/// What the task remembers from one round trip to the next.
struct State {
    outbox: Outbox,
    /// Since when outcomes wait.
    waiting_since: Instant,
    /// Jobs that run, by claim.
    claims: HashMap<i64, usize>,
    /// Jobs that run, by queue.
    used: HashMap<i16, usize>,
    /// The greatest fence this process was ever given.
    seen: i64,
    /// Claims all of whose jobs have ended, not yet told.
    over: Vec<i64>,
    /// Connections at rest; none where one has to be opened.
    conns: Vec<Option<EngineConn>>,
    /// A trip under way claims. One at a time: two would wait for the same lane.
    is_claiming: bool,
    /// The trip under way wants to be alone.
    is_alone: bool,
    is_woken: bool,
    /// When there may be something to claim.
    next: Instant,
    /// When the last trip began.
    last: Instant,
    /// When claims that nobody knows of were last looked for; none: at the next trip.
    looked: Option<Instant>,
    /// No trip before this, after a failure.
    pause: Instant,
    failures: u32,
    /// Nobody is left to hear from.
    is_closed: bool,
    /// How fast jobs of each queue end.
    speeds: HashMap<i16, Speed>,
}

type Trips = FuturesUnordered<BoxFuture<'static, Landed>>;

impl Cycle {
    /// Runs until everything has ended after `stopping`: then nothing is claimed any more, and what has ended is written.
    pub async fn run(mut self) {
        let now = Instant::now();
        let mut state = State {
            outbox: Outbox::default(),
            waiting_since: now,
            claims: HashMap::new(),
            used: HashMap::new(),
            seen: 0,
            over: Vec::new(),
            conns: (0..TRIPS).map(|_| None).collect(),
            is_claiming: false,
            is_alone: false,
            is_woken: false,
            next: now,
            last: now,
            looked: None,
            is_closed: false,
            speeds: self.slots.iter().map(|slots| (slots.queue, Speed::new())).collect(),
            pause: now,
            failures: 0,
        };
        let mut trips = Trips::new();
        loop {
            let is_stopping = self.stopping.is_cancelled();
            let has_ended = is_stopping && state.outbox.is_empty() && self.count() == 0;
            if trips.is_empty() && (has_ended || state.is_closed) {
                break;
            }
            let start_at = self.start_at(&state, trips.len(), is_stopping);
            let next = match Next::of(start_at, Instant::now()) {
                Next::Now => {
                    if let Some(trip) = self.prepare(&mut state, trips.len()) {
                        trips.push(Box::pin(trip.fly()));
                        continue;
                    }
                    // it has to be alone: the trip under way brings the next look
                    Next::Told
                }
                later => later,
            };
            tokio::select! {
                biased;
                Some(landed) = trips.next(), if !trips.is_empty() => self.land(landed, &mut state),
                finished = self.finished.recv(), if !state.is_closed => match finished {
                    Some(finished) => self.note(finished, &mut state),
                    None => state.is_closed = true,
                },
                () = self.wake.notified(), if !is_stopping && !state.is_woken => state.is_woken = true,
                () = next.reached() => {}
                () = self.stopping.cancelled(), if !is_stopping => {}
            }
        }
    }

    fn count(&self) -> usize {
        self.running.lock().expect("nothing panics while it is held").len()
    }

    /// When the next trip may begin, as things stand; none: not before something happens.
    fn start_at(&self, state: &State, under_way: usize, is_stopping: bool) -> Option<Instant> {
        let enough = state.outbox.len() >= ENOUGH;
        match under_way {
            0 if enough => Some(state.pause),
            0 if !state.outbox.is_empty() => {
                let linger = state.waiting_since + LINGER;
                // with nothing else running there is nothing more to wait for
                let at = if state.outbox.len() < self.count() { linger.max(state.last + PACE) } else { linger };
                Some(at.max(state.pause))
            }
            0 if is_stopping => None,
            // nothing could be taken: whatever ends brings the next trip
            0 if self.free(state).is_empty() => Some((state.last + Duration::from_secs(1)).max(state.pause)),
            // told often, as by a stream of webhooks, it still looks no faster than its pace
            0 if state.is_woken => Some((state.last + PACE).max(state.pause)),
            0 => Some(state.next.max(state.last + PACE).max(state.pause)),
            count if count >= TRIPS || state.is_alone => None,
            _ if state.is_claiming => enough.then_some(state.pause),
            _ if self.free(state).iter().any(|(_, free)| *free as usize >= WORTH_IT) => {
                Some(state.next.max(state.pause))
            }
            _ => None,
        }
    }

    /// Takes one outcome, and what else has come meanwhile.
    fn note(&mut self, finished: Finished, state: &mut State) {
        if state.outbox.is_empty() {
            state.waiting_since = Instant::now();
        }
        state.outbox.push(finished);
        while state.outbox.len() < MOST {
            let Ok(finished) = self.finished.try_recv() else { break };
            state.outbox.push(finished);
        }
    }

    /// Packs the next trip; none: it would have to be alone and is not.
    fn prepare(&self, state: &mut State, under_way: usize) -> Option<Trip> {
        let others = under_way > 0;
        let at = state.conns.iter().position(Option::is_some).unwrap_or(0);
        let is_new = state.conns.get(at)?.is_none();
        // the second connection is opened when it is needed, and then what is under way is known to this process
        let looks = (is_new && !others) || state.looked.is_none_or(|at| at.elapsed() >= self.lease);
        let running = self.running_at_gates(&state.outbox);
        let is_alone = looks || !running.is_empty();
        if is_alone && others {
            state.is_alone = true;
            return None;
        }
        // with much to write the claim goes by itself, right behind
        let writes = !others && !is_alone && state.outbox.len() >= ENOUGH;
        // after a failure outcomes go alone: what stops a claim must not stop them
        let is_safe = state.failures == 0 || state.outbox.is_empty();
        let claims = !state.is_claiming && !writes && is_safe;
        // beside a trip that writes nothing else is written, so that the claim does not wait for the disk
        let takes_outbox = !others || state.is_claiming;
        let conn = state.conns.remove(at);
        let (outbox, over) = if takes_outbox {
            (std::mem::take(&mut state.outbox), std::mem::take(&mut state.over))
        } else {
            (Outbox::default(), Vec::new())
        };
        let free = if claims { self.free_beside(state, &outbox) } else { Vec::new() };
        state.is_claiming |= claims;
        state.is_alone = is_alone;
        state.is_woken &= !claims;
        state.last = Instant::now();
        if looks {
            state.looked = Some(state.last);
        }
        Some(Trip {
            db: self.db.clone(),
            conn,
            process: self.process,
            lease: self.lease,
            known: looks.then(|| Known { claims: state.claims.keys().copied().collect(), running: self.at_gates() }),
            seen: state.seen,
            outbox,
            over,
            running,
            claims,
            free,
        })
    }

    /// Running jobs of all gates with a cap.
    fn at_gates(&self) -> Vec<(i64, i32)> {
        let running = self.running.lock().expect("nothing panics while it is held");
        let mut gates: HashMap<i64, i32> = HashMap::new();
        for gate in running.values().flat_map(|job| &job.gates) {
            *gates.entry(*gate).or_default() += 1;
        }
        gates.into_iter().collect()
    }

    /// Running jobs of the gates with a cap behind which something has just ended, so that their slots go down to what still runs.
    fn running_at_gates(&self, outbox: &Outbox) -> Vec<(i64, i32)> {
        let running = self.running.lock().expect("nothing panics while it is held");
        let mut gates: HashMap<i64, i32> = HashMap::new();
        for (id, fence) in outbox.ended() {
            if let Some(job) = running.get(&id).filter(|job| job.fence == fence) {
                gates.extend(job.gates.iter().map(|gate| (*gate, 0)));
            }
        }
        if !gates.is_empty() {
            let ended: HashSet<(i64, i64)> = outbox.ended().collect();
            for (_, job) in running.iter().filter(|(id, job)| !ended.contains(&(**id, job.fence))) {
                for gate in &job.gates {
                    if let Some(count) = gates.get_mut(gate) {
                        *count += 1;
                    }
                }
            }
        }
        gates.into_iter().collect()
    }

    /// Slots that are free, by queue, where there are any.
    fn free(&self, state: &State) -> Vec<(i16, i32)> {
        self.free_beside(state, &Outbox::default())
    }

    /// Slots that are free or will be once these outcomes are written, by queue, where there are any; and a little ahead of the slots, so
    /// that many short jobs are claimed together however few slots there are.
    fn free_beside(&self, state: &State, outbox: &Outbox) -> Vec<(i16, i32)> {
        if self.stopping.is_cancelled() {
            return Vec::new();
        }
        let mut used = state.used.clone();
        if !outbox.is_empty() {
            let running = self.running.lock().expect("nothing panics while it is held");
            for (id, fence) in outbox.ended() {
                if let Some(job) = running.get(&id).filter(|job| job.fence == fence) {
                    one_less(&mut used, job.queue);
                }
            }
        }
        self.slots
            .iter()
            .filter_map(|slots| {
                let ahead = state.speeds.get(&slots.queue).map_or(0, |speed| speed.ahead(slots.count));
                let free = (slots.count + ahead).saturating_sub(used.get(&slots.queue).copied().unwrap_or(0)).min(MOST);
                i32::try_from(free).ok().filter(|free| *free > 0).map(|free| (slots.queue, free))
            })
            .collect()
    }

    /// A trip has come back.
    fn land(&self, landed: Landed, state: &mut State) {
        let Landed { trip, result } = landed;
        state.conns.push(trip.conn);
        state.speeds.values_mut().for_each(Speed::look);
        state.is_alone = false;
        if trip.claims {
            state.is_claiming = false;
        }
        match result {
            Ok(claimed) => {
                state.failures = 0;
                self.forget(&trip.outbox, state);
                if trip.claims {
                    state.next = Instant::now() + claimed.wait;
                }
                self.take(claimed, state);
            }
            Err(error) => {
                state.failures += 1;
                tracing::warn!(%error, failures = state.failures, "the cycle failed; outcomes are kept");
                if state.outbox.is_empty() {
                    state.waiting_since = Instant::now();
                }
                state.outbox.append(trip.outbox);
                state.over.extend(trip.over);
                // what the lost answer may have leased is asked for before anything else
                state.looked = None;
                state.pause = Instant::now() + Duration::from_millis(50 * u64::from(state.failures.min(40)));
                state.next = state.pause;
            }
        }
    }

    /// The database has confirmed: slots are free.
    fn forget(&self, written: &Outbox, state: &mut State) {
        let mut running = self.running.lock().expect("nothing panics while it is held");
        for (id, fence) in written.ended() {
            if running.get(&id).is_some_and(|job| job.fence == fence)
                && let Some(job) = running.remove(&id)
            {
                if let Some(speed) = state.speeds.get_mut(&job.queue) {
                    speed.ended += 1;
                }
                one_less(&mut state.used, job.queue);
                end_one(fence, state);
            }
        }
    }

    /// Notes what was leased and hands it on.
    fn take(&self, claimed: Claimed, state: &mut State) {
        if claimed.lost > 0 {
            tracing::warn!(lost = claimed.lost, "leases had been lost before their outcomes were written");
            crate::metrics::leases_lost("settle", claimed.lost);
        }
        let mut running = self.running.lock().expect("nothing panics while it is held");
        for job in claimed.jobs {
            *state.claims.entry(job.fence).or_default() += 1;
            *state.used.entry(job.queue).or_default() += 1;
            state.seen = state.seen.max(job.fence);
            let entry = Running {
                fence: job.fence,
                queue: job.queue,
                gates: job.gates.clone(),
                cancel: CancellationToken::new(),
            };
            if let Some(lost) = running.insert(job.id, entry) {
                // its lease was lost while this process stood still, and the job has come back to it
                lost.cancel.cancel();
                one_less(&mut state.used, lost.queue);
                end_one(lost.fence, state);
            }
            // the receiver ends after this task
            let _ = self.feed.send(job);
        }
    }
}

/// How many jobs of a queue end a second, of late.
struct Speed {
    since: Instant,
    ended: usize,
    per_s: f64,
}

impl Speed {
    fn new() -> Self {
        Self { since: Instant::now(), ended: 0, per_s: 0.0 }
    }
    fn look(&mut self) {
        let passed = self.since.elapsed();
        if passed >= AHEAD {
            let now = self.ended as f64 / passed.as_secs_f64();
            (self.since, self.ended, self.per_s) = (Instant::now(), 0, f64::midpoint(self.per_s, now));
        }
    }
    /// How many may wait in this process for a slot: what will end within [`AHEAD`] at this speed and is more than the slots hold. None,
    /// therefore, unless jobs are short: what waits here waits for a whole lease if the process dies.
    fn ahead(&self, slots: usize) -> usize {
        ((self.per_s * AHEAD.as_secs_f64()) as usize).saturating_sub(slots)
    }
}

fn one_less(used: &mut HashMap<i16, usize>, queue: i16) {
    if let Some(count) = used.get_mut(&queue) {
        *count = count.saturating_sub(1);
    }
}

/// One job less of a claim; the last one makes it over.
fn end_one(fence: i64, state: &mut State) {
    if let Some(count) = state.claims.get_mut(&fence) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            state.claims.remove(&fence);
            state.over.push(fence);
        }
    }
}
