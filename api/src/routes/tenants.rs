//! Tenants, for the platform's operator.

use axum::http::StatusCode;
use crm::{
    access::{
        Role,
        users::{NewUser, User},
    },
    tenancy::{
        State, Tenant,
        quotas::{self, QueueQuota},
        standing::{self, Change},
        tenants::{self, Filter, NewTenant, TenantId},
    },
};
use db::Page;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Path, Query, Reason},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(list))
        .platform(routes!(create))
        .platform(routes!(get_tenant))
        .platform(routes!(change_tenant))
        .platform(routes!(suspend))
        .platform(routes!(activate))
        .platform(routes!(close))
        .platform(routes!(quota, set_quota))
        .platform(routes!(reset_quota))
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
    #[schema(value_type = String, format = Password, min_length = 10)]
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

/// Which tenants.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// With that in their name or slug.
    search: Option<String>,
    /// In that state.
    state: Option<State>,
}

/// Tenants, newest first.
#[utoipa::path(get, path = "/api/v1/platform/tenants", tag = "tenants", params(Wanted, Paging), responses((status = 200, body = Page<Tenant>)))]
async fn list(
    operator: Operator,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Tenant>>, Problem> {
    let mut tx = operator.tx().await?;
    let filter = Filter { search: wanted.search.as_deref(), state: wanted.state };
    Ok(Json(tenants::list(&mut tx, &filter, paging.of()?).await?))
}

/// A tenant.
#[utoipa::path(
    get, path = "/api/v1/platform/tenants/{id}", tag = "tenants", params(("id" = Uuid, Path)),
    responses((status = 200, body = Tenant))
)]
async fn get_tenant(operator: Operator, Path(id): Path<TenantId>) -> Result<Json<Tenant>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(tenants::get(&mut tx, id).await?))
}

/// What is to become of a tenant, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TenantChangeBody {
    /// In 1 to 500 characters; kept in the audit.
    reason: String,
    /// What changes.
    change: Change,
}

/// Changes a tenant: its name, its region, its zone, its plan.
#[utoipa::path(
    patch, path = "/api/v1/platform/tenants/{id}", tag = "tenants", params(("id" = Uuid, Path)), request_body = TenantChangeBody,
    responses((status = 200, body = Tenant))
)]
async fn change_tenant(
    operator: Operator,
    Path(id): Path<TenantId>,
    Json(body): Json<TenantChangeBody>,
) -> Result<Json<Tenant>, Problem> {
    let by = operator.by(&body.reason)?;
    let mut tx = operator.acting_tx().await?;
    let tenant = standing::change(&mut tx, id, &body.change, &by).await?;
    tx.commit().await?;
    Ok(Json(tenant))
}

/// Suspends a tenant: nothing goes out, what is queued waits, what comes in is stored, and it may look and take its data along.
#[utoipa::path(
    post, path = "/api/v1/platform/tenants/{id}/suspend", tag = "tenants", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = Tenant))
)]
async fn suspend(
    operator: Operator,
    Path(id): Path<TenantId>,
    Json(why): Json<Reason>,
) -> Result<Json<Tenant>, Problem> {
    let by = operator.by(&why.reason)?;
    let mut tx = operator.acting_tx().await?;
    let tenant = standing::suspend(&mut tx, id, &by).await?;
    tx.commit().await?;
    Ok(Json(tenant))
}

/// Lets a tenant go on, and sends what waited.
#[utoipa::path(
    post, path = "/api/v1/platform/tenants/{id}/activate", tag = "tenants", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = Tenant))
)]
async fn activate(
    operator: Operator,
    Path(id): Path<TenantId>,
    Json(why): Json<Reason>,
) -> Result<Json<Tenant>, Problem> {
    let by = operator.by(&why.reason)?;
    let mut tx = operator.acting_tx().await?;
    let tenant = standing::activate(&mut tx, id, &by).await?;
    tx.commit().await?;
    Ok(Json(tenant))
}

