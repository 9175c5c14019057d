//! Teams and who is in them.

use axum::{http::StatusCode, response::Response};
use crm::access::{
    Permission,
    teams::{self, Fields, Member, Team, TeamId},
    users::UserId,
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
        .signed_in("colleagues are seen by whoever works with them, and so is who works together", routes!(list))
        .signed_in("colleagues are seen by whoever works with them, and so is who works together", routes!(members))
        .private(Permission::AdminUsersManage, routes!(create))
        .private(Permission::AdminUsersManage, routes!(rename, delete))
        .private(Permission::AdminUsersManage, routes!(add, remove))
}

/// The teams, in the order in which they were made.
#[utoipa::path(get, path = "/api/v1/teams", tag = "access", params(Paging), responses((status = 200, body = Page<Team>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Team>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(teams::list(&mut tx, &paging.of()?).await?))
}

/// Makes a team, with nobody in it.
#[utoipa::path(
    post, path = "/api/v1/teams", tag = "access", request_body = Fields,
    responses((status = 201, description = "Made", body = Team))
)]
async fn create(call: Call, Create { body, once }: Create<Fields>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let team = teams::create(&mut tx, &body).await?;
    once.created(tx, &team).await
}

/// Gives a team another name.
#[utoipa::path(
    patch, path = "/api/v1/teams/{id}", tag = "access", params(("id" = Uuid, Path)), request_body = Fields,
    responses((status = 200, body = Team))
)]
async fn rename(call: Call, Path(id): Path<TeamId>, Json(body): Json<Fields>) -> Result<Json<Team>, Problem> {
    let mut tx = call.tx().await?;
    let team = teams::rename(&mut tx, id, &body).await?;
    tx.commit().await?;
    Ok(Json(team))
}

/// Removes a team; its people stay. It takes a proof.
#[utoipa::path(
    delete, path = "/api/v1/teams/{id}", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<TeamId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    teams::delete(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is in a team, in the order in which they became users.
#[utoipa::path(
    get, path = "/api/v1/teams/{id}/members", tag = "access", params(("id" = Uuid, Path), Paging),
    responses((status = 200, body = Page<Member>))
)]
async fn members(
    call: Call,
    Path(id): Path<TeamId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Member>>, Problem> {
    let page = paging.of()?;
    let mut tx = call.tx().await?;
    Ok(Json(teams::members(&mut tx, id, &page).await?))
}

/// Puts somebody into a team. It takes a proof.
#[utoipa::path(
    put, path = "/api/v1/teams/{id}/members/{user_id}", tag = "access", params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 200, description = "They are in it", body = Team))
)]
async fn add(call: Call, Path((id, user_id)): Path<(TeamId, UserId)>) -> Result<Json<Team>, Problem> {
    let mut tx = call.tx().await?;
    let team = teams::add(&mut tx, &call.caller, id, user_id).await?;
    tx.commit().await?;
    Ok(Json(team))
}

/// Takes somebody out of a team. It takes a proof.
#[utoipa::path(
    delete, path = "/api/v1/teams/{id}/members/{user_id}", tag = "access", params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 204, description = "They are not in it"))
)]
async fn remove(call: Call, Path((id, user_id)): Path<(TeamId, UserId)>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    teams::remove(&mut tx, &call.caller, id, user_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
