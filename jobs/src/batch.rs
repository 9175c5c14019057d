//! Batches: jobs with one purpose as one object: exact counters, pause, resume and cancel whatever it holds, one completion.
//!
//! Its jobs go into lanes of its own: `batch/{id}`, or lanes that were made for it or given to it by [`own_lane`].

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::types::Json;

use crate::{
    enqueue::CHANNEL,
    job::{Job, Queue},
};

mod state;

pub use state::State;

/// A batch as it stands.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Batch {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// The batch it follows: its jobs start when that one has completed.
    pub after_id: Option<i64>,
    /// Since when its jobs may start; none: held for the batch it follows.
    pub opened_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Since when it is cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Whether all its jobs have been added.
    pub is_sealed: bool,
    /// Whether discarded jobs are being run again.
    pub is_retrying: bool,
    /// Jobs added.
    pub enqueued_count: i64,
    /// Jobs that did their work.
    pub completed_count: i64,
    /// Jobs given up: discarded or quarantined.
    pub discarded_count: i64,
    /// Jobs cancelled.
    pub cancelled_count: i64,
    /// Grows each time it is opened again by a retry; each generation completes once.
    pub generation: i32,
    /// Grows with each change of its row.
    pub version: i64,
    /// When the last one ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
}

impl Batch {
    /// Jobs that wait or run.
    #[must_use]
    pub const fn live_count(&self) -> i64 {
        self.enqueued_count - self.completed_count - self.discarded_count - self.cancelled_count
    }
}

/// What an act on a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acted {
    /// It was done.
    Done,
    /// There is nothing to do.
    Unchanged,
    /// The batch has completed.
    Completed,
    /// The batch was cancelled.
    Cancelled,
    /// There is no such batch.
    NotFound,
}

/// Opens a batch whose completion enqueues `on_complete` once, in that job's own lane.
pub async fn open<S, J: Job<S>>(tx: &mut TenantTx, name: &str, on_complete: &J) -> Result<i64, sqlx::Error> {
    Ok(insert(tx, name, Some(callback(on_complete)), None).await?.unwrap_or_default())
}

/// Opens a batch that tells nobody when it completes.
pub async fn open_silent(tx: &mut TenantTx, name: &str) -> Result<i64, sqlx::Error> {
    Ok(insert(tx, name, None, None).await?.unwrap_or_default())
}

/// Opens a batch whose jobs start when `after` has completed, however its jobs have ended. Where `after` is cancelled this one is too, since what it
/// was to follow has not been done. None: there is no such batch, or it is cancelled.
pub async fn open_after<S, J: Job<S>>(
    tx: &mut TenantTx,
    name: &str,
    after: i64,
    on_complete: Option<&J>,
) -> Result<Option<i64>, sqlx::Error> {
    insert(tx, name, on_complete.map(callback), Some(after)).await
}

/// The same without a callback.
pub async fn open_silent_after(tx: &mut TenantTx, name: &str, after: i64) -> Result<Option<i64>, sqlx::Error> {
    insert(tx, name, None, Some(after)).await
}

fn callback<S, J: Job<S>>(job: &J) -> Value {
    json!({
        "kind": J::KIND, "queue": J::QUEUE.0, "lane": J::KIND, "max_attempts": J::RETRY.max_attempts, "payload": job,
    })
}

async fn insert(
    tx: &mut TenantTx,
    name: &str,
    callback: Option<Value>,
    after: Option<i64>,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "insert into jobs.batches (tenant_number, name, on_complete, after_id, opened_at)
           select app.tenant_number(), $1, $2, $3, case when $3::bigint is null then app.now() end
            where $3::bigint is null
               or exists (select from jobs.batches p where p.tenant_number = app.tenant_number() and p.id = $3 and p.cancelled_at is null)
         returning id",
    )
    .bind(name)
    .bind(callback.map(Json))
    .bind(after)
    .fetch_optional(tx.conn())
    .await
}

