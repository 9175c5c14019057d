//! Lines: the tenant's own addresses, each on a gateway.

use axum::response::Response;
use crm::{
    access::Permission,
    messaging::lines::{self, Line, LineChange, LineId, NewLine},
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes. Whoever reads conversations or writes campaigns has to see which lines there are.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ConversationsView, routes!(list))
        .private(Permission::AdminChannelsManage, routes!(create))
        .private(Permission::ConversationsView, routes!(get))
        .private(Permission::AdminChannelsManage, routes!(update))
}

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those of that organization.
    organization_id: Option<Uuid>,
}

/// The lines, newest first.
#[utoipa::path(get, path = "/api/v1/lines", tag = "lines", params(Wanted, Paging), responses((status = 200, body = Page<Line>)))]
async fn list(
    call: Call,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Line>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(lines::list(&mut tx, wanted.organization_id.map(Into::into), &paging.of()?).await?))
}

/// Makes a line. Its webhook is registered at the gateway by a job; `hook_state` tells how that went.
#[utoipa::path(
    post, path = "/api/v1/lines", tag = "lines", request_body = NewLine,
    responses((status = 201, description = "Made", body = Line))
)]
async fn create(call: Call, Create { body, once }: Create<NewLine>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let line = lines::create(&call.app, &mut tx, body).await?;
    once.created(tx, &line).await
}

/// A line.
#[utoipa::path(get, path = "/api/v1/lines/{id}", tag = "lines", params(("id" = Uuid, Path)), responses((status = 200, body = Line)))]
async fn get(call: Call, Path(id): Path<LineId>) -> Result<Json<Line>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(lines::get(&mut tx, id).await?))
}

/// Changes a line; absent fields stay.
#[utoipa::path(
    patch, path = "/api/v1/lines/{id}", tag = "lines", params(("id" = Uuid, Path)), request_body = LineChange,
    responses((status = 200, body = Line))
)]
async fn update(call: Call, Path(id): Path<LineId>, Json(change): Json<LineChange>) -> Result<Json<Line>, Problem> {
    let mut tx = call.tx().await?;
    let line = lines::update(&mut tx, id, change).await?;
    tx.commit().await?;
    Ok(Json(line))
}
