//! Sessions of people. The cookie carries a signed id; the row decides, so that a revoked session ends at the next look.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use db::{Actor, Id, Page, PageOf, Scope, TenantTx, Why};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audit,
    caller::Caller,
    devices, password,
    role::Granted,
    second_factor, throttle,
    users::{self, UserId},
};
use crate::{App, Error, secrets::Keys, tenancy::State};

/// How long a session lasts, in days.
pub const DAYS: i32 = 30;

/// A session.
#[derive(Debug)]
pub enum Session {}
/// The id of a session.
pub type SessionId = Id<Session>;

/// What somebody gives to log in.
pub struct LogIn {
    /// The e-mail.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// The tenant's slug, needed where the same e-mail and password fit in several.
    pub tenant: Option<String>,
    /// A code of the second factor, of whoever has one.
    pub code: Option<SecretString>,
    /// Where the request came from.
    pub address: IpAddr,
    /// The browser, as it names itself.
    pub user_agent: Option<String>,
    /// The value of its device's cookie, if it has one.
    pub device: Option<String>,
}

/// A session that was opened.
pub struct Opened {
    /// The value of the cookie.
    pub token: String,
    /// The value of the device's cookie; none where it is no browser.
    pub device: Option<String>,
    /// The row.
    pub session_id: SessionId,
    /// Until when it lasts.
    pub expires_at: DateTime<Utc>,
}

/// Logs somebody in. Unknown names, wrong passwords and disabled users get the same answer after the same work.
pub async fn open(app: &App, login: LogIn) -> Result<Opened, Error> {
    let email = users::normal_email(&login.email);
    if email.contains('\0') || email.len() > 254 {
        return Err(Error::BadCredentials);
    }
    let attempt = throttle::admit(app, &email, login.address).await?;
    let candidates = users::candidates(app, &email, login.tenant.as_deref()).await?;
    let known: Vec<(Uuid, UserId)> = candidates.iter().map(|user| (user.tenant_id, user.id)).collect();
    let mut fits = Vec::new();
    if candidates.is_empty() {
        password::verify(login.password, None).await?;
    } else {
        for candidate in candidates {
            if password::verify(login.password.clone(), candidate.password_hash.clone()).await? {
                fits.push(candidate);
            }
        }
    }
    let from = Origin::new(login.address, login.user_agent.as_deref(), login.device);
    let user = match fits.as_slice() {
        [] => {
            from.refuse(app, known, "password");
            return Err(Error::BadCredentials);
        }
        [user] => user,
        several => {
            let slugs: Vec<&str> = several.iter().map(|user| user.tenant_slug.as_str()).collect();
            let message = format!("this log-in fits in several tenants, name one: {}", slugs.join(", "));
            throttle::undecided(app, &attempt).await?;
            return Err(Error::invalid("tenant", "tenant_required", message));
        }
    };
    let mut tx = app.db.tenant(user.tenant_id, Actor::User(user.id.uuid())).await?;
    if user.has_second_factor {
        let Some(code) = &login.code else {
            throttle::undecided(app, &attempt).await?;
            return Err(Error::CodeNeeded);
        };
        // a wrong code is a failed attempt like a wrong password
        if !second_factor::pass(&mut tx, &app.keys, user.id, code).await? {
            drop(tx);
            from.refuse(app, vec![(user.tenant_id, user.id)], "code");
            return Err(Error::BadCode);
        }
    }
    let opened = insert(tx, &app.keys, user.id, from, How::default()).await?;
    throttle::succeeded(app, &attempt).await?;
    Ok(opened)
}

/// Where a log-in comes from.
pub(super) struct Origin {
    address: IpAddr,
    user_agent: Option<String>,
    device: Option<String>,
}

