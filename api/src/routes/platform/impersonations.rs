//! Operators inside tenants: opened with a reason, seen by both sides, ended by either.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use crm::{
    Error,
    access::{
        Permission,
        impersonation::{self, Impersonation, MINUTES},
        operator::Who,
        sessions::SessionId,
        users::{self, User, UserId},
    },
    tenancy::tenants::TenantId,
};
use db::Page;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::{self, Call, ClientAddress, Operator},
    extract::{Json, Paging, Path, Query, Reason},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(tenant_users))
        .platform(routes!(impersonate))
        .platform(routes!(list_impersonations))
        .platform(routes!(end_impersonation))
        .private(Permission::AdminAuditView, routes!(list))
        .private(Permission::AdminUsersManage, routes!(end))
}

/// The people of a tenant, in the order in which they were made.
#[utoipa::path(
    get, path = "/api/v1/platform/tenants/{id}/users", tag = "platform", params(("id" = Uuid, Path), Paging),
    responses((status = 200, body = Page<User>))
)]
async fn tenant_users(
    operator: Operator,
    Path(id): Path<TenantId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<User>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(users::list_of(&mut tx, id.uuid(), &paging.of()?).await?))
}

/// As whom, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImpersonationBody {
    /// The user of the tenant.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// In 5 to 500 characters; kept in the audit, and seen by the tenant.
    reason: String,
}

/// Opens a tenant to an operator as one of its users, for thirty minutes that nobody can prolong: sets the tenant's cookie in this browser. Billing, keys,
/// webhooks, lines' passwords, people's ways in and exports stay closed. It takes a person: the token alone opens none.
#[utoipa::path(
    post, path = "/api/v1/platform/tenants/{id}/impersonations", tag = "platform", params(("id" = Uuid, Path)), request_body = ImpersonationBody,
    responses((status = 201, description = "Opened", body = Impersonation))
)]
async fn impersonate(
    operator: Operator,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Path(id): Path<TenantId>,
    Json(body): Json<ImpersonationBody>,
) -> Result<Response, Problem> {
    let Who::Person(person) = operator.who() else {
        let message = "log in as a person: the audit names who is inside a tenant";
        return Err(Error::conflict("operator_nameless", message).into());
    };
    let by = operator.by(&body.reason)?;
    let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).map(str::to_owned);
    let mut tx = operator.acting_tx().await?;
    let keys = &operator.app().keys;
    let opened = impersonation::open(&mut tx, keys, person, (id, body.user_id), &by, (address, user_agent)).await?;
    tx.commit().await?;
    let cookie = actor::set_cookie(&operator.app().config.public_url, &opened.token, i64::from(MINUTES) * 60);
    let set = AppendHeaders([(header::SET_COOKIE, cookie)]);
    Ok((StatusCode::CREATED, set, Json(opened.impersonation)).into_response())
}

/// Which impersonations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OfTenant {
    /// Inside that tenant.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
}

/// Operators who are or were inside tenants, newest first.
#[utoipa::path(get, path = "/api/v1/platform/impersonations", tag = "platform", params(OfTenant, Paging), responses((status = 200, body = Page<Impersonation>)))]
async fn list_impersonations(
    operator: Operator,
    Query(of): Query<OfTenant>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Impersonation>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(impersonation::list(&mut tx, of.tenant_id, &paging.of()?).await?))
}

/// Ends an operator's stay inside a tenant at once.
#[utoipa::path(
    post, path = "/api/v1/platform/impersonations/{id}/end", tag = "platform", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = Impersonation))
)]
async fn end_impersonation(
    operator: Operator,
    Path(id): Path<SessionId>,
    Json(why): Json<Reason>,
) -> Result<Json<Impersonation>, Problem> {
    let by = operator.by(&why.reason)?;
    let mut tx = operator.acting_tx().await?;
    let ended = impersonation::end_by(&mut tx, id, &by).await?;
    tx.commit().await?;
    Ok(Json(ended))
}

/// Operators of the platform who are or were inside this account, newest first.
#[utoipa::path(get, path = "/api/v1/impersonations", tag = "access", params(Paging), responses((status = 200, body = Page<Impersonation>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Impersonation>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(impersonation::list(&mut tx, None, &paging.of()?).await?))
}

/// Ends an operator's stay at once, also on sockets.
#[utoipa::path(
    delete, path = "/api/v1/impersonations/{id}", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 200, body = Impersonation))
)]
async fn end(call: Call, Path(id): Path<SessionId>) -> Result<Json<Impersonation>, Problem> {
    let mut tx = call.tx().await?;
    let ended = impersonation::end(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(ended))
}
