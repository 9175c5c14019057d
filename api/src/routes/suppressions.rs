//! Addresses nobody may write to.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    contacts::suppressions::{self, Reason, Suppression},
};
use db::Page;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ConsentView, routes!(list))
        .private(Permission::ConsentOptOut, routes!(add))
        .private(Permission::ConsentOptInOverride, routes!(remove))
}

/// For which reason.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct For {
    /// Only this reason.
    reason: Option<Reason>,
}

/// An address to be put on the list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SuppressionBody {
    /// A phone, as people write it, or an e-mail address.
    address: String,
    /// blacklisted or opted_out.
    reason: Reason,
}

/// Which of them are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only this reason.
    reason: Option<Reason>,
    /// Only this address, however it is written.
    address: Option<String>,
}

/// The addresses nobody may write to, in their order.
#[utoipa::path(
    get, path = "/api/v1/suppressions", tag = "contacts", params(Wanted, Paging),
    responses((status = 200, body = Page<Suppression>))
)]
async fn list(
    call: Call,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Suppression>>, Problem> {
    let mut tx = call.tx().await?;
    let filter = suppressions::Filter { reason: wanted.reason, address: wanted.address };
    Ok(Json(suppressions::list(&mut tx, &filter, &paging.of()?).await?))
}

/// Puts an address on the list; one that is there already stays as it is.
#[utoipa::path(
    post, path = "/api/v1/suppressions", tag = "contacts", request_body = SuppressionBody,
    responses((status = 201, description = "On the list", body = Suppression))
)]
async fn add(call: Call, Create { body, once }: Create<SuppressionBody>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let suppression = suppressions::add(&mut tx, &body.address, body.reason).await?;
    once.created(tx, &suppression).await
}

/// Takes an address off the list, for one reason or for all.
#[utoipa::path(
    delete, path = "/api/v1/suppressions/{address}", tag = "contacts", params(("address" = String, Path), For),
    responses((status = 204, description = "Off the list"))
)]
async fn remove(call: Call, Path(address): Path<String>, Query(wanted): Query<For>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    suppressions::remove(&mut tx, &address, wanted.reason).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
