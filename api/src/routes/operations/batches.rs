//! Batches: jobs with one purpose, counted exactly.

use crm::{Error, access::Permission};
use db::Page;
use jobs::admin::{self, BatchRow};
use utoipa_axum::routes;

use crate::{
    actor::{Call, Operator},
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(batches))
        .platform(routes!(batch))
        .private(Permission::AdminSettingsView, routes!(list))
        .private(Permission::AdminSettingsView, routes!(get))
}

/// All batches, newest first.
#[utoipa::path(get, path = "/api/v1/platform/batches", tag = "operations", params(Paging), responses((status = 200, body = Page<BatchRow>)))]
async fn batches(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<BatchRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::batches(&mut tx, &paging.of()?).await?))
}

/// A batch of any tenant.
#[utoipa::path(get, path = "/api/v1/platform/batches/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = BatchRow)))]
async fn batch(operator: Operator, Path(id): Path<i64>) -> Result<Json<BatchRow>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::find_batch(&mut tx, id).await?.ok_or(Error::NotFound)?))
}

/// The tenant's batches, newest first.
#[utoipa::path(get, path = "/api/v1/batches", tag = "operations", params(Paging), responses((status = 200, body = Page<BatchRow>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<BatchRow>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::batches(&mut tx, &paging.of()?).await?))
}

/// A batch.
#[utoipa::path(get, path = "/api/v1/batches/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = BatchRow)))]
async fn get(call: Call, Path(id): Path<i64>) -> Result<Json<BatchRow>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::find_batch(&mut tx, id).await?.ok_or(Error::NotFound)?))
}
