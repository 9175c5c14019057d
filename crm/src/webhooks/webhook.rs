//! Webhooks themselves: made, changed, switched off and on, given another secret.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use jobs::gate::{self, Limits};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{address::Address, kinds, sign};
use crate::{
    App, Error,
    access::{Caller, Granted, Via},
    events::{self, Event},
    queue,
    secrets::Keys,
};

/// Marks ids of webhooks.
#[derive(Debug)]
pub enum WebhookMark {}
/// The id of a webhook.
pub type WebhookId = Id<WebhookMark>;

/// The channel on which whoever feeds webhooks is told that one was enabled.
pub const CHANNEL: &str = "paloma_webhooks";

/// What the sealed secrets are for.
pub(crate) const PURPOSE: &str = "webhook.secret";
/// Webhooks that a tenant may have.
const MOST: i64 = 50;
/// Attempts under way at one webhook, and at all of a tenant's.
const AT_ONCE: i32 = 4;
const AT_ONCE_IN_ALL: i32 = 12;
/// How long the secret before signs too, unless said otherwise, and at the most.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(7);

/// A webhook, without its secrets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Webhook {
    /// The webhook.
    #[schema(value_type = Uuid)]
    pub id: WebhookId,
    /// Where it points.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// What it is told of.
    pub kinds: Vec<String>,
    /// Of these it is told nothing for now: as whom it sees may not see them any more.
    pub withheld_kinds: Vec<String>,
    /// As whom it sees: who made it, or who last chose its kinds.
    pub owner_id: Uuid,
    /// Whether it is told anything.
    pub is_enabled: bool,
    /// Since when it is not.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Why: by_hand, gone (it answered 410), failing (nothing was taken for days).
    pub disabled_reason: Option<String>,
    /// Since when no attempt was taken; none: the last one was.
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when the secret before signs too.
    pub previous_secret_until: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: WebhookId,
    url: String,
    description: String,
    kinds: Vec<String>,
    owner_id: Uuid,
    #[sqlx(flatten)]
    of_owner: Granted,
    owner_works: bool,
    disabled_at: Option<DateTime<Utc>>,
    disabled_reason: Option<String>,
    failing_since: Option<DateTime<Utc>>,
    previous_secret_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Webhook {
    fn from(row: Row) -> Self {
        let sees = |kind: &String| row.owner_works && kinds::may_see(row.of_owner.permissions(), kind);
        Self {
            id: row.id,
            url: row.url,
            description: row.description,
            withheld_kinds: row.kinds.iter().filter(|kind| !sees(kind)).cloned().collect(),
            kinds: row.kinds,
            owner_id: row.owner_id,
            is_enabled: row.disabled_at.is_none(),
            disabled_at: row.disabled_at,
            disabled_reason: row.disabled_reason,
            failing_since: row.failing_since,
            previous_secret_until: row.previous_secret_until,
            created_at: row.created_at,
        }
    }
}

/// A webhook to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where it points: an https address of a public host.
    pub url: String,
    /// What it is for, up to 200 characters.
    #[serde(default)]
    pub description: String,
    /// What it is told of; no more than whoever makes it may see.
    pub kinds: Vec<String>,
}

/// What may be changed of a webhook; absent fields stay.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChange {
    /// Where it points.
    pub url: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told of, from now on as whoever changes it sees it.
    pub kinds: Option<Vec<String>>,
    /// Whether it is told anything. What happened while it was not is not told later.
    pub is_enabled: Option<bool>,
}

/// A webhook and its secret, which is shown this once.
#[derive(Debug)]
pub struct Made {
    /// The webhook.
    pub webhook: Webhook,
    /// The secret.
    pub secret: SecretString,
}

/// Another secret, which is shown this once.
#[derive(Debug)]
pub struct Rotated {
    /// The secret.
    pub secret: SecretString,
    /// Until when the one before signs too.
    pub previous_until: DateTime<Utc>,
}

/// A person who sends what happens to another place proves who they are; a key was given that permission by somebody who did.
fn require_proof(caller: &Caller, now: DateTime<Utc>) -> Result<(), Error> {
    match caller.via {
        Via::Key(_) => Ok(()),
        Via::Session(_) => caller.require_proof(now),
    }
}

fn description(text: &str) -> Result<&str, Error> {
    let text = text.trim();
    if text.chars().count() > 200 {
        return Err(Error::invalid("description", "description_length", "a description has up to 200 characters"));
    }
    Ok(text)
}

