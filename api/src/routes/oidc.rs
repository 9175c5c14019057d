//! Logging in by an identity provider, and whom the caller is known by there. The browser is sent away by an answer to a request of our own page, and comes
//! back by an address that always leads on to a page of ours, whatever has become of it.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use crm::access::{
    self, Caller, Credential, Sight,
    identities::{self, Identity, IdentityId},
    oidc::{self, Answer, Arrival, Departure, Failure, LogIn, SECONDS, Whence},
    providers::{self, Button, Which},
};
use db::Page;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::access::{Me, me};
use crate::{
    Api,
    actor::{self, Call, ClientAddress},
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

const OWN: &str = "everybody sees to how they log in themselves";
const STRANGER: &str = "a log-in comes from nobody known";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .public("the log-in page shows them to nobody known", routes!(log_in_providers))
        .public(STRANGER, routes!(begin_log_in))
        .public("a browser comes back from a provider, known or not", routes!(come_back))
        .public(STRANGER, routes!(give_code))
        .own_access(OWN, routes!(list_identities))
        .own_access(OWN, routes!(begin_link))
        .own_access(OWN, routes!(unlink))
        .own_access(OWN, routes!(begin_proof))
}

/// Whose log-in page it is.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// The account's short name.
    tenant: Option<String>,
}

/// Identity providers.
#[derive(Serialize, ToSchema)]
struct LogInProviders {
    /// The account's own, and then the installation's.
    items: Vec<Button>,
}

/// Where the browser is to go.
#[derive(Serialize, ToSchema)]
struct Away {
    /// An address of the provider.
    url: String,
}

/// What can be logged in with. An account that is not there answers like one that has set up no provider.
#[utoipa::path(
    get, path = "/api/v1/session/providers", tag = "access", params(Whose), responses((status = 200, body = LogInProviders))
)]
async fn log_in_providers(State(api): State<Api>, Query(whose): Query<Whose>) -> Result<Json<LogInProviders>, Problem> {
    let items = providers::buttons(&api.app, whose.tenant.as_deref()).await?;
    Ok(Json(LogInProviders { items }))
}

/// A log-in to be begun.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Beginning {
    /// The provider: its id, or `installation`.
    #[schema(value_type = String)]
    provider: Which,
    /// The account's short name, where the installation's provider knows somebody in several.
    tenant: Option<String>,
    /// The path to go to afterwards; `/` by default.
    return_to: Option<String>,
}

/// Begins a log-in at an identity provider: answers where the browser goes, and sets a cookie by which it is known when it comes back.
#[utoipa::path(
    post, path = "/api/v1/session/oidc", tag = "access", request_body = Beginning, responses((status = 200, body = Away))
)]
async fn begin_log_in(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<Beginning>,
) -> Result<Response, Problem> {
    let Beginning { provider, tenant, return_to } = body;
    let departure = oidc::begin(&api.app, LogIn { provider, tenant, return_to, address }).await?;
    Ok(sent_away(&api.app, departure))
}

/// With what a provider sends a browser back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Brought {
    /// Ours.
    state: Option<String>,
    /// To be exchanged.
    code: Option<String>,
    /// Who says so (RFC 9207).
    iss: Option<String>,
}

/// Ends a log-in: whatever has become of it, the browser goes on to a page of ours, which says so where it came to nothing.
#[utoipa::path(
    get, path = "/api/v1/session/oidc/{provider}/callback", tag = "access", params(("provider" = String, Path), Brought),
    responses((status = 303, description = "To a page of ours"))
)]
async fn come_back(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Path(provider): Path<String>,
    Query(brought): Query<Brought>,
) -> Result<Response, Problem> {
    let provider = provider.parse::<Which>().map_err(|_| crm::Error::NotFound)?;
    let public_url = &api.app.config.public_url;
    let state = brought.state.unwrap_or_default();
    let handle = oidc::handle_of(&state).unwrap_or_default().to_owned();
    let token = actor::ticket(public_url, &handle, &headers).map(str::to_owned);
    let session = logged_in(&api, &headers).await;
    let answer = Answer { provider, state, token, code: brought.code, issuer: brought.iss };
    let arrived = oidc::finish(&api.app, answer, session.as_ref(), from(public_url, address, &headers)).await;
    let used = actor::set_ticket(public_url, (&handle, ""), 0);
    Ok(match arrived {
        Ok(Arrival::Open { opened, return_to }) => {
            lead(&return_to, actor::log_in_cookies(public_url, &opened).chain([used]).collect())
        }
        Ok(Arrival::Done { return_to }) => lead(&return_to, vec![used]),
        // the cookie is needed once more
        Ok(Arrival::CodeNeeded) => lead(&format!("/login?code_of={handle}"), Vec::new()),
        Err(Failure { error, return_to }) => {
            let code = error.code();
            if let crm::Error::Internal(cause) = error {
                tracing::error!(error = format!("{cause:#}"), "a log-in by an identity provider failed");
            }
            lead(&with_problem(return_to.as_deref().unwrap_or("/login"), code), vec![used])
        }
    })
}

/// A code of the second factor, for a log-in that waits for it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    /// Which log-in: `code_of` of the page that was led to.
    log_in: String,
    /// Six digits of an authenticator, or a recovery code.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
}

/// Who has come in, and where they wanted to.
#[derive(Serialize, ToSchema)]
struct CameIn {
    /// Who.
    #[serde(flatten)]
    me: Me,
    /// A path of ours.
    return_to: String,
}

