//! The directory of tenants: the platform's operator makes and lists them; a tenant sees only itself.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, PlatformTx, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Error,
    access::users::{self, NewUser, User},
    phone::{Region, RegionError},
};

/// The id of a tenant.
pub type TenantId = Id<Tenant>;

/// What a tenant may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = TenantState)]
pub enum State {
    /// Everything.
    Active,
    /// Everything, for now: an invoice waits.
    PastDue,
    /// Look and take its data along, but change and send nothing.
    Suspended,
    /// Nothing; nobody logs in.
    Closed,
}

impl State {
    /// As it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
    /// Whether nothing goes out.
    #[must_use]
    pub const fn is_still(self) -> bool {
        matches!(self, Self::Suspended | Self::Closed)
    }
}

/// A customer of the platform.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Tenant {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: TenantId,
    /// The short name of addresses and log-ins.
    pub slug: String,
    /// The name.
    pub name: String,
    /// Country whose phone numbers need no prefix, ISO 3166.
    pub region: String,
    /// Zone of its clock, `Europe/Berlin`.
    pub time_zone: String,
    /// What it may do.
    pub state: State,
    /// Why the operator has put it into that state.
    pub state_reason: Option<String>,
    /// When that was.
    pub state_at: Option<DateTime<Utc>>,
    /// The code of its plan.
    pub plan: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A tenant to be made, with the user who owns it.
#[derive(Debug)]
pub struct NewTenant {
    /// The short name, unique.
    pub slug: String,
    /// The name.
    pub name: String,
    /// Country, ISO 3166.
    pub region: String,
    /// Zone of its clock.
    pub time_zone: String,
    /// The owner.
    pub owner: NewUser,
}

/// Makes a tenant and its owner, in one transaction.
pub async fn create(tx: &mut PlatformTx, new: NewTenant) -> Result<(Tenant, User), Error> {
    let region = check(&new)?.code();
    let tenant: Tenant = sqlx::query_as(
        "insert into crm.tenants (id, slug, name, region, time_zone) values ($1, $2, $3, $4, $5)
         returning id, slug, name, region, time_zone, state, state_reason, state_at, plan, created_at",
    )
    .bind(TenantId::new())
    .bind(&new.slug)
    .bind(new.name.trim())
    .bind(region)
    .bind(&new.time_zone)
    .fetch_one(tx.conn())
    .await
    .map_err(|error| match db::constraint::violated(&error) {
        Some(STORED_ZONE) => unknown_zone("time_zone"),
        Some("tenants_slug_key") => Error::conflict("slug_taken", "a tenant of that slug exists already"),
        _ => error.into(),
    })?;
    let owner = users::create(tx, tenant.id.uuid(), new.owner).await?;
    Ok((tenant, owner))
}

fn check(new: &NewTenant) -> Result<Region, Error> {
    let slug = new.slug.as_bytes();
    let is_slug = slug.len() <= 63
        && slug.first().is_some_and(|first| *first != b'-')
        && slug.iter().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'-');
    if !is_slug {
        return Err(Error::invalid(
            "slug",
            "slug_malformed",
            "a slug has 1 to 63 of a-z, 0-9 and -, and does not begin with -",
        ));
    }
    check_name(&new.name)?;
    check_zone(&new.time_zone)?;
    check_region(&new.region)
}

pub(super) fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "name_length", "a name has 1 to 200 characters"));
    }
    Ok(())
}

pub(super) fn check_zone(time_zone: &str) -> Result<(), Error> {
    match time_zone.parse::<chrono_tz::Tz>() {
        Ok(_) => Ok(()),
        Err(_) => Err(unknown_zone("time_zone")),
    }
}

/// The constraint by which the database refuses a zone that it does not know itself.
pub(super) const STORED_ZONE: &str = "tenants_time_zone";

pub(super) fn unknown_zone(field: impl Into<Cow<'static, str>>) -> Error {
    Error::invalid(field, "time_zone_unknown", "a time zone is a name such as Europe/Berlin")
}

pub(super) fn check_region(region: &str) -> Result<Region, Error> {
    region.parse().map_err(|error: RegionError| Error::invalid("region", "region_unknown", error.to_string()))
}

/// Which tenants; what is none does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// With that in their name or slug.
    pub search: Option<&'a str>,
    /// In that state.
    pub state: Option<State>,
}

/// Tenants, newest first, for the operator of the platform.
pub async fn list(tx: &mut PlatformTx, filter: &Filter<'_>, page: PageOf<TenantId>) -> Result<Page<Tenant>, Error> {
    let tenants: Vec<Tenant> = sqlx::query_as(
        // looked through row by row: an installation has thousands of tenants, not millions
        "select id, slug, name, region, time_zone, state, state_reason, state_at, plan, created_at
         from crm.tenants
         where ($1::uuid is null or id < $1) and ($3::text is null or state = $3)
           and ($4::text is null or position(lower($4) in lower(name)) > 0 or position(lower($4) in slug) > 0)
         order by id desc
         limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .bind(filter.state)
    .bind(filter.search.map(str::trim).filter(|search| !search.is_empty()))
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(tenants, |tenant| tenant.id))
}

/// Whether nothing of the transaction's tenant goes out.
pub async fn is_still(tx: &mut TenantTx) -> Result<bool, Error> {
    let state: State =
        sqlx::query_scalar("select state from crm.tenants where id = app.tenant_id()").fetch_one(tx.conn()).await?;
    Ok(state.is_still())
}

/// One tenant.
pub async fn get(tx: &mut PlatformTx, id: TenantId) -> Result<Tenant, Error> {
    Ok(sqlx::query_as(
        "select id, slug, name, region, time_zone, state, state_reason, state_at, plan, created_at from crm.tenants where id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

/// The tenant of the transaction.
pub async fn own(tx: &mut TenantTx) -> Result<Tenant, Error> {
    let tenant = sqlx::query_as(
        "select id, slug, name, region, time_zone, state, state_reason, state_at, plan, created_at from crm.tenants where id = app.tenant_id()",
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(tenant)
}
