//! What operators and tenants see and do: jobs, lanes, gates, batches, queues, workers, and why a job does not run. In a tenant's scope
//! the wall shows only its own. Each act needs whoever does it and a reason, and writes both into the audit.

use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

mod audit;
mod batches;
mod cause;
mod death;
mod explain;
mod gates;
mod health;
mod lanes;
mod quotas;
mod rows;
mod schedules;
mod state;
mod workers;

pub use audit::{AuditRow, By, Refused, audit};
pub use batches::{BatchRow, batches, cancel_batch, find_batch, pause_batch, resume_batch, retry_batch};
pub use cause::{Cause, Explained, Explanation};
pub use death::Death;
pub use explain::explain;
pub use gates::{GateChange, GateRow, close_gate, find_gate, gates, pause_gate, resume_gate, set_gate};
pub use health::{Stuck, stuck};
pub use lanes::{LaneRow, cancel_lane, find_lane, lanes, pause_lane, resume_lane};
pub use quotas::set_quota;
pub use rows::{Filter, JobRow, cancel, find, list, retry};
pub use schedules::{ScheduleRow, find_schedule, pause_schedule, preview, resume_schedule, schedules};
pub(crate) use schedules::{lock_due_schedule, lock_schedule, record_schedule};
pub use state::State;
pub use workers::{SEEN_WITHIN_S, WorkerRow, find_worker, workers};

/// How much waits and runs in one queue.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Queue)]
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
    depths_after(conn, None, None).await
}

/// The depth of each queue, by name and by page. Counts everything that is live: not for a loop.
pub async fn queues(tx: &mut PlatformTx, page: &PageOf<String>) -> Result<Page<Depth>, sqlx::Error> {
    let rows = depths_after(tx.conn(), page.after.as_deref(), Some(page.fetch())).await?;
    Ok(page.finish(rows, |row: &Depth| row.queue.clone()))
}

async fn depths_after(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<Depth>, sqlx::Error> {
    sqlx::query_as(
        "select q.name as queue, coalesce(j.due, 0) as due, coalesce(j.running, 0) as running,
                (select count(*) from jobs.scheduled s where s.queue = q.id) as scheduled,
                coalesce(extract(epoch from app.clock() - j.oldest), 0)::float8 as oldest_due_s
           from jobs.queues q
           left join (select x.queue, count(*) filter (where r.id is null) as due, count(r.id) as running, min(x.run_at) filter (where r.id is null) as oldest
                        from jobs.jobs x left join (select id from jobs.running) r on r.id = x.id group by 1) j on j.queue = q.id
          where $1::text is null or q.name > $1
          order by q.name limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Whether nothing is due, waiting or running, for tests and for a drained stack.
pub async fn is_empty(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select not exists (select from jobs.jobs) and not exists (select from jobs.scheduled)")
        .fetch_one(conn)
        .await
}
