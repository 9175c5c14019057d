//! Webhooks: what a tenant's own programs are told, and the log of it.

use axum::{http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use crm::{
    access::Permission,
    webhooks::{
        self, NewWebhook, Webhook, WebhookChange, WebhookId,
        deliveries::{self, Delivery, DeliveryId, Detail, Replayed, State},
        kinds::{self, Kind},
    },
};
use db::Page;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::AdminWebhooksManage, routes!(list))
        .private(Permission::AdminWebhooksManage, routes!(create))
        .private(Permission::AdminWebhooksManage, routes!(get))
        .private(Permission::AdminWebhooksManage, routes!(update))
        .private(Permission::AdminWebhooksManage, routes!(delete))
        .private(Permission::AdminWebhooksManage, routes!(rotate))
        .private(Permission::AdminWebhooksManage, routes!(ping))
        .private(Permission::AdminWebhooksManage, routes!(replay_failed))
        .private(Permission::AdminWebhooksManage, routes!(list_deliveries))
        .private(Permission::AdminWebhooksManage, routes!(get_delivery))
        .private(Permission::AdminWebhooksManage, routes!(replay))
        .private(Permission::AdminWebhooksManage, routes!(list_kinds))
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
struct WebhookMade {
    /// The webhook.
    #[serde(flatten)]
    webhook: Webhook,
    /// `whsec_…`: what the receiver checks signatures with. A repeated request gets none.
    secret: Option<String>,
}

/// For how long the secret before signs too.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// Seconds, up to 7 days; a day unless said otherwise.
    overlap_s: Option<i64>,
}

/// Another secret, which is shown this once.
#[derive(Serialize, ToSchema)]
struct WebhookSecret {
    /// `whsec_…`.
    secret: String,
    /// Until when the one before signs too.
    previous_until: DateTime<Utc>,
}

/// Which deliveries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeliveryFilter {
    /// Those that stand so.
    state: Option<State>,
}

/// What is told once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplaySince {
    /// What has failed of what was made since then.
    since: DateTime<Utc>,
}

/// The kinds of events that a webhook can be told of.
#[utoipa::path(get, path = "/api/v1/webhook-kinds", tag = "webhooks", responses((status = 200, body = Vec<Kind>)))]
async fn list_kinds(call: Call) -> Json<Vec<Kind>> {
    Json(kinds::list(&call.caller))
}

/// The webhooks, newest first.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(Paging), responses((status = 200, body = Page<Webhook>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Webhook>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(webhooks::list(&mut tx, &paging.of()?).await?))
}

/// Makes a webhook. It is told, signed as Standard Webhooks has it, what happens from now on; its secret is shown this once.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, description = "Made", body = WebhookMade))
)]
async fn create(call: Call, Create { body, once }: Create<NewWebhook>) -> Result<Response, Problem> {
    let address = webhooks::check(&call.app, &body.url).await?;
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let made = webhooks::create(&call.app, &mut tx, &call.caller, (address, body)).await?;
    let secret = made.shown();
    let kept = json!(WebhookMade { webhook: made.webhook, secret: None });
    let mut shown = kept.clone();
    shown["secret"] = Value::String(secret);
    once.answer(tx, StatusCode::CREATED, &shown, &kept).await
}

/// A webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = Uuid, Path)), responses((status = 200, body = Webhook)))]
async fn get(call: Call, Path(id): Path<WebhookId>) -> Result<Json<Webhook>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(webhooks::get(&mut tx, id).await?))
}

/// Changes a webhook; absent fields stay. Whoever chooses its kinds, or has it point elsewhere, is who it sees as from then on.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = Uuid, Path)), request_body = WebhookChange,
    responses((status = 200, body = Webhook))
)]
async fn update(
    call: Call,
    Path(id): Path<WebhookId>,
    Json(change): Json<WebhookChange>,
) -> Result<Json<Webhook>, Problem> {
    let address = match &change.url {
        Some(url) => {
            // what is not theirs answers as what is not there, before anything is asked of the address
            webhooks::get(&mut call.tx().await?, id).await?;
            Some(webhooks::check(&call.app, url).await?)
        }
        None => None,
    };
    let mut tx = call.tx().await?;
    let webhook = webhooks::update(&mut tx, &call.caller, id, (address, change)).await?;
    tx.commit().await?;
    Ok(Json(webhook))
}

/// Deletes a webhook with its log.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Deleted"))
)]
async fn delete(call: Call, Path(id): Path<WebhookId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    webhooks::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a webhook another secret, which is shown this once. The one before signs too for a while. Takes a fresh proof.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/secret", tag = "webhooks", params(("id" = Uuid, Path)), request_body = Rotation,
    responses((status = 200, body = WebhookSecret))
)]
async fn rotate(
    call: Call,
    Path(id): Path<WebhookId>,
    Json(rotation): Json<Rotation>,
) -> Result<Json<WebhookSecret>, Problem> {
    let mut tx = call.tx().await?;
    let rotated = webhooks::rotate(&call.app, &mut tx, &call.caller, (id, rotation.overlap_s)).await?;
    tx.commit().await?;
    Ok(Json(WebhookSecret { secret: rotated.shown(), previous_until: rotated.previous_until }))
}

/// Sends a test of the kind `ping`, once; its outcome is in the log.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/ping", tag = "webhooks", params(("id" = Uuid, Path)),
    responses((status = 200, body = Delivery))
)]
async fn ping(call: Call, Path(id): Path<WebhookId>) -> Result<Json<Delivery>, Problem> {
    let mut tx = call.tx().await?;
    let delivery = deliveries::ping(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(delivery))
}

/// Tells once more, under the same ids, what has failed since a time: a thousand at a time.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/replay", tag = "webhooks", params(("id" = Uuid, Path)), request_body = ReplaySince,
    responses((status = 200, body = Replayed))
)]
async fn replay_failed(
    call: Call,
    Path(id): Path<WebhookId>,
    Json(body): Json<ReplaySince>,
) -> Result<Json<Replayed>, Problem> {
    let mut tx = call.tx().await?;
    let replayed = deliveries::replay_failed(&mut tx, id, body.since).await?;
    tx.commit().await?;
    Ok(Json(replayed))
}

/// What a webhook was told in the last thirty days, newest first.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", params(("id" = Uuid, Path), DeliveryFilter, Paging),
    responses((status = 200, body = Page<Delivery>))
)]
async fn list_deliveries(
    call: Call,
    Path(id): Path<WebhookId>,
    Query(filter): Query<DeliveryFilter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Delivery>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(deliveries::list(&mut tx, id, filter.state, &paging.of()?).await?))
}

/// A delivery with its body and its attempts, for whoever may see such events.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries/{delivery_id}", tag = "webhooks",
    params(("id" = Uuid, Path), ("delivery_id" = Uuid, Path)), responses((status = 200, body = Detail))
)]
async fn get_delivery(
    call: Call,
    Path((id, delivery_id)): Path<(WebhookId, DeliveryId)>,
) -> Result<Json<Detail>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(deliveries::get(&mut tx, &call.caller, id, delivery_id).await?))
}

/// Tells it once more, now, under the same id.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay", tag = "webhooks",
    params(("id" = Uuid, Path), ("delivery_id" = Uuid, Path)), responses((status = 200, body = Delivery))
)]
async fn replay(call: Call, Path((id, delivery_id)): Path<(WebhookId, DeliveryId)>) -> Result<Json<Delivery>, Problem> {
    let mut tx = call.tx().await?;
    let delivery = deliveries::replay(&mut tx, id, delivery_id).await?;
    tx.commit().await?;
    Ok(Json(delivery))
}
