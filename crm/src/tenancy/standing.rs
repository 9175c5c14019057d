//! What the platform's operator does to a tenant: changes it, suspends it, lets it go on, closes it. Each is a compare-and-set with a reason in the audit.
//! A tenant that may not send has its gates held in the same commit, so that whatever waits goes on waiting, and loses nothing.

use db::{PlatformTx, Scope};
use jobs::admin::{self, By};
use serde::Deserialize;
use utoipa::ToSchema;

use super::tenants::{self, State, Tenant, TenantId, check_name, check_region, check_zone};
use crate::{Error, queue};

/// What is to become of a tenant; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = TenantChange)]
pub struct Change {
    /// The name.
    pub name: Option<String>,
    /// Country whose phone numbers need no prefix, ISO 3166.
    pub region: Option<String>,
    /// Zone of its clock, `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// The code of its plan. What is there already stays, also where it is more than the plan allows.
    pub plan: Option<String>,
}

/// Writes down who has made a tenant.
pub async fn note_made(tx: &mut PlatformTx, id: TenantId, by: &By) -> Result<(), Error> {
    let number =
        sqlx::query_scalar("select number from crm.tenants where id = $1").bind(id).fetch_one(tx.conn()).await?;
    note(tx, by, "create", id, number).await
}

/// Changes a tenant.
pub async fn change(tx: &mut PlatformTx, id: TenantId, change: &Change, by: &By) -> Result<Tenant, Error> {
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    if let Some(time_zone) = &change.time_zone {
        check_zone(time_zone)?;
    }
    let region = change.region.as_deref().map(check_region).transpose()?;
    let number: i32 = sqlx::query_scalar(
        "update crm.tenants t set name = coalesce($2, t.name), region = coalesce($3, t.region), time_zone = coalesce($4, t.time_zone), plan = coalesce($5, t.plan),
                settings_version = t.settings_version + ($3::text is not null or $4::text is not null)::int
          where t.id = $1 returning t.number",
    )
    .bind(id)
    .bind(change.name.as_deref().map(str::trim))
    .bind(region.map(|region| region.code()))
    .bind(&change.time_zone)
    .bind(&change.plan)
    .fetch_one(tx.conn())
    .await
    .map_err(|error| match db::constraint::violated(&error) {
        Some("tenants_plan") => Error::invalid("plan", "plan_unknown", "there is no plan of that code"),
        _ => error.into(),
    })?;
    note(tx, by, "change", id, number).await?;
    tenants::get(tx, id).await
}

/// The tenant may look and take its data along, and nothing goes out any more: what is queued waits. What comes in is stored.
pub async fn suspend(tx: &mut PlatformTx, id: TenantId, by: &By) -> Result<Tenant, Error> {
    let number = step(tx, id, &[State::Active, State::PastDue], State::Suspended, by).await?;
    admin::hold_gates(tx, number, queue::OUTBOUND).await?;
    note(tx, by, "suspend", id, number).await?;
    tenants::get(tx, id).await
}

/// The tenant goes on, and what waits goes out by its pace.
pub async fn activate(tx: &mut PlatformTx, id: TenantId, by: &By) -> Result<Tenant, Error> {
    let number = step(tx, id, &[State::PastDue, State::Suspended, State::Closed], State::Active, by).await?;
    admin::release_gates(tx, number).await?;
    note(tx, by, "activate", id, number).await?;
    tenants::get(tx, id).await
}

/// Nobody logs in any more, and nothing goes out. The slug, typed, says that it is meant; only an operator opens the tenant again.
pub async fn close(tx: &mut PlatformTx, id: TenantId, slug: &str, by: &By) -> Result<Tenant, Error> {
    if tenants::get(tx, id).await?.slug != slug {
        return Err(Error::invalid("slug", "slug_differs", "type the slug of the tenant that is to be closed"));
    }
    let number = step(tx, id, &[State::Active, State::PastDue, State::Suspended], State::Closed, by).await?;
    admin::hold_gates(tx, number, queue::OUTBOUND).await?;
    note(tx, by, "close", id, number).await?;
    tenants::get(tx, id).await
}

/// Moves a tenant from one of these states to another; of two that try at once one wins. Answers its number.
async fn step(tx: &mut PlatformTx, id: TenantId, from: &[State], to: State, by: &By) -> Result<i32, Error> {
    let from: Vec<&str> = from.iter().map(|state| state.name()).collect();
    let moved: Option<i32> = sqlx::query_scalar(
        "update crm.tenants t set state = $3, state_reason = $4, state_at = app.now() where t.id = $1 and t.state = any($2) returning t.number",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .bind(by.reason())
    .fetch_optional(tx.conn())
    .await?;
    match moved {
        Some(number) => Ok(number),
        None => {
            let state = tenants::get(tx, id).await?.state;
            Err(Error::conflict("tenant_state", format!("the tenant is {}", state.name())))
        }
    }
}

async fn note(tx: &mut PlatformTx, by: &By, act: &str, id: TenantId, number: i32) -> Result<(), Error> {
    Ok(admin::note(tx, by, act, ("tenant", &id.to_string()), number).await?)
}
