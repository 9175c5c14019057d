//! Workers: the processes of the fleet, with what they hold and when they were last heard of.

use crm::Error;
use db::Page;
use jobs::admin::{self, WorkerRow};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().platform(routes!(workers)).platform(routes!(worker))
}

/// The processes that have not been given up, by id.
#[utoipa::path(get, path = "/api/v1/platform/workers", tag = "operations", params(Paging), responses((status = 200, body = Page<WorkerRow>)))]
async fn workers(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<WorkerRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::workers(&mut tx, &paging.of()?).await?))
}

/// One process.
#[utoipa::path(get, path = "/api/v1/platform/workers/{id}", tag = "operations", params(("id" = Uuid, Path)), responses((status = 200, body = WorkerRow)))]
async fn worker(operator: Operator, Path(id): Path<Uuid>) -> Result<Json<WorkerRow>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::find_worker(&mut tx, id).await?.ok_or(Error::NotFound)?))
}
