//! Enqueue: one or many, inside the caller's transaction. A duplicate is an answer, not an error.

use std::{marker::PhantomData, time::Duration};

use chrono::{DateTime, Utc};
use db::{PlatformTx, Scope, TenantTx};
use serde_json::Value;
use sqlx::types::Json;

use crate::{
    admission,
    job::{Job, KeyScope, UniqueKey},
    trace,
};

/// The channel on which workers are told that something is due.
pub const CHANNEL: &str = "paloma_jobs";

/// A payload may have this many bytes of JSON: ids and small choices, no texts of messages.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// What became of one enqueue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// A job was made.
    Created(i64),
    /// A job with that key was there already; this one holds it.
    Duplicate(i64),
}

impl Enqueued {
    /// The job that will do the work, made now or before.
    #[must_use]
    pub const fn job_id(self) -> i64 {
        match self {
            Self::Created(id) | Self::Duplicate(id) => id,
        }
    }
}

/// Why a job could not be enqueued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The lane was cancelled and takes no more jobs.
    #[error("the lane is cancelled")]
    LaneCancelled,
    /// The batch has completed, or there is none of that id.
    #[error("the batch has completed and takes no more jobs")]
    BatchClosed,
    /// The lane is not one of the batch's own.
    #[error("a batch's jobs go into lanes of its own")]
    LaneOfOthers,
    /// The tenant has as much queued as it may.
    #[error("as much is queued as may be; try again in {} s", .retry_after.as_secs())]
    QuotaExceeded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The payload can't be stored.
    #[error("the payload can't be stored: {0}")]
    Payload(String),
    /// The database refused.
    #[error(transparent)]
    Sqlx(sqlx::Error),
}
impl From<sqlx::Error> for EnqueueError {
    fn from(error: sqlx::Error) -> Self {
        match db::constraint::violated(&error) {
            Some("lane_cancelled") => Self::LaneCancelled,
            Some("batch_completed" | "batch_unknown") => Self::BatchClosed,
            Some("quota_exceeded") => Self::QuotaExceeded { retry_after: admission::RETRY_AFTER },
            Some("lane_not_of_batch") => Self::LaneOfOthers,
            _ => Self::Sqlx(error),
        }
    }
}
impl From<EnqueueError> for crate::JobError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Sqlx(error) => Self::retry(error),
            EnqueueError::QuotaExceeded { retry_after } => Self::Snooze { wait: retry_after },
            other => Self::discard(other),
        }
    }
}

/// One job of many, with what it says for itself.
#[derive(Debug)]
pub struct Row<'a, J> {
    /// The job.
    pub job: &'a J,
    /// When it is due; none: at once.
    pub run_at: Option<DateTime<Utc>>,
    /// In place of the kind's own key.
    pub key: Option<UniqueKey>,
}

/// The occasion of an enqueue: lane, class, priority, time, batch. They depend on the occasion, not on the kind.
#[must_use]
pub struct Enqueue<S, J> {
    lane: Option<String>,
    class: i16,
    priority: i16,
    run_at: Option<DateTime<Utc>>,
    wait: Option<Duration>,
    batch: Option<i64>,
    is_exempt: bool,
    marker: PhantomData<fn() -> (S, J)>,
}

