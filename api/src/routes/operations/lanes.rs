//! Lanes: the units of fairness and pause.

use crm::{Error, access::Permission};
use db::{Page, PlatformTx};
use jobs::admin::{self, LaneRow};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    actor::{Call, Operator},
    extract::{Json, Paging, Path, Query, Reason},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(lanes))
        .platform(routes!(lane))
        .platform(routes!(pause_lane))
        .platform(routes!(resume_lane))
        .platform(routes!(cancel_lane))
        .platform(routes!(weigh_lane))
        .private(Permission::AdminSettingsView, routes!(list))
        .private(Permission::AdminSettingsView, routes!(get))
}

/// All lanes, newest first, with what waits in each.
#[utoipa::path(get, path = "/api/v1/platform/lanes", tag = "operations", params(Paging), responses((status = 200, body = Page<LaneRow>)))]
async fn lanes(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<LaneRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::lanes(&mut tx, &paging.of()?).await?))
}

/// A lane of any tenant.
#[utoipa::path(get, path = "/api/v1/platform/lanes/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = LaneRow)))]
async fn lane(operator: Operator, Path(id): Path<i64>) -> Result<Json<LaneRow>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::find_lane(&mut tx, id).await?.ok_or(Error::NotFound)?))
}

/// Starts nothing more of a lane, whatever it holds. A cancelled one answers 409.
#[utoipa::path(
    post, path = "/api/v1/platform/lanes/{id}/pause", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = LaneRow))
)]
async fn pause_lane(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<LaneRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::pause_lane(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Lets a paused lane go on where it was.
#[utoipa::path(
    post, path = "/api/v1/platform/lanes/{id}/resume", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = LaneRow))
)]
async fn resume_lane(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<LaneRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::resume_lane(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// A new share of a lane, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LaneWeight)]
struct Weight {
    /// In 1 to 500 characters; kept in the audit.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Its share beside the tenant's other lanes, 1 to 100.
    weight: i16,
}

/// Gives a lane its share beside the tenant's other lanes.
#[utoipa::path(
    patch, path = "/api/v1/platform/lanes/{id}", tag = "operations", params(("id" = i64, Path)), request_body = Weight,
    responses((status = 200, body = LaneRow))
)]
async fn weigh_lane(
    operator: Operator,
    Path(id): Path<i64>,
    Json(new): Json<Weight>,
) -> Result<Json<LaneRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::weigh_lane(&mut tx, id, new.weight, &operator.by(&new.reason)?).await?;
    committed(tx, id).await
}

/// Cancels all that waits in a lane. There is no way back.
#[utoipa::path(
    post, path = "/api/v1/platform/lanes/{id}/cancel", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = LaneRow))
)]
async fn cancel_lane(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<LaneRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::cancel_lane(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Commits an act and answers with the lane as it then is.
async fn committed(mut tx: PlatformTx, id: i64) -> Result<Json<LaneRow>, Problem> {
    let lane = admin::find_lane(&mut tx, id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(Json(lane))
}

/// The tenant's lanes, newest first, with what waits in each.
#[utoipa::path(get, path = "/api/v1/lanes", tag = "operations", params(Paging), responses((status = 200, body = Page<LaneRow>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<LaneRow>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::lanes(&mut tx, &paging.of()?).await?))
}

/// A lane.
#[utoipa::path(get, path = "/api/v1/lanes/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = LaneRow)))]
async fn get(call: Call, Path(id): Path<i64>) -> Result<Json<LaneRow>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::find_lane(&mut tx, id).await?.ok_or(Error::NotFound)?))
}
