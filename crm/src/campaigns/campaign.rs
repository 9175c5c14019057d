//! A campaign's own row: made, read, changed.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    CampaignId,
    audience::{self, Chosen},
    deadline,
    hours::{Hours, Quiet, Window},
    lifecycle,
    quiet::{self, Rule},
    schedule,
};
use crate::{
    Error,
    contacts::filter::ContactFilter,
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
    /// The import whose contacts are the audience.
    pub import_id: Option<Uuid>,
    /// The filter whose contacts are the audience; neither: all contacts.
    #[schema(value_type = Option<ContactFilter>)]
    pub audience: Option<Json<ContactFilter>>,
    /// The text, with variables.
    pub body: String,
    /// What becomes of a send that nobody can confirm: hold or resend_once.
    pub on_unknown: String,
    /// Sends a minute of this campaign; the line's own pace holds beside it.
    pub rate_per_minute: Option<f64>,
    /// The pace as it was said; what holds is the rate.
    #[schema(value_type = Option<Pace>)]
    pub pace: Option<Json<Pace>>,
    /// Days and hours in which it sends; none: any.
    #[schema(value_type = Option<Window>)]
    pub window: Option<Json<Window>>,
    /// Whether nobody is written to before 8:00 or from 21:00 on, where they are.
    pub quiet_hours: bool,
    /// draft, scheduled, active, paused, completed or cancelled.
    pub state: String,
    /// When it is launched by itself.
    pub starts_at: Option<DateTime<Utc>>,
    /// Stable code of why it could not be launched when its time had come; it is a draft again.
    pub launch_problem: Option<String>,
    /// From when on nothing goes out any more.
    pub ends_at: Option<DateTime<Utc>>,
    /// When the audience was frozen.
    pub frozen_at: Option<DateTime<Utc>>,
    /// When it was launched.
    pub launched_at: Option<DateTime<Utc>>,
    /// When the last recipient was settled.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Campaign {
    /// When it may send to contacts of no region that has rules of its own.
    #[must_use]
    pub fn hours(&self, rules: &[Rule]) -> Hours<'_> {
        Hours { window: self.window.as_deref(), quiet: self.quiet_hours.then(|| quiet::of(rules, None)) }
    }

    /// Whether it heeds a clock at all.
    #[must_use]
    pub fn has_hours(&self) -> bool {
        self.window.is_some() || self.quiet_hours
    }
}

/// So many messages a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignPace)]
pub struct Pace {
    /// How many.
    pub count: u32,
    /// A minute, an hour or a day. A day's are spread over the hours of it in which the campaign may send.
    pub per: Per,
}

/// What a pace counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PacePer)]
pub enum Per {
    /// Sixty seconds.
    Minute,
    /// Sixty minutes.
    Hour,
    /// The open hours of a day.
    Day,
}

impl Pace {
    fn per_minute(&self, hours: &Hours<'_>) -> f64 {
        let minutes = match self.per {
            Per::Minute => 1,
            Per::Hour => 60,
            Per::Day => hours.open_minutes(),
        };
        f64::from(self.count) / f64::from(minutes)
    }
}

/// A campaign to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    /// What people call it; unique in the tenant.
    pub name: String,
    /// The line to send from.
    pub line_id: LineId,
    /// The import whose contacts are the audience.
    pub import_id: Option<Uuid>,
    /// The filter whose contacts are the audience, by label and more; not beside an import. Neither: all contacts.
    pub audience: Option<ContactFilter>,
    /// The text: `Hola {{firstName|amigo}}, …`.
    pub body: String,
    /// hold (the default) or resend_once.
    #[serde(default = "hold")]
    pub on_unknown: String,
    /// Sends a minute of this campaign.
    pub rate_per_minute: Option<f64>,
    /// The same by the minute, the hour or the day; not beside a rate.
    pub pace: Option<Pace>,
    /// Days and hours in which it sends.
    pub window: Option<Window>,
    /// Nobody is written to before 8:00 or from 21:00 on, where they are; true unless it is said.
    #[serde(default = "yes")]
    pub quiet_hours: bool,
    /// From when on nothing goes out any more, with its offset: `2026-01-05T18:00:00-05:00`.
    pub ends_at: Option<String>,
}

