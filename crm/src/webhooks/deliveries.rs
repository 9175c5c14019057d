//! The log of a webhook: what it was told, what came of it, and telling it once more.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use jobs::Enqueue;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    deliver::Deliver,
    feed, kinds,
    webhook::{self, Webhook, WebhookId},
};
use crate::{App, Error, access::Caller, events};

/// How long a delivery is tried.
pub(super) const KEEPS_TRYING: TimeDelta = TimeDelta::days(3);
/// Deliveries that one request replays.
const REPLAYED_AT_ONCE: i64 = 1_000;

/// Marks ids of deliveries.
#[derive(Debug)]
pub enum DeliveryMark {}
/// The id of a delivery: what the receiver knows it by, as `webhook-id`.
pub type DeliveryId = Id<DeliveryMark>;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = WebhookDeliveryState)]
pub enum State {
    /// It waits for its next attempt, or one is under way.
    Pending,
    /// It was taken.
    Delivered,
    /// It was given up.
    Failed,
}

/// One thing that a webhook was told, or is to be.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = WebhookDelivery)]
pub struct Delivery {
    /// What the receiver knows it by, as `webhook-id`: the same at each attempt.
    #[schema(value_type = Uuid)]
    pub id: DeliveryId,
    /// Its webhook.
    #[schema(value_type = Uuid)]
    pub webhook_id: WebhookId,
    /// The kind of event; `ping` is a test.
    pub kind: String,
    /// The event's number; none of a test.
    pub seq: Option<i64>,
    /// Where it stands.
    pub state: State,
    /// Why it has failed: exhausted, gone, test_failed, not_allowed, webhook_disabled, webhook_deleted, or what became of its job.
    pub reason: Option<String>,
    /// Attempts that were made.
    pub attempt_count: i32,
    /// The status of the last answer; none where there was no answer.
    pub status: Option<i32>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the last attempt began.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When the next one is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// One attempt.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = WebhookAttempt)]
pub struct Attempt {
    /// From 1.
    pub number: i32,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i32,
    /// The status; none where there was no answer.
    pub status: Option<i32>,
    /// Why there was none: address_refused, timeout, connect_refused and the like.
    pub error: Option<String>,
    /// How the answer began, without what looks like a secret.
    pub answer: Option<String>,
}

/// A delivery with all that is known of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryDetail)]
pub struct Detail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The body, to the byte.
    pub body: String,
    /// The attempts, first to last.
    pub attempts: Vec<Attempt>,
}

/// What replaying many has done.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = WebhookReplay)]
pub struct Replayed {
    /// Deliveries that are tried again.
    pub count: i64,
    /// There are more: ask once more.
    pub is_more: bool,
}

/// What a webhook was told, newest first; all, or what stands so.
pub async fn list(
    tx: &mut TenantTx,
    webhook_id: WebhookId,
    state: Option<State>,
    page: &PageOf<DeliveryId>,
) -> Result<Page<Delivery>, Error> {
    webhook::get(tx, webhook_id).await?;
    let rows: Vec<Delivery> = sqlx::query_as(
        "select d.id, d.webhook_id, d.kind, d.seq, d.state, d.reason, d.attempt_count, d.status, d.created_at, d.attempted_at, d.next_attempt_at
           from crm.webhook_deliveries d
          where d.tenant_id = app.tenant_id() and d.webhook_id = $1 and ($2::text is null or d.state = $2) and ($3::uuid is null or d.id < $3)
          order by d.id desc limit $4",
    )
    .bind(webhook_id)
    .bind(state)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

async fn find(tx: &mut TenantTx, webhook_id: WebhookId, id: DeliveryId) -> Result<Delivery, Error> {
    webhook::get(tx, webhook_id).await?;
    sqlx::query_as(
        "select d.id, d.webhook_id, d.kind, d.seq, d.state, d.reason, d.attempt_count, d.status, d.created_at, d.attempted_at, d.next_attempt_at
           from crm.webhook_deliveries d where d.tenant_id = app.tenant_id() and d.id = $1 and d.webhook_id = $2",
    )
    .bind(id)
    .bind(webhook_id)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound)
}