impl Origin {
    /// From that address, by that browser, with what its device's cookie says.
    pub(super) fn new(address: IpAddr, user_agent: Option<&str>, device: Option<String>) -> Self {
        Self { address, user_agent: user_agent.map(shown_agent), device }
    }
    /// Writes down that it was refused, for each whose it may have been. Beside the answer: one that is known would take longer.
    pub(super) fn refuse(self, app: &App, known: Vec<(Uuid, UserId)>, by: &'static str) {
        let app = app.clone();
        tokio::spawn(async move {
            let write = async {
                let mut tx = app.db.platform(Why::Login).await?;
                for user in known {
                    let from = (&*self.address.to_string(), self.user_agent.as_deref());
                    audit::refused(&mut tx, user, by, from).await?;
                }
                tx.commit().await?;
                Ok::<_, Error>(())
            };
            if let Err(error) = write.await {
                tracing::warn!(%error, "a refused log-in could not be written down");
            }
        });
    }
}

/// A browser's name for itself, as much of it as is kept.
pub(super) fn shown_agent(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// By what somebody has come in.
#[derive(Default)]
pub(super) struct How {
    /// When they gave what they log in with, if not now.
    pub proven_at: Option<DateTime<Utc>>,
    /// An identity provider has asked them for a second factor.
    pub factor_by_provider: bool,
}

/// Opens a session, and commits.
pub(super) async fn insert(
    mut tx: TenantTx,
    keys: &Keys,
    user_id: UserId,
    from: Origin,
    how: How,
) -> Result<Opened, Error> {
    let session_id = SessionId::new();
    let met = devices::meet(&mut tx, user_id, from.user_agent.as_deref(), from.device.as_deref()).await?;
    let expires_at = sqlx::query_scalar(
        "insert into crm.sessions (id, user_id, expires_at, user_agent, ip, proven_at, factor_by_provider, device_id, is_new_device)
         values ($1, $2, app.now() + make_interval(days => $3), $4, $5::inet, coalesce($6, app.now()), $7, $8, $9)
         returning expires_at",
    )
    .bind(session_id)
    .bind(user_id)
    .bind(DAYS)
    .bind(from.user_agent)
    .bind(from.address.to_string())
    .bind(how.proven_at)
    .bind(how.factor_by_provider)
    .bind(met.device_id)
    .bind(met.is_new)
    .fetch_one(tx.conn())
    .await?;
    if met.is_new {
        devices::tell(&mut tx, user_id, session_id).await?;
    }
    tx.commit().await?;
    Ok(Opened { token: token(keys, session_id), device: met.token, session_id, expires_at })
}

/// Ends a session; ending it twice is no fault.
pub async fn revoke(tx: &mut TenantTx, id: SessionId) -> Result<(), Error> {
    sqlx::query("update crm.sessions set revoked_at = app.now() where id = $1 and revoked_at is null")
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A session as its owner sees it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Session)]
pub struct Listed {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: SessionId,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was used last, to the minute.
    pub seen_at: DateTime<Utc>,
    /// Until when it lasts.
    pub expires_at: DateTime<Utc>,
    /// The browser, as it names itself.
    pub user_agent: Option<String>,
    /// Where it was opened from.
    pub ip: Option<String>,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// The operator of the platform who is inside by it, in the person's place.
    pub impersonator_name: Option<String>,
    /// Whether its browser was new to the person.
    pub is_new_device: bool,
    /// When one of their other sessions said whose that browser was.
    pub device_answered_at: Option<DateTime<Utc>>,
}

/// The live sessions of one person, newest first.
pub async fn list(
    tx: &mut TenantTx,
    user_id: UserId,
    current: Option<SessionId>,
    page: &PageOf<SessionId>,
) -> Result<Page<Listed>, Error> {
    let sessions: Vec<Listed> = sqlx::query_as(
        "select s.id, s.created_at, s.seen_at, s.expires_at, s.user_agent, host(s.ip) as ip, s.id is not distinct from $2 as is_current, s.impersonator_name,
                s.is_new_device, s.device_answered_at
           from crm.sessions s
          where s.tenant_id = app.tenant_id() and s.user_id = $1 and s.revoked_at is null and s.expires_at > app.now() and ($3::uuid is null or s.id < $3)
          order by s.id desc limit $4",
    )
    .bind(user_id)
    .bind(current)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(sessions, |session| session.id))
}

/// Ends one of the caller's sessions; of a new device it says that it was not them. One of anybody else is [`Error::NotFound`].
pub async fn revoke_own(tx: &mut TenantTx, caller: &Caller, id: SessionId) -> Result<(), Error> {
    if devices::disown(tx, caller, id).await? { Ok(()) } else { revoke(tx, id).await }
}

