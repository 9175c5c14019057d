//! What a job kind is: payload, options and handler in one type; and what a handler may answer.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use db::{Actor, AnyTx, Db, PlatformTx, TenantTx, Why};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fate::OnFate,
    gate::{GateHealth, Verdict},
};

/// Which slots run a job. The constants are the product's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Queue(pub &'static str);

/// How often and how soon a failed job is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Starts in all.
    pub max_attempts: i16,
    base: Duration,
    limit: Duration,
}

impl Retry {
    /// One start, no retry.
    pub const NEVER: Self = Self { max_attempts: 1, base: Duration::ZERO, limit: Duration::ZERO };

    /// At most that many starts, the wait doubling from one second up to an hour.
    #[must_use]
    pub const fn exponential(max_attempts: i16) -> Self {
        Self { max_attempts, base: Duration::from_secs(1), limit: Duration::from_secs(3600) }
    }
    /// The first wait.
    #[must_use]
    pub const fn from_secs(self, seconds: u64) -> Self {
        Self { base: Duration::from_secs(seconds), ..self }
    }
    /// The longest wait.
    #[must_use]
    pub const fn up_to_secs(self, seconds: u64) -> Self {
        Self { limit: Duration::from_secs(seconds), ..self }
    }
    /// The wait after the given attempt (1 for the first): doubled each time, at most the limit, then drawn from its upper half, so
    /// that jobs which failed together do not come back together.
    #[must_use]
    pub fn wait(&self, attempt: i16) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(30);
        let full = self.base.saturating_mul(1_u32 << doublings).min(self.limit);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }
}

/// How long a key keeps other jobs of its kind away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// Until the job starts: an enqueue after a running job has read its data makes a new job.
    UntilStarted,
    /// Until the job has ended.
    WhileLive,
    /// For that long after the enqueue, whatever becomes of the job.
    For(Duration),
    /// For ever.
    Forever,
}

/// What makes two jobs of one kind and tenant the same job.
#[derive(Debug, Clone)]
pub struct UniqueKey {
    pub(crate) bytes: Vec<u8>,
}
impl From<Uuid> for UniqueKey {
    fn from(id: Uuid) -> Self {
        Self { bytes: id.as_bytes().to_vec() }
    }
}
impl<T> From<db::Id<T>> for UniqueKey {
    fn from(id: db::Id<T>) -> Self {
        id.uuid().into()
    }
}
impl From<&str> for UniqueKey {
    fn from(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec() }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Tenant {}
    impl Sealed for super::Platform {}
}
/// Where a kind's jobs are enqueued from and run.
pub trait JobScope: sealed::Sealed + Send + Sync + 'static {
    /// The name in the snapshot of kinds.
    const NAME: &'static str;
}
/// In one tenant and nowhere else.
#[derive(Debug)]
pub enum Tenant {}
/// In the platform.
#[derive(Debug)]
pub enum Platform {}
impl JobScope for Tenant {
    const NAME: &'static str = "tenant";
}
impl JobScope for Platform {
    const NAME: &'static str = "platform";
}

/// A kind of job, over the application `S` that its handler works with.
pub trait Job<S>: Serialize + DeserializeOwned + Send + 'static {
    /// Where it runs.
    type Scope: JobScope;
    /// The wire name, `feature.verb`; never used again for something else.
    const KIND: &'static str;
    /// Which slots run it.
    const QUEUE: Queue;
    /// How failures are tried again.
    const RETRY: Retry = Retry::exponential(10);
    /// A handler past this is cancelled and counts as failed.
    const TIMEOUT: Duration = Duration::from_secs(60);
    /// How long [`Job::unique_key`] keeps others away.
    const UNIQUE: KeyScope = KeyScope::WhileLive;
    /// Never refused for a quota of its tenant: what came in, sweeps, progress and the like, which must go on whatever is queued.
    const QUOTA_EXEMPT: bool = false;
    /// The job that is told when jobs of this kind were given up, called off, or run again after that.
    const ON_FATE: Option<OnFate> = None;

    /// What this job shares with those it would duplicate; none: every enqueue makes a job.
    fn unique_key(&self) -> Option<UniqueKey> {
        None
    }
    /// Does the work.
    fn run(self, cx: Cx<S, Self::Scope>) -> impl Future<Output = JobResult> + Send;
}

/// How a handler ended well.
pub enum Done {
    /// Nothing is left to commit; the next cycle writes the completion.
    Now,
    /// The effect is in this transaction; the completion joins it, as its last statement and only while the lease holds.
    With(Box<AnyTx>),
    /// The lease was ended by the handler's own group commit.
    Settled,
}

impl Done {
    /// The effect and the completion commit together.
    pub fn with(tx: impl Into<AnyTx>) -> Self {
        Self::With(Box::new(tx.into()))
    }
}

