//! What operators and tenants see and do: jobs, lanes, gates, queues. In a tenant's scope the wall shows only its own.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::{enqueue::CHANNEL, gate::Gate};

mod health;
mod schedules;
mod steer;

pub use health::{ProcessRow, Stuck, processes, stuck};
pub use schedules::{ScheduleRow, find_schedule, pause_schedule, preview, resume_schedule, schedules};
pub(crate) use schedules::{lock_due_schedule, lock_schedule};
pub use steer::{
    GateChange, annotate, cancel_lane, close_gate, pause_gate, pause_lane, resume_gate, resume_lane, set_gate,
};

/// How much waits and runs in one queue.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Depth {
    /// The queue.
    pub queue: String,
    /// Due and not running.
    pub due: i64,
    /// Running.
    pub running: i64,
    /// Due later.
    pub scheduled: i64,
    /// How long the oldest due job has waited, in seconds.
    pub oldest_due_s: f64,
}

/// The depth of each queue.
pub async fn depths(conn: &mut PgConnection) -> Result<Vec<Depth>, sqlx::Error> {
    sqlx::query_as(
        "select q.name as queue, coalesce(j.due, 0) as due, coalesce(j.running, 0) as running,
                (select count(*) from jobs.scheduled s where s.queue = q.id) as scheduled,
                coalesce(extract(epoch from app.clock() - j.oldest), 0)::float8 as oldest_due_s
           from jobs.queues q
           left join (select queue, count(*) filter (where leased_by is null) as due, count(*) filter (where leased_by is not null) as running,
                             min(run_at) filter (where leased_by is null) as oldest
                        from jobs.jobs group by 1) j on j.queue = q.id
          order by q.name",
    )
    .fetch_all(conn)
    .await
}

/// A job, wherever it is kept.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct JobRow {
    /// Its id.
    pub id: i64,
    /// Whose; 0 is the platform.
    pub tenant_number: i32,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Its lane.
    pub lane: Option<String>,
    /// available, running, completed, discarded, cancelled.
    pub state: String,
    /// Starts so far.
    pub attempt: i16,
    /// Starts in all.
    pub max_attempts: Option<i16>,
    /// When it is, or was, due.
    pub run_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Ids and small choices; absent for completed jobs.
    pub payload: Option<Json<Value>>,
    /// What went wrong, newest last.
    pub errors: Option<Json<Value>>,
}

/// Live and failed jobs by id, newest first; `state` narrows. Completed ones are found by id only.
pub async fn list<S: Scope>(tx: &mut S, state: Option<&str>, page: &PageOf<i64>) -> Result<Page<JobRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select x.id, x.tenant_number, k.name as kind, q.name as queue, l.key as lane, x.state, x.attempt, x.max_attempts, x.run_at, x.finished_at, x.payload, x.errors
           from (
             (select id, tenant_number, kind, queue, lane_id, case when leased_by is null then 'available' else 'running' end as state,
                     attempt, max_attempts, run_at, null::timestamptz as finished_at, payload, errors
                from jobs.jobs where ($1::bigint is null or id < $1) and ($2::text is null or $2 = case when leased_by is null then 'available' else 'running' end)
               order by id desc limit $3)
             union all
             (select id, tenant_number, kind, queue, lane_id, 'available', attempt, max_attempts, run_at, null, payload, errors
                from jobs.scheduled where ($1::bigint is null or id < $1) and ($2::text is null or $2 = 'available') order by id desc limit $3)
             union all
             (select id, tenant_number, kind, queue, lane_id, state, attempt, max_attempts, null, finished_at, payload, errors
                from jobs.failures where ($1::bigint is null or id < $1) and ($2::text is null or $2 = state) order by id desc limit $3)) x
           join jobs.kinds k on k.id = x.kind
           join jobs.queues q on q.id = x.queue
           left join jobs.lanes l on l.id = x.lane_id
          order by x.id desc limit $3",
    )
    .bind(page.after)
    .bind(state)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &JobRow| row.id))
}

