//! Canned replies.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    inbox::{
        ConversationId,
        canned::{self, CannedReply, CannedReplyFields, CannedReplyId, Rendered},
    },
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
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
        .private(Permission::TemplatesView, routes!(list))
        .private(Permission::TemplatesManage, routes!(create))
        .private(Permission::TemplatesManage, routes!(update, delete))
        .private(Permission::TemplatesView, routes!(render))
}

/// The canned replies, oldest first.
#[utoipa::path(
    get, path = "/api/v1/canned-replies", tag = "conversations", params(Paging),
    responses((status = 200, body = Page<CannedReply>))
)]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<CannedReply>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(canned::list(&mut tx, &paging.of()?).await?))
}

/// Makes a canned reply.
#[utoipa::path(
    post, path = "/api/v1/canned-replies", tag = "conversations", request_body = CannedReplyFields,
    responses((status = 201, description = "Made", body = CannedReply))
)]
async fn create(call: Call, Create { body, once }: Create<CannedReplyFields>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let reply = canned::create(&mut tx, call.caller.user_id, body).await?;
    once.created(tx, &reply).await
}

/// Changes a canned reply; what is absent stays.
#[utoipa::path(
    patch, path = "/api/v1/canned-replies/{id}", tag = "conversations", params(("id" = Uuid, Path)), request_body = CannedReplyFields,
    responses((status = 200, body = CannedReply))
)]
async fn update(
    call: Call,
    Path(id): Path<CannedReplyId>,
    Json(body): Json<CannedReplyFields>,
) -> Result<Json<CannedReply>, Problem> {
    let mut tx = call.tx().await?;
    let reply = canned::update(&mut tx, id, body).await?;
    tx.commit().await?;
    Ok(Json(reply))
}

/// Removes a canned reply.
#[utoipa::path(
    delete, path = "/api/v1/canned-replies/{id}", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<CannedReplyId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    canned::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where it is to be written.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Place {
    /// The conversation.
    #[param(value_type = Uuid)]
    conversation_id: ConversationId,
}

/// The text as it reads for the contact of a conversation.
#[utoipa::path(
    get, path = "/api/v1/canned-replies/{id}/text", tag = "conversations", params(("id" = Uuid, Path), Place),
    responses((status = 200, body = Rendered))
)]
async fn render(
    call: Call,
    Path(id): Path<CannedReplyId>,
    Query(place): Query<Place>,
) -> Result<Json<Rendered>, Problem> {
    let mut tx = call.tx_of_looker().await?;
    Ok(Json(canned::render(&mut tx, id, place.conversation_id).await?))
}
