//! The organizations of a tenant, and what each sets of its own.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    tenancy::{
        organizations::{self, Organization, OrganizationId},
        settings::{Change, Level, Settings},
    },
};
use db::Page;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::settings;
use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes. Which organization a line is of is a matter of the line.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::AdminSettingsView, routes!(list))
        .private(Permission::AdminSettingsManage, routes!(create))
        .private(Permission::AdminSettingsView, routes!(get))
        .private(Permission::AdminSettingsManage, routes!(rename, delete))
        .private(Permission::AdminSettingsView, routes!(read_settings))
        .private(Permission::AdminSettingsManage, routes!(change_settings))
}

/// What an organization is called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganizationBody {
    /// 1 to 200 characters; unique whatever its case and accents.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// The organizations, by name.
#[utoipa::path(get, path = "/api/v1/organizations", tag = "organizations", params(Paging), responses((status = 200, body = Page<Organization>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Organization>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(organizations::list(&mut tx, &paging.of()?).await?))
}

/// Makes an organization, of which no line is yet and which inherits everything.
#[utoipa::path(
    post, path = "/api/v1/organizations", tag = "organizations", request_body = OrganizationBody,
    responses((status = 201, description = "Made", body = Organization))
)]
async fn create(call: Call, Create { body, once }: Create<OrganizationBody>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let organization = organizations::create(&mut tx, &body.name).await?;
    once.created(tx, &organization).await
}

/// An organization.
#[utoipa::path(
    get, path = "/api/v1/organizations/{id}", tag = "organizations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Organization))
)]
async fn get(call: Call, Path(id): Path<OrganizationId>) -> Result<Json<Organization>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(organizations::get(&mut tx, id).await?))
}

/// Gives an organization another name.
#[utoipa::path(
    patch, path = "/api/v1/organizations/{id}", tag = "organizations", params(("id" = Uuid, Path)), request_body = OrganizationBody,
    responses((status = 200, body = Organization))
)]
async fn rename(
    call: Call,
    Path(id): Path<OrganizationId>,
    Json(body): Json<OrganizationBody>,
) -> Result<Json<Organization>, Problem> {
    let mut tx = call.tx().await?;
    let organization = organizations::rename(&mut tx, id, &body.name).await?;
    tx.commit().await?;
    Ok(Json(organization))
}

/// Removes an organization with all that it has set. One that a line is of stays: 409 `organization_in_use`.
#[utoipa::path(
    delete, path = "/api/v1/organizations/{id}", tag = "organizations", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<OrganizationId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    organizations::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What holds for an organization: what it has set itself wins over what the account has, and that over what is so from the start. Each value says where it
/// comes from, and of a secret is only said whether there is one and since when.
#[utoipa::path(
    get, path = "/api/v1/organizations/{id}/settings", tag = "organizations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Settings))
)]
async fn read_settings(call: Call, Path(id): Path<OrganizationId>) -> Result<Json<Settings>, Problem> {
    settings::read_at(&call, Level::Organization(id)).await
}

/// Changes what an organization sets of its own; by the same contract as the account's settings.
#[utoipa::path(
    patch, path = "/api/v1/organizations/{id}/settings", tag = "organizations", params(("id" = Uuid, Path)), request_body = Change,
    responses((status = 200, body = Settings))
)]
async fn change_settings(
    call: Call,
    Path(id): Path<OrganizationId>,
    Json(body): Json<Change>,
) -> Result<Json<Settings>, Problem> {
    settings::change_at(&call, Level::Organization(id), &body).await
}
