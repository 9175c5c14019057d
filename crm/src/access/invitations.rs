//! Invitations: somebody is made a user without a password, and sets it by a link that works once and not for long. Only a hash of its
//! secret is stored.

use chrono::{DateTime, Utc};
use db::{Actor, Id, Scope, TenantTx};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    caller::Caller,
    password,
    role::Held,
    roles,
    users::{self, NewUser, User, UserId},
};
use crate::{
    App, Error,
    secrets::{random_token, token_hash},
};

/// How long a link works, in days.
const DAYS: i32 = 7;
/// And one by which a password is set anew: whoever asks for it is waiting.
const RESET_DAYS: i32 = 1;

/// An invitation.
#[derive(Debug)]
enum Invitation {}

/// Somebody who was invited, with the link, which is shown this once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Invited {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// Where they set their password. A repeated request gets none: it is stored nowhere.
    pub invitation_url: Option<String>,
    /// Until when.
    pub invitation_expires_at: DateTime<Utc>,
}

/// Makes a user and a link for them. Nobody gives what they lack.
pub async fn invite(
    tx: &mut TenantTx,
    (caller, public_url): (&Caller, &str),
    (email, name, role): (&str, &str, Held),
) -> Result<Invited, Error> {
    caller.may_grant(roles::permissions(tx, role).await?)?;
    let new = NewUser::invited(email, name, role)?;
    let tenant_id = tx.tenant_id();
    let user = users::create(tx, tenant_id, new).await?;
    link(tx, public_url, user, false).await
}

/// A new link for somebody who has not used theirs; the old ones work no more.
pub async fn again(tx: &mut TenantTx, (caller, public_url): (&Caller, &str), id: UserId) -> Result<Invited, Error> {
    let user = held(tx, caller, id).await?;
    if !user.is_invited || !user.is_active {
        return Err(Error::conflict("not_invited", "this user has a password already, or can't log in"));
    }
    revoke(tx, id).await?;
    link(tx, public_url, user, false).await
}

/// A link by which somebody who has a password sets another one; the old ones work no more. Nobody makes one for who may more than they do.
pub async fn reset(tx: &mut TenantTx, (caller, public_url): (&Caller, &str), id: UserId) -> Result<Invited, Error> {
    caller.require_proof(tx.now())?;
    let user = held(tx, caller, id).await?;
    if user.is_invited || !user.is_active {
        return Err(Error::conflict("no_password_yet", "this user has no password yet, or can't log in"));
    }
    revoke(tx, id).await?;
    link(tx, public_url, user, true).await
}

