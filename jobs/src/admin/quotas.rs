//! How much tenants may have queued, as operators set it. What it does to an enqueue is [`crate::admission`]'s.

use db::{PlatformTx, Scope};

use super::audit::{By, Refused, Subject, record};
use crate::admission::Quota;

/// Sets what a tenant may have queued; none: what holds for all. Tenant 0 is what holds for all, and always has a quota.
pub async fn set_quota(tx: &mut PlatformTx, tenant_number: i32, quota: Option<Quota>, by: &By) -> Result<(), Refused> {
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
    let act = if quota.is_some() { "set_quota" } else { "reset_quota" };
    Ok(record(tx, by, act, Subject::Quota(tenant_number), tenant_number).await?)
}