/// Makes a webhook at an address that was checked. It is told what is numbered from now on.
pub async fn create(
    app: &App,
    tx: &mut TenantTx,
    caller: &Caller,
    (address, new): (Address, NewWebhook),
) -> Result<Made, Error> {
    require_proof(caller, tx.now())?;
    let chosen = kinds::choose(caller, &new.kinds)?;
    let description = description(&new.description)?;
    // two that are made at once count each other
    sqlx::query("select pg_advisory_xact_lock(7241, app.tenant_number())").execute(tx.conn()).await?;
    let count: i64 = sqlx::query_scalar(
        "select count(*) from crm.webhooks w where w.tenant_id = app.tenant_id() and w.deleted_at is null",
    )
    .fetch_one(tx.conn())
    .await?;
    if count >= MOST {
        return Err(Error::conflict("webhooks_count", format!("an account has up to {MOST} webhooks")));
    }
    let (id, secret) = (WebhookId::new(), sign::secret());
    sqlx::query(
        "insert into crm.webhooks (id, url, origin, description, kinds, owner_id, secret) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(address.url.as_str())
    .bind(address.origin())
    .bind(description)
    .bind(chosen)
    .bind(caller.user_id)
    .bind(app.keys.seal(PURPOSE, &secret)?)
    .execute(tx.conn())
    .await?;
    let gates = [
        gate::configure(tx, "webhooks", Limits { rate: None, burst: 1.0, cap: Some(AT_ONCE_IN_ALL) }).await?,
        gate::configure(tx, &lane_key(id), Limits { rate: None, burst: 1.0, cap: Some(AT_ONCE) }).await?,
    ];
    jobs::lane::configure(tx, queue::WEBHOOKS, &lane_key(id), 1, &gates).await?;
    begin_feed(tx, id).await?;
    Ok(Made { webhook: get(tx, id).await?, secret })
}

/// The lane of a webhook's deliveries, and the gate before it.
pub(super) fn lane_key(id: WebhookId) -> String {
    format!("webhook/{id}")
}

/// It is told what gets a number from now on.
async fn begin_feed(tx: &mut TenantTx, id: WebhookId) -> Result<(), Error> {
    sqlx::query(
        "insert into crm.webhook_feeds (webhook_id, seq)
           select $1, coalesce((select c.seq from crm.event_counters c where c.tenant_id = app.tenant_id()), 0)
         on conflict on constraint webhook_feeds_pkey do nothing",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(())
}

async fn end_feed(tx: &mut TenantTx, id: WebhookId) -> Result<(), Error> {
    sqlx::query("delete from crm.webhook_feeds where tenant_id = app.tenant_id() and webhook_id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A webhook of the tenant.
pub async fn get(tx: &mut TenantTx, id: WebhookId) -> Result<Webhook, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select w.id, w.url, w.description, w.kinds, w.owner_id, coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions) as mates, u.disabled_at is null as owner_works, w.disabled_at,
                w.disabled_reason, w.failing_since, case when w.previous_until > app.now() then w.previous_until end as previous_secret_until, w.created_at
           from crm.webhooks w join crm.users u on u.tenant_id = w.tenant_id and u.id = w.owner_id
           left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
          where w.tenant_id = app.tenant_id() and w.id = $1 and w.deleted_at is null",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(Webhook::from).ok_or(Error::NotFound)
}

/// The tenant's webhooks, newest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<WebhookId>) -> Result<Page<Webhook>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select w.id, w.url, w.description, w.kinds, w.owner_id, coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions) as mates, u.disabled_at is null as owner_works, w.disabled_at,
                w.disabled_reason, w.failing_since, case when w.previous_until > app.now() then w.previous_until end as previous_secret_until, w.created_at
           from crm.webhooks w join crm.users u on u.tenant_id = w.tenant_id and u.id = w.owner_id
           left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
          where w.tenant_id = app.tenant_id() and w.deleted_at is null and ($1::uuid is null or w.id < $1)
          order by w.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows.into_iter().map(Webhook::from).collect(), |webhook: &Webhook| webhook.id))
}

