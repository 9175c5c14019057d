//! What `paloma doctor` and the operator's lists ask of the engine: who is alive, what is stuck.

use chrono::{DateTime, Utc};
use db::{PlatformTx, Scope};
use serde::Serialize;

/// A process that runs jobs.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct ProcessRow {
    /// What it calls itself, `worker`.
    pub name: String,
    /// Where it runs.
    pub host: String,
    /// Its process id there.
    pub pid: i32,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// How long ago it was last heard of, in seconds.
    pub seen_s: f64,
}

/// The processes that have not been given up, last heard of first.
pub async fn processes(tx: &mut PlatformTx) -> Result<Vec<ProcessRow>, sqlx::Error> {
    sqlx::query_as(
        "select name, host, pid, queues, started_at, greatest(0, extract(epoch from app.clock() - seen_at))::float8 as seen_s
           from jobs.processes order by seen_at desc limit 1000",
    )
    .fetch_all(tx.conn())
    .await
}

/// What breaks the promise that due work runs.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Stuck {
    /// How long the oldest due job has waited that neither a pause nor a gate holds back, in seconds.
    pub oldest_open_s: f64,
    /// Running jobs whose lease was over five seconds ago.
    pub expired: i64,
}

/// Looks for jobs that should be running, or should have been rescued.
pub async fn stuck(tx: &mut PlatformTx) -> Result<Stuck, sqlx::Error> {
    sqlx::query_as(
        "select coalesce(extract(epoch from app.clock() - min(j.run_at) filter (
                  where j.leased_by is null and l.paused_at is null and l.cancelled_at is null and l.gates = '{}')), 0)::float8 as oldest_open_s,
                count(*) filter (where j.leased_by is not null and j.lease_until < app.clock() - interval '5 seconds') as expired
           from jobs.jobs j join jobs.lanes l on l.id = j.lane_id",
    )
    .fetch_one(tx.conn())
    .await
}