/// A user whose link is renewed, by somebody who may as much, and for the same conversations: two at once do it one after the other, so that one link works.
async fn held(tx: &mut TenantTx, caller: &Caller, id: UserId) -> Result<User, Error> {
    sqlx::query_scalar::<_, bool>(
        "select true from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 for no key update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    let user = users::get(tx, id).await?;
    caller.may_stand_in(id, roles::permissions(tx, user.role).await?)?;
    Ok(user)
}

async fn link(tx: &mut TenantTx, public_url: &str, user: User, is_reset: bool) -> Result<Invited, Error> {
    let secret = random_token();
    let invitation_expires_at = sqlx::query_scalar(
        "insert into crm.invitations (id, user_id, token_hash, is_reset, expires_at) values ($1, $2, $3, $4, app.now() + make_interval(days => $5)) returning expires_at",
    )
    .bind(Id::<Invitation>::new())
    .bind(user.id)
    .bind(token_hash(&secret))
    .bind(is_reset)
    .bind(if is_reset { RESET_DAYS } else { DAYS })
    .fetch_one(tx.conn())
    .await?;
    // the tenant stands in the link, so that whoever follows it needs to see no other
    let token = format!("{}{secret}", tx.tenant_id().simple());
    let invitation_url = Some(format!("{}/invitations/{token}", public_url.trim_end_matches('/')));
    Ok(Invited { user, invitation_url, invitation_expires_at })
}

/// Ends a user's links.
pub(super) async fn revoke(tx: &mut TenantTx, id: UserId) -> Result<(), Error> {
    sqlx::query(
        "delete from crm.invitations i where i.tenant_id = app.tenant_id() and i.user_id = $1 and i.used_at is null",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What an invitation's page shows to whoever holds its link.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Invitation)]
pub struct Shown {
    /// open, used or expired.
    pub state: String,
    /// The name they were invited by.
    pub name: String,
    /// What they will log in with.
    pub email: String,
    /// Whose inbox it is.
    pub tenant_name: String,
    /// That tenant's short name, for a log-in that fits in several.
    pub tenant_slug: String,
    /// Whether it sets another password, for somebody who has one.
    pub is_reset: bool,
}

/// What an invitation is. A link that is unknown, or that another one has replaced, is [`Error::NotFound`].
pub async fn look(app: &App, token: &str) -> Result<Shown, Error> {
    let (tenant_id, secret) = read_token(token).ok_or(Error::NotFound)?;
    let mut tx = app.db.tenant(tenant_id, Actor::Hook("invitation")).await?;
    Ok(sqlx::query_as(
        "select case when i.used_at is not null or u.password_hash is not null and not i.is_reset then 'used' when i.expires_at <= app.now() or u.disabled_at is not null then 'expired' else 'open' end as state,
                u.name, u.email, t.name as tenant_name, t.slug as tenant_slug, i.is_reset
           from crm.invitations i
           join crm.users u on u.tenant_id = i.tenant_id and u.id = i.user_id
           join crm.tenants t on t.id = i.tenant_id
          where i.tenant_id = app.tenant_id() and i.token_hash = $1",
    )
    .bind(token_hash(secret))
    .fetch_one(tx.conn())
    .await?)
}

/// Sets the password, and the name where one is given, of whoever was invited by that link. A link that is unknown, used or too old is [`Error::NotFound`].
pub async fn accept(app: &App, token: &str, name: Option<&str>, password: SecretString) -> Result<User, Error> {
    let name = name.map(users::normal_name).transpose()?;
    let (tenant_id, secret) = read_token(token).ok_or(Error::NotFound)?;
    // looked for before the hash, which costs a tenth of a second that strangers are not given
    let mut tx = app.db.tenant(tenant_id, Actor::Hook("invitation")).await?;
    let user_id: UserId = sqlx::query_scalar(
        "select i.user_id from crm.invitations i where i.tenant_id = app.tenant_id() and i.token_hash = $1 and i.used_at is null and i.expires_at > app.now()",
    )
    .bind(token_hash(secret))
    .fetch_one(tx.conn())
    .await?;
    drop(tx);
    let hash = password::hash("password", password).await?;
    let mut tx = app.db.tenant(tenant_id, Actor::User(user_id.uuid())).await?;
    // of two that come with one link the second finds it used
    let set: Option<UserId> = sqlx::query_scalar(
        "with used as (
           update crm.invitations i set used_at = app.now()
            where i.tenant_id = app.tenant_id() and i.token_hash = $1 and i.used_at is null and i.expires_at > app.clock() returning i.user_id, i.is_reset),
         unlinked as (
           -- nor does whoever was at it leave a way in of their own behind; a verified e-mail links anew
           delete from crm.identities x using used where used.is_reset and x.tenant_id = app.tenant_id() and x.user_id = used.user_id),
         ended as (
           -- whoever had the old password is out
           update crm.sessions s set revoked_at = app.now() from used
            where used.is_reset and s.tenant_id = app.tenant_id() and s.user_id = used.user_id and s.revoked_at is null)
         update crm.users u set password_hash = $2, name = coalesce($3, u.name) from used
          where u.tenant_id = app.tenant_id() and u.id = used.user_id and (u.password_hash is null or used.is_reset) and u.disabled_at is null returning u.id",
    )
    .bind(token_hash(secret))
    .bind(hash)
    .bind(name)
    .fetch_optional(tx.conn())
    .await?;
    let user = users::get(&mut tx, set.ok_or(Error::NotFound)?).await?;
    tx.commit().await?;
    Ok(user)
}

/// The tenant and the secret of a link's token: 32 and 64 hexadecimal digits.
fn read_token(token: &str) -> Option<(Uuid, &str)> {
    let is_hex = token.len() == 96 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (tenant, secret) = is_hex.then(|| token.split_at(32))?;
    Some((Uuid::parse_str(tenant).ok()?, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_form_is_not_looked_up() {
        let token = format!("{}{}", Uuid::nil().simple(), "ab".repeat(32));
        assert_eq!(read_token(&token), Some((Uuid::nil(), &token[32..])));
        for other in ["", &token[1..], &format!("{token}0"), &token.replace('b', "z"), &"é".repeat(48)] {
            assert_eq!(read_token(other), None, "{other}");
        }
    }
}