/// One job, also a completed one while its history is kept.
pub async fn find<S: Scope>(tx: &mut S, id: i64) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as(
        "select x.id, x.tenant_number, k.name as kind, q.name as queue, l.key as lane, x.state, x.attempt, x.max_attempts, x.run_at, x.finished_at, x.payload, x.errors
           from (
             select id, tenant_number, kind, queue, lane_id, case when leased_by is null then 'available' else 'running' end as state,
                    attempt, max_attempts, run_at, null::timestamptz as finished_at, payload, errors, 1 as rank from jobs.jobs where id = $1
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

/// What an operator's act came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Acted {
    /// The job runs again.
    Available,
    /// The job was cancelled.
    Cancelled,
    /// It runs and can't be taken away.
    Running,
    /// Another job holds its unique key.
    KeyHeld,
    /// Its lane was cancelled and takes no jobs.
    LaneCancelled,
    /// There is no such job in a state that allows it.
    NotFound,
}

fn acted(word: &str) -> Acted {
    match word {
        "available" => Acted::Available,
        "cancelled" => Acted::Cancelled,
        "running" => Acted::Running,
        "key_held" => Acted::KeyHeld,
        "lane_cancelled" => Acted::LaneCancelled,
        _ => Acted::NotFound,
    }
}

/// Runs a discarded or cancelled job again.
pub async fn retry(tx: &mut db::PlatformTx, id: i64) -> Result<Acted, sqlx::Error> {
    let word: String = sqlx::query_scalar("select jobs.retry($1)").bind(id).fetch_one(tx.conn()).await?;
    tx.notify(CHANNEL);
    Ok(acted(&word))
}

/// Cancels a job that has not started.
pub async fn cancel(tx: &mut db::PlatformTx, id: i64, reason: &str) -> Result<Acted, sqlx::Error> {
    let word: String =
        sqlx::query_scalar("select jobs.cancel($1, $2)").bind(id).bind(reason).fetch_one(tx.conn()).await?;
    Ok(acted(&word))
}

/// A lane as operators see it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct LaneRow {
    /// Its id.
    pub id: i64,
    /// Whose.
    pub tenant_number: i32,
    /// Its queue.
    pub queue: String,
    /// Its key.
    pub key: String,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Since when it is cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Jobs due or running.
    pub jobs: i64,
    /// Jobs due later.
    pub scheduled: i64,
}

/// Lanes by id, newest first.
pub async fn lanes<S: Scope>(tx: &mut S, page: &PageOf<i64>) -> Result<Page<LaneRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select l.id, l.tenant_number, q.name as queue, l.key, l.paused_at, l.cancelled_at,
                (select count(*) from jobs.jobs j where j.lane_id = l.id) as jobs, (select count(*) from jobs.scheduled s where s.lane_id = l.id) as scheduled
           from jobs.lanes l join jobs.queues q on q.id = l.queue
          where $1::bigint is null or l.id < $1 order by l.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &LaneRow| row.id))
}

/// Gates by id, newest first, with what runs behind each.
pub async fn gates(tx: &mut db::PlatformTx, page: &PageOf<i64>) -> Result<Page<Gate>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select g.id, g.tenant_number, g.key, g.rate, g.burst, g.cap, coalesce((select sum(s.running) from jobs.gate_slots s where s.gate_id = g.id), 0)::bigint as running,
                g.paused_at is not null as is_paused, g.breaker, g.open_until, g.reason
           from jobs.gates g where $1::bigint is null or g.id < $1 order by g.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &Gate| row.id))
}

/// Whether nothing is due, waiting or running, for tests and for a drained stack.
pub async fn is_empty(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select not exists (select from jobs.jobs) and not exists (select from jobs.scheduled)")
        .fetch_one(conn)
        .await
}
