//! Plans: how much a tenant may have, or do in a month. What there is of users, lines and contacts is held by triggers, whatever way they come
//! (`crm.keep_to_plan`); what goes out is held here, against the ledger of usage, which is a minute behind at most. Inbound is never refused.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope, TenantTx};
use jobs::admin::{self, By};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Error;

/// Most of each; none: as much as a tenant likes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
#[serde(default, deny_unknown_fields)]
#[schema(as = PlanLimits)]
pub struct Limits {
    /// People who can log in: 1 or more.
    pub most_users: Option<i64>,
    /// Lines.
    pub most_lines: Option<i64>,
    /// Contacts; those of people who write for the first time count, and are never refused.
    pub most_contacts: Option<i64>,
    /// Messages that go out in a month of the tenant's clock.
    pub most_messages: Option<i64>,
    /// Campaigns launched in a month.
    pub most_campaigns: Option<i64>,
    /// Bytes of files; shown, and not held yet.
    pub most_storage_bytes: Option<i64>,
    /// Tokens of AI in a month; shown, and not held yet.
    pub most_ai_tokens: Option<i64>,
}

impl Limits {
    fn check(&self) -> Result<(), Error> {
        let fields = [
            ("most_users", self.most_users, 1),
            ("most_lines", self.most_lines, 0),
            ("most_contacts", self.most_contacts, 0),
            ("most_messages", self.most_messages, 0),
            ("most_campaigns", self.most_campaigns, 0),
            ("most_storage_bytes", self.most_storage_bytes, 0),
            ("most_ai_tokens", self.most_ai_tokens, 0),
        ];
        match fields.into_iter().find(|(_, most, least)| most.is_some_and(|most| most < *least)) {
            Some((field, _, least)) => {
                Err(Error::invalid(field, "plan_limit_range", format!("{least} or more, or none")))
            }
            None => Ok(()),
        }
    }
}

/// A plan.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Plan {
    /// The code, unique.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// What it allows.
    #[sqlx(flatten)]
    pub limits: Limits,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The plans, by their codes.
pub async fn list(tx: &mut PlatformTx, page: &PageOf<String>) -> Result<Page<Plan>, Error> {
    let plans: Vec<Plan> = sqlx::query_as(
        "select p.code, p.name, p.most_users, p.most_lines, p.most_contacts, p.most_messages, p.most_campaigns, p.most_storage_bytes, p.most_ai_tokens, p.created_at
           from app.plans p where $1::text is null or p.code > $1 order by p.code limit $2",
    )
    .bind(&page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(plans, |plan| plan.code.clone()))
}

async fn get(tx: &mut PlatformTx, code: &str) -> Result<Plan, Error> {
    Ok(sqlx::query_as(
        "select p.code, p.name, p.most_users, p.most_lines, p.most_contacts, p.most_messages, p.most_campaigns, p.most_storage_bytes, p.most_ai_tokens, p.created_at
           from app.plans p where p.code = $1",
    )
    .bind(code)
    .fetch_one(tx.conn())
    .await?)
}

