//! Jobs as rows, wherever they are kept: to look at, to run again, to call off.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    State,
    audit::{By, Refused, Subject, record},
};
use crate::enqueue::CHANNEL;

/// A job, wherever it is kept.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = PlatformJob)]
pub struct JobRow {
    /// Its id.
    pub id: i64,
    /// Whose; 0 is the platform.
    pub tenant_number: i32,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Its lane, by id.
    pub lane_id: i64,
    /// Its lane.
    pub lane: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Starts so far.
    pub attempt: i16,
    /// Starts in all.
    pub max_attempts: Option<i16>,
    /// When it is, or was, due.
    pub run_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Ids and small choices; absent for completed jobs.
    #[schema(value_type = Option<Value>)]
    pub payload: Option<Json<Value>>,
    /// What went wrong, newest last.
    #[schema(value_type = Option<Value>)]
    pub errors: Option<Json<Value>>,
}

/// Which jobs; what is none does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// In that state.
    pub state: Option<State>,
    /// Of that kind.
    pub kind: Option<&'a str>,
    /// Of that queue.
    pub queue: Option<&'a str>,
    /// Of the lane with that id.
    pub lane_id: Option<i64>,
}

/// Jobs by id, newest first. Completed ones are listed where their state is asked for, while their history is kept.
pub async fn list<S: Scope>(tx: &mut S, filter: &Filter<'_>, page: &PageOf<i64>) -> Result<Page<JobRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "with f as materialized (select (select id from jobs.kinds where name = $4) as kind, (select id from jobs.queues where name = $5) as queue)
         select x.id, x.tenant_number, k.name as kind, q.name as queue, x.lane_id, l.key as lane, x.state, x.attempt, x.max_attempts, x.run_at, x.finished_at, x.payload, x.errors
           from (
             (select id, tenant_number, kind, queue, lane_id, state,
                     attempt, max_attempts, run_at, null::timestamptz as finished_at, payload, errors
                from jobs.live
               where ($2::text is null or $2 = 'available') and ($1::bigint is null or id < $1) and ($2 is null or leased_by is null)
                 and ($4::text is null or kind = (select kind from f)) and ($5::text is null or queue = (select queue from f)) and ($6::bigint is null or lane_id = $6)
               order by id desc limit $3)
             union all
             (select id, tenant_number, kind, queue, lane_id, 'running', attempt, max_attempts, run_at, null, payload, errors
                from jobs.running
               where $2 = 'running' and ($1::bigint is null or id < $1)
                 and ($4::text is null or kind = (select kind from f)) and ($5::text is null or queue = (select queue from f)) and ($6::bigint is null or lane_id = $6)
               order by id desc limit $3)
             union all
             (select id, tenant_number, kind, queue, lane_id, 'available', attempt, max_attempts, run_at, null, payload, errors
                from jobs.scheduled
               where ($2::text is null or $2 = 'available') and ($1::bigint is null or id < $1)
                 and ($4::text is null or kind = (select kind from f)) and ($5::text is null or queue = (select queue from f)) and ($6::bigint is null or lane_id = $6)
               order by id desc limit $3)
             union all
             (select id, tenant_number, kind, queue, lane_id, state, attempt, max_attempts, null, finished_at, payload, errors
                from jobs.failures
               where ($2::text is null or $2 in ('discarded', 'quarantined', 'cancelled')) and ($1::bigint is null or id < $1) and ($2 is null or state = $2)
                 and ($4::text is null or kind = (select kind from f)) and ($5::text is null or queue = (select queue from f)) and ($6::bigint is null or lane_id = $6)
               order by id desc limit $3)
             union all
             (select id, tenant_number, kind, queue, lane_id, state, attempt, null, run_at, finished_at, null, null
                from jobs.history
               where $2 = 'completed' and state = 'completed' and ($1::bigint is null or id < $1)
                 and ($4::text is null or kind = (select kind from f)) and ($5::text is null or queue = (select queue from f)) and ($6::bigint is null or lane_id = $6)
               order by id desc limit $3)) x
           join jobs.kinds k on k.id = x.kind
           join jobs.queues q on q.id = x.queue
           left join jobs.lanes l on l.id = x.lane_id
          order by x.id desc limit $3",
    )
    .bind(page.after)
    .bind(filter.state.map(State::name))
    .bind(page.fetch())
    .bind(filter.kind)
    .bind(filter.queue)
    .bind(filter.lane_id)
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &JobRow| row.id))
}

/// One job, also a completed one while its history is kept.
pub async fn find<S: Scope>(tx: &mut S, id: i64) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as(
        "select x.id, x.tenant_number, k.name as kind, q.name as queue, x.lane_id, l.key as lane, x.state, x.attempt, x.max_attempts, x.run_at, x.finished_at, x.payload, x.errors
           from (
             select id, tenant_number, kind, queue, lane_id, state,
                    attempt, max_attempts, run_at, null::timestamptz as finished_at, payload, errors, 1 as rank from jobs.live where id = $1
             union all
             select id, tenant_number, kind, queue, lane_id, 'available', attempt, max_attempts, run_at, null, payload, errors, 1 from jobs.scheduled where id = $1
             union all
             select id, tenant_number, kind, queue, lane_id, state, attempt, max_attempts, null, finished_at, payload, errors, 2 from jobs.failures where id = $1
             union all
             select id, tenant_number, kind, queue, lane_id, state, attempt, null, run_at, finished_at, null, null, 3 from jobs.history where id = $1) x
           join jobs.kinds k on k.id = x.kind
           join jobs.queues q on q.id = x.queue
           left join jobs.lanes l on l.id = x.lane_id
          order by x.rank, x.finished_at desc nulls last limit 1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// Runs a discarded, quarantined or cancelled job again; who asked and why is added to what is told of it.
pub async fn retry(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let word: String = sqlx::query_scalar("select jobs.retry($1)").bind(id).fetch_one(tx.conn()).await?;
    match word.as_str() {
        "available" => {}
        "lane_cancelled" => return Err(Refused::LaneCancelled),
        "key_held" => return Err(Refused::JobKeyHeld),
        _ => return Err(find(tx, id).await?.map_or(Refused::NotFound, |_| Refused::JobNotFailed)),
    }
    let tenant = sqlx::query_scalar(
        "update jobs.jobs set errors = coalesce(errors, '[]') || jsonb_build_object('at', app.clock(), 'attempt', attempt, 'error', left($2, 2000))
          where id = $1 returning tenant_number",
    )
    .bind(id)
    .bind(by.told("run again"))
    .fetch_one(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(record(tx, by, "retry", Subject::Job(id), tenant).await?)
}

/// Cancels a job that has not started; who asked and why is added to what is told of it.
pub async fn cancel(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let word: String = sqlx::query_scalar("select jobs.cancel($1, $2)")
        .bind(id)
        .bind(by.told("cancelled"))
        .fetch_one(tx.conn())
        .await?;
    match word.as_str() {
        "cancelled" => {}
        "running" => return Err(Refused::JobRunning),
        _ => return Err(find(tx, id).await?.map_or(Refused::NotFound, |_| Refused::JobEnded)),
    }
    let tenant = sqlx::query_scalar("select tenant_number from jobs.failures where id = $1")
        .bind(id)
        .fetch_one(tx.conn())
        .await?;
    Ok(record(tx, by, "cancel", Subject::Job(id), tenant).await?)
}
