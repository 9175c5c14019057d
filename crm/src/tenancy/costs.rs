//! What tenants cost the queue, by hour and kind: to see who makes others wait, and what a tenant's own work takes.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::tenants::TenantId;
use crate::Error;

/// An hour of one tenant's jobs of one kind.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Cost {
    /// Whose, by its short name; absent for the platform itself, and in a tenant's own view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The hour in which the jobs ended.
    pub hour: DateTime<Utc>,
    /// Their kind.
    pub kind: String,
    /// Jobs that ended, however.
    pub jobs: i64,
    /// Seconds that they had waited, together, from due to their last start.
    pub wait_s: f64,
    /// Seconds that they ran, together, in their last start.
    pub run_s: f64,
    /// Starts before the last.
    pub retries: i64,
    /// Of them, given up.
    pub discarded: i64,
    /// Of them, called off.
    pub cancelled: i64,
    #[serde(skip)]
    key: sqlx::types::Json<Key>,
}

/// Where a page ended: hour, tenant's number, kind's number.
pub type Key = (DateTime<Utc>, i32, i16);

/// Which hours; what is none does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Of that tenant.
    pub tenant: Option<TenantId>,
    /// Of that kind of job.
    pub kind: Option<&'a str>,
    /// That began then or later.
    pub since: Option<DateTime<Utc>>,
    /// That began before.
    pub until: Option<DateTime<Utc>>,
}

/// Hours, newest first: of every tenant, or in a tenant's scope its own. The last minute of jobs is not in them yet.
pub async fn list<S: Scope>(tx: &mut S, filter: &Filter<'_>, page: &PageOf<Key>) -> Result<Page<Cost>, Error> {
    let (hour, number, kind) =
        page.after.map_or((None, None, None), |(hour, number, kind)| (Some(hour), Some(number), Some(kind)));
    let rows = sqlx::query_as(
        "select case when $1 then t.slug end as tenant, c.hour, k.name as kind, c.jobs, c.wait_s, c.run_s, c.retries, c.discarded, c.cancelled,
                jsonb_build_array(c.hour, c.tenant_number, c.kind) as key
           from jobs.costs c
           join jobs.kinds k on k.id = c.kind
           left join crm.tenants t on t.number = c.tenant_number
          where ($2::timestamptz is null or (c.hour, c.tenant_number, c.kind) < ($2, $3, $4))
            and ($5::uuid is null or c.tenant_number = (select number from crm.tenants where id = $5))
            and ($6::text is null or c.kind = (select id from jobs.kinds where name = $6))
            and ($7::timestamptz is null or c.hour >= $7)
            and ($8::timestamptz is null or c.hour < $8)
          order by c.hour desc, c.tenant_number desc, c.kind desc limit $9",
    )
    .bind(S::SEES_ALL)
    .bind(hour)
    .bind(number)
    .bind(kind)
    .bind(filter.tenant)
    .bind(filter.kind)
    .bind(filter.since)
    .bind(filter.until)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &Cost| row.key.0))
}