fn hold() -> String {
    "hold".to_owned()
}

const fn yes() -> bool {
    true
}

/// What may be changed in draft, scheduled or paused; absent fields stay, null takes away. Of a launched one the audience and the hours stay as they are.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignChange {
    /// What people call it.
    pub name: Option<String>,
    /// The text, for recipients that have not been sent to.
    pub body: Option<String>,
    /// Another line; not once it is launched.
    pub line_id: Option<LineId>,
    /// Another import as the audience; not once it is launched.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<Uuid>)]
    pub import_id: Option<Option<Uuid>>,
    /// Another filter as the audience; not once it is launched.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<ContactFilter>)]
    pub audience: Option<Option<ContactFilter>>,
    /// Sends a minute of this campaign.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<f64>)]
    pub rate_per_minute: Option<Option<f64>>,
    /// The same by the minute, the hour or the day.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<Pace>)]
    pub pace: Option<Option<Pace>>,
    /// Days and hours in which it sends; not once it is launched.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<Window>)]
    pub window: Option<Option<Window>>,
    /// Whether the quiet hours hold; not once it is launched.
    pub quiet_hours: Option<bool>,
    /// From when on nothing goes out any more, with its offset.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub ends_at: Option<Option<String>>,
}

/// What is said is not what is absent, also where null is said.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

const COLUMNS_TAKEN: &str = "campaigns_name_key";

/// The choices of a campaign that hold each other, checked together whether they are made or changed.
struct Plan {
    line_id: LineId,
    import_id: Option<Uuid>,
    audience: Option<ContactFilter>,
    rate_per_minute: Option<f64>,
    pace: Option<Pace>,
    window: Option<Window>,
    quiet_hours: bool,
}

impl Plan {
    /// Refuses what does not fit.
    async fn check(&self, tx: &mut TenantTx) -> Result<(), Error> {
        lines::get(tx, self.line_id).await?;
        if self.import_id.is_some() && self.audience.is_some() {
            return Err(Error::invalid("audience", "audience_twice", "choose an import or a filter"));
        }
        if let Some(import) = self.import_id {
            audience::import_exists(tx, import).await?;
        }
        if let Some(filter) = &self.audience {
            filter.terms(tx).await?;
        }
        match &self.window {
            Some(window) => window.check(self.quiet(tx).await?.as_ref()),
            None => Ok(()),
        }
    }

    async fn quiet(&self, tx: &mut TenantTx) -> Result<Option<Quiet>, Error> {
        Ok(if self.quiet_hours { Some(quiet::of(&quiet::own(tx).await?, None)) } else { None })
    }

    async fn rate(&self, tx: &mut TenantTx) -> Result<Option<f64>, Error> {
        let hours = Hours { window: self.window.as_ref(), quiet: self.quiet(tx).await? };
        let rate = match (&self.pace, self.rate_per_minute) {
            (Some(_), Some(_)) => return Err(Error::invalid("pace", "pace_twice", "give a pace or a rate")),
            (Some(pace), None) => Some(pace.per_minute(&hours)),
            (None, rate) => rate,
        };
        match rate {
            Some(rate) if !(rate > 0.0 && rate <= 600_000.0) => {
                let field = if self.pace.is_some() { "pace" } else { "rate_per_minute" };
                Err(Error::invalid(field, "rate_range", "give a rate above 0 and up to 600000 a minute"))
            }
            rate => Ok(rate),
        }
    }
}

