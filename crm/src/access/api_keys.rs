//! API keys: bearer tokens for programs. Only a hash is stored, and a key never may more than the person who made it may now.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx, Why};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    caller::Caller,
    key_limits::{self, Allowance},
    permission::{self, Permission, Permissions, Scopes},
    role::Granted,
    users::UserId,
};
use crate::{
    App, Error,
    secrets::{random_token, token_hash},
    tenancy::State,
};

/// The id of an API key.
pub type ApiKeyId = Id<ApiKey>;

/// An API key, without its secret.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct ApiKey {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: ApiKeyId,
    /// What it is for, in the words of who made it.
    pub name: String,
    /// How the secret begins, to tell keys apart.
    pub prefix: String,
    /// What it may do, as long as the person who made it may.
    #[sqlx(try_from = "Vec<String>")]
    #[schema(value_type = Vec<Permission>)]
    pub permissions: Permissions,
    /// How far those of them reach that do not reach everywhere.
    #[sqlx(rename = "permissions", try_from = "Vec<String>")]
    #[schema(value_type = std::collections::BTreeMap<String, permission::Scope>)]
    pub scopes: Scopes,
    /// Who made it.
    #[schema(value_type = Uuid)]
    pub created_by: UserId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was used last, to the minute.
    pub used_at: Option<DateTime<Utc>>,
    /// Requests that it may make a minute; null: what the installation is set to.
    pub rate_per_minute: Option<i32>,
    /// Requests that it may make a day (UTC); null: what the installation is set to.
    pub quota_per_day: Option<i64>,
    /// Requests that it has made today (UTC), some seconds late.
    pub requests_today: i64,
}

/// A key to be made.
#[derive(Debug)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// How far; one of which nothing is said reaches as far as its maker's.
    pub scopes: Scopes,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// Requests a minute, if not what the installation is set to.
    pub rate_per_minute: Option<i32>,
    /// Requests a day (UTC), if not what the installation is set to.
    pub quota_per_day: Option<i64>,
}

/// Makes a key and answers its secret, which is shown this once. A key can't make keys.
pub async fn create(tx: &mut TenantTx, caller: &Caller, new: NewApiKey) -> Result<(ApiKey, String), Error> {
    if caller.session_id().is_none() {
        return Err(Error::Forbidden(Permission::AdminApiKeysManage.name()));
    }
    caller.require_proof(tx.now())?;
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "name_length", "a name has 1 to 200 characters"));
    }
    if new.permissions.is_empty() {
        return Err(Error::invalid("permissions", "permissions_empty", "a key needs at least one permission"));
    }
    // said as it is, so that a key does not reach further once its maker does
    let own = |one| caller.permissions.scope(one).unwrap_or(permission::Scope::All);
    let permissions = Permissions::of(new.permissions, &new.scopes, own)?;
    if let Some(beyond) = permissions.beyond(caller.permissions) {
        let message = format!("you can't grant {beyond}, which you don't have, or not so far");
        return Err(Error::invalid("permissions", "permissions_beyond_own", message));
    }
    if new.expires_at.is_some_and(|at| at <= tx.now()) {
        return Err(Error::invalid("expires_at", "expires_in_past", "the key would have expired already"));
    }
    key_limits::check(new.rate_per_minute, new.quota_per_day)?;
    let token = random_token();
    let prefix = &random_token()[..8];
    let token = format!("pk_{prefix}_{token}");
    let key = sqlx::query_as(
        "insert into crm.api_keys (id, name, prefix, secret_hash, permissions, created_by, expires_at, rate_per_minute, quota_per_day)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning id, name, prefix, permissions, created_by, created_at, expires_at, used_at, rate_per_minute, quota_per_day,
           0::bigint as requests_today",
    )
    .bind(ApiKeyId::new())
    .bind(name)
    .bind(prefix)
    .bind(token_hash(&token))
    .bind(permissions.names())
    .bind(caller.user_id)
    .bind(new.expires_at)
    .bind(new.rate_per_minute)
    .bind(new.quota_per_day)
    .fetch_one(tx.conn())
    .await?;
    Ok((key, token))
}

/// The tenant's keys that were not revoked, newest first.
pub async fn list(tx: &mut TenantTx, page: PageOf<ApiKeyId>) -> Result<Page<ApiKey>, Error> {
    let keys: Vec<ApiKey> = sqlx::query_as(
        "select k.id, k.name, k.prefix, k.permissions, k.created_by, k.created_at, k.expires_at, k.used_at, k.rate_per_minute, k.quota_per_day,
           coalesce(n.requests, 0) as requests_today
         from crm.api_keys k
         left join crm.api_key_uses n on n.tenant_id = k.tenant_id and n.key_id = k.id and n.day = (app.now() at time zone 'utc')::date
         where k.revoked_at is null and ($1::uuid is null or k.id < $1)
         order by k.id desc
         limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(keys, |key| key.id))
}

/// Revokes a key; it stops working at once.
pub async fn revoke(tx: &mut TenantTx, id: ApiKeyId) -> Result<(), Error> {
    sqlx::query("update crm.api_keys set revoked_at = app.now() where id = $1 and revoked_at is null returning id")
        .bind(id)
        .fetch_one(tx.conn())
        .await?;
    Ok(())
}

