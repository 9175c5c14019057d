//! The audit: who did what to the queue, and why.

use crm::access::Permission;
use db::Page;
use jobs::admin::{self, AuditRow};
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
    Routes::new().platform(routes!(audit)).private(Permission::AdminAuditView, routes!(list))
}

/// Which acts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// On that sort of thing: job, lane, gate, batch, schedule or quota.
    subject: Option<String>,
    /// On the thing of that id.
    subject_id: Option<String>,
}

/// Acts on the queue, newest first.
#[utoipa::path(get, path = "/api/v1/platform/audit", tag = "operations", params(Filter, Paging), responses((status = 200, body = Page<AuditRow>)))]
async fn audit(
    operator: Operator,
    Query(of): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::audit(&mut tx, of.subject.as_deref(), of.subject_id.as_deref(), &paging.of()?).await?))
}

/// What the operator did to the tenant's jobs, lanes and gates, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "operations", params(Filter, Paging), responses((status = 200, body = Page<AuditRow>)))]
async fn list(
    call: Call,
    Query(of): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditRow>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::audit(&mut tx, of.subject.as_deref(), of.subject_id.as_deref(), &paging.of()?).await?))
}
