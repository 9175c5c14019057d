//! Log-ins that have begun at an identity provider: a row each, so that any process can go on with it. It ends after ten minutes, works once, and only with the
//! browser that began it.

use chrono::{DateTime, Utc};
use clients::oidc::Binding;
use db::{Id, PlatformTx, Scope, Why};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::{sessions::SessionId, users::UserId};
use crate::{
    App, Error,
    secrets::{random_token, token_hash},
};

/// How long somebody may take at the provider, in seconds.
pub const SECONDS: i32 = 600;
/// What verifier and nonce are sealed for.
const PURPOSE: &str = "begun-log-in";

/// A begun log-in.
#[derive(Debug)]
pub(super) enum BegunLogIn {}

/// A transaction for somebody of whom nothing is known yet, not even the tenant.
pub(super) async fn stranger(app: &App) -> Result<PlatformTx, Error> {
    Ok(app.db.platform(Why::Login).await?)
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(super) enum Purpose {
    /// Somebody unknown wants in.
    LogIn,
    /// Somebody logged in wants to be known there.
    Link,
    /// Somebody logged in proves who they are.
    Prove,
}

/// Who is logged in and links or proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    pub tenant_id: Uuid,
    pub user_id: UserId,
    pub session_id: SessionId,
}

/// What is begun.
pub(super) struct Plan<'a> {
    pub purpose: Purpose,
    pub provider_id: Option<Uuid>,
    pub issuer: &'a str,
    pub tenant_slug: Option<&'a str>,
    pub who: Option<Who>,
    pub return_to: &'a str,
}

/// What the browser keeps, to show that it was this one.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// By which its cookie is told from those of other log-ins: 16 hexadecimal digits.
    pub handle: String,
    /// The cookie's value.
    pub token: String,
}

/// The part of a state by which the browser finds its cookie; nothing where it is none of ours.
#[must_use]
pub fn handle_of(state: &str) -> Option<&str> {
    (state.len() == 64 && state.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| &state[..16])
}

/// A begun log-in as it comes back.
#[derive(sqlx::FromRow)]
pub(super) struct Begun {
    pub id: Id<BegunLogIn>,
    pub purpose: Purpose,
    pub provider_id: Option<Uuid>,
    pub issuer: String,
    pub tenant_slug: Option<String>,
    tenant_id: Option<Uuid>,
    session_id: Option<SessionId>,
    user_id: Option<UserId>,
    secrets: Vec<u8>,
    pub return_to: String,
    pub begun_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Secrets {
    nonce: String,
    verifier: String,
}

/// Whom the provider has named, where a code of the second factor is missing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Awaiting {
    pub tenant_id: Uuid,
    pub user_id: Uuid,
    pub subject: String,
    /// The verified e-mail, where they are linked by it.
    pub email: Option<String>,
    pub logged_in_at: Option<DateTime<Utc>>,
}

/// Writes down that it begins. Answers what goes to the provider, and what the browser keeps.
pub(super) async fn insert(app: &App, plan: Plan<'_>) -> Result<(Binding, Ticket), Error> {
    let (state, token) = (random_token(), random_token());
    let secrets = Secrets { nonce: random_token(), verifier: random_token() };
    let text = serde_json::to_string(&secrets).map_err(anyhow::Error::from)?;
    let sealed = app.keys.seal(PURPOSE, &text.into())?;
    let mut tx = stranger(app).await?;
    sqlx::query(
        "insert into app.begun_log_ins (id, state_hash, browser_hash, purpose, provider_id, issuer, tenant_slug, tenant_id, session_id, user_id, secrets, return_to, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, app.now() + make_interval(secs => $13))",
    )
    .bind(Id::<BegunLogIn>::new())
    .bind(token_hash(&state))
    .bind(token_hash(&token))
    .bind(plan.purpose)
    .bind(plan.provider_id)
    .bind(plan.issuer)
    .bind(plan.tenant_slug)
    .bind(plan.who.map(|who| who.tenant_id))
    .bind(plan.who.map(|who| who.session_id))
    .bind(plan.who.map(|who| who.user_id))
    .bind(sealed)
    .bind(plan.return_to)
    .bind(f64::from(SECONDS))
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    let ticket = Ticket { handle: state[..16].to_owned(), token };
    Ok((Binding { state, nonce: secrets.nonce, verifier: secrets.verifier.into() }, ticket))
}

/// Uses it: of two that come back at once one gets it. None where it is unknown, used, too old, or was begun by another browser.
pub(super) async fn take(app: &App, state: &str, token: &str) -> Result<Option<Begun>, Error> {
    let mut tx = stranger(app).await?;
    let taken = sqlx::query_as(
        "update app.begun_log_ins b set used_at = app.now()
          where b.state_hash = $1 and b.browser_hash = $2 and b.used_at is null and b.expires_at > app.clock()
         returning b.id, b.purpose, b.provider_id, b.issuer, b.tenant_slug, b.tenant_id, b.session_id, b.user_id, b.secrets, b.return_to, b.begun_at",
    )
    .bind(token_hash(state))
    .bind(token_hash(token))
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(taken)
}

impl Begun {
    /// The nonce and the verifier.
    pub(super) fn secrets(&self, app: &App) -> Result<(String, SecretString), Error> {
        let text = app.keys.open(PURPOSE, &self.secrets)?;
        let secrets: Secrets = serde_json::from_str(text.expose_secret()).map_err(anyhow::Error::from)?;
        Ok((secrets.nonce, secrets.verifier.into()))
    }
    /// Who was logged in when it began.
    pub(super) fn who(&self) -> Option<Who> {
        let (tenant_id, user_id, session_id) = (self.tenant_id?, self.user_id?, self.session_id?);
        Some(Who { tenant_id, user_id, session_id })
    }
}

/// Keeps whom the provider has named until they have given a code.
pub(super) async fn wait(app: &App, id: Id<BegunLogIn>, awaiting: &Awaiting) -> Result<(), Error> {
    let mut tx = stranger(app).await?;
    sqlx::query("update app.begun_log_ins b set awaiting = $2 where b.id = $1")
        .bind(id)
        .bind(Json(awaiting))
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(())
}

/// One that waits for a code.
#[derive(sqlx::FromRow)]
pub(super) struct Waiting {
    pub id: Id<BegunLogIn>,
    pub issuer: String,
    pub provider_id: Option<Uuid>,
    pub awaiting: Json<Awaiting>,
    pub return_to: String,
}

/// The log-in of that browser that waits for a code.
pub(super) async fn waiting(app: &App, token: &str) -> Result<Option<Waiting>, Error> {
    let mut tx = stranger(app).await?;
    Ok(sqlx::query_as(
        "select b.id, b.issuer, b.provider_id, b.awaiting, b.return_to from app.begun_log_ins b
          where b.browser_hash = $1 and b.awaiting is not null and b.expires_at > app.now()",
    )
    .bind(token_hash(token))
    .fetch_optional(tx.conn())
    .await?)
}

/// It has come to its end.
pub(super) async fn end(app: &App, id: Id<BegunLogIn>) -> Result<(), Error> {
    let mut tx = stranger(app).await?;
    sqlx::query("delete from app.begun_log_ins b where b.id = $1").bind(id).execute(tx.conn()).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes those that can't come back any more.
pub(super) async fn prune(tx: &mut PlatformTx) -> Result<u64, Error> {
    let removed =
        sqlx::query("delete from app.begun_log_ins b where b.expires_at < app.now()").execute(tx.conn()).await?;
    Ok(removed.rows_affected())
}