/// Changes a webhook. A new address was checked before; whoever gives it is who the webhook sees as from then on.
pub async fn update(
    tx: &mut TenantTx,
    caller: &Caller,
    id: WebhookId,
    (address, change): (Option<Address>, WebhookChange),
) -> Result<Webhook, Error> {
    let before = lock(tx, id).await?;
    let mut kinds = change.kinds;
    if address.is_some() {
        require_proof(caller, tx.now())?;
        // whoever has it point elsewhere may see what goes there
        kinds = Some(match kinds {
            Some(kinds) => kinds,
            None => get(tx, id).await?.kinds,
        });
    }
    let chosen = kinds.as_ref().map(|kinds| kinds::choose(caller, kinds)).transpose()?;
    let described = change.description.as_deref().map(description).transpose()?;
    let is_enabled = change.is_enabled.unwrap_or(before);
    sqlx::query(
        "update crm.webhooks w set url = coalesce($2, w.url), origin = coalesce($3, w.origin), description = coalesce($4, w.description),
                kinds = coalesce($5, w.kinds), owner_id = case when $5 is null then w.owner_id else $6 end,
                disabled_at = case when $7 then null else coalesce(w.disabled_at, app.now()) end,
                disabled_reason = case when $7 then null else coalesce(w.disabled_reason, 'by_hand') end,
                failing_since = case when $8 or $2 is not null then null else w.failing_since end
          where w.tenant_id = app.tenant_id() and w.id = $1",
    )
    .bind(id)
    .bind(address.as_ref().map(|address| address.url.as_str()))
    .bind(address.as_ref().map(Address::origin))
    .bind(described)
    .bind(chosen)
    .bind(caller.user_id)
    .bind(is_enabled)
    .bind(is_enabled && !before)
    .execute(tx.conn())
    .await?;
    match (before, is_enabled) {
        (false, true) => begin_feed(tx, id).await?,
        (true, false) => end_feed(tx, id).await?,
        (true, true) | (false, false) => {}
    }
    get(tx, id).await
}

/// Holds the webhook's row against other changes, not against its deliveries; answers whether it is enabled.
async fn lock(tx: &mut TenantTx, id: WebhookId) -> Result<bool, Error> {
    sqlx::query_scalar(
        "select w.disabled_at is null from crm.webhooks w
          where w.tenant_id = app.tenant_id() and w.id = $1 and w.deleted_at is null for no key update",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound)
}

/// Deletes a webhook: nothing is sent any more, its secrets are gone, and its log is swept away in time.
pub async fn delete(tx: &mut TenantTx, id: WebhookId) -> Result<(), Error> {
    lock(tx, id).await?;
    sqlx::query(
        "update crm.webhooks w set deleted_at = app.now(), secret = null, previous_secret = null, previous_until = null
          where w.tenant_id = app.tenant_id() and w.id = $1",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    end_feed(tx, id).await
}

/// Gives it another secret. The one before signs too for some time, so that the receiver can change over; one that was before that does not.
pub async fn rotate(
    app: &App,
    tx: &mut TenantTx,
    caller: &Caller,
    (id, overlap_s): (WebhookId, Option<i64>),
) -> Result<Rotated, Error> {
    lock(tx, id).await?;
    caller.require_proof(tx.now())?;
    let overlap = overlap_s.map_or(OVERLAP, |seconds| TimeDelta::seconds(seconds.clamp(-1, i64::from(i32::MAX))));
    if !(TimeDelta::zero()..=LONGEST_OVERLAP).contains(&overlap) {
        return Err(Error::invalid("overlap_s", "overlap_range", "the secret before may be valid for up to 7 days"));
    }
    let (secret, previous_until) = (sign::secret(), tx.now() + overlap);
    sqlx::query(
        "update crm.webhooks w set previous_secret = w.secret, previous_until = $3, secret = $2
          where w.tenant_id = app.tenant_id() and w.id = $1",
    )
    .bind(id)
    .bind(app.keys.seal(PURPOSE, &secret)?)
    .bind(previous_until)
    .execute(tx.conn())
    .await?;
    Ok(Rotated { secret, previous_until })
}

/// Opens stored secrets.
pub(super) fn open(keys: &Keys, sealed: &[Vec<u8>]) -> Result<Vec<SecretString>, Error> {
    sealed.iter().map(|sealed| keys.open(PURPOSE, sealed)).collect()
}

/// Switches a webhook off that can't go on, and tells whoever sees to webhooks.
pub(super) async fn disable(tx: &mut TenantTx, id: WebhookId, reason: &'static str) -> Result<(), Error> {
    let disabled = sqlx::query(
        "update crm.webhooks w set disabled_at = app.now(), disabled_reason = $2
          where w.tenant_id = app.tenant_id() and w.id = $1 and w.disabled_at is null and w.deleted_at is null",
    )
    .bind(id)
    .bind(reason)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if disabled == 0 {
        return Ok(());
    }
    end_feed(tx, id).await?;
    let (tenant_id, event) = (tx.tenant_id(), Event::WebhookDisabled { webhook_id: id.uuid(), reason });
    events::emit(tx, tenant_id, &event).await?;
    Ok(())
}

impl Made {
    /// The secret, for the one answer that shows it.
    #[must_use]
    pub fn shown(&self) -> String {
        self.secret.expose_secret().to_owned()
    }
}
impl Rotated {
    /// The secret, for the one answer that shows it.
    #[must_use]
    pub fn shown(&self) -> String {
        self.secret.expose_secret().to_owned()
    }
}