/// Makes a lane that is there already the batch's own, so that it is paused, resumed and cancelled with it. False: it is another batch's, or there is
/// no such lane or batch.
pub async fn own_lane(tx: &mut TenantTx, batch: i64, queue: Queue, key: &str) -> Result<bool, sqlx::Error> {
    share(tx, batch).await?;
    let done = sqlx::query(
        "update jobs.lanes l
            set batch_id = b.id, paused_at = case when b.paused_at is not null or b.opened_at is null then coalesce(l.paused_at, app.now()) else l.paused_at end
           from jobs.queues q, jobs.batches b
          where q.name = $2 and l.queue = q.id and l.tenant_number = app.tenant_number() and l.key = $3
            and b.tenant_number = l.tenant_number and b.id = $1 and b.cancelled_at is null and coalesce(l.batch_id, $1) = $1",
    )
    .bind(batch)
    .bind(queue.0)
    .bind(key)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// No more jobs will be added from outside; from now on the batch can complete. Waits for those who are adding some.
pub async fn seal(tx: &mut TenantTx, batch: i64) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(7236, jobs.batch_lock($1))").bind(batch).execute(tx.conn()).await?;
    sqlx::query(
        "insert into jobs.batch_deltas (tenant_number, batch_id, is_sealed) values (app.tenant_number(), $1, true)",
    )
    .bind(batch)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps the batch from being sealed, paused or cancelled until the transaction ends: for those who add jobs from outside. Look at the batch after it.
pub async fn share(tx: &mut TenantTx, batch: i64) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock_shared(7236, jobs.batch_lock($1))")
        .bind(batch)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Nothing of it is leased any more once this has committed; what runs ends.
pub async fn pause(tx: &mut TenantTx, batch: i64) -> Result<Acted, sqlx::Error> {
    let word: String =
        sqlx::query_scalar("select jobs.pause_batch(app.tenant_number(), $1)").bind(batch).fetch_one(tx.conn()).await?;
    Ok(acted(&word))
}

/// It goes on where it was.
pub async fn resume(tx: &mut TenantTx, batch: i64) -> Result<Acted, sqlx::Error> {
    let word: String = sqlx::query_scalar("select jobs.resume_batch(app.tenant_number(), $1)")
        .bind(batch)
        .fetch_one(tx.conn())
        .await?;
    tx.notify(CHANNEL);
    Ok(acted(&word))
}

/// It takes no more jobs and starts none; those it holds leave in chunks, and it completes when the last has left. There is no way back. Batches that
/// follow it are cancelled too.
pub async fn cancel(tx: &mut TenantTx, batch: i64) -> Result<Acted, sqlx::Error> {
    let word: String = sqlx::query_scalar("select jobs.cancel_batch(app.tenant_number(), $1)")
        .bind(batch)
        .fetch_one(tx.conn())
        .await?;
    Ok(acted(&word))
}

/// Runs the jobs again that were discarded until now, and only those, no quarantined ones; upkeep makes them in chunks. A completed batch is open again, in a new generation:
/// it completes, and its callback is enqueued, once more when they have ended. Unchanged: none is discarded.
pub async fn retry_failures(tx: &mut TenantTx, batch: i64) -> Result<Acted, sqlx::Error> {
    let word: String =
        sqlx::query_scalar("select jobs.retry_batch(app.tenant_number(), $1)").bind(batch).fetch_one(tx.conn()).await?;
    Ok(acted(&word))
}

fn acted(word: &str) -> Acted {
    match word {
        "paused" | "resumed" | "retrying" => Acted::Done,
        "cancelled" => Acted::Cancelled,
        "completed" => Acted::Completed,
        "unchanged" => Acted::Unchanged,
        _ => Acted::NotFound,
    }
}

/// The batch with what has not been folded yet added: exact at any time.
pub async fn find(tx: &mut TenantTx, batch: i64) -> Result<Option<Batch>, sqlx::Error> {
    sqlx::query_as(
        "select b.id, b.name, b.state, b.after_id, b.opened_at, b.paused_at, b.cancelled_at, b.is_sealed or coalesce(d.is_sealed, false) as is_sealed,
                b.retry_at is not null as is_retrying, b.enqueued_count + coalesce(d.enqueued, 0) as enqueued_count,
                b.completed_count + coalesce(d.completed, 0) as completed_count, b.discarded_count + coalesce(d.discarded, 0) as discarded_count,
                b.cancelled_count + coalesce(d.cancelled, 0) as cancelled_count, b.generation, b.version, b.completed_at, b.created_at
           from jobs.batches b
           left join lateral (select bool_or(x.is_sealed) as is_sealed, sum(x.enqueued) as enqueued, sum(x.completed) as completed, sum(x.discarded) as discarded, sum(x.cancelled) as cancelled
                                from jobs.batch_deltas x where x.batch_id = b.id) d on true
          where b.id = $1 and b.tenant_number = app.tenant_number()",
    )
    .bind(batch)
    .fetch_optional(tx.conn())
    .await
}

/// The tenant's batches of one feature, newest first; those in one state, where that is said. Exact.
pub async fn list(
    tx: &mut TenantTx,
    feature: &str,
    state: Option<State>,
    page: &PageOf<i64>,
) -> Result<Page<Batch>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select b.id, b.name, b.state, b.after_id, b.opened_at, b.paused_at, b.cancelled_at, b.is_sealed or coalesce(d.is_sealed, false) as is_sealed,
                b.retry_at is not null as is_retrying, b.enqueued_count + coalesce(d.enqueued, 0) as enqueued_count,
                b.completed_count + coalesce(d.completed, 0) as completed_count, b.discarded_count + coalesce(d.discarded, 0) as discarded_count,
                b.cancelled_count + coalesce(d.cancelled, 0) as cancelled_count, b.generation, b.version, b.completed_at, b.created_at
           from jobs.batches b
           left join lateral (select bool_or(x.is_sealed) as is_sealed, sum(x.enqueued) as enqueued, sum(x.completed) as completed, sum(x.discarded) as discarded, sum(x.cancelled) as cancelled
                                from jobs.batch_deltas x where x.batch_id = b.id) d on true
          where b.tenant_number = app.tenant_number() and b.feature = $1
            and ($2::text is null or b.state = $2) and ($3::bigint is null or b.id < $3)
          order by b.id desc limit $4",
    )
    .bind(feature)
    .bind(state.map(State::name))
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |batch: &Batch| batch.id))
}

/// The batch as it was last folded, at most a second ago: its version names exactly these numbers, so that a follower can say what it has seen.
pub async fn folded(tx: &mut TenantTx, batch: i64) -> Result<Option<Batch>, sqlx::Error> {
    sqlx::query_as(
        "select b.id, b.name, b.state, b.after_id, b.opened_at, b.paused_at, b.cancelled_at, b.is_sealed, b.retry_at is not null as is_retrying,
                b.enqueued_count, b.completed_count, b.discarded_count, b.cancelled_count, b.generation, b.version, b.completed_at, b.created_at
           from jobs.batches b
          where b.id = $1 and b.tenant_number = app.tenant_number()",
    )
    .bind(batch)
    .fetch_optional(tx.conn())
    .await
}
