//! What tenants use, from a ledger of changes by day (migration 0107): summed when somebody asks, never counted.

use std::time::Duration;

use chrono::NaiveDate;
use db::{Page, PageOf, Scope};
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tenants::TenantId;
use crate::{App, Error, queue};

/// Rows of the log folded by one statement.
const FOLDED_AT_ONCE: i64 = 20_000;

/// What was used in a month, or stands at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub struct Usage {
    /// Messages that came in.
    pub messages_in: i64,
    /// Messages that went out one by one: of people, of programs, of the system.
    pub messages_out: i64,
    /// Messages of campaigns that went out.
    pub campaign_messages: i64,
    /// Campaigns launched.
    pub campaigns: i64,
    /// Contacts at the end.
    pub contacts: i64,
    /// Bytes of files at the end, as they came.
    pub storage_bytes: i64,
    /// Tokens of AI.
    pub ai_tokens: i64,
}

/// A tenant's month.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct TenantUsage {
    /// The tenant.
    #[schema(value_type = Uuid)]
    pub tenant_id: TenantId,
    /// Its name.
    pub tenant_name: String,
    /// Its short name.
    pub tenant_slug: String,
    /// The code of its plan.
    pub plan: String,
    /// What it used.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub usage: Usage,
}

/// One line of the ledger.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct UsageDay {
    /// The day, by the tenant's clock.
    pub day: NaiveDate,
    /// messages_in, messages_out, campaign_messages, campaigns, contacts, storage_bytes or ai_tokens.
    pub measure: String,
    /// Of messages: imessage, sms, rcs or unknown; else empty.
    pub channel: String,
    /// What was added that day; less than zero where more went than came.
    pub amount: i64,
}

/// A month of one tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageMonth {
    /// Its first day.
    pub month: NaiveDate,
    /// Its sums.
    pub total: Usage,
    /// Its days, oldest first.
    pub days: Vec<UsageDay>,
}

/// The first day of a month that is written `2026-11`; none: of the one that the tenant's clock shows, or UTC's.
pub async fn month<S: Scope>(tx: &mut S, tenant: Option<TenantId>, text: Option<&str>) -> Result<NaiveDate, Error> {
    match text {
        Some(text) => NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
            .map_err(|_| Error::invalid("month", "month_malformed", "write a month such as 2026-11")),
        None => Ok(sqlx::query_scalar(
            "select date_trunc('month', app.now() at time zone coalesce((select t.time_zone from crm.tenants t where t.id = $1), 'UTC'))::date",
        )
        .bind(tenant)
        .fetch_one(tx.conn())
        .await?),
    }
}

/// A month of each tenant, newest tenant first.
pub async fn list<S: Scope>(tx: &mut S, month: NaiveDate, page: &PageOf<TenantId>) -> Result<Page<TenantUsage>, Error> {
    let rows: Vec<TenantUsage> = sqlx::query_as(
        "select t.id as tenant_id, t.name as tenant_name, t.slug as tenant_slug, t.plan, z.messages_in, z.messages_out, z.campaign_messages, z.campaigns, z.contacts,
                z.storage_bytes, z.ai_tokens
           from (select x.id, x.name, x.slug, x.plan from crm.tenants x where $2::uuid is null or x.id < $2 order by x.id desc limit $3) t
           cross join lateral (
             select coalesce(sum(u.amount) filter (where u.measure = 'messages_in' and u.day >= $1), 0)::bigint as messages_in,
                    coalesce(sum(u.amount) filter (where u.measure = 'messages_out' and u.day >= $1), 0)::bigint as messages_out,
                    coalesce(sum(u.amount) filter (where u.measure = 'campaign_messages' and u.day >= $1), 0)::bigint as campaign_messages,
                    coalesce(sum(u.amount) filter (where u.measure = 'campaigns' and u.day >= $1), 0)::bigint as campaigns,
                    coalesce(sum(u.amount) filter (where u.measure = 'contacts'), 0)::bigint as contacts,
                    coalesce(sum(u.amount) filter (where u.measure = 'storage_bytes'), 0)::bigint as storage_bytes,
                    coalesce(sum(u.amount) filter (where u.measure = 'ai_tokens' and u.day >= $1), 0)::bigint as ai_tokens
               from crm.usage u where u.tenant_id = t.id and u.day < ($1::date + interval '1 month')::date) z
          order by t.id desc",
    )
    .bind(month)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.tenant_id))
}

/// A month of one tenant, day by day.
pub async fn of<S: Scope>(tx: &mut S, tenant: TenantId, month: NaiveDate) -> Result<UsageMonth, Error> {
    sqlx::query_scalar::<_, bool>("select true from crm.tenants t where t.id = $1")
        .bind(tenant)
        .fetch_one(tx.conn())
        .await?;
    let days: Vec<UsageDay> = sqlx::query_as(
        "select u.day, u.measure, u.channel, u.amount from crm.usage u
          where u.tenant_id = $1 and u.day >= $2 and u.day < ($2::date + interval '1 month')::date order by u.day, u.measure, u.channel",
    )
    .bind(tenant)
    .bind(month)
    .fetch_all(tx.conn())
    .await?;
    let standing: Vec<(String, i64)> = sqlx::query_as(
        "select u.measure, sum(u.amount)::bigint from crm.usage u
          where u.tenant_id = $1 and u.measure in ('contacts', 'storage_bytes') and u.day < ($2::date + interval '1 month')::date group by 1",
    )
    .bind(tenant)
    .bind(month)
    .fetch_all(tx.conn())
    .await?;
    let of_month = |measure: &str| days.iter().filter(|day| day.measure == measure).map(|day| day.amount).sum::<i64>();
    let stands = |measure: &str| standing.iter().find(|(of, _)| of == measure).map_or(0, |(_, amount)| *amount);
    let total = Usage {
        messages_in: of_month("messages_in"),
        messages_out: of_month("messages_out"),
        campaign_messages: of_month("campaign_messages"),
        campaigns: of_month("campaigns"),
        contacts: stands("contacts"),
        storage_bytes: stands("storage_bytes"),
        ai_tokens: of_month("ai_tokens"),
    };
    Ok(UsageMonth { month, total, days })
}

/// Sums up what was used since the last time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FoldUsage {}

impl Job<App> for FoldUsage {
    type Scope = Platform;
    const KIND: &'static str = "tenancy.fold_usage";
    const QUEUE: Queue = queue::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(120);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        loop {
            let mut tx = cx.tx().await?;
            let folded: i64 = sqlx::query_scalar(
                "with gone as (
                   delete from crm.usage_log where ctid = any(array(select ctid from crm.usage_log limit $1))
                   returning tenant_id, at, measure, channel, amount),
                 added as (
                   insert into crm.usage (tenant_id, measure, day, channel, amount)
                     select g.tenant_id, g.measure, (g.at at time zone t.time_zone)::date, g.channel, sum(g.amount)
                       from gone g join crm.tenants t on t.id = g.tenant_id group by 1, 2, 3, 4 order by 1, 2, 3, 4
                   on conflict on constraint usage_pkey do update set amount = crm.usage.amount + excluded.amount)
                 select count(*) from gone",
            )
            .bind(FOLDED_AT_ONCE)
            .fetch_one(tx.conn())
            .await?;
            if folded < FOLDED_AT_ONCE || cx.cancel.is_cancelled() {
                return Ok(Done::with(tx));
            }
            tx.commit().await?;
        }
    }
}
