//! The operator's log-in, for the screens: the token becomes a cookie.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use crm::{
    Error,
    access::{
        operator::{self, HOURS, Who},
        operators::{self, LogIn, Person},
    },
};
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

/// What an operator gives to log in: the installation's token, or what a person logs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorCredentials)]
struct Credentials {
    /// The installation's token; then nothing else.
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<SecretString>,
    /// A person's e-mail.
    email: Option<String>,
    /// The password.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// A code of the authenticator.
    #[schema(value_type = Option<String>, format = Password)]
    code: Option<SecretString>,
}

/// The operator's session.
#[derive(Serialize, ToSchema)]
struct OperatorSession {
    /// When one has to log in anew.
    expires_at: DateTime<Utc>,
}

/// Which operator asks.
#[derive(Serialize, ToSchema)]
struct OperatorMe {
    /// The person; none: whoever holds the installation's token.
    person: Option<Person>,
}

/// Logs an operator in: sets a cookie for twelve hours.
#[utoipa::path(
    post, path = "/api/v1/platform/session", tag = "operations", request_body = Credentials,
    responses((status = 200, description = "Logged in", body = OperatorSession), (status = 401, description = "Refused"))
)]
async fn log_in(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Json(body): Json<Credentials>,
) -> Result<Response, Problem> {
    let (token, expires_at) = match body {
        Credentials { token: Some(token), email: None, password: None, code: None } => {
            operator::open(&api.app, &token, address).await?
        }
        Credentials { token: None, email: Some(email), password: Some(password), code } => {
            let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).map(str::to_owned);
            operators::open(&api.app, LogIn { email, password, code, address, user_agent }).await?
        }
        _ => return Err(Error::invalid("token", "one_of_two", "give a token, or an e-mail and a password").into()),
    };
    let cookie = actor::set_operator_cookie(&api.app.config.public_url, &token, HOURS * 3600);
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(OperatorSession { expires_at })).into_response())
}

/// Which operator asks.
#[utoipa::path(
    get, path = "/api/v1/platform/session", tag = "operations",
    responses((status = 200, description = "It is an operator", body = OperatorMe))
)]
async fn who_am_i(operator: Operator) -> Json<OperatorMe> {
    let person = match operator.who() {
        Who::Token => None,
        Who::Person(person) => Some(person.clone()),
    };
    Json(OperatorMe { person })
}

/// Logs the operator out of this browser; a person's session ends.
#[utoipa::path(
    delete, path = "/api/v1/platform/session", tag = "operations",
    responses((status = 204, description = "Logged out"))
)]
async fn log_out(operator: Operator) -> Result<Response, Problem> {
    if let Who::Person(person) = operator.who() {
        let mut tx = operator.tx().await?;
        operators::close(&mut tx, person).await?;
        tx.commit().await?;
    }
    let cookie = actor::set_operator_cookie(&operator.app().config.public_url, "", 0);
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie)])).into_response())
}