/// What a working key says about who asks.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Live {
    pub id: ApiKeyId,
    pub tenant_id: Uuid,
    pub created_by: UserId,
    permissions: Vec<String>,
    #[sqlx(flatten)]
    of_creator: Granted,
    pub tenant_state: State,
    is_stale: bool,
}
impl Live {
    /// What the key may do now: what it was given, less what its maker has lost since.
    pub(super) fn permissions(&self) -> Permissions {
        Permissions::from_names(&self.permissions).intersection(self.of_creator.permissions())
    }
    /// Who is in a team with its maker, as far as that matters.
    pub(super) fn mates(&self) -> Arc<[Uuid]> {
        self.of_creator.mates()
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    live: Live,
    #[sqlx(flatten)]
    allowance: Allowance,
}

/// The working key of a bearer token, if it is one, and what it may ask for.
pub(super) async fn find(app: &App, token: &str) -> Result<Option<(Live, Allowance)>, Error> {
    let Some(prefix) = read_prefix(token) else { return Ok(None) };
    let mut tx = app.db.platform(Why::Login).await?;
    let found: Option<Found> = sqlx::query_as(
        "select k.id, k.tenant_id, k.created_by, k.permissions, coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions || k.permissions) as mates, t.state as tenant_state,
           coalesce(k.used_at < app.now() - interval '1 minute', true) as is_stale,
           k.rate_per_minute, k.quota_per_day, coalesce(n.requests, 0) as requests_today,
           ceil(extract(epoch from today.day + 1 - (app.now() at time zone 'utc')))::int as day_ends_s
         from crm.api_keys k
         cross join (select (app.now() at time zone 'utc')::date as day) today
         left join crm.api_key_uses n on n.tenant_id = k.tenant_id and n.key_id = k.id and n.day = today.day
         join crm.users u on u.tenant_id = k.tenant_id and u.id = k.created_by
         left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
         join crm.tenants t on t.id = k.tenant_id
         where k.prefix = $1 and k.secret_hash = $2 and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > app.now())
           and u.disabled_at is null and t.state <> $3",
    )
    .bind(prefix)
    .bind(token_hash(token))
    .bind(State::Closed)
    .fetch_optional(tx.conn())
    .await?;
    if let Some(live) = found.as_ref().map(|found| &found.live).filter(|live| live.is_stale) {
        sqlx::query(
            "update crm.api_keys set used_at = app.now()
             where tenant_id = $1 and id = $2 and (used_at is null or used_at < app.now() - interval '1 minute')",
        )
        .bind(live.tenant_id)
        .bind(live.id)
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
    }
    Ok(found.map(|found| (found.live, found.allowance)))
}

/// Those of these keys that work, and writes as seldom that they were used: a row that somebody else holds is written the next time.
pub(super) async fn find_all(app: &App, ids: &[(Uuid, ApiKeyId)]) -> Result<Vec<Live>, Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    let live = sqlx::query_as(
        "with live as (
           select k.id, k.tenant_id, k.created_by, k.permissions, coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions || k.permissions) as mates, t.state as tenant_state,
                  coalesce(k.used_at < app.now() - interval '1 minute', true) as is_stale
             from unnest($1::uuid[], $2::uuid[]) w(tenant_id, id)
             join crm.api_keys k on k.tenant_id = w.tenant_id and k.id = w.id
             join crm.users u on u.tenant_id = k.tenant_id and u.id = k.created_by
             left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
             join crm.tenants t on t.id = k.tenant_id
            where k.revoked_at is null and (k.expires_at is null or k.expires_at > app.now())
              and u.disabled_at is null and t.state <> $3),
         stale as (
           select k.tenant_id, k.id from live l join crm.api_keys k on k.tenant_id = l.tenant_id and k.id = l.id
            where l.is_stale for update of k skip locked),
         used as (
           update crm.api_keys k set used_at = app.now() from stale z where k.tenant_id = z.tenant_id and k.id = z.id)
         select l.* from live l",
    )
    .bind(ids.iter().map(|(tenant_id, _)| *tenant_id).collect::<Vec<_>>())
    .bind(ids.iter().map(|(_, id)| *id).collect::<Vec<_>>())
    .bind(State::Closed)
    .fetch_all(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(live)
}

/// The prefix of a token of our form, `pk_<8 hex>_<64 hex>`.
fn read_prefix(token: &str) -> Option<&str> {
    let (prefix, secret) = token.strip_prefix("pk_")?.split_once('_')?;
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(prefix, 8) && is_hex(secret, 64)).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_of_our_form_is_looked_up() {
        let token = format!("pk_01234567_{}", "ab".repeat(32));
        assert_eq!(read_prefix(&token), Some("01234567"));
        for other in ["", "pk_", "pk_01234567_", "pk_0123456%_aa", "sk_01234567_aa", &token[1..]] {
            assert_eq!(read_prefix(other), None, "{other}");
        }
    }
}
