//! Logging in and out, who asks, and API keys.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use crm::access::{
    Permission, Sight,
    api_keys::{self, ApiKey, ApiKeyId, NewApiKey},
    devices::{self, NewDevice},
    impersonation,
    permission::{Scope, Scopes},
    sessions::{self, LogIn},
    users::{self, User},
};
use crm::{
    access,
    tenancy::{Tenant, tenants},
};
use db::Page;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    Api,
    actor::{self, Call, ClientAddress},
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .public("a log-in comes from nobody known", routes!(log_in))
        .own_session("who asks is the answer", routes!(who_am_i))
        .own_session("everybody may end their own session", routes!(log_out))
        .private(Permission::AdminApiKeysManage, routes!(list_keys))
        .private(Permission::AdminApiKeysManage, routes!(create_key))
        .private(Permission::AdminApiKeysManage, routes!(revoke_key))
}

/// What somebody gives to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The e-mail.
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The tenant's slug, where the same log-in fits in several.
    tenant: Option<String>,
    /// A code of the second factor, of whoever has one: six digits of an authenticator, or a recovery code.
    #[schema(value_type = Option<String>, format = Password)]
    code: Option<SecretString>,
}

/// Who asks, where, and what they may do.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// The person, or the maker of the key.
    user: User,
    /// The tenant.
    tenant: Tenant,
    /// What they may do.
    permissions: Vec<Permission>,
    /// How far those of them reach that do not reach everywhere.
    #[schema(value_type = std::collections::BTreeMap<String, Scope>)]
    scopes: Scopes,
    /// The tenant asks for a second factor that this person has not set up: until then nothing else is open to them.
    lacks_second_factor: bool,
    /// An operator of the platform is inside in this person's place.
    impersonation: Option<impersonation::Own>,
    /// Other browsers, new to this person, by which somebody has logged in as them, and of which nobody has said whose they are.
    new_devices: Vec<NewDevice>,
}

/// Logs in: sets the session's cookie, and one by which the browser is known the next time.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "access", request_body = Credentials,
    responses((status = 200, description = "Logged in", body = Me), (status = 401, description = "Refused"))
)]
async fn log_in(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Json(body): Json<Credentials>,
) -> Result<Response, Problem> {
    let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).map(str::to_owned);
    let Credentials { email, password, tenant, code } = body;
    let device = actor::device(&api.app.config.public_url, &headers);
    let log_in = LogIn { email, password, tenant, code, address, user_agent, device };
    let opened = sessions::open(&api.app, log_in).await?;
    let caller = access::identify(&api.app, &access::Credential::Session(opened.token.clone())).await?;
    let cookies = actor::log_in_cookies(&api.app.config.public_url, &opened);
    let cookies = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    let me = me(&Call { app: api.app, caller, sight: Sight::All }).await?;
    Ok((cookies, Json(me)).into_response())
}

/// Who asks.
#[utoipa::path(get, path = "/api/v1/session", tag = "access", responses((status = 200, body = Me)))]
async fn who_am_i(call: Call) -> Result<Json<Me>, Problem> {
    Ok(Json(me(&call).await?))
}

pub(super) async fn me(call: &Call) -> Result<Me, Problem> {
    let mut tx = call.tx().await?;
    let impersonation = match call.caller.session_id().filter(|_| call.caller.impersonator_id.is_some()) {
        Some(session_id) => impersonation::own(&mut tx, session_id).await?,
        None => None,
    };
    Ok(Me {
        user: users::get(&mut tx, call.caller.user_id).await?,
        tenant: tenants::own(&mut tx).await?,
        permissions: call.caller.permissions.iter().collect(),
        scopes: call.caller.permissions.scopes(),
        lacks_second_factor: call.caller.lacks_factor,
        impersonation,
        new_devices: devices::news(&mut tx, &call.caller).await?,
    })
}

/// Logs out: the session ends everywhere it is used.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access", responses((status = 204, description = "Logged out")))]
async fn log_out(call: Call) -> Result<Response, Problem> {
    if let Some(id) = call.caller.session_id() {
        let mut tx = call.tx().await?;
        sessions::revoke(&mut tx, id).await?;
        tx.commit().await?;
    }
    let cookie = actor::set_cookie(&call.app.config.public_url, "", 0);
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie)])).into_response())
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do; no more than whoever makes it.
    #[schema(min_items = 1)]
    permissions: Vec<Permission>,
    /// How far those reach that are about conversations; one of which nothing is said reaches as far as its maker's.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, Scope>)]
    scopes: Scopes,
    /// When it stops working.
    expires_at: Option<DateTime<Utc>>,
    /// Requests a minute, 1 to 60000; without it what the installation is set to.
    #[schema(minimum = 1, maximum = 60_000)]
    rate_per_minute: Option<i32>,
    /// Requests a day (UTC), 1 to 1000000000; without it what the installation is set to.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quota_per_day: Option<i64>,
}

/// A key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
struct KeyMade {
    /// The key.
    #[serde(flatten)]
    key: ApiKey,
    /// The bearer token. A repeated request gets none: it is stored nowhere.
    token: Option<String>,
}

/// The API keys, newest first.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "access", params(Paging), responses((status = 200, body = Page<ApiKey>)))]
async fn list_keys(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<ApiKey>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(api_keys::list(&mut tx, paging.of()?).await?))
}

/// Makes an API key.
#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "access", request_body = KeyBody,
    responses((status = 201, description = "Made", body = KeyMade))
)]
async fn create_key(call: Call, Create { body, once }: Create<KeyBody>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let new = NewApiKey {
        name: body.name,
        permissions: body.permissions,
        scopes: body.scopes,
        expires_at: body.expires_at,
        rate_per_minute: body.rate_per_minute,
        quota_per_day: body.quota_per_day,
    };
    let (key, token) = api_keys::create(&mut tx, &call.caller, new).await?;
    let kept = json!(KeyMade { key, token: None });
    let mut shown = kept.clone();
    shown["token"] = Value::String(token);
    once.answer(tx, StatusCode::CREATED, &shown, &kept).await
}

/// Revokes an API key.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "access", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Revoked"))
)]
async fn revoke_key(call: Call, Path(id): Path<ApiKeyId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    api_keys::revoke(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