/// Ends all of somebody's sessions but one.
pub async fn revoke_others(tx: &mut TenantTx, user_id: UserId, but: Option<SessionId>) -> Result<(), Error> {
    sqlx::query(
        "update crm.sessions s set revoked_at = app.now()
          where s.tenant_id = app.tenant_id() and s.user_id = $1 and s.revoked_at is null and s.id is distinct from $2",
    )
    .bind(user_id)
    .bind(but)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Proves once more who has a session, by what they log in with: for ten minutes what is dangerous is open to it. Throttled as a log-in is.
pub async fn prove(
    app: &App,
    caller: &Caller,
    address: IpAddr,
    password: SecretString,
    code: Option<&SecretString>,
) -> Result<(), Error> {
    caller.session_id().ok_or(Error::ProofNeeded)?;
    let attempt = throttle::admit(app, &format!("proof of {}", caller.user_id), address).await?;
    let mut tx = caller.tx(app).await?;
    let (hash, has_factor): (Option<String>, bool) = sqlx::query_as(
        "select u.password_hash, u.totp_confirmed_at is not null from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1",
    )
    .bind(caller.user_id)
    .fetch_one(tx.conn())
    .await?;
    // the hash takes a tenth of a second, for which no connection is held
    drop(tx);
    if !password::verify(password, hash).await? {
        return Err(Error::BadCredentials);
    }
    let mut tx = caller.tx(app).await?;
    if has_factor {
        let Some(code) = code else {
            throttle::undecided(app, &attempt).await?;
            return Err(Error::CodeNeeded);
        };
        if !second_factor::pass(&mut tx, &app.keys, caller.user_id, code).await? {
            return Err(Error::BadCode);
        }
    }
    note_proof(&mut tx, caller).await?;
    tx.commit().await?;
    throttle::succeeded(app, &attempt).await
}

/// Writes down that whoever has the session has proven who they are.
pub(super) async fn note_proof(tx: &mut TenantTx, caller: &Caller) -> Result<(), Error> {
    sqlx::query("update crm.sessions s set proven_at = app.now() where s.tenant_id = app.tenant_id() and s.id = $1")
        .bind(caller.session_id())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Uses a code of the second factor of whoever has one, before a proof that brings none. Throttled as a proof is.
pub(super) async fn require_code(
    app: &App,
    caller: &Caller,
    address: IpAddr,
    code: Option<&SecretString>,
) -> Result<(), Error> {
    let mut tx = caller.tx(app).await?;
    if !second_factor::standing(&mut tx, caller.user_id).await?.is_on {
        return Ok(());
    }
    let code = code.ok_or(Error::CodeNeeded)?;
    drop(tx);
    let attempt = throttle::admit(app, &format!("proof of {}", caller.user_id), address).await?;
    let mut tx = caller.tx(app).await?;
    if !second_factor::pass(&mut tx, &app.keys, caller.user_id, code).await? {
        return Err(Error::BadCode);
    }
    tx.commit().await?;
    throttle::undecided(app, &attempt).await
}

/// Sets another password for whoever has proven who they are; their other sessions end.
pub async fn set_password(app: &App, caller: &Caller, password: SecretString) -> Result<(), Error> {
    caller.require_proof(caller.tx(app).await?.now())?;
    let hash = password::hash("password", password).await?;
    let mut tx = caller.tx(app).await?;
    sqlx::query("update crm.users u set password_hash = $2 where u.tenant_id = app.tenant_id() and u.id = $1")
        .bind(caller.user_id)
        .bind(hash)
        .execute(tx.conn())
        .await?;
    revoke_others(&mut tx, caller.user_id, caller.session_id()).await?;
    tx.commit().await?;
    Ok(())
}

/// What a live session says about who asks.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Live {
    pub id: SessionId,
    pub tenant_id: Uuid,
    pub user_id: UserId,
    #[sqlx(flatten)]
    pub granted: Granted,
    pub tenant_state: State,
    /// The tenant asks for a second factor that this person has not set up.
    pub lacks_factor: bool,
    pub proven_at: DateTime<Utc>,
    /// The operator of the platform who is inside as this user.
    pub impersonator_id: Option<Uuid>,
    is_stale: bool,
}

/// The live session of a cookie's value, if it is one. That it was seen is written at most once a minute.
pub(super) async fn find(app: &App, id: SessionId) -> Result<Option<Live>, Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    let live: Option<Live> = sqlx::query_as(
        "select s.id, s.tenant_id, s.user_id, coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions) as mates, t.state as tenant_state, s.proven_at, s.impersonator_id,
                 s.impersonator_id is null and t.requires_second_factor and u.totp_confirmed_at is null and not s.factor_by_provider as lacks_factor, s.seen_at < app.now() - interval '1 minute' as is_stale
         from crm.sessions s
         join crm.users u on u.tenant_id = s.tenant_id and u.id = s.user_id
         left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
         join crm.tenants t on t.id = s.tenant_id
         where s.id = $1 and s.revoked_at is null and s.expires_at > app.now() and u.disabled_at is null and t.state <> $2",
    )
    .bind(id)
    .bind(State::Closed)
    .fetch_optional(tx.conn())
    .await?;
    if let Some(live) = live.as_ref().filter(|live| live.is_stale) {
        // of several processes that see it stale, the later ones find it fresh and write nothing
        sqlx::query(
            "update crm.sessions set seen_at = app.now()
             where tenant_id = $1 and id = $2 and seen_at < app.now() - interval '1 minute'",
        )
        .bind(live.tenant_id)
        .bind(id)
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
    }
    Ok(live)
}