/// Makes a draft.
pub async fn create(tx: &mut TenantTx, new: NewCampaign) -> Result<Campaign, Error> {
    check_name(&new.name)?;
    check_body(&new.body)?;
    if !matches!(new.on_unknown.as_str(), "hold" | "resend_once") {
        return Err(Error::invalid("on_unknown", "on_unknown_unknown", "choose hold or resend_once"));
    }
    let ends_at = new.ends_at.as_deref().map(|text| end(tx, text)).transpose()?;
    let plan = Plan {
        line_id: new.line_id,
        import_id: new.import_id,
        audience: new.audience,
        rate_per_minute: new.rate_per_minute,
        pace: new.pace,
        window: new.window,
        quiet_hours: new.quiet_hours,
    };
    plan.check(tx).await?;
    let rate = plan.rate(tx).await?;
    let id = CampaignId::new();
    sqlx::query(
        "insert into crm.campaigns (id, name, line_id, import_id, body, on_unknown, rate_per_minute, audience, pace, sending_window, quiet_hours, ends_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(id)
    .bind(new.name.trim())
    .bind(plan.line_id)
    .bind(plan.import_id)
    .bind(&new.body)
    .bind(&new.on_unknown)
    .bind(rate)
    .bind(plan.audience.as_ref().map(Json))
    .bind(plan.pace.as_ref().map(Json))
    .bind(plan.window.as_ref().map(Json))
    .bind(plan.quiet_hours)
    .bind(ends_at)
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    get(tx, id).await
}

fn end(tx: &TenantTx, text: &str) -> Result<DateTime<Utc>, Error> {
    let end = schedule::instant("ends_at", text)?;
    if end <= tx.now() { Err(deadline::passed("give a time to come")) } else { Ok(end) }
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

/// Reads a text, and refuses one that no campaign could have.
pub(super) fn check_body(body: &str) -> Result<Template, Error> {
    if body.chars().count() > 10_000 {
        return Err(Error::invalid("body", "body_length", "a text may have 10000 characters"));
    }
    Template::parse(body).map_err(|error| Error::invalid("body", error.code(), error.to_string()))
}

/// A campaign of the tenant.
pub async fn get(tx: &mut TenantTx, id: CampaignId) -> Result<Campaign, Error> {
    sqlx::query_as(
        "select c.id, c.name, c.line_id, c.import_id, c.audience, c.body, c.on_unknown, c.rate_per_minute, c.pace, c.sending_window as window, c.quiet_hours,
                c.state, c.starts_at, c.launch_problem, c.ends_at, c.frozen_at, c.launched_at, c.completed_at, c.created_at
           from crm.campaigns c where c.tenant_id = app.tenant_id() and c.id = $1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound)
}

/// The tenant's campaigns, newest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<Id<super::CampaignMark>>) -> Result<Page<Campaign>, Error> {
    let rows = sqlx::query_as(
        "select c.id, c.name, c.line_id, c.import_id, c.audience, c.body, c.on_unknown, c.rate_per_minute, c.pace, c.sending_window as window, c.quiet_hours,
                c.state, c.starts_at, c.launch_problem, c.ends_at, c.frozen_at, c.launched_at, c.completed_at, c.created_at
           from crm.campaigns c where c.tenant_id = app.tenant_id() and ($1::uuid is null or c.id < $1)
          order by c.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &Campaign| row.id))
}

