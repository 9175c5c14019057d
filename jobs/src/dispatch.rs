//! From a leased job to its outcome: finds the kind, runs the handler under its timeout and its cancellation, commits what it hands
//! back, and tells the cycle. Never fails itself: whatever happens becomes an outcome of that one job.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use db::{AnyTx, Db, Pulse};
use futures::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::{
    gate::{GateHealth, Verdict},
    job::{Done, JobError, Lease, Retry},
    metrics::{Meters, OUTCOMES},
    registry::{Raw, Registry},
    trace,
};

/// What a job's error begins with where the worker that took it does not know its kind.
pub(crate) const UNKNOWN_KIND: &str = "this worker does not know the kind ";
/// A service is left alone no longer than this at a time, whatever it says.
pub(crate) const LONGEST_REST: Duration = Duration::from_secs(86_400);
/// A handler that was told to stop has this long to do so.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// A job as the claim hands it out.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The job.
    pub id: i64,
    /// Number of its lease.
    pub fence: i64,
    /// Whose job it is; 0 is the platform.
    pub tenant_number: i32,
    /// The lane it came by.
    pub lane_id: i64,
    /// Number of its queue.
    pub queue: i16,
    /// Number of its kind.
    pub kind: i16,
    /// This start, 1 for the first.
    pub attempt: i16,
    /// Starts in all.
    pub max_attempts: i16,
    /// Workers that died over it.
    pub crashes: i16,
    /// 1: its key is given up when it starts.
    pub key_scope: i16,
    /// When it was due.
    pub run_at: DateTime<Utc>,
    /// When it was leased.
    pub leased_at: DateTime<Utc>,
    /// The gates with a cap that its lane passes.
    pub gates: Vec<i64>,
    /// It is the probe of a half-open breaker.
    pub is_probe: bool,
    /// Its payload, JSON text.
    pub payload: String,
}

impl Leased {
    pub(crate) const fn lease(&self, process: Uuid) -> Lease {
        Lease { job_id: self.id, fence: self.fence, process }
    }
}

/// How a lease ends in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum Code {
    Completed = 1,
    Retry = 2,
    Snooze = 3,
    Discarded = 4,
    Cancelled = 5,
    Release = 6,
}

/// What the cycle is told when a job has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub job_id: i64,
    pub fence: i64,
    /// None: the lease was ended by the handler's own commit.
    pub outcome: Option<Outcome>,
}
#[derive(Debug)]
pub(crate) struct Outcome {
    pub code: Code,
    pub delay: f64,
    pub error: Option<String>,
}

/// A job that runs in this process.
pub(crate) struct Running {
    pub fence: i64,
    pub queue: i16,
    pub gates: Vec<i64>,
    pub cancel: CancellationToken,
}
pub(crate) type RunningJobs = Arc<Mutex<HashMap<i64, Running>>>;

/// Runs leased jobs. Cheap to clone.
pub struct Dispatcher<S> {
    inner: Arc<Inner<S>>,
    meters: Arc<Meters>,
}
impl<S> Clone for Dispatcher<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), meters: Arc::clone(&self.meters) }
    }
}

pub(crate) struct Inner<S> {
    pub app: S,
    pub db: Db,
    pub registry: Registry<S>,
    pub process: Uuid,
    /// A transaction of a handler that gets on no further for so long is given up.
    pub lease: Duration,
    pub kinds: HashMap<i16, String>,
    pub running: RunningJobs,
    pub finished: mpsc::UnboundedSender<Finished>,
    pub health: GateHealth,
    /// Nothing new is started any more.
    pub stopping: CancellationToken,
    /// Which may run at once, by queue.
    pub slots: HashMap<i16, Semaphore>,
}

