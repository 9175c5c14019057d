//! What tenants cost the queue, by hour and kind.

use chrono::{DateTime, Utc};
use crm::{
    access::Permission,
    tenancy::{
        costs::{self, Cost},
        tenants::TenantId,
    },
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    actor::{Call, Operator},
    extract::{Json, Paging, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().platform(routes!(of_all)).private(Permission::AdminSettingsView, routes!(own))
}

/// Which hours.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Hours {
    /// Of that kind of job, `campaigns.send`.
    kind: Option<String>,
    /// That began then or later.
    since: Option<DateTime<Utc>>,
    /// That began before.
    until: Option<DateTime<Utc>>,
}

/// Whose hours.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// Of that tenant.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
}

impl Hours {
    fn filter(&self, tenant: Option<TenantId>) -> costs::Filter<'_> {
        costs::Filter { tenant, kind: self.kind.as_deref(), since: self.since, until: self.until }
    }
}

/// What each tenant's jobs took, by hour and kind, newest first. The last minute is not in it yet.
#[utoipa::path(get, path = "/api/v1/platform/costs", tag = "operations", params(Whose, Hours, Paging), responses((status = 200, body = Page<Cost>)))]
async fn of_all(
    operator: Operator,
    Query(whose): Query<Whose>,
    Query(hours): Query<Hours>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Cost>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(costs::list(&mut tx, &hours.filter(whose.tenant_id), &paging.of()?).await?))
}

/// What the tenant's jobs took, by hour and kind, newest first. The last minute is not in it yet.
#[utoipa::path(get, path = "/api/v1/costs", tag = "operations", params(Hours, Paging), responses((status = 200, body = Page<Cost>)))]
async fn own(
    call: Call,
    Query(hours): Query<Hours>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Cost>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(costs::list(&mut tx, &hours.filter(None), &paging.of()?).await?))
}