/// How a handler ended otherwise.
#[derive(Debug)]
pub enum JobError {
    /// Try again, after the kind's curve or after the time given; the last attempt discards.
    Retry {
        /// What happened, without secrets.
        error: String,
        /// Overrides the curve.
        after: Option<Duration>,
    },
    /// Not now: come back later, no attempt burnt.
    Snooze {
        /// When.
        wait: Duration,
    },
    /// Never again; kept among the failures.
    Discard {
        /// What happened, without secrets.
        error: String,
    },
    /// No longer wanted; kept among the failures.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Given back as if it had not been taken.
    Release,
    /// The service behind that gate of the lane asked to be left alone (Retry-After): the gate lets nothing through until then, and this job
    /// comes back a little after, without a burnt attempt.
    Rest {
        /// The gate's key.
        gate: String,
        /// How long.
        wait: Duration,
    },
}

impl JobError {
    /// A failure to be tried again on the kind's curve.
    pub fn retry(error: impl fmt::Display) -> Self {
        Self::Retry { error: error.to_string(), after: None }
    }
    /// A failure that no retry mends.
    pub fn discard(error: impl fmt::Display) -> Self {
        Self::Discard { error: error.to_string() }
    }
}
impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> Self {
        Self::retry(error)
    }
}
impl From<db::Error> for JobError {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::NoTenant => Self::discard("the tenant does not exist"),
            other => Self::retry(other),
        }
    }
}

/// What a handler answers.
pub type JobResult = Result<Done, JobError>;

/// The right to work on a job: its number changes with every lease, and with the process it names it never comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job_id: i64,
    /// Drawn from the database at the claim; only grows.
    pub fence: i64,
    /// The process start that holds it.
    pub process: Uuid,
}

/// What a handler is given.
pub struct Cx<S, K: JobScope> {
    /// The application.
    pub app: S,
    /// The lease it works under.
    pub lease: Lease,
    /// This start, 1 for the first.
    pub attempt: i16,
    /// Starts in all.
    pub max_attempts: i16,
    /// Workers that died over it.
    pub crashes: i16,
    /// Whose job it is; 0 is the platform.
    pub tenant_number: i32,
    /// The lane it came by.
    pub lane_id: i64,
    /// When it was due.
    pub run_at: DateTime<Utc>,
    /// Cancelled when the lease is lost, at the timeout and when the shutdown's grace is over.
    pub cancel: CancellationToken,
    /// It goes through a half-open breaker to find out.
    pub is_probe: bool,
    pub(crate) health: GateHealth,
    pub(crate) has_reported: Arc<AtomicBool>,
    pub(crate) db: Db,
    pub(crate) kind: &'static str,
    pub(crate) scope: std::marker::PhantomData<fn() -> K>,
}

impl<S, K: JobScope> Cx<S, K> {
    /// Whether a retry would be the last one's: no attempt is left after this one.
    #[must_use]
    pub const fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }
    /// Tells the gates of this job's lane that the service behind them answered, or did not. Enough failures in a row open the breaker.
    pub fn report(&self, gate: &str, answered: bool, reason: &str) {
        self.has_reported.store(true, Ordering::Relaxed);
        self.health.report(self.tenant_number, gate, answered, reason, self.is_probe);
    }
    /// The service behind the gate asked to be left alone: nothing passes before, for the whole fleet.
    pub fn rest(&self, gate: &str, wait: Duration) {
        self.has_reported.store(true, Ordering::Relaxed);
        let wait = wait.min(crate::dispatch::LONGEST_REST);
        self.health.tell(Verdict::Rest { tenant_number: self.tenant_number, gate: gate.to_owned(), wait });
    }
}
impl<S> Cx<S, Tenant> {
    /// A transaction in the job's tenant.
    pub async fn tx(&self) -> Result<TenantTx, db::Error> {
        self.db.tenant_by_number(self.tenant_number, Actor::Job(self.kind)).await
    }
}
impl<S> Cx<S, Tenant> {
    /// The same for statements over arrays that find each row by its key (see [`Db::keyed_tenant_by_number`]).
    pub async fn keyed_tx(&self) -> Result<TenantTx, db::Error> {
        self.db.keyed_tenant_by_number(self.tenant_number, Actor::Job(self.kind)).await
    }
}
impl<S> Cx<S, Platform> {
    /// A transaction that sees every tenant.
    pub async fn tx(&self) -> Result<PlatformTx, db::Error> {
        self.db.platform(Why::Upkeep).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_never_above_the_limit_nor_below_half_of_its_step(attempt in 1_i16..200, base in 1_u64..1000, limit in 1_u64..100_000) {
            let retry = Retry::exponential(10).from_secs(base).up_to_secs(limit);
            let wait = retry.wait(attempt).as_secs_f64();
            let step = (base as f64 * 2_f64.powi(i32::from(attempt - 1).min(30))).min(limit as f64);
            prop_assert!(wait <= step + 1e-6);
            prop_assert!(wait >= step / 2.0 - 1e-6);
        }
    }
}