/// A tenant is to be closed, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloseBody {
    /// In 1 to 500 characters; kept in the audit.
    reason: String,
    /// The tenant's slug, typed: so that no other is closed by mistake.
    slug: String,
}

/// Closes a tenant: nobody logs in any more, and nothing goes out or is taken in. Its data stays, and an operator can activate it again.
#[utoipa::path(
    post, path = "/api/v1/platform/tenants/{id}/close", tag = "tenants", params(("id" = Uuid, Path)), request_body = CloseBody,
    responses((status = 200, body = Tenant))
)]
async fn close(
    operator: Operator,
    Path(id): Path<TenantId>,
    Json(body): Json<CloseBody>,
) -> Result<Json<Tenant>, Problem> {
    let by = operator.by(&body.reason)?;
    let mut tx = operator.acting_tx().await?;
    let tenant = standing::close(&mut tx, id, &body.slug, &by).await?;
    tx.commit().await?;
    Ok(Json(tenant))
}

/// Makes a tenant with its owner. Its slug is what makes a repeated request harmless: the second answers 409.
#[utoipa::path(
    post, path = "/api/v1/platform/tenants", tag = "tenants", request_body = TenantBody,
    responses((status = 201, description = "Made", body = TenantMade))
)]
async fn create(operator: Operator, Json(body): Json<TenantBody>) -> Result<(StatusCode, Json<TenantMade>), Problem> {
    let TenantBody { slug, name, region, time_zone, owner } = body;
    let owner = NewUser::prepare(&owner.email, &owner.name, Role::Owner, owner.password).await?;
    let by = operator.by("made")?;
    let mut tx = operator.acting_tx().await?;
    let (tenant, owner) = tenants::create(&mut tx, NewTenant { slug, name, region, time_zone, owner }).await?;
    standing::note_made(&mut tx, tenant.id, &by).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(TenantMade { tenant, owner })))
}

/// What a tenant may have queued.
#[utoipa::path(
    get, path = "/api/v1/platform/tenants/{id}/quota", tag = "tenants", params(("id" = Uuid, Path)),
    responses((status = 200, body = QueueQuota))
)]
async fn quota(operator: Operator, Path(id): Path<TenantId>) -> Result<Json<QueueQuota>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(quotas::get(&mut tx, id).await?))
}

/// What a tenant may have queued from now on, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuotaBody {
    /// In 1 to 500 characters; kept in the audit.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Jobs that wait, are due later or run: 10,000 or more.
    #[schema(minimum = 10_000)]
    most_jobs: i64,
    /// Bytes of their payloads as stored: 67,108,864 or more.
    #[schema(minimum = 67_108_864)]
    most_bytes: i64,
}

/// Sets what a tenant may have queued; over it, creates answer 429 with the code quota_exceeded.
#[utoipa::path(
    put, path = "/api/v1/platform/tenants/{id}/quota", tag = "tenants", params(("id" = Uuid, Path)), request_body = QuotaBody,
    responses((status = 200, body = QueueQuota))
)]
async fn set_quota(
    operator: Operator,
    Path(id): Path<TenantId>,
    Json(body): Json<QuotaBody>,
) -> Result<Json<QueueQuota>, Problem> {
    let QuotaBody { reason, most_jobs, most_bytes } = body;
    let mut tx = operator.tx().await?;
    let quota = quotas::set(&mut tx, id, QueueQuota { most_jobs, most_bytes }, &operator.by(&reason)?).await?;
    tx.commit().await?;
    Ok(Json(quota))
}

/// Gives a tenant the quota that holds for all.
#[utoipa::path(
    post, path = "/api/v1/platform/tenants/{id}/quota/reset", tag = "tenants", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = QueueQuota))
)]
async fn reset_quota(
    operator: Operator,
    Path(id): Path<TenantId>,
    Json(why): Json<Reason>,
) -> Result<Json<QueueQuota>, Problem> {
    let mut tx = operator.tx().await?;
    let quota = quotas::reset(&mut tx, id, &operator.by(&why.reason)?).await?;
    tx.commit().await?;
    Ok(Json(quota))
}
