//! What `paloma doctor` asks of the engine: what is stuck.

use db::{PlatformTx, Scope};
use serde::Serialize;

/// What breaks the promise that due work runs.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Stuck {
    /// How long a job has waited that is the next of its lane and that neither a pause nor a gate holds back, in seconds; the longest.
    pub oldest_open_s: f64,
    /// Running jobs whose lease was over five seconds ago.
    pub expired: i64,
}

/// Looks for jobs that should be running, or should have been rescued.
pub async fn stuck(tx: &mut PlatformTx) -> Result<Stuck, sqlx::Error> {
    sqlx::query_as(
        "select (select coalesce(max(d.oldest_open_s), 0) from jobs.depths(1) d) as oldest_open_s,
                (select count(*) from jobs.running r left join jobs.processes p on p.id = r.leased_by
                  where p.lease_until is null or p.lease_until < app.clock() - interval '5 seconds') as expired",
    )
    .fetch_one(tx.conn())
    .await
}
