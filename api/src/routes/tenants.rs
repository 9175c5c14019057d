//! Tenants, for the platform's operator.

use axum::http::StatusCode;
use crm::{
    access::{
        Role,
        users::{NewUser, User},
    },
    tenancy::{
        Tenant,
        tenants::{self, NewTenant},
    },
};
use db::Page;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().platform(routes!(list)).platform(routes!(create))
}

/// A tenant to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TenantBody {
    /// The short name, unique: a-z, 0-9 and -.
    slug: String,
    /// The name.
    name: String,
    /// Country whose phone numbers need no prefix, ISO 3166.
    region: String,
    /// Zone of its clock, `Europe/Berlin`.
    time_zone: String,
    /// The user who owns it.
    owner: OwnerBody,
}

/// The user who owns a new tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnerBody {
    /// The e-mail to log in with.
    email: String,
    /// The name.
    name: String,
    /// The password, 10 characters or more.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A tenant and its owner.
#[derive(Serialize, ToSchema)]
struct TenantMade {
    /// The tenant.
    #[serde(flatten)]
    tenant: Tenant,
    /// Its owner.
    owner: User,
}

/// All tenants, newest first.
#[utoipa::path(get, path = "/api/v1/platform/tenants", tag = "tenants", params(Paging), responses((status = 200, body = Page<Tenant>)))]
async fn list(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<Tenant>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(tenants::list(&mut tx, paging.of()?).await?))
}

/// Makes a tenant with its owner. Its slug is what makes a repeated request harmless: the second answers 409.
#[utoipa::path(
    post, path = "/api/v1/platform/tenants", tag = "tenants", request_body = TenantBody,
    responses((status = 201, description = "Made", body = TenantMade))
)]
async fn create(operator: Operator, Json(body): Json<TenantBody>) -> Result<(StatusCode, Json<TenantMade>), Problem> {
    let TenantBody { slug, name, region, time_zone, owner } = body;
    let owner = NewUser::prepare(&owner.email, &owner.name, Role::Owner, owner.password).await?;
    let mut tx = operator.tx().await?;
    let (tenant, owner) = tenants::create(&mut tx, NewTenant { slug, name, region, time_zone, owner }).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(TenantMade { tenant, owner })))
}