impl<S: Clone + Send + Sync + 'static> Dispatcher<S> {
    pub(crate) fn new(inner: Inner<S>) -> Self {
        let meters = Arc::new(Meters::of(inner.registry.queues()));
        Self { inner: Arc::new(inner), meters }
    }

    /// Runs one job to its end.
    pub async fn run(&self, leased: Leased) {
        let (job_id, fence) = (leased.id, leased.fence);
        let outcome = self.outcome(leased).await;
        // the cycle ends after all its jobs have
        let _ = self.inner.finished.send(Finished { job_id, fence, outcome });
    }

    async fn outcome(&self, mut leased: Leased) -> Option<Outcome> {
        let inner = &*self.inner;
        let cancel = {
            let running = inner.running.lock().expect("nothing panics while it is held");
            running.get(&leased.id).map(|job| job.cancel.clone()).unwrap_or_default()
        };
        // a few more are leased than there are slots, so that short jobs do not wait for the next claim
        let _slot = match inner.slots.get(&leased.queue).map(|slots| (slots, slots.try_acquire())) {
            // there nearly always; asked for alone, since each other thing to wait for has a lock of its own
            Some((_, Ok(slot))) => Some(slot),
            Some((slots, Err(_))) => tokio::select! {
                biased;
                () = inner.stopping.cancelled() => None,
                () = cancel.cancelled() => None,
                slot = slots.acquire() => slot.ok(),
            },
            None => None,
        };
        let never_ran = || {
            // a probe that was never made leaves its place to the next
            if leased.is_probe {
                inner.health.tell(Verdict::NoWord { lane_id: leased.lane_id });
            }
        };
        if inner.stopping.is_cancelled() || cancel.is_cancelled() {
            never_ran();
            return Some(Outcome { code: Code::Release, delay: 0.0, error: None });
        }
        let name = inner.kinds.get(&leased.kind).map_or("unknown", String::as_str);
        let Some(kind) = inner.registry.find(name) else {
            never_ran();
            // a kind of a newer version: leave it to a worker that knows it
            return Some(Outcome { code: Code::Snooze, delay: 30.0, error: Some(format!("{UNKNOWN_KIND}{name}")) });
        };
        if leased.key_scope == 1
            && let Err(error) = db::within(inner.lease, self.give_up_key(leased.id)).await
        {
            never_ran();
            return Some(Outcome { code: Code::Release, delay: 0.0, error: Some(error.to_string()) });
        }
        let started = Instant::now();
        let waited = (leased.leased_at - leased.run_at).as_seconds_f64().max(0.0);
        let (attempt, max_attempts, lease) = (leased.attempt, leased.max_attempts, leased.lease(inner.process));
        let span = tracing::info_span!(
            parent: None,
            "job.run",
            job.id = leased.id,
            job.kind = kind.name,
            attempt,
            tenant.number = leased.tenant_number
        );
        if let Some(trace) = trace::take(&mut leased.payload) {
            trace::link(&span, trace);
        }
        let (is_probe, lane_id, tenant_number) = (leased.is_probe, leased.lane_id, leased.tenant_number);
        let has_reported = Arc::new(AtomicBool::new(false));
        let pulse = Arc::new(Pulse::default());
        let raw = Raw {
            app: inner.app.clone(),
            db: inner.db.watched_by(&pulse),
            health: inner.health.clone(),
            has_reported: Arc::clone(&has_reported),
            process: inner.process,
            cancel: cancel.clone(),
        };
        let work = AssertUnwindSafe((kind.handler)(leased, raw)).catch_unwind().instrument(span.clone());
        let result = tokio::select! {
            // a handler that is done at once needs no timer
            biased;
            result = work => result.unwrap_or_else(|_| Err(JobError::retry("the handler panicked"))),
            error = no_end(kind.timeout, &pulse, inner.lease) => {
                cancel.cancel();
                Err(error)
            }
            () = async { cancel.cancelled().await; tokio::time::sleep(CANCEL_GRACE).await } => {
                Err(JobError::Retry { error: "it was told to stop and did not".to_owned(), after: Some(Duration::ZERO) })
            }
        };
        self.meters.ran(kind.name, waited, started.elapsed());
        if is_probe && !has_reported.load(Ordering::Relaxed) {
            inner.health.tell(Verdict::NoWord { lane_id });
        }
        let failed = |error| inner.failed(error, tenant_number, (attempt, max_attempts), kind.retry);
        let outcome = match result {
            Ok(Done::Now) => Some(Outcome { code: Code::Completed, delay: 0.0, error: None }),
            Ok(Done::Settled) => None,
            Ok(Done::With(tx)) => commit(*tx, lease, inner.lease).instrument(span.clone()).await.err().map(failed),
            Err(error) => Some(failed(error)),
        };
        let code = outcome.as_ref().map_or(Code::Completed, |outcome| outcome.code);
        self.meters.settled(kind.name, code as usize - 1);
        log(&span, code, outcome.as_ref());
        outcome
    }

    /// A key "until started" ends here, before the handler reads anything: an enqueue that still saw the key has committed by then.
    async fn give_up_key(&self, job_id: i64) -> Result<(), db::Error> {
        let mut tx = self.inner.db.platform(db::Why::Engine).await?;
        sqlx::query("select jobs.give_up_key($1)").bind(job_id).execute(db::Scope::conn(&mut tx)).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Waits until the handler has taken too long, or waits for a database that does not answer.
async fn no_end(timeout: Duration, pulse: &Pulse, limit: Duration) -> JobError {
    let over = tokio::time::Instant::now() + timeout;
    loop {
        let look = over.min(tokio::time::Instant::now() + limit / 4);
        tokio::time::sleep_until(look).await;
        if look == over {
            return JobError::retry(format!("no end after {} s", timeout.as_secs()));
        }
        if pulse.has_stopped(limit) {
            return JobError::retry(db::Error::NoAnswer(limit));
        }
    }
}

impl<S> Inner<S> {
    /// How the lease ends of a handler that has not done its work.
    fn failed(
        &self,
        error: JobError,
        tenant_number: i32,
        (attempt, max_attempts): (i16, i16),
        retry: Retry,
    ) -> Outcome {
        let snooze = |wait: Duration| Outcome { code: Code::Snooze, delay: wait.as_secs_f64(), error: None };
        match error {
            JobError::Retry { error, .. } if attempt >= max_attempts => {
                Outcome { code: Code::Discarded, delay: 0.0, error: clean(error) }
            }
            JobError::Retry { error, after } => {
                let wait = after.unwrap_or_else(|| retry.wait(attempt));
                Outcome { code: Code::Retry, delay: wait.as_secs_f64(), error: clean(error) }
            }
            JobError::Snooze { wait } => snooze(wait),
            JobError::Rest { gate, wait } => {
                let wait = wait.min(LONGEST_REST);
                self.health.tell(Verdict::Rest { tenant_number, gate, wait });
                // spread, so that they do not all come at once
                snooze(wait.mul_f64(1.0 + rand::random_range(0.0..0.25)))
            }
            JobError::Discard { error } => Outcome { code: Code::Discarded, delay: 0.0, error: clean(error) },
            JobError::Cancel { reason } => Outcome { code: Code::Cancelled, delay: 0.0, error: clean(reason) },
            JobError::Release => Outcome { code: Code::Release, delay: 0.0, error: None },
        }
    }
}

/// Commits the effect with the completion. Without an answer it may have happened: then the row is gone, and what is said of it next changes
/// nothing.
async fn commit(tx: AnyTx, lease: Lease, limit: Duration) -> Result<(), JobError> {
    if !db::within(limit, complete(tx, lease)).await.map_err(JobError::retry)? {
        tracing::warn!("the lease was lost before the effect could be committed: rolled back");
        crate::metrics::leases_lost("commit", 1);
    }
    Ok(())
}

/// The completion is the last statement before the commit; where the lease is lost nothing is committed.
async fn complete(mut tx: AnyTx, lease: Lease) -> Result<bool, db::Error> {
    let held: bool = match &mut tx {
        AnyTx::Tenant(_) => {
            sqlx::query_scalar("select jobs.complete($1, $2, $3)")
                .bind(lease.job_id)
                .bind(lease.fence)
                .bind(lease.process)
                .fetch_one(tx.conn())
                .await?
        }
        AnyTx::Platform(_) => sqlx::query_scalar(
            "select jobs.settle($1::uuid, array[$2::bigint], array[$3::bigint], array[1::smallint], array[0::float8], array[null::text]) = 1",
        )
        .bind(lease.process)
        .bind(lease.job_id)
        .bind(lease.fence)
        .fetch_one(tx.conn())
        .await?,
    };
    if held {
        tx.commit().await?;
    }
    Ok(held)
}

/// Postgres holds no NUL in text.
fn clean(error: String) -> Option<String> {
    Some(error.replace('\0', "\u{fffd}"))
}

fn log(span: &Span, code: Code, outcome: Option<&Outcome>) {
    let name = OUTCOMES[code as usize - 1];
    match outcome {
        Some(Outcome { code: Code::Retry, delay, error: Some(error) }) => {
            tracing::warn!(parent: span, error, again_in_s = delay, "job failed")
        }
        Some(Outcome { code: Code::Discarded, error: Some(error), .. }) => {
            tracing::error!(parent: span, error, "job discarded")
        }
        Some(Outcome { code: Code::Cancelled, error: Some(error), .. }) => {
            tracing::info!(parent: span, error, "job cancelled")
        }
        _ => tracing::debug!(parent: span, outcome = name, "job ended"),
    }
}
