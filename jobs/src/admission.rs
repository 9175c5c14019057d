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

/// Sets what a tenant may have queued; none: what holds for all. Tenant 0 is what holds for all, and always has a quota.
pub async fn set_quota(tx: &mut PlatformTx, tenant_number: i32, quota: Option<Quota>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into jobs.quotas (tenant_number, most_jobs, most_bytes) select $1, $2, $3 where $2::bigint is not null
         on conflict (tenant_number) do update set most_jobs = excluded.most_jobs, most_bytes = excluded.most_bytes",
    )
    .bind(tenant_number)
    .bind(quota.map(|quota| quota.most_jobs))
    .bind(quota.map(|quota| quota.most_bytes))
    .execute(tx.conn())
    .await?;
    if quota.is_none() {
        sqlx::query("delete from jobs.quotas where tenant_number = $1 and tenant_number > 0")
            .bind(tenant_number)
            .execute(tx.conn())
            .await?;
    }
    // what is known of the tenant was compared with the old one: it counts anew with the next sample
    sqlx::query("delete from jobs.usage where tenant_number > 0 and ($1 = 0 or tenant_number = $1)")
        .bind(tenant_number)
        .execute(tx.conn())
        .await?;
    Ok(())
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
