//! Batches as operators and tenants see them, and what operators do to them.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::audit::{By, Refused, Subject, record};
use crate::{batch::State, enqueue::CHANNEL};

/// A batch, with what has not been folded yet added: exact at any time.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = PlatformBatch)]
pub struct BatchRow {
    /// Its id.
    pub id: i64,
    /// Whose; 0 is the platform. Absent in a tenant's own view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_number: Option<i32>,
    /// What it is for.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Whether all its jobs have been added.
    pub is_sealed: bool,
    /// Whether jobs that were given up are being run again.
    pub is_retrying: bool,
    /// Jobs added.
    pub enqueued_count: i64,
    /// Jobs that did their work.
    pub completed_count: i64,
    /// Jobs given up: discarded or quarantined.
    pub discarded_count: i64,
    /// Jobs cancelled.
    pub cancelled_count: i64,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When its last job ended.
    pub completed_at: Option<DateTime<Utc>>,
}

/// Batches by id, newest first; those in one state, where that is said.
pub async fn batches<S: Scope>(
    tx: &mut S,
    state: Option<State>,
    page: &PageOf<i64>,
) -> Result<Page<BatchRow>, sqlx::Error> {
    let rows = select(tx, None, state, page.after, page.fetch()).await?;
    Ok(page.finish(rows, |row: &BatchRow| row.id))
}

/// One batch.
pub async fn find_batch<S: Scope>(tx: &mut S, id: i64) -> Result<Option<BatchRow>, sqlx::Error> {
    Ok(select(tx, Some(id), None, None, 1).await?.pop())
}

async fn select<S: Scope>(
    tx: &mut S,
    id: Option<i64>,
    state: Option<State>,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<BatchRow>, sqlx::Error> {
    sqlx::query_as(
        "select b.id, case when $4 then b.tenant_number end as tenant_number, b.name, b.state, b.is_sealed or coalesce(d.is_sealed, false) as is_sealed,
                b.retry_at is not null as is_retrying,
                b.enqueued_count + coalesce(d.enqueued, 0) as enqueued_count, b.completed_count + coalesce(d.completed, 0) as completed_count,
                b.discarded_count + coalesce(d.discarded, 0) as discarded_count, b.cancelled_count + coalesce(d.cancelled, 0) as cancelled_count,
                b.created_at, b.completed_at
           from jobs.batches b
           left join lateral (
             select bool_or(x.is_sealed) as is_sealed, sum(x.enqueued) as enqueued, sum(x.completed) as completed, sum(x.discarded) as discarded,
                    sum(x.cancelled) as cancelled
               from jobs.batch_deltas x where x.batch_id = b.id) d on true
          where ($1::bigint is null or b.id = $1) and ($2::bigint is null or b.id < $2) and ($5::text is null or b.state = $5)
          order by b.id desc limit $3",
    )
    .bind(id)
    .bind(after)
    .bind(limit)
    .bind(S::SEES_ALL)
    .bind(state.map(State::name))
    .fetch_all(tx.conn())
    .await
}

/// Nothing of it starts any more; what runs ends.
pub async fn pause_batch(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = open(lock(tx, id).await?)?;
    sqlx::query("select jobs.pause_batch($1, $2)").bind(tenant).bind(id).execute(tx.conn()).await?;
    Ok(record(tx, by, "pause", Subject::Batch(id), tenant).await?)
}

/// It goes on where it was.
pub async fn resume_batch(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = open(lock(tx, id).await?)?;
    sqlx::query("select jobs.resume_batch($1, $2)").bind(tenant).bind(id).execute(tx.conn()).await?;
    tx.notify(CHANNEL);
    Ok(record(tx, by, "resume", Subject::Batch(id), tenant).await?)
}

/// It takes and starts no more jobs; those that wait leave. There is no way back, and what follows it is cancelled too.
pub async fn cancel_batch(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = open(lock(tx, id).await?)?;
    sqlx::query("select jobs.cancel_batch($1, $2)").bind(tenant).bind(id).execute(tx.conn()).await?;
    Ok(record(tx, by, "cancel", Subject::Batch(id), tenant).await?)
}

/// Runs its jobs again that were discarded until now, and only those: quarantined ones stay. A completed batch is open again until they have ended.
pub async fn retry_batch(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let (tenant, state) = lock(tx, id).await?;
    if state == State::Cancelled {
        return Err(Refused::BatchCancelled);
    }
    let asked: String =
        sqlx::query_scalar("select jobs.retry_batch($1, $2)").bind(tenant).bind(id).fetch_one(tx.conn()).await?;
    if asked != "retrying" {
        return Err(Refused::BatchWithoutFailures);
    }
    Ok(record(tx, by, "retry", Subject::Batch(id), tenant).await?)
}

/// Keeps all others from changing the batch until the transaction ends, in the order of locks of all that is done to one. Answers whose it
/// is and where it stands.
async fn lock(tx: &mut PlatformTx, id: i64) -> Result<(i32, State), Refused> {
    sqlx::query("select pg_advisory_xact_lock(7236, jobs.batch_lock($1))").bind(id).execute(tx.conn()).await?;
    let found = sqlx::query_as("select tenant_number, state from jobs.batches where id = $1")
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    found.ok_or(Refused::NotFound)
}

/// Whose it is; refused where it has ended.
fn open((tenant_number, state): (i32, State)) -> Result<i32, Refused> {
    match state {
        State::Held | State::Active | State::Paused => Ok(tenant_number),
        State::Cancelled => Err(Refused::BatchCancelled),
        State::Completed => Err(Refused::BatchCompleted),
    }
}