/// A delivery with its body and its attempts, for whoever may see such events.
pub async fn get(tx: &mut TenantTx, caller: &Caller, webhook_id: WebhookId, id: DeliveryId) -> Result<Detail, Error> {
    let delivery = find(tx, webhook_id, id).await?;
    if delivery.kind != kinds::PING {
        caller.require(events::permission(&delivery.kind))?;
    }
    let body: String = sqlx::query_scalar(
        "select d.body from crm.webhook_deliveries d where d.tenant_id = app.tenant_id() and d.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    let permission = events::permission(&delivery.kind);
    if !feed::is_seen(tx, &body, &caller.sight(permission)).await? {
        return Err(Error::OutOfScope(permission.name()));
    }
    let attempts = sqlx::query_as(
        "select a.number, a.at, a.duration_ms, a.status, a.error, a.answer from crm.webhook_attempts a
          where a.tenant_id = app.tenant_id() and a.delivery_id = $1 order by a.number desc limit 200",
    )
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    Ok(Detail { delivery, body, attempts: attempts.into_iter().rev().collect() })
}

/// Sends a test, now and once. A webhook that is switched off takes it too, so that it can be tried before it is switched on.
pub async fn ping(tx: &mut TenantTx, webhook_id: WebhookId) -> Result<Delivery, Error> {
    let Webhook { id: webhook_id, .. } = webhook::get(tx, webhook_id).await?;
    let id = DeliveryId::new();
    let body = feed::body(kinds::PING, tx.now(), None, &json!({ "webhook_id": webhook_id }))?;
    sqlx::query(
        "insert into crm.webhook_deliveries (webhook_id, id, kind, body, next_attempt_at, give_up_at) values ($1, $2, $3, $4, app.now(), $5)",
    )
    .bind(webhook_id)
    .bind(id)
    .bind(kinds::PING)
    .bind(body)
    .bind(tx.now() + KEEPS_TRYING)
    .execute(tx.conn())
    .await?;
    let lane = webhook::lane_key(webhook_id);
    Enqueue::<App, Deliver>::new().lane(lane).priority(-1).one(tx, &Deliver { delivery_id: id, turn: 0 }).await?;
    find(tx, webhook_id, id).await
}

/// Tells it once more, now, under the same id, whatever came of it before; one that waits for its next attempt waits no longer.
pub async fn replay(tx: &mut TenantTx, webhook_id: WebhookId, id: DeliveryId) -> Result<Delivery, Error> {
    find(tx, webhook_id, id).await?;
    again(tx, webhook_id, vec![id]).await?;
    find(tx, webhook_id, id).await
}

/// Tells once more what has failed of what was made since then, the newest first.
pub async fn replay_failed(tx: &mut TenantTx, webhook_id: WebhookId, since: DateTime<Utc>) -> Result<Replayed, Error> {
    webhook::get(tx, webhook_id).await?;
    let mut failed: Vec<DeliveryId> = sqlx::query_scalar(
        "select d.id from crm.webhook_deliveries d
          where d.tenant_id = app.tenant_id() and d.webhook_id = $1 and d.state = 'failed' and d.created_at >= $2 and d.seq is not null
          order by d.id desc limit $3",
    )
    .bind(webhook_id)
    .bind(since)
    .bind(REPLAYED_AT_ONCE + 1)
    .fetch_all(tx.conn())
    .await?;
    let is_more = i64::try_from(failed.len()).is_ok_and(|count| count > REPLAYED_AT_ONCE);
    if is_more {
        failed.pop();
    }
    let count = again(tx, webhook_id, failed).await?;
    Ok(Replayed { count, is_more })
}

/// Another turn for each, with its job: three days begin anew.
async fn again(tx: &mut TenantTx, webhook_id: WebhookId, ids: Vec<DeliveryId>) -> Result<i64, Error> {
    if !webhook::get(tx, webhook_id).await?.is_enabled {
        return Err(Error::conflict("webhook_disabled", "switch the webhook on first"));
    }
    let turns: Vec<(DeliveryId, i32)> = sqlx::query_as(
        "update crm.webhook_deliveries d
            set turn = d.turn + 1, state = 'pending', reason = null, next_attempt_at = app.now(), give_up_at = $2, attempts_before = d.attempt_count,
                tried_since = null
           from (select x.id from crm.webhook_deliveries x where x.tenant_id = app.tenant_id() and x.id = any($1) order by x.id for update) z
          where d.tenant_id = app.tenant_id() and d.id = z.id
         returning d.id, d.turn",
    )
    .bind(ids)
    .bind(tx.now() + KEEPS_TRYING)
    .fetch_all(tx.conn())
    .await?;
    let jobs: Vec<Deliver> = turns.into_iter().map(|(delivery_id, turn)| Deliver { delivery_id, turn }).collect();
    let made = Enqueue::<App, Deliver>::new().lane(webhook::lane_key(webhook_id)).many(tx, &jobs).await?;
    Ok(i64::try_from(made.len()).unwrap_or(i64::MAX))
}
