//! What `paloma doctor` asks of the engine: what is stuck.

use db::{PlatformTx, Scope};
use serde::Serialize;

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
