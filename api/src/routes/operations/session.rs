//! The operator's log-in, for the screens: the token becomes a cookie.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use crm::access::operator::{self, HOURS};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    Api,
    actor::{self, ClientAddress, Operator},
    extract::Json,
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .public("the operator's log-in comes from nobody known", routes!(log_in))
        .platform(routes!(who_am_i))
        .platform(routes!(log_out))
}

/// What the operator gives to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorCredentials)]
struct Credentials {
    /// The operator's token.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
}

/// The operator's session.
#[derive(Serialize, ToSchema)]
struct OperatorSession {
    /// When one has to log in anew.
    expires_at: DateTime<Utc>,
}

/// Logs the operator in: sets a cookie for twelve hours.
#[utoipa::path(
    post, path = "/api/v1/platform/session", tag = "operations", request_body = Credentials,
    responses((status = 200, description = "Logged in", body = OperatorSession), (status = 401, description = "Refused"))
)]
async fn log_in(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<Credentials>,
) -> Result<Response, Problem> {
    let (token, expires_at) = operator::open(&api.app, &body.token, address).await?;
    let cookie = actor::set_operator_cookie(&api.app.config.public_url, &token, HOURS * 3600);
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(OperatorSession { expires_at })).into_response())
}

/// Whether the operator asks.
#[utoipa::path(
    get, path = "/api/v1/platform/session", tag = "operations",
    responses((status = 204, description = "It is the operator"))
)]
async fn who_am_i(_: Operator) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Logs the operator out of this browser.
#[utoipa::path(
    delete, path = "/api/v1/platform/session", tag = "operations",
    responses((status = 204, description = "Logged out"))
)]
async fn log_out(State(api): State<Api>, _: Operator) -> Response {
    let cookie = actor::set_operator_cookie(&api.app.config.public_url, "", 0);
    (StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie)])).into_response()
}