impl<S, J: Job<S>> Default for Enqueue<S, J> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, J: Job<S>> Enqueue<S, J> {
    /// Into the lane that the kind, or else the batch, has for itself, due at once.
    pub fn new() -> Self {
        Self {
            lane: None,
            class: 1,
            priority: 0,
            run_at: None,
            wait: None,
            batch: None,
            is_exempt: J::QUOTA_EXEMPT,
            marker: PhantomData,
        }
    }
    /// Into that lane, `campaign/{id}`; made on first use, with the gates that [`crate::lane::configure`] gave it.
    pub fn lane(mut self, key: impl Into<String>) -> Self {
        self.lane = Some(key.into());
        self
    }
    /// Class 0 goes before class 1, strictly; used where the lane is made.
    pub const fn class(mut self, class: i16) -> Self {
        self.class = class;
        self
    }
    /// Smallest first, inside the lane.
    pub const fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }
    /// Due at that time.
    pub const fn run_at(mut self, at: DateTime<Utc>) -> Self {
        self.run_at = Some(at);
        self
    }
    /// Due that long after the transaction's time.
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }
    /// Counted in that batch and paused, resumed and cancelled with it; without a lane of its own to go to, the lane is `batch/{id}`.
    pub const fn batch(mut self, batch: i64) -> Self {
        self.batch = Some(batch);
        self
    }
    /// Not refused for a quota: for what must not fail because others have queued too much.
    pub const fn exempt(mut self) -> Self {
        self.is_exempt = true;
        self
    }
    /// Counted against the quota, where the kind is otherwise not: for what clients ask for.
    pub const fn counted(mut self) -> Self {
        self.is_exempt = false;
        self
    }

    /// Enqueues one job for the transaction's tenant.
    pub async fn one(self, tx: &mut TenantTx, job: &J) -> Result<Enqueued, EnqueueError> {
        let tenant = tx.tenant_number();
        Ok(self.insert_many(tx, tenant, std::slice::from_ref(job)).await?[0])
    }
    /// Enqueues many jobs for the transaction's tenant; the answers are in the order of the jobs.
    pub async fn many(self, tx: &mut TenantTx, jobs: &[J]) -> Result<Vec<Enqueued>, EnqueueError> {
        let tenant = tx.tenant_number();
        self.insert_many(tx, tenant, jobs).await
    }
    /// Enqueues for any tenant (0 is the platform) from a transaction that sees them all.
    pub async fn many_for(
        self,
        tx: &mut PlatformTx,
        tenant_number: i32,
        jobs: &[J],
    ) -> Result<Vec<Enqueued>, EnqueueError> {
        self.insert_many(tx, tenant_number, jobs).await
    }

    /// Enqueues rows of which each says its own time, and its own key in place of the kind's; the keys hold for `scope`. Either all rows have a key
    /// or none has.
    pub async fn each(
        self,
        tx: &mut TenantTx,
        rows: &[Row<'_, J>],
        scope: KeyScope,
    ) -> Result<Vec<Enqueued>, EnqueueError> {
        let tenant = tx.tenant_number();
        let jobs = rows.iter().map(|row| row.job);
        let keys = rows.iter().map(|row| row.key.clone().or_else(|| row.job.unique_key())).collect();
        let scope = if rows.iter().any(|row| row.key.is_some()) { scope } else { J::UNIQUE };
        let due = rows.iter().map(|row| row.run_at).collect();
        self.insert(tx, tenant, jobs, (keys, scope), Some(due)).await
    }

    async fn insert_many<T: Scope>(self, tx: &mut T, tenant: i32, jobs: &[J]) -> Result<Vec<Enqueued>, EnqueueError> {
        let keys = jobs.iter().map(Job::unique_key).collect();
        self.insert(tx, tenant, jobs.iter(), (keys, J::UNIQUE), None).await
    }

    async fn insert<'a, T: Scope>(
        self,
        tx: &mut T,
        tenant: i32,
        jobs: impl ExactSizeIterator<Item = &'a J>,
        (keys, unique): (Vec<Option<UniqueKey>>, KeyScope),
        due: Option<Vec<Option<DateTime<Utc>>>>,
    ) -> Result<Vec<Enqueued>, EnqueueError> {
        let count = jobs.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = 0;
        let trace = trace::current();
        let payloads = jobs.map(|job| payload(job, trace.as_deref(), &mut bytes)).collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<Option<Vec<u8>>> = keys.into_iter().map(|key| key.map(|key| key.bytes)).collect();
        let keyed = keys.iter().filter(|key| key.is_some()).count();
        if keyed != 0 && keyed != keys.len() {
            return Err(EnqueueError::Payload("either all jobs of one enqueue have a key or none has".to_owned()));
        }
        let keys = (keyed > 0).then_some(keys);
        let (scope, window): (i16, Option<f64>) = match (keyed > 0, unique) {
            (false, _) => (0, None),
            (true, KeyScope::UntilStarted) => (1, None),
            (true, KeyScope::WhileLive) => (2, None),
            (true, KeyScope::For(window)) => (3, Some(window.as_secs_f64())),
            (true, KeyScope::Forever) => (4, None),
        };
        let lane = match (self.lane, self.batch) {
            (Some(lane), _) => lane,
            (None, Some(batch)) => format!("batch/{batch}"),
            (None, None) => J::KIND.to_owned(),
        };
        let of_all = self.run_at.or_else(|| self.wait.map(|wait| tx.now() + wait));
        let due = due.or_else(|| of_all.map(|due| vec![Some(due); count]));
        let rows: Vec<(i64, bool)> = sqlx::query_as(
            "select job_id, is_duplicate from jobs.enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9, make_interval(secs => $10), $11, $12, $13, $14, $15)",
        )
        .bind(tenant)
        .bind(J::KIND)
        .bind(J::QUEUE.0)
        .bind(&lane)
        .bind(self.class)
        .bind(self.priority)
        .bind(J::RETRY.max_attempts)
        .bind(self.batch)
        .bind(scope)
        .bind(window)
        .bind(payloads)
        .bind(keys)
        .bind(due)
        .bind(bytes)
        .bind(self.is_exempt)
        .fetch_all(tx.conn())
        .await?;
        tx.notify(CHANNEL);
        Ok(rows
            .into_iter()
            .map(|(id, is_duplicate)| if is_duplicate { Enqueued::Duplicate(id) } else { Enqueued::Created(id) })
            .collect())
    }
}

fn payload<S, J: Job<S>>(job: &J, trace: Option<&str>, bytes: &mut i64) -> Result<Json<Value>, EnqueueError> {
    let mut value = serde_json::to_value(job).map_err(|error| EnqueueError::Payload(error.to_string()))?;
    if let Some(trace) = trace {
        trace::put(&mut value, trace);
    }
    let text = value.to_string();
    if text.len() > MAX_PAYLOAD {
        return Err(EnqueueError::Payload(format!("{} bytes, {MAX_PAYLOAD} at most", text.len())));
    }
    *bytes += i64::try_from(text.len()).unwrap_or(i64::MAX);
    // Postgres can't hold a NUL in jsonb; serde_json writes one as \u0000
    if text.contains("\\u0000") && has_nul(&value) {
        return Err(EnqueueError::Payload("it contains a NUL character".to_owned()));
    }
    Ok(Json(value))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}
