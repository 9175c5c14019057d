//! How much a tenant may have queued: what holds for all, unless the operator says otherwise for one.

use db::{PlatformTx, Scope};
use jobs::{
    admin::{self, By},
    admission::{self, Quota},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::tenants::TenantId;
use crate::Error;

/// A campaign freezes its audience in chunks of 5,000 jobs: a smaller quota would let none of them in.
const LEAST_JOBS: i64 = 10_000;
/// Room for a chunk of the largest payloads of clients.
const LEAST_BYTES: i64 = 64 << 20;

/// What a tenant may have queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = QueueQuota)]
pub struct QueueQuota {
    /// Jobs that wait, are due later or run: 10,000 or more.
    pub most_jobs: i64,
    /// Bytes of their payloads as stored: 67,108,864 or more.
    pub most_bytes: i64,
}

/// What a tenant may have queued.
pub async fn get(tx: &mut PlatformTx, id: TenantId) -> Result<QueueQuota, Error> {
    let number = number(tx, id).await?;
    let Quota { most_jobs, most_bytes } = admission::quota(tx, number).await?;
    Ok(QueueQuota { most_jobs, most_bytes })
}

/// Sets what a tenant may have queued.
pub async fn set(tx: &mut PlatformTx, id: TenantId, quota: QueueQuota, by: &By) -> Result<QueueQuota, Error> {
    if quota.most_jobs < LEAST_JOBS {
        return Err(Error::invalid("most_jobs", "quota_too_small", format!("at least {LEAST_JOBS}")));
    }
    if quota.most_bytes < LEAST_BYTES {
        return Err(Error::invalid("most_bytes", "quota_too_small", format!("at least {LEAST_BYTES}")));
    }
    let number = number(tx, id).await?;
    let QueueQuota { most_jobs, most_bytes } = quota;
    admin::set_quota(tx, number, Some(Quota { most_jobs, most_bytes }), by).await?;
    Ok(quota)
}

/// The tenant may have queued what holds for all again.
pub async fn reset(tx: &mut PlatformTx, id: TenantId, by: &By) -> Result<QueueQuota, Error> {
    let number = number(tx, id).await?;
    admin::set_quota(tx, number, None, by).await?;
    get(tx, id).await
}

async fn number(tx: &mut PlatformTx, id: TenantId) -> Result<i32, Error> {
    Ok(sqlx::query_scalar("select number from crm.tenants where id = $1").bind(id).fetch_one(tx.conn()).await?)
}
