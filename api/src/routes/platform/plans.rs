//! Plans: how much tenants may have.

use axum::http::StatusCode;
use crm::tenancy::plans::{self, Limits, Plan};
use db::Page;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().platform(routes!(list_plans)).platform(routes!(create_plan)).platform(routes!(change_plan))
}

/// The plans, by their codes.
#[utoipa::path(get, path = "/api/v1/platform/plans", tag = "platform", params(Paging), responses((status = 200, body = Page<Plan>)))]
async fn list_plans(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<Plan>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(plans::list(&mut tx, &paging.of()?).await?))
}

/// A plan to be made, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPlan {
    /// The code, unique: a-z, 0-9 and -.
    code: String,
    /// What people call it.
    name: String,
    /// What it allows.
    limits: Limits,
    /// In 1 to 500 characters; kept in the audit.
    reason: String,
}

/// Makes a plan. Its code is what makes a repeated request harmless: the second answers 409.
#[utoipa::path(
    post, path = "/api/v1/platform/plans", tag = "platform", request_body = NewPlan,
    responses((status = 201, description = "Made", body = Plan))
)]
async fn create_plan(operator: Operator, Json(new): Json<NewPlan>) -> Result<(StatusCode, Json<Plan>), Problem> {
    let by = operator.by(&new.reason)?;
    let mut tx = operator.acting_tx().await?;
    let plan = plans::create(&mut tx, (&new.code, &new.name), &new.limits, &by).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(plan)))
}

/// A plan as it is to be, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    /// What people call it.
    name: String,
    /// What it allows: all of it, what is absent has no limit.
    limits: Limits,
    /// In 1 to 500 characters; kept in the audit.
    reason: String,
}

/// Changes a plan for all tenants that have it. What they have already stays.
#[utoipa::path(
    put, path = "/api/v1/platform/plans/{code}", tag = "platform", params(("code" = String, Path)), request_body = PlanBody,
    responses((status = 200, body = Plan))
)]
async fn change_plan(
    operator: Operator,
    Path(code): Path<String>,
    Json(body): Json<PlanBody>,
) -> Result<Json<Plan>, Problem> {
    let by = operator.by(&body.reason)?;
    let mut tx = operator.acting_tx().await?;
    let plan = plans::change(&mut tx, &code, &body.name, &body.limits, &by).await?;
    tx.commit().await?;
    Ok(Json(plan))
}