/// Ends a log-in that waits for a code of the second factor: sets the session's cookie.
#[utoipa::path(
    post, path = "/api/v1/session/oidc/code", tag = "access", request_body = Code, responses((status = 200, body = CameIn))
)]
async fn give_code(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Json(body): Json<Code>,
) -> Result<Response, Problem> {
    let app = &api.app;
    let public_url = app.config.public_url.clone();
    let is_handle = body.log_in.len() == 16 && body.log_in.bytes().all(|byte| byte.is_ascii_hexdigit());
    let token = is_handle.then(|| actor::ticket(&public_url, &body.log_in, &headers)).flatten().unwrap_or_default();
    let from = from(&public_url, address, &headers);
    let (opened, return_to) = oidc::finish_with_code(app, token, &body.code, from).await?;
    let caller = access::identify(app, &Credential::Session(opened.token.clone())).await?;
    let me = me(&Call { app: api.app.clone(), caller, sight: Sight::All }).await?;
    let used = actor::set_ticket(&public_url, (&body.log_in, ""), 0);
    let cookies = actor::log_in_cookies(&public_url, &opened).chain([used]);
    let cookies = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok((cookies, Json(CameIn { me, return_to })).into_response())
}

/// Where the caller is known, in the order in which it was linked.
#[utoipa::path(get, path = "/api/v1/identities", tag = "access", params(Paging), responses((status = 200, body = Page<Identity>)))]
async fn list_identities(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Identity>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(identities::list(&call.app, &mut tx, call.caller.user_id, &paging.of()?).await?))
}

/// A provider to be linked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Linking {
    /// The provider: its id, or `installation`.
    #[schema(value_type = String)]
    provider: Which,
    /// The path to go to afterwards.
    return_to: Option<String>,
}

/// Begins to link the caller: answers where the browser goes. It takes a proof.
#[utoipa::path(
    post, path = "/api/v1/identities", tag = "access", request_body = Linking, responses((status = 200, body = Away))
)]
async fn begin_link(call: Call, Json(body): Json<Linking>) -> Result<Response, Problem> {
    let departure = oidc::begin_link(&call.app, &call.caller, body.provider, body.return_to).await?;
    Ok(sent_away(&call.app, departure))
}

/// Takes away that the caller is known there, and ends their other sessions. It takes a proof, and never the only way in.
#[utoipa::path(
    delete, path = "/api/v1/identities/{id}", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Taken away"))
)]
async fn unlink(call: Call, Path(id): Path<IdentityId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    identities::unlink(&call.app, &mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A proof by an identity provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProofBy {
    /// The provider: its id, or `installation`.
    #[schema(value_type = String)]
    provider: Which,
    /// The path to go to afterwards.
    return_to: Option<String>,
    /// A code of the second factor, of whoever has one.
    #[schema(value_type = Option<String>, format = Password)]
    code: Option<SecretString>,
}

/// Begins a proof of who has this session by an identity provider that knows them: it has them log in there anew.
#[utoipa::path(
    post, path = "/api/v1/session/proof/oidc", tag = "access", request_body = ProofBy, responses((status = 200, body = Away))
)]
async fn begin_proof(
    call: Call,
    ClientAddress(address): ClientAddress,
    Json(body): Json<ProofBy>,
) -> Result<Response, Problem> {
    let asked = (body.return_to, body.code.as_ref());
    let departure = oidc::begin_proof(&call.app, &call.caller, body.provider, asked, address).await?;
    Ok(sent_away(&call.app, departure))
}

fn sent_away(app: &crm::App, departure: Departure) -> Response {
    let Departure { url, ticket } = departure;
    let kept = actor::set_ticket(&app.config.public_url, (&ticket.handle, &ticket.token), i64::from(SECONDS));
    (AppendHeaders([(header::SET_COOKIE, kept)]), Json(Away { url })).into_response()
}

fn from(public_url: &str, address: std::net::IpAddr, headers: &HeaderMap) -> Whence {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Whence { address, user_agent: agent.map(str::to_owned), device: actor::device(public_url, headers) }
}

/// Who is logged in there, by a cookie alone: a browser that comes back brings no key.
async fn logged_in(api: &Api, headers: &HeaderMap) -> Option<Caller> {
    let session = actor::credential(&api.app.config.public_url, headers)
        .filter(|credential| matches!(credential, Credential::Session(_)))?;
    access::identify(&api.app, &session).await.ok()
}

/// A page of ours, with why something came to nothing.
fn with_problem(path: &str, code: &str) -> String {
    let (path, rest) = path.split_once('#').map_or((path, None), |(path, rest)| (path, Some(rest)));
    let mark = if path.contains('?') { '&' } else { '?' };
    let rest = rest.map(|rest| format!("#{rest}")).unwrap_or_default();
    format!("{path}{mark}problem={code}{rest}")
}

/// Leads a browser on to a page of ours. Nothing keeps the answer, and the address with the code is told to no page.
fn lead(path: &str, cookies: Vec<String>) -> Response {
    let told =
        [(header::LOCATION, path), (header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")];
    let cookies = AppendHeaders(cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)));
    (StatusCode::SEE_OTHER, told, cookies).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_behind_whatever_the_address_says() {
        assert_eq!(with_problem("/login", "x"), "/login?problem=x");
        assert_eq!(with_problem("/a?b=c#d", "x"), "/a?b=c&problem=x#d");
    }
}
