//! Identity providers of the account, as its administrators set them up.

use axum::{http::StatusCode, response::Response};
use crm::access::{
    Permission,
    providers::{self, Change, New, Provider, ProviderId},
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
        .private(Permission::AdminSettingsView, routes!(list))
        .private(Permission::AdminSettingsManage, routes!(create))
        .private(Permission::AdminSettingsManage, routes!(change))
        .private(Permission::AdminSettingsManage, routes!(delete))
}

/// The account's identity providers, in the order in which they were set up.
#[utoipa::path(
    get, path = "/api/v1/identity-providers", tag = "access", params(Paging), responses((status = 200, body = Page<Provider>))
)]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Provider>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(providers::list(&call.app, &mut tx, &paging.of()?).await?))
}

/// Sets an identity provider up. It takes a proof, and everything that an owner may.
#[utoipa::path(
    post, path = "/api/v1/identity-providers", tag = "access", request_body = New,
    responses((status = 201, description = "Set up", body = Provider))
)]
async fn create(call: Call, Create { body, once }: Create<New>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let made = providers::create(&call.app, &mut tx, &call.caller, body).await?;
    once.created(tx, &made).await
}

/// Changes an identity provider. It takes a proof, and everything that an owner may.
#[utoipa::path(
    patch, path = "/api/v1/identity-providers/{id}", tag = "access", params(("id" = Uuid, Path)), request_body = Change,
    responses((status = 200, body = Provider))
)]
async fn change(call: Call, Path(id): Path<ProviderId>, Json(change): Json<Change>) -> Result<Json<Provider>, Problem> {
    let mut tx = call.tx().await?;
    let changed = providers::change(&call.app, &mut tx, &call.caller, id, change).await?;
    tx.commit().await?;
    Ok(Json(changed))
}

/// Takes an identity provider away: nobody logs in with it any more. It takes a proof.
#[utoipa::path(
    delete, path = "/api/v1/identity-providers/{id}", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Taken away"))
)]
async fn delete(call: Call, Path(id): Path<ProviderId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    providers::delete(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
