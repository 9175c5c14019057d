//! Gates: what stands before outside services.

use crm::{Error, access::Permission};
use db::{Page, PlatformTx};
use jobs::admin::{self, GateChange, GateRow};
use serde::{Deserialize, Deserializer};
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
        .platform(routes!(gates))
        .platform(routes!(gate))
        .platform(routes!(set_gate))
        .platform(routes!(pause_gate))
        .platform(routes!(resume_gate))
        .platform(routes!(close_gate))
        .private(Permission::AdminSettingsView, routes!(list))
        .private(Permission::AdminSettingsView, routes!(get))
}

/// New limits of a gate, and why; absent ones stay, null takes a limit away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GateLimits)]
struct Limits {
    /// In 1 to 500 characters; kept in the audit.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Starts a second, above 0.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<f64>)]
    rate: Option<Option<f64>>,
    /// Most tokens that collect, 1 or more.
    burst: Option<f64>,
    /// Jobs running at once, above 0.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<i32>)]
    cap: Option<Option<i32>>,
    /// Starts in an hour by the clock, above 0.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<i32>)]
    hourly: Option<Option<i32>>,
    /// Starts in a day by the calendar, above 0.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<i32>)]
    daily: Option<Option<i32>>,
    /// Whose hours and days: an IANA name.
    time_zone: Option<String>,
}

/// A field that is there, be it null.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// All gates, newest first, with their tokens, what runs behind them and their breakers.
#[utoipa::path(get, path = "/api/v1/platform/gates", tag = "operations", params(Paging), responses((status = 200, body = Page<GateRow>)))]
async fn gates(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<GateRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::gates(&mut tx, &paging.of()?).await?))
}

/// A gate of any tenant.
#[utoipa::path(get, path = "/api/v1/platform/gates/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = GateRow)))]
async fn gate(operator: Operator, Path(id): Path<i64>) -> Result<Json<GateRow>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::find_gate(&mut tx, id).await?.ok_or(Error::NotFound)?))
}

/// Changes the limits of a gate, for the whole fleet from the next claim on.
#[utoipa::path(
    patch, path = "/api/v1/platform/gates/{id}", tag = "operations", params(("id" = i64, Path)), request_body = Limits,
    responses((status = 200, body = GateRow))
)]
async fn set_gate(
    operator: Operator,
    Path(id): Path<i64>,
    Json(limits): Json<Limits>,
) -> Result<Json<GateRow>, Problem> {
    let Limits { reason, rate, burst, cap, hourly, daily, time_zone } = limits;
    let change = GateChange { rate, burst, cap, hourly, daily, time_zone: time_zone.as_deref() };
    let mut tx = operator.tx().await?;
    admin::set_gate(&mut tx, id, change, &operator.by(&reason)?).await?;
    committed(tx, id).await
}

/// Lets nothing through.
#[utoipa::path(
    post, path = "/api/v1/platform/gates/{id}/pause", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = GateRow))
)]
async fn pause_gate(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<GateRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::pause_gate(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Lets a paused gate through again.
#[utoipa::path(
    post, path = "/api/v1/platform/gates/{id}/resume", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = GateRow))
)]
async fn resume_gate(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<GateRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::resume_gate(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Closes the breaker at once, without a probe: for an operator who knows that the service is back.
#[utoipa::path(
    post, path = "/api/v1/platform/gates/{id}/close", tag = "operations", params(("id" = i64, Path)), request_body = Reason,
    responses((status = 200, body = GateRow))
)]
async fn close_gate(
    operator: Operator,
    Path(id): Path<i64>,
    Json(why): Json<Reason>,
) -> Result<Json<GateRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::close_gate(&mut tx, id, &operator.by(&why.reason)?).await?;
    committed(tx, id).await
}

/// Commits an act and answers with the gate as it then is.
async fn committed(mut tx: PlatformTx, id: i64) -> Result<Json<GateRow>, Problem> {
    let gate = admin::find_gate(&mut tx, id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(Json(gate))
}

/// The tenant's gates, newest first.
#[utoipa::path(get, path = "/api/v1/gates", tag = "operations", params(Paging), responses((status = 200, body = Page<GateRow>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<GateRow>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::gates(&mut tx, &paging.of()?).await?))
}

/// A gate.
#[utoipa::path(get, path = "/api/v1/gates/{id}", tag = "operations", params(("id" = i64, Path)), responses((status = 200, body = GateRow)))]
async fn get(call: Call, Path(id): Path<i64>) -> Result<Json<GateRow>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::find_gate(&mut tx, id).await?.ok_or(Error::NotFound)?))
}
