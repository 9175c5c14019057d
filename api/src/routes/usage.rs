//! What the tenant uses, and what its plan allows.

use crm::{
    access::Permission,
    tenancy::{
        plans::{self, Plan},
        usage::{self, UsageMonth},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Json, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().private(Permission::AdminSettingsView, routes!(own_usage))
}

/// Which month.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OfMonth {
    /// `2026-11`; this one unless said otherwise.
    month: Option<String>,
}

/// A month, beside the plan.
#[derive(Serialize, ToSchema)]
struct OwnUsage {
    /// The plan of now.
    plan: Plan,
    /// The month.
    #[serde(flatten)]
    usage: UsageMonth,
}

/// A month of the account, day by day. The last minute is not in it yet.
#[utoipa::path(get, path = "/api/v1/usage", tag = "tenants", params(OfMonth), responses((status = 200, body = OwnUsage)))]
async fn own_usage(call: Call, Query(of): Query<OfMonth>) -> Result<Json<OwnUsage>, Problem> {
    let mut tx = call.tx().await?;
    let tenant = tx.tenant_id().into();
    let month = usage::month(&mut tx, Some(tenant), of.month.as_deref()).await?;
    Ok(Json(OwnUsage { plan: plans::own(&mut tx).await?, usage: usage::of(&mut tx, tenant, month).await? }))
}
