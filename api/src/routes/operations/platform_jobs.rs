//! Jobs of every tenant, for the operator: look, ask why one does not run, run it again, cancel it.

use crm::Error;
use db::{Page, PlatformTx};
use jobs::admin::{self, Explanation, JobRow};
use utoipa_axum::routes;

use super::jobs::Filter;
use crate::{
    actor::Operator,
    extract::{Json, Paging, Path, Query, Reason},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(jobs))
        .platform(routes!(job))
        .platform(routes!(why_job))
        .platform(routes!(retry_job))
        .platform(routes!(cancel_job))
}

/// Live and failed jobs, newest first; completed ones where that state is asked for.
#[utoipa::path(get, path = "/api/v1/platform/jobs", tag = "operations", params(Filter, Paging), responses((status = 200, body = Page<JobRow>)))]
async fn jobs(
    operator: Operator,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<JobRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::list(&mut tx, &filter.of(), &paging.of()?).await?))
}

/// A job of any tenant.
#[utoipa::path(get, path = "/api/v1/platform/jobs/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = JobRow)))]
async fn job(operator: Operator, Path(id): Path<i64>) -> Result<Json<JobRow>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::find(&mut tx, id).await?.ok_or(Error::NotFound)?))
}

/// Why a job does not run, or what has become of it, and when it can be expected to start.
#[utoipa::path(get, path = "/api/v1/platform/jobs/{id}/why", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = Explanation)))]
async fn why_job(operator: Operator, Path(id): Path<i64>) -> Result<Json<Explanation>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::explain(&mut tx, id).await?.ok_or(Error::NotFound)?))
}

/// Runs a discarded, quarantined or cancelled job again, with all its attempts and no death counted. 409 where another job holds its key or its lane is cancelled.
#[utoipa::path(
    post, path = "/api/v1/platform/jobs/{id}/retry", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = JobRow))
)]
async fn retry_job(operator: Operator, Path(id): Path<i64>, Json(why): Json<Reason>) -> Result<Json<JobRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::retry(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Cancels a job that has not started; 409 where it runs or has ended.
#[utoipa::path(
    post, path = "/api/v1/platform/jobs/{id}/cancel", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = JobRow))
)]
async fn cancel_job(operator: Operator, Path(id): Path<i64>, Json(why): Json<Reason>) -> Result<Json<JobRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::cancel(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Commits an act and answers with the job as it then is.
async fn committed(mut tx: PlatformTx, id: i64) -> Result<Json<JobRow>, Problem> {
    let job = admin::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(Json(job))
}
