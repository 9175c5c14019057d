//! A campaign's own row: made, read, changed.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Error,
    campaigns::CampaignId,
    messaging::lines::{self, LineId},
    text::Template,
};

/// A campaign as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Campaign {
    /// The campaign.
    pub id: CampaignId,
    /// What people call it.
    pub name: String,
    /// The line it is sent from.
    pub line_id: LineId,
    /// The import whose contacts are the audience; none: all contacts.
    pub import_id: Option<Uuid>,
    /// The text, with variables.
    pub body: String,
    /// What becomes of a send that nobody can confirm: hold or resend_once.
    pub on_unknown: String,
    /// Sends a minute of this campaign; the line's own pace holds beside it.
    pub rate_per_minute: Option<f64>,
    /// draft, active, paused, completed or cancelled.
    pub state: String,
    /// When the audience was frozen.
    pub frozen_at: Option<DateTime<Utc>>,
    /// When it was launched.
    pub launched_at: Option<DateTime<Utc>>,
    /// When the last recipient was settled.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A campaign to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewCampaign {
    /// What people call it; unique in the tenant.
    pub name: String,
    /// The line to send from.
    pub line_id: LineId,
    /// The import whose contacts are the audience; absent: all contacts.
    pub import_id: Option<Uuid>,
    /// The text: `Hola {{firstName|amigo}}, …`.
    pub body: String,
    /// hold (the default) or resend_once.
    #[serde(default = "hold")]
    pub on_unknown: String,
    /// Sends a minute of this campaign.
    pub rate_per_minute: Option<f64>,
}

fn hold() -> String {
    "hold".to_owned()
}

/// What may be changed in draft or paused; absent fields stay.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CampaignChange {
    /// What people call it.
    pub name: Option<String>,
    /// The text, for recipients that have not been sent to.
    pub body: Option<String>,
    /// Sends a minute of this campaign.
    pub rate_per_minute: Option<f64>,
}

const COLUMNS_TAKEN: &str = "campaigns_name_key";

/// Makes a draft.
pub async fn create(tx: &mut TenantTx, new: NewCampaign) -> Result<Campaign, Error> {
    check_name(&new.name)?;
    check_body(&new.body)?;
    check_rate(new.rate_per_minute)?;
    if !matches!(new.on_unknown.as_str(), "hold" | "resend_once") {
        return Err(Error::invalid("on_unknown", "on_unknown_unknown", "choose hold or resend_once"));
    }
    lines::get(tx, new.line_id).await?;
    if let Some(import) = new.import_id {
        let exists: bool =
            sqlx::query_scalar("select exists (select from crm.imports where tenant_id = app.tenant_id() and id = $1)")
                .bind(import)
                .fetch_one(tx.conn())
                .await?;
        if !exists {
            return Err(Error::NotFound);
        }
    }
    sqlx::query_as(
        "insert into crm.campaigns (id, name, line_id, import_id, body, on_unknown, rate_per_minute) values ($1, $2, $3, $4, $5, $6, $7)
         returning id, name, line_id, import_id, body, on_unknown, rate_per_minute, state, frozen_at, launched_at, completed_at, created_at",
    )
    .bind(CampaignId::new())
    .bind(new.name.trim())
    .bind(new.line_id)
    .bind(new.import_id)
    .bind(&new.body)
    .bind(&new.on_unknown)
    .bind(new.rate_per_minute)
    .fetch_one(tx.conn())
    .await
    .map_err(taken)
}

fn taken(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some(COLUMNS_TAKEN) => Error::conflict("campaign_name_taken", "there is a campaign with this name"),
        _ => error.into(),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.trim().chars().count() > 200 {
        return Err(Error::invalid("name", "name_length", "give a name of 1 to 200 characters"));
    }
    Ok(())
}

fn check_body(body: &str) -> Result<Template, Error> {
    if body.chars().count() > 10_000 {
        return Err(Error::invalid("body", "body_length", "a text may have 10000 characters"));
    }
    Template::parse(body).map_err(|error| Error::invalid("body", error.code(), error.to_string()))
}

fn check_rate(rate: Option<f64>) -> Result<(), Error> {
    match rate {
        Some(rate) if !(rate > 0.0 && rate <= 600_000.0) => {
            Err(Error::invalid("rate_per_minute", "rate_range", "give a rate above 0 and up to 600000 a minute"))
        }
        _ => Ok(()),
    }
}

/// A campaign of the tenant.
pub async fn get(tx: &mut TenantTx, id: CampaignId) -> Result<Campaign, Error> {
    sqlx::query_as(
        "select id, name, line_id, import_id, body, on_unknown, rate_per_minute, state, frozen_at, launched_at, completed_at, created_at
           from crm.campaigns where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound)
}

/// The tenant's campaigns, newest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<Id<super::CampaignMark>>) -> Result<Page<Campaign>, Error> {
    let rows = sqlx::query_as(
        "select id, name, line_id, import_id, body, on_unknown, rate_per_minute, state, frozen_at, launched_at, completed_at, created_at
           from crm.campaigns where tenant_id = app.tenant_id() and ($1::uuid is null or id < $1)
          order by id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &Campaign| row.id))
}

/// Changes a draft or a paused campaign; the audience of a launched one is frozen (D16).
pub async fn update(tx: &mut TenantTx, id: CampaignId, change: CampaignChange) -> Result<Campaign, Error> {
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    check_rate(change.rate_per_minute)?;
    let template = change.body.as_deref().map(check_body).transpose()?;
    let changed: Option<Campaign> = sqlx::query_as(
        "update crm.campaigns set name = coalesce($2, name), body = coalesce($3, body), rate_per_minute = coalesce($4, rate_per_minute)
          where tenant_id = app.tenant_id() and id = $1 and state in ('draft', 'paused')
         returning id, name, line_id, import_id, body, on_unknown, rate_per_minute, state, frozen_at, launched_at, completed_at, created_at",
    )
    .bind(id)
    .bind(change.name.as_deref().map(str::trim))
    .bind(&change.body)
    .bind(change.rate_per_minute)
    .fetch_optional(tx.conn())
    .await
    .map_err(taken)?;
    let Some(campaign) = changed else {
        let campaign = get(tx, id).await?;
        return Err(Error::conflict(
            "campaign_not_editable",
            format!("the campaign is {}: pause it first", campaign.state),
        ));
    };
    if campaign.state == "paused" {
        if let Some(template) = template {
            super::audience::check_variables(tx, campaign.import_id, &template).await?;
        }
        if change.rate_per_minute.is_some() {
            super::lifecycle::configure_lane(tx, &campaign).await?;
        }
    }
    Ok(campaign)
}
