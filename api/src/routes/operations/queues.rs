//! Queues: what waits and runs in each.

use db::Page;
use jobs::admin::{self, Depth};
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().platform(routes!(queues))
}

/// The queues by name, with their depth and the age of the oldest due job. Counts what is live: ask by the minute, not by the second.
#[utoipa::path(get, path = "/api/v1/platform/queues", tag = "operations", params(Paging), responses((status = 200, body = Page<Depth>)))]
async fn queues(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<Depth>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::queues(&mut tx, &paging.of()?).await?))
}
