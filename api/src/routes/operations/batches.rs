//! Batches of every tenant, for the operator: jobs with one purpose, counted exactly, steered as one thing.

use crm::Error;
use db::{Page, PlatformTx};
use jobs::{
    admin::{self, BatchRow},
    batch::State,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Path, Query, Reason},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(batches))
        .platform(routes!(batch))
        .platform(routes!(pause_batch))
        .platform(routes!(resume_batch))
        .platform(routes!(cancel_batch))
        .platform(routes!(retry_batch))
}

/// Which batches.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// In that state.
    #[param(inline)]
    state: Option<State>,
}

/// All batches, newest first.
#[utoipa::path(get, path = "/api/v1/platform/batches", tag = "operations", params(Filter, Paging), responses((status = 200, body = Page<BatchRow>)))]
async fn batches(
    operator: Operator,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<BatchRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::batches(&mut tx, filter.state, &paging.of()?).await?))
}

/// A batch of any tenant.
#[utoipa::path(get, path = "/api/v1/platform/batches/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = BatchRow)))]
async fn batch(operator: Operator, Path(id): Path<i64>) -> Result<Json<BatchRow>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::find_batch(&mut tx, id).await?.ok_or(Error::NotFound)?))
}

/// Starts nothing more of a batch, whatever it holds; what runs ends. 409 where it is cancelled or has completed.
#[utoipa::path(
    post, path = "/api/v1/platform/batches/{id}/pause", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = BatchRow))
)]
async fn pause_batch(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<BatchRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::pause_batch(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Lets a paused batch go on where it was.
#[utoipa::path(
    post, path = "/api/v1/platform/batches/{id}/resume", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = BatchRow))
)]
async fn resume_batch(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<BatchRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::resume_batch(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Cancels a batch: it takes and starts no more jobs, and what follows it is cancelled too. There is no way back.
#[utoipa::path(
    post, path = "/api/v1/platform/batches/{id}/cancel", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = BatchRow))
)]
async fn cancel_batch(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<BatchRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::cancel_batch(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Runs the jobs of a batch again that were discarded, and only those: quarantined ones stay. A completed one is open again until they have ended.
#[utoipa::path(
    post, path = "/api/v1/platform/batches/{id}/retry-failures", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = BatchRow))
)]
async fn retry_batch(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<BatchRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::retry_batch(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Commits an act and answers with the batch as it then is.
async fn committed(mut tx: PlatformTx, id: i64) -> Result<Json<BatchRow>, Problem> {
    let batch = admin::find_batch(&mut tx, id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(Json(batch))
}
