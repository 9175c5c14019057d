//! The people of a tenant: who they are, inviting them, and what they may do.

use axum::{extract::State, http::StatusCode, response::Response};
use crm::access::{
    Permission,
    invitations::{self, Invited, Shown},
    role::Held,
    second_factor,
    users::{self, Change, User, UserId},
};
use db::Page;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    Api,
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .signed_in("colleagues are seen by whoever works with them", routes!(list))
        .private(Permission::AdminUsersManage, routes!(invite))
        .private(Permission::AdminUsersManage, routes!(update))
        .private(Permission::AdminUsersManage, routes!(invite_again))
        .private(Permission::AdminUsersManage, routes!(reset_password))
        .private(Permission::AdminUsersManage, routes!(take_factor_away))
        .public("whoever was invited has no session yet; the link is the proof", routes!(look))
        .public("whoever was invited has no session yet; the link is the proof", routes!(accept))
}

/// The users, in the order in which they were made.
#[utoipa::path(get, path = "/api/v1/users", tag = "access", params(Paging), responses((status = 200, body = Page<User>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<User>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(users::list(&mut tx, &paging.of()?).await?))
}

/// Somebody to be invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserBody {
    /// The name.
    name: String,
    /// The e-mail to log in with.
    email: String,
    /// What they may do: no more than whoever invites.
    role: Held,
}

/// Invites somebody: answers the link by which they set their password, once.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "access", request_body = UserBody,
    responses((status = 201, description = "Invited", body = Invited))
)]
async fn invite(call: Call, Create { body, once }: Create<UserBody>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let UserBody { name, email, role } = body;
    let by = (&call.caller, call.app.config.public_url.as_str());
    let invited = invitations::invite(&mut tx, by, (&email, &name, role)).await?;
    let shown = json!(invited);
    let mut kept = shown.clone();
    kept["invitation_url"] = Value::Null;
    once.answer(tx, StatusCode::CREATED, &shown, &kept).await
}

/// Changes a user; what is absent stays.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "access", params(("id" = Uuid, Path)), request_body = Change,
    responses((status = 200, body = User))
)]
async fn update(call: Call, Path(id): Path<UserId>, Json(body): Json<Change>) -> Result<Json<User>, Problem> {
    let mut tx = call.tx().await?;
    let user = users::change(&mut tx, &call.caller, id, body).await?;
    tx.commit().await?;
    Ok(Json(user))
}

/// Makes a new link for somebody who has not set a password yet; the old one works no more.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/invitation", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 200, body = Invited))
)]
async fn invite_again(call: Call, Path(id): Path<UserId>) -> Result<Json<Invited>, Problem> {
    let mut tx = call.tx().await?;
    let by = (&call.caller, call.app.config.public_url.as_str());
    let invited = invitations::again(&mut tx, by, id).await?;
    tx.commit().await?;
    Ok(Json(invited))
}

/// Makes a link by which somebody who has a password sets another one. It takes a proof.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/password-reset", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 200, body = Invited))
)]
async fn reset_password(call: Call, Path(id): Path<UserId>) -> Result<Json<Invited>, Problem> {
    let mut tx = call.tx().await?;
    let by = (&call.caller, call.app.config.public_url.as_str());
    let invited = invitations::reset(&mut tx, by, id).await?;
    tx.commit().await?;
    Ok(Json(invited))
}

/// Takes away the second factor of somebody who has lost it. It takes a proof.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/second-factor", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Off"))
)]
async fn take_factor_away(call: Call, Path(id): Path<UserId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    second_factor::take_away(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an invitation is: for whom, and whether its link still works.
#[utoipa::path(
    get, path = "/api/v1/invitations/{token}", tag = "access", params(("token" = String, Path)),
    responses((status = 200, body = Shown))
)]
async fn look(State(api): State<Api>, Path(token): Path<String>) -> Result<Json<Shown>, Problem> {
    Ok(Json(invitations::look(&api.app, &token).await?))
}

/// What somebody who was invited says of themselves.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordBody {
    /// Their name; without it the one they were invited by stays.
    name: Option<String>,
    /// 10 characters or more.
    #[schema(value_type = String, format = Password, min_length = 10)]
    password: SecretString,
}

/// Sets the password of whoever was invited by that link, once.
#[utoipa::path(
    post, path = "/api/v1/invitations/{token}", tag = "access", params(("token" = String, Path)), request_body = PasswordBody,
    responses((status = 200, body = User))
)]
async fn accept(
    State(api): State<Api>,
    Path(token): Path<String>,
    Json(body): Json<PasswordBody>,
) -> Result<Json<User>, Problem> {
    Ok(Json(invitations::accept(&api.app, &token, body.name.as_deref(), body.password).await?))
}
