//! Labels of conversations.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    inbox::labels::{self, Label, LabelFields, LabelId},
};
use db::Page;
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
        .private(Permission::ConversationsView, routes!(list))
        .private(Permission::ConversationsManageFilters, routes!(create))
        .private(Permission::ConversationsManageFilters, routes!(update, delete))
}

/// The labels, oldest first.
#[utoipa::path(get, path = "/api/v1/labels", tag = "conversations", params(Paging), responses((status = 200, body = Page<Label>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Label>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(labels::list(&mut tx, &paging.of()?).await?))
}

/// Makes a label.
#[utoipa::path(
    post, path = "/api/v1/labels", tag = "conversations", request_body = LabelFields,
    responses((status = 201, description = "Made", body = Label))
)]
async fn create(call: Call, Create { body, once }: Create<LabelFields>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let label = labels::create(&mut tx, body).await?;
    once.created(tx, &label).await
}

/// Changes a label; what is absent stays.
#[utoipa::path(
    patch, path = "/api/v1/labels/{id}", tag = "conversations", params(("id" = Uuid, Path)), request_body = LabelFields,
    responses((status = 200, body = Label))
)]
async fn update(call: Call, Path(id): Path<LabelId>, Json(body): Json<LabelFields>) -> Result<Json<Label>, Problem> {
    let mut tx = call.tx().await?;
    let label = labels::update(&mut tx, id, body).await?;
    tx.commit().await?;
    Ok(Json(label))
}

/// Removes a label, from all conversations too.
#[utoipa::path(
    delete, path = "/api/v1/labels/{id}", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<LabelId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    labels::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
