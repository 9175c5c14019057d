//! Roles: what each grants, and those that a tenant makes for itself.

use axum::{http::StatusCode, response::Response};
use crm::access::{
    Permission,
    roles::{self, Change, NewRole, Role, RoleId},
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
        .signed_in("what a colleague's role grants is seen by whoever sees the colleague", routes!(list))
        .private(Permission::AdminRolesManage, routes!(create))
        .private(Permission::AdminRolesManage, routes!(update, delete))
}

/// The built-in roles, and then the account's own in the order in which they were made. The built-in ones stand before the first page and do not count as of it.
#[utoipa::path(get, path = "/api/v1/roles", tag = "access", params(Paging), responses((status = 200, body = Page<Role>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Role>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(roles::list(&mut tx, &paging.of()?).await?))
}

/// Makes a role that grants no more than whoever makes it may do. It takes a proof.
#[utoipa::path(
    post, path = "/api/v1/roles", tag = "access", request_body = NewRole,
    responses((status = 201, description = "Made", body = Role))
)]
async fn create(call: Call, Create { body, once }: Create<NewRole>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let role = roles::create(&mut tx, &call.caller, body).await?;
    once.created(tx, &role).await
}

/// Changes a role, at once for everybody who has it; what is absent stays. It takes a proof.
#[utoipa::path(
    patch, path = "/api/v1/roles/{id}", tag = "access", params(("id" = Uuid, Path)), request_body = Change,
    responses((status = 200, body = Role))
)]
async fn update(call: Call, Path(id): Path<RoleId>, Json(body): Json<Change>) -> Result<Json<Role>, Problem> {
    let mut tx = call.tx().await?;
    let role = roles::change(&mut tx, &call.caller, id, body).await?;
    tx.commit().await?;
    Ok(Json(role))
}

/// Removes a role that nobody has. It takes a proof.
#[utoipa::path(
    delete, path = "/api/v1/roles/{id}", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<RoleId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    roles::delete(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