/// Changes what is not launched yet, or is paused; the audience and the hours of a launched one are frozen (D16).
pub async fn update(tx: &mut TenantTx, id: CampaignId, change: CampaignChange) -> Result<Campaign, Error> {
    // of two changes the later is checked against what the earlier left
    sqlx::query("select from crm.campaigns where tenant_id = app.tenant_id() and id = $1 for no key update")
        .bind(id)
        .execute(tx.conn())
        .await?;
    let campaign = get(tx, id).await?;
    if !matches!(campaign.state.as_str(), "draft" | "scheduled" | "paused") {
        let message = format!("the campaign is {}: pause it first", campaign.state);
        return Err(Error::conflict("campaign_not_editable", message));
    }
    if campaign.state == "paused" && change.is_of_the_frozen() {
        let message = "audience, line and hours were frozen when it was launched";
        return Err(Error::conflict("campaign_frozen", message));
    }
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    let template = change.body.as_deref().map(check_body).transpose()?;
    let ends_at = match &change.ends_at {
        None => campaign.ends_at,
        Some(None) => None,
        Some(Some(text)) => Some(end(tx, text)?),
    };
    if let (Some(start), Some(end), "scheduled") = (campaign.starts_at, ends_at, campaign.state.as_str())
        && end <= start
    {
        return Err(Error::invalid("ends_at", "starts_after_deadline", "it would begin after its deadline"));
    }
    let (name, body) = (change.name.clone(), change.body.clone());
    let plan = change.plan(&campaign);
    // what is frozen may have gone since, or lie in newer quiet hours: that is no fault of the text
    if campaign.state != "paused" {
        plan.check(tx).await?;
    }
    let rate = plan.rate(tx).await?;
    sqlx::query(
        "update crm.campaigns set name = coalesce($2, name), body = coalesce($3, body), line_id = $4, import_id = $5, audience = $6, rate_per_minute = $7,
                pace = $8, sending_window = $9, quiet_hours = $10, ends_at = $11
          where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .bind(name.as_deref().map(str::trim))
    .bind(&body)
    .bind(plan.line_id)
    .bind(plan.import_id)
    .bind(plan.audience.as_ref().map(Json))
    .bind(rate)
    .bind(plan.pace.as_ref().map(Json))
    .bind(plan.window.as_ref().map(Json))
    .bind(plan.quiet_hours)
    .bind(ends_at)
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    let changed = get(tx, id).await?;
    if changed.state == "paused" {
        carry_over(tx, &campaign, &changed, template).await?;
    }
    Ok(changed)
}

/// What a change of a paused campaign means for what it has launched.
async fn carry_over(
    tx: &mut TenantTx,
    before: &Campaign,
    changed: &Campaign,
    template: Option<Template>,
) -> Result<(), Error> {
    if let Some(template) = template {
        let chosen = Chosen::of(tx, changed).await?;
        audience::check_variables(tx, &chosen, &template).await?;
    }
    if changed.rate_per_minute != before.rate_per_minute {
        lifecycle::configure_lane(tx, changed).await?;
    }
    if changed.ends_at != before.ends_at {
        deadline::watch(tx, changed).await?;
    }
    Ok(())
}

impl CampaignChange {
    const fn is_of_the_frozen(&self) -> bool {
        self.line_id.is_some()
            || self.import_id.is_some()
            || self.audience.is_some()
            || self.window.is_some()
            || self.quiet_hours.is_some()
    }

    /// What holds after it. A pace takes the place of a rate and the other way round, and so does an import of a filter.
    fn plan(self, campaign: &Campaign) -> Plan {
        let of = |kept: Option<Json<Pace>>| kept.map(|pace| pace.0);
        let (pace, rate_per_minute) = match (self.pace, self.rate_per_minute) {
            (None, None) if campaign.pace.is_some() => (of(campaign.pace.clone()), None),
            (None, None) => (None, campaign.rate_per_minute),
            (pace, rate) => (pace.flatten(), rate.flatten()),
        };
        let (import_id, audience) = match (self.import_id, self.audience) {
            (None, None) => (campaign.import_id, campaign.audience.clone().map(|filter| filter.0)),
            (import, filter) => (import.flatten(), filter.flatten()),
        };
        Plan {
            line_id: self.line_id.unwrap_or(campaign.line_id),
            import_id,
            audience,
            rate_per_minute,
            pace,
            window: self.window.unwrap_or_else(|| campaign.window.clone().map(|window| window.0)),
            quiet_hours: self.quiet_hours.unwrap_or(campaign.quiet_hours),
        }
    }
}