/// The plan of the transaction's tenant.
pub async fn own(tx: &mut TenantTx) -> Result<Plan, Error> {
    Ok(sqlx::query_as(
        "select p.code, p.name, p.most_users, p.most_lines, p.most_contacts, p.most_messages, p.most_campaigns, p.most_storage_bytes, p.most_ai_tokens, p.created_at
           from crm.tenants t join app.plans p on p.code = t.plan where t.id = app.tenant_id()",
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Makes a plan.
pub async fn create(tx: &mut PlatformTx, (code, name): (&str, &str), limits: &Limits, by: &By) -> Result<Plan, Error> {
    limits.check()?;
    super::tenants::check_name(name)?;
    sqlx::query(
        "insert into app.plans (code, name, most_users, most_lines, most_contacts, most_messages, most_campaigns, most_storage_bytes, most_ai_tokens)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(code)
    .bind(name.trim())
    .bind(limits.most_users)
    .bind(limits.most_lines)
    .bind(limits.most_contacts)
    .bind(limits.most_messages)
    .bind(limits.most_campaigns)
    .bind(limits.most_storage_bytes)
    .bind(limits.most_ai_tokens)
    .execute(tx.conn())
    .await
    .map_err(|error| match db::constraint::violated(&error) {
        Some("plans_pkey") => Error::conflict("plan_taken", "there is a plan of that code"),
        Some("plans_code_form") => {
            Error::invalid("code", "plan_code_malformed", "a code has 1 to 63 of a-z, 0-9 and -, and does not begin with -")
        }
        _ => error.into(),
    })?;
    admin::note(tx, by, "create", ("plan", code), 0).await?;
    get(tx, code).await
}

/// Changes a plan for all tenants that have it: its name and all of its limits. What they have already stays.
pub async fn change(tx: &mut PlatformTx, code: &str, name: &str, limits: &Limits, by: &By) -> Result<Plan, Error> {
    limits.check()?;
    super::tenants::check_name(name)?;
    let changed = sqlx::query(
        "update app.plans set name = $2, most_users = $3, most_lines = $4, most_contacts = $5, most_messages = $6, most_campaigns = $7,
            most_storage_bytes = $8, most_ai_tokens = $9 where code = $1",
    )
    .bind(code)
    .bind(name.trim())
    .bind(limits.most_users)
    .bind(limits.most_lines)
    .bind(limits.most_contacts)
    .bind(limits.most_messages)
    .bind(limits.most_campaigns)
    .bind(limits.most_storage_bytes)
    .bind(limits.most_ai_tokens)
    .execute(tx.conn())
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    admin::note(tx, by, "change", ("plan", code), 0).await?;
    get(tx, code).await
}

/// Refuses so many messages more where the month of the tenant's plan has no room for them. Those of campaigns count from their launch on. The ledger is
/// summed up each minute, so what came in the last one may go over.
pub(crate) async fn admit_messages(tx: &mut TenantTx, count: usize) -> Result<(), Error> {
    let Some(most) = most_messages(tx).await? else { return Ok(()) };
    let used = used_messages(tx).await?;
    if used + i64::try_from(count).unwrap_or(i64::MAX) > most {
        return Err(Error::PlanLimit("messages"));
    }
    Ok(())
}

/// Refuses a launch that the month has no room for, as a campaign or by its messages; else counts it. Launches of one tenant that has such a limit come
/// one after the other: two that would fit alone and not together do not both go.
pub(crate) async fn admit_campaign(tx: &mut TenantTx, id: Uuid, eligible: i64) -> Result<(), Error> {
    let (most_campaigns, most_messages): (Option<i64>, Option<i64>) = sqlx::query_as(
        "select p.most_campaigns, p.most_messages from crm.tenants t join app.plans p on p.code = t.plan where t.id = app.tenant_id()",
    )
    .fetch_one(tx.conn())
    .await?;
    if most_campaigns.is_some() || most_messages.is_some() {
        sqlx::query("select pg_advisory_xact_lock(7246, app.tenant_number())").execute(tx.conn()).await?;
    }
    if let Some(most) = most_campaigns {
        // this one is among them by now
        let launched: i64 = sqlx::query_scalar(
            "select count(*) from crm.campaigns c join crm.tenants t on t.id = c.tenant_id
              where c.tenant_id = app.tenant_id() and c.launched_at >= date_trunc('month', app.now() at time zone t.time_zone) at time zone t.time_zone",
        )
        .fetch_one(tx.conn())
        .await?;
        if launched > most {
            return Err(Error::PlanLimit("campaigns"));
        }
    }
    if let Some(most) = most_messages
        && used_messages(tx).await? + eligible > most
    {
        return Err(Error::PlanLimit("messages"));
    }
    sqlx::query("update crm.campaigns set planned_count = $2 where tenant_id = app.tenant_id() and id = $1")
        .bind(id)
        .bind(eligible)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn most_messages(tx: &mut TenantTx) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar(
        "select p.most_messages from crm.tenants t join app.plans p on p.code = t.plan where t.id = app.tenant_id()",
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Messages of this month: those that went out one by one, and all that its campaigns were to send.
async fn used_messages(tx: &mut TenantTx) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(
        "with month as (
           select date_trunc('month', app.now() at time zone t.time_zone) as begins, t.time_zone from crm.tenants t where t.id = app.tenant_id())
         select (select coalesce(sum(u.amount), 0) from crm.usage u
                  where u.tenant_id = app.tenant_id() and u.measure = 'messages_out' and u.day >= month.begins::date)::bigint
              + (select coalesce(sum(c.planned_count), 0) from crm.campaigns c
                  where c.tenant_id = app.tenant_id() and c.launched_at >= month.begins at time zone month.time_zone)::bigint
           from month",
    )
    .fetch_one(tx.conn())
    .await?)
}
