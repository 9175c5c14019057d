//! What operators and tenants see and do: jobs, lanes, gates, batches, queues, workers, and why a job does not run. In a tenant's scope
//! the wall shows only its own. Each act needs whoever does it and a reason, and writes both into the audit.

use sqlx::PgConnection;

mod audit;
mod batches;
mod cause;
mod death;
mod explain;
mod gates;
mod health;
mod horizon;
mod lanes;
mod queues;
mod quotas;
mod rows;
mod schedules;
mod state;
mod workers;

pub use audit::{AuditRow, By, Refused, audit, note};
pub use batches::{BatchRow, batches, cancel_batch, find_batch, pause_batch, resume_batch, retry_batch};
pub use cause::{Cause, Explained, Explanation};
pub use death::Death;
pub use explain::explain;
pub use gates::{
    GateChange, GateRow, close_gate, find_gate, gates, hold_gates, pause_gate, release_gates, resume_gate, set_gate,
};
pub use health::{Stuck, stuck};
pub use horizon::{Holder, Horizon, horizon};
pub use lanes::{LaneRow, cancel_lane, find_lane, lanes, pause_lane, resume_lane, weigh_lane};
pub use queues::{COUNTED, Depth, depths, queues};
pub use quotas::set_quota;
pub use rows::{Filter, JobRow, cancel, find, list, retry};
pub use schedules::{ScheduleRow, find_schedule, pause_schedule, preview, resume_schedule, schedules};
pub(crate) use schedules::{lock_due_schedule, lock_schedule, record_schedule};
pub use state::State;
pub use workers::{SEEN_WITHIN_S, WorkerRow, find_worker, workers};

/// Whether nothing is due, waiting or running, for tests and for a drained stack.
pub async fn is_empty(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select not exists (select from jobs.jobs) and not exists (select from jobs.scheduled)")
        .fetch_one(conn)
        .await
}