/// Those of these sessions that are live, and writes as seldom that they were seen: a row that somebody else holds is written the next time.
pub(super) async fn find_all(app: &App, ids: &[(Uuid, SessionId)]) -> Result<Vec<Live>, Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    let live = sqlx::query_as(
        "with live as (
           select s.id, s.tenant_id, s.user_id, coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions) as mates, t.state as tenant_state, s.proven_at, s.impersonator_id,
                 s.impersonator_id is null and t.requires_second_factor and u.totp_confirmed_at is null and not s.factor_by_provider as lacks_factor, s.seen_at < app.now() - interval '1 minute' as is_stale
             from unnest($1::uuid[], $2::uuid[]) w(tenant_id, id)
             join crm.sessions s on s.tenant_id = w.tenant_id and s.id = w.id
             join crm.users u on u.tenant_id = s.tenant_id and u.id = s.user_id
             left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
             join crm.tenants t on t.id = s.tenant_id
            where s.revoked_at is null and s.expires_at > app.now() and u.disabled_at is null and t.state <> $3),
         stale as (
           select s.tenant_id, s.id from live l join crm.sessions s on s.tenant_id = l.tenant_id and s.id = l.id
            where l.is_stale for update of s skip locked),
         seen as (
           update crm.sessions s set seen_at = app.now() from stale z where s.tenant_id = z.tenant_id and s.id = z.id)
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

const PURPOSE: &str = "session";

/// The cookie's value: the id and a tag that only this installation can make, so that guesses never reach the database.
pub(super) fn token(keys: &Keys, id: SessionId) -> String {
    let id = id.uuid().into_bytes();
    URL_SAFE_NO_PAD.encode([id.as_slice(), &keys.sign(PURPOSE, &id)].concat())
}

/// The id in a cookie's value, if it was made by this installation.
pub(super) fn read_token(keys: &Keys, token: &str) -> Option<SessionId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (id, tag) = bytes.split_first_chunk::<16>()?;
    keys.verify(PURPOSE, id, tag).then(|| Uuid::from_bytes(*id).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_only_where_it_was_made_and_unchanged() {
        let keys = Keys::parse(&"ab".repeat(32).into()).unwrap();
        let id = SessionId::new();
        let cookie = token(&keys, id);
        assert_eq!(read_token(&keys, &cookie), Some(id));
        assert_eq!(read_token(&Keys::parse(&"cd".repeat(32).into()).unwrap(), &cookie), None);
        let other = token(&keys, SessionId::new());
        assert_eq!(read_token(&keys, &format!("{}{}", &other[..20], &cookie[20..])), None);
        assert_eq!(read_token(&keys, ""), None);
    }
}
