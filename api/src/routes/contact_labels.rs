//! The labels that contacts may carry.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    contacts::labels::{self, Label, LabelId},
};
use db::Page;
use serde::Deserialize;
use utoipa::ToSchema;
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
        .private(Permission::ContactsView, routes!(list))
        .private(Permission::ContactsEdit, routes!(create))
        .private(Permission::ContactsEdit, routes!(rename))
        .private(Permission::ContactsEdit, routes!(delete))
}

/// What a label is called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ContactLabelBody {
    /// 1 to 100 characters without semicolon, comma and |; unique whatever its case and accents.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// The labels, by name.
#[utoipa::path(get, path = "/api/v1/contact-labels", tag = "contacts", params(Paging), responses((status = 200, body = Page<Label>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Label>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(labels::list(&mut tx, &paging.of()?).await?))
}

/// Makes a label.
#[utoipa::path(
    post, path = "/api/v1/contact-labels", tag = "contacts", request_body = ContactLabelBody,
    responses((status = 201, description = "Made", body = Label))
)]
async fn create(call: Call, Create { body, once }: Create<ContactLabelBody>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let label = labels::create(&mut tx, &body.name).await?;
    once.created(tx, &label).await
}

/// Gives a label another name.
#[utoipa::path(
    patch, path = "/api/v1/contact-labels/{id}", tag = "contacts", params(("id" = Uuid, Path)), request_body = ContactLabelBody,
    responses((status = 200, body = Label))
)]
async fn rename(
    call: Call,
    Path(id): Path<LabelId>,
    Json(body): Json<ContactLabelBody>,
) -> Result<Json<Label>, Problem> {
    let mut tx = call.tx().await?;
    let label = labels::rename(&mut tx, id, &body.name).await?;
    tx.commit().await?;
    Ok(Json(label))
}

/// Removes a label, also from every contact that has it.
#[utoipa::path(
    delete, path = "/api/v1/contact-labels/{id}", tag = "contacts", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<LabelId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    labels::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
