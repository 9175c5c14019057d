//! What tenants use.

use crm::tenancy::{
    tenants::TenantId,
    usage::{self, TenantUsage, UsageMonth},
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().platform(routes!(list_usage)).platform(routes!(tenant_usage))
}

/// Which month.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfMonth {
    /// `2026-11`; this one unless said otherwise.
    pub month: Option<String>,
}

/// A month of each tenant, newest tenant first. The last minute is not in it yet.
#[utoipa::path(get, path = "/api/v1/platform/usage", tag = "platform", params(OfMonth, Paging), responses((status = 200, body = Page<TenantUsage>)))]
async fn list_usage(
    operator: Operator,
    Query(of): Query<OfMonth>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<TenantUsage>>, Problem> {
    let mut tx = operator.tx().await?;
    let month = usage::month(&mut tx, None, of.month.as_deref()).await?;
    Ok(Json(usage::list(&mut tx, month, &paging.of()?).await?))
}

/// A month of one tenant, day by day.
#[utoipa::path(
    get, path = "/api/v1/platform/tenants/{id}/usage", tag = "platform", params(("id" = Uuid, Path), OfMonth),
    responses((status = 200, body = UsageMonth))
)]
async fn tenant_usage(
    operator: Operator,
    Path(id): Path<TenantId>,
    Query(of): Query<OfMonth>,
) -> Result<Json<UsageMonth>, Problem> {
    let mut tx = operator.tx().await?;
    let month = usage::month(&mut tx, Some(id), of.month.as_deref()).await?;
    Ok(Json(usage::of(&mut tx, id, month).await?))
}
