//! Queues: what waits and runs in each, and what holds their vacuum back.

use db::Page;
use jobs::admin::{self, Depth, Horizon};
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().platform(routes!(queues)).platform(routes!(horizon))
}

/// The queues by name, with their depth and the age of the oldest due job. Up to 10,000 jobs are counted; more are guessed, and it says so.
#[utoipa::path(get, path = "/api/v1/platform/queues", tag = "operations", params(Paging), responses((status = 200, body = Page<Depth>)))]
async fn queues(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<Depth>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::queues(&mut tx, &paging.of()?).await?))
}

/// What keeps dead rows of the queue from being vacuumed, the one that is furthest back first: at most 20.
#[utoipa::path(get, path = "/api/v1/platform/horizon", tag = "operations", responses((status = 200, body = Horizon)))]
async fn horizon(operator: Operator) -> Result<Json<Horizon>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::horizon(&mut tx).await?))
}
