//! How much a tenant may have queued. The check stands in `jobs.enqueue`, against what a worker samples every two seconds; what it costs and how far it
//! may be off is said in docs/adr.

use std::time::Duration;

use db::{PlatformTx, Scope, TenantTx};
use serde::Serialize;

/// When somebody who was refused may try again: the next sample has been taken by then.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The most that a tenant may have queued: waiting, due later and running together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Quota {
    /// Jobs.
    pub most_jobs: i64,
    /// Bytes of payload as stored.
    pub most_bytes: i64,
}

/// What a tenant may have queued.
pub async fn quota(tx: &mut PlatformTx, tenant_number: i32) -> Result<Quota, sqlx::Error> {
    sqlx::query_as(
        "select most_jobs, most_bytes from jobs.quotas where tenant_number in (0, $1) order by tenant_number desc limit 1",
    )
    .bind(tenant_number)
    .fetch_one(tx.conn())
    .await
}

/// What the tenant was last seen to have queued; none: less than half of its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Usage {
    /// Jobs.
    pub jobs: i64,
    /// Bytes of payload as stored.
    pub bytes: i64,
}

/// What the transaction's tenant was last seen to have queued, where it is half of its quota or more.
pub async fn usage(tx: &mut TenantTx) -> Result<Option<Usage>, sqlx::Error> {
    sqlx::query_as("select jobs, bytes from jobs.usage where tenant_number = app.tenant_number()")
        .fetch_optional(tx.conn())
        .await
}
