//! Saved filters of the inbox.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    inbox::filters::{self, SavedFilter, SavedFilterId},
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

/// The routes. One for everybody needs a permission more, which is asked for where that is read.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ConversationsView, routes!(list, create))
        .private(Permission::ConversationsView, routes!(delete))
}

/// The caller's own filters and those that are shared, oldest first.
#[utoipa::path(
    get, path = "/api/v1/saved-filters", tag = "conversations", params(Paging),
    responses((status = 200, body = Page<SavedFilter>))
)]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<SavedFilter>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(filters::list(&mut tx, call.caller.user_id, &paging.of()?).await?))
}

/// A filter to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SavedFilterBody {
    /// The name.
    name: String,
    /// The query of the list, as it stands in its address.
    query: String,
    /// Whether everybody is to have it.
    #[serde(default)]
    is_shared: bool,
}

/// Saves a filter.
#[utoipa::path(
    post, path = "/api/v1/saved-filters", tag = "conversations", request_body = SavedFilterBody,
    responses((status = 201, description = "Saved", body = SavedFilter))
)]
async fn create(call: Call, Create { body, once }: Create<SavedFilterBody>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let SavedFilterBody { name, query, is_shared } = body;
    let saved = filters::create(&mut tx, &call.caller, (&name, &query, is_shared)).await?;
    once.created(tx, &saved).await
}

/// Removes a filter.
#[utoipa::path(
    delete, path = "/api/v1/saved-filters/{id}", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<SavedFilterId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    filters::delete(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
