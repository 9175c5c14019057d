//! The people who operate the platform, and the links by which they come in.

use axum::{extract::State, http::StatusCode};
use crm::access::operators::{self, Invited, Operator as Person, OperatorId, SetupShown, Shown};
use db::Page;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    Api,
    actor::Operator,
    extract::{Json, Paging, Path, Query, Reason},
    gate::Routes,
    problem::Problem,
};

const LINK: &str = "whoever was invited has no session yet; the link is the proof";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(list_operators))
        .platform(routes!(invite_operator))
        .platform(routes!(renew_operator_link))
        .platform(routes!(disable_operator))
        .platform(routes!(enable_operator))
        .public(LINK, routes!(look_at_operator_link))
        .public(LINK, routes!(begin_operator_factor))
        .public(LINK, routes!(accept_operator_link))
}

/// Those who operate the platform, in the order in which they were made.
#[utoipa::path(get, path = "/api/v1/platform/operators", tag = "platform", params(Paging), responses((status = 200, body = Page<Person>)))]
async fn list_operators(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<Person>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(operators::list(&mut tx, &paging.of()?).await?))
}

/// Somebody who is to operate the platform, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOperator {
    /// What they will log in with.
    email: String,
    /// The name.
    name: String,
    /// In 1 to 500 characters; kept in the audit.
    reason: String,
}

/// Makes somebody an operator, and answers a link, once, by which they set a password and a second factor.
#[utoipa::path(
    post, path = "/api/v1/platform/operators", tag = "platform", request_body = NewOperator,
    responses((status = 201, description = "Invited", body = Invited))
)]
async fn invite_operator(
    operator: Operator,
    Json(new): Json<NewOperator>,
) -> Result<(StatusCode, Json<Invited>), Problem> {
    let by = operator.by(&new.reason)?;
    let mut tx = operator.acting_tx().await?;
    let url = &operator.app().config.public_url;
    let invited = operators::invite(&mut tx, url, (&new.email, &new.name), &by).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(invited)))
}

/// A new link for an operator, who sets a password and a second factor anew by it; the old links work no more.
#[utoipa::path(
    post, path = "/api/v1/platform/operators/{id}/link", tag = "platform", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = Invited))
)]
async fn renew_operator_link(
    operator: Operator,
    Path(id): Path<OperatorId>,
    Json(why): Json<Reason>,
) -> Result<Json<Invited>, Problem> {
    let by = operator.by(&why.reason)?;
    let mut tx = operator.acting_tx().await?;
    let invited = operators::renew(&mut tx, &operator.app().config.public_url, id, &by).await?;
    tx.commit().await?;
    Ok(Json(invited))
}

/// Lets an operator in no more; their sessions end, those inside tenants too.
#[utoipa::path(
    post, path = "/api/v1/platform/operators/{id}/disable", tag = "platform", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = Person))
)]
async fn disable_operator(
    operator: Operator,
    Path(id): Path<OperatorId>,
    Json(why): Json<Reason>,
) -> Result<Json<Person>, Problem> {
    let by = operator.by(&why.reason)?;
    let mut tx = operator.acting_tx().await?;
    let has_token = operator.app().config.operator_token.is_some();
    let disabled = operators::disable(&mut tx, id, has_token, &by).await?;
    tx.commit().await?;
    Ok(Json(disabled))
}

/// Lets an operator in again.
#[utoipa::path(
    post, path = "/api/v1/platform/operators/{id}/enable", tag = "platform", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = Person))
)]
async fn enable_operator(
    operator: Operator,
    Path(id): Path<OperatorId>,
    Json(why): Json<Reason>,
) -> Result<Json<Person>, Problem> {
    let by = operator.by(&why.reason)?;
    let mut tx = operator.acting_tx().await?;
    let enabled = operators::enable(&mut tx, id, &by).await?;
    tx.commit().await?;
    Ok(Json(enabled))
}

/// Whose link that is, for its page.
#[utoipa::path(
    get, path = "/api/v1/platform/invitations/{token}", tag = "platform", params(("token" = String, Path)),
    responses((status = 200, body = Shown))
)]
async fn look_at_operator_link(State(api): State<Api>, Path(token): Path<String>) -> Result<Json<Shown>, Problem> {
    Ok(Json(operators::look(&api.app, &token).await?))
}

/// Begins to set up an authenticator by a link: answers its secret.
#[utoipa::path(
    post, path = "/api/v1/platform/invitations/{token}/second-factor", tag = "platform", params(("token" = String, Path)),
    responses((status = 200, body = SetupShown))
)]
async fn begin_operator_factor(State(api): State<Api>, Path(token): Path<String>) -> Result<Json<SetupShown>, Problem> {
    Ok(Json(operators::begin(&api.app, &token).await?))
}

/// What an operator sets by a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OperatorAcceptance {
    /// 10 characters or more.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// What came with the authenticator's secret.
    sealed: String,
    /// A first code of the authenticator.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
}

/// Sets an operator's password and second factor by a link, which works once; their sessions end.
#[utoipa::path(
    post, path = "/api/v1/platform/invitations/{token}", tag = "platform", params(("token" = String, Path)), request_body = OperatorAcceptance,
    responses((status = 204, description = "Set"))
)]
async fn accept_operator_link(
    State(api): State<Api>,
    Path(token): Path<String>,
    Json(body): Json<OperatorAcceptance>,
) -> Result<StatusCode, Problem> {
    operators::accept(&api.app, &token, body.password, (&body.sealed, &body.code)).await?;
    Ok(StatusCode::NO_CONTENT)
}
