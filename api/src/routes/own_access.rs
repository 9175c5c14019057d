//! How somebody logs in: their sessions, their password, their second factor; and what their account asks of everybody.

use axum::http::StatusCode;
use crm::access::{
    Permission, devices, second_factor,
    second_factor::{Policy, Setup, Standing},
    sessions::{self, Listed, SessionId},
};
use db::{Page, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    actor::{Call, ClientAddress},
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

const OWN: &str = "everybody sees to how they log in themselves";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .own_access(OWN, routes!(prove))
        .own_access(OWN, routes!(set_password))
        .own_access(OWN, routes!(list_sessions))
        .own_access(OWN, routes!(end_session))
        .own_access(OWN, routes!(recognize_device))
        .own_access(OWN, routes!(end_others))
        .own_access(OWN, routes!(standing))
        .own_access(OWN, routes!(begin))
        .own_access(OWN, routes!(confirm))
        .own_access(OWN, routes!(turn_off))
        .own_access(OWN, routes!(renew_codes))
        .private(Permission::AdminSettingsView, routes!(policy))
        .private(Permission::AdminSettingsManage, routes!(set_policy))
}

/// What somebody logs in with, given once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// A code of the second factor, of whoever has one.
    #[schema(value_type = Option<String>, format = Password)]
    code: Option<SecretString>,
}

/// Proves who has this session: for ten minutes what is dangerous is open to it.
#[utoipa::path(
    post, path = "/api/v1/session/proof", tag = "access", request_body = Proof,
    responses((status = 204, description = "Proven"))
)]
async fn prove(
    call: Call,
    ClientAddress(address): ClientAddress,
    Json(proof): Json<Proof>,
) -> Result<StatusCode, Problem> {
    sessions::prove(&call.app, &call.caller, address, proof.password, proof.code.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A password to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// 10 characters or more.
    #[schema(value_type = String, format = Password, min_length = 10)]
    password: SecretString,
}

/// Sets another password; the other sessions end. It takes a proof.
#[utoipa::path(
    put, path = "/api/v1/session/password", tag = "access", request_body = NewPassword,
    responses((status = 204, description = "Set"))
)]
async fn set_password(call: Call, Json(new): Json<NewPassword>) -> Result<StatusCode, Problem> {
    sessions::set_password(&call.app, &call.caller, new.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "access", params(Paging), responses((status = 200, body = Page<Listed>)))]
async fn list_sessions(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Listed>>, Problem> {
    let mut tx = call.tx().await?;
    let (user_id, current) = (call.caller.user_id, call.caller.session_id());
    Ok(Json(sessions::list(&mut tx, user_id, current, &paging.of()?).await?))
}

/// Ends one of the caller's sessions, also on its sockets. Where its browser is new, and another than the one that asks, it was not the caller: all sessions of
/// that browser end, also one that has ended is answered, and its next log-in is news again.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Ended"))
)]
async fn end_session(call: Call, Path(id): Path<SessionId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    sessions::revoke_own(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says that the new browser by which that session was opened is the caller's: it is no news from now on. Only a session of another browser that is known may.
#[utoipa::path(
    post, path = "/api/v1/sessions/{id}/recognition", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Recognized"))
)]
async fn recognize_device(call: Call, Path(id): Path<SessionId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    devices::recognize(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of the caller's sessions but this one.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "access", responses((status = 204, description = "Ended")))]
async fn end_others(call: Call) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    sessions::revoke_others(&mut tx, call.caller.user_id, call.caller.session_id()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the caller's second factor stands.
#[utoipa::path(get, path = "/api/v1/second-factor", tag = "access", responses((status = 200, body = Standing)))]
async fn standing(call: Call) -> Result<Json<Standing>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(second_factor::standing(&mut tx, call.caller.user_id).await?))
}

/// Begins to set up a second factor: answers the secret for the authenticator, once. It takes a proof.
#[utoipa::path(post, path = "/api/v1/second-factor", tag = "access", responses((status = 200, body = Setup)))]
async fn begin(call: Call) -> Result<Json<Setup>, Problem> {
    let mut tx = call.tx().await?;
    call.caller.require_proof(tx.now())?;
    let setup = second_factor::begin(&mut tx, &call.app.keys, call.caller.user_id).await?;
    tx.commit().await?;
    Ok(Json(setup))
}

/// A code of the authenticator that is set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstCode {
    /// Six digits.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
}

/// Codes for whoever has lost the authenticator, each for once.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// The codes; they are shown this once.
    codes: Vec<String>,
}

/// Turns the second factor on by a first code, and answers the recovery codes, once. It takes a proof.
#[utoipa::path(
    put, path = "/api/v1/second-factor", tag = "access", request_body = FirstCode,
    responses((status = 200, body = RecoveryCodes))
)]
async fn confirm(call: Call, Json(first): Json<FirstCode>) -> Result<Json<RecoveryCodes>, Problem> {
    let mut tx = call.tx().await?;
    call.caller.require_proof(tx.now())?;
    let code = first.code.expose_secret();
    let codes = second_factor::confirm(&mut tx, &call.app.keys, call.caller.user_id, code).await?;
    tx.commit().await?;
    Ok(Json(RecoveryCodes { codes }))
}

/// Turns the second factor off, unless the account asks for it. It takes a proof.
#[utoipa::path(delete, path = "/api/v1/second-factor", tag = "access", responses((status = 204, description = "Off")))]
async fn turn_off(call: Call) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    call.caller.require_proof(tx.now())?;
    second_factor::turn_off(&mut tx, call.caller.user_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// New recovery codes; the old ones work no more. It takes a proof.
#[utoipa::path(
    post, path = "/api/v1/second-factor/recovery-codes", tag = "access",
    responses((status = 200, body = RecoveryCodes))
)]
async fn renew_codes(call: Call) -> Result<Json<RecoveryCodes>, Problem> {
    let mut tx = call.tx().await?;
    call.caller.require_proof(tx.now())?;
    let codes = second_factor::renew_codes(&mut tx, &call.app.keys, call.caller.user_id).await?;
    tx.commit().await?;
    Ok(Json(RecoveryCodes { codes }))
}

/// What the account asks of everybody who logs in.
#[utoipa::path(get, path = "/api/v1/log-in-policy", tag = "access", responses((status = 200, body = Policy)))]
async fn policy(call: Call) -> Result<Json<Policy>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(second_factor::policy(&mut tx).await?))
}

/// Sets what the account asks of everybody; it holds at once. It takes a proof, and whoever asks for a second factor has one.
#[utoipa::path(
    put, path = "/api/v1/log-in-policy", tag = "access", request_body = Policy,
    responses((status = 200, body = Policy))
)]
async fn set_policy(call: Call, Json(policy): Json<Policy>) -> Result<Json<Policy>, Problem> {
    let mut tx = call.tx().await?;
    call.caller.require_proof(tx.now())?;
    second_factor::set_policy(&mut tx, call.caller.user_id, &policy).await?;
    tx.commit().await?;
    Ok(Json(policy))
}
