//! The durable queue in Postgres: typed kinds, fair lanes, gates, leases with fences, retries, schedules. Knows nothing of the product,
//! of outside services or of HTTP. Its promises are listed in docs/architecture.md.

pub mod admin;
pub mod admission;
pub mod apalis;
pub mod batch;
mod costs;
mod cycle;
mod dispatch;
mod enqueue;
mod fate;
pub mod gate;
pub mod group;
mod job;
pub mod lane;
pub mod metrics;
mod registry;
mod report;
pub mod schedule;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;
mod upkeep;
mod worker;

pub use dispatch::{Dispatcher, Leased};
pub use enqueue::{CHANNEL, Enqueue, EnqueueError, Enqueued, MAX_PAYLOAD, Row};
pub use fate::{Fate, OnFate};
pub use group::{Group, GroupError};
pub use job::{
    Cx, Done, Job, JobError, JobResult, JobScope, KeyScope, Lease, Platform, Queue, Retry, Tenant, UniqueKey,
};
pub use registry::Registry;
pub use worker::{Control, Engine, Settings};

/// Proves inside a transaction that the lease is still held, and keeps it until the commit: for jobs that commit chunk by chunk.
/// False: the lease was lost; stop.
pub async fn hold(tx: &mut db::TenantTx, lease: Lease) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select jobs.hold($1, $2, $3)")
        .bind(lease.job_id)
        .bind(lease.fence)
        .bind(lease.process)
        .fetch_one(db::Scope::conn(tx))
        .await
}

/// Notes, in the transaction of a chunk, that the job got further. Workers that died before are forgiven then: a long job that goes on
/// where it was is given up only when workers die over one and the same chunk.
pub async fn note_progress(tx: &mut db::TenantTx, lease: Lease) -> Result<(), sqlx::Error> {
    sqlx::query("select jobs.note_progress($1, $2, $3)")
        .bind(lease.job_id)
        .bind(lease.fence)
        .bind(lease.process)
        .execute(db::Scope::conn(tx))
        .await?;
    Ok(())
}
