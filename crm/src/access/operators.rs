//! The people who operate the platform: apart from everybody in a tenant, in tables that no tenant's scope reaches. Each has a password and a second
//! factor, set by a link that works once; a log-in asks for both.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, PlatformTx, Scope as _};
use jobs::admin::{self, By};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    operator::{self, HOURS},
    password,
    role::Role,
    second_factor::{self, Setup},
    sessions, throttle,
    users::{self, NewUser},
};
use crate::{
    App, Error,
    secrets::{Keys, random_token, token_hash},
};

/// How long a link works, in days.
const LINK_DAYS: i32 = 3;
/// What a session's cookie is signed for: apart from the token's, though both have one name.
const PURPOSE: &str = "operator-person";

/// The id of somebody who operates the platform.
pub type OperatorId = Id<Operator>;
/// The session of one.
#[derive(Debug)]
pub enum OperatorSession {}
type SessionId = Id<OperatorSession>;

/// Somebody who operates the platform.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = PlatformOperator)]
pub struct Operator {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: OperatorId,
    /// The e-mail, in lower case: what they log in with.
    pub email: String,
    /// The name.
    pub name: String,
    /// Whether they have been invited and have not set a password yet.
    pub is_invited: bool,
    /// Since when they can't log in any more.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When they were made.
    pub created_at: DateTime<Utc>,
}

/// One who is logged in.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = OperatorPerson)]
pub struct Person {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: OperatorId,
    /// The e-mail.
    pub email: String,
    /// The name.
    pub name: String,
    /// The session.
    #[serde(skip)]
    pub session_id: Uuid,
}

/// One with a new link, which is shown this once.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OperatorInvited)]
pub struct Invited {
    /// Who.
    #[serde(flatten)]
    pub operator: Operator,
    /// Where they set a password and a second factor.
    pub link_url: String,
    /// Until when.
    pub link_expires_at: DateTime<Utc>,
}

/// Those who operate the platform, in the order in which they were made.
pub async fn list(tx: &mut PlatformTx, page: &PageOf<OperatorId>) -> Result<Page<Operator>, Error> {
    let rows: Vec<Operator> = sqlx::query_as(
        "select o.id, o.email, o.name, o.password_hash is null as is_invited, o.disabled_at, o.created_at
           from app.operators o where $1::uuid is null or o.id > $1 order by o.id limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// One of them.
pub async fn get(tx: &mut PlatformTx, id: OperatorId) -> Result<Operator, Error> {
    Ok(sqlx::query_as(
        "select o.id, o.email, o.name, o.password_hash is null as is_invited, o.disabled_at, o.created_at from app.operators o where o.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

/// Makes somebody an operator, with a link by which they come in.
pub async fn invite(
    tx: &mut PlatformTx,
    public_url: &str,
    (email, name): (&str, &str),
    by: &By,
) -> Result<Invited, Error> {
    let new = NewUser::invited(email, name, Role::ReadOnly)?;
    let id = OperatorId::new();
    sqlx::query("insert into app.operators (id, email, name) values ($1, $2, $3)")
        .bind(id)
        .bind(new.email())
        .bind(new.name())
        .execute(tx.conn())
        .await
        .map_err(|error| match db::constraint::violated(&error) {
            Some("operators_email_key") => {
                Error::conflict("operator_email_taken", "there is an operator of that e-mail")
            }
            Some("operators_email_form") => Error::invalid("email", "email_malformed", "this is not an e-mail address"),
            _ => error.into(),
        })?;
    note(tx, by, "invite", id).await?;
    link(tx, public_url, id).await
}

/// A new link, for somebody who has lost what they log in with, or whose link has run out. The old links work no more; what they log in with does until
/// the new one is used.
pub async fn renew(tx: &mut PlatformTx, public_url: &str, id: OperatorId, by: &By) -> Result<Invited, Error> {
    hold(tx, id).await?;
    if get(tx, id).await?.disabled_at.is_some() {
        return Err(Error::conflict("operator_disabled", "enable this operator first"));
    }
    note(tx, by, "invite", id).await?;
    link(tx, public_url, id).await
}

async fn link(tx: &mut PlatformTx, public_url: &str, id: OperatorId) -> Result<Invited, Error> {
    end_links(tx, id).await?;
    let token = random_token();
    let link_expires_at = sqlx::query_scalar(
        "insert into app.operator_links (token_hash, operator_id, expires_at) values ($1, $2, app.now() + make_interval(days => $3)) returning expires_at",
    )
    .bind(token_hash(&token))
    .bind(id)
    .bind(LINK_DAYS)
    .fetch_one(tx.conn())
    .await?;
    let link_url = format!("{}/operations/invitations/{token}", public_url.trim_end_matches('/'));
    Ok(Invited { operator: get(tx, id).await?, link_url, link_expires_at })
}

async fn end_links(tx: &mut PlatformTx, id: OperatorId) -> Result<(), Error> {
    sqlx::query("delete from app.operator_links where operator_id = $1 and used_at is null")
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Lets somebody in no more: their sessions end, those inside tenants too. The last one who can log in stays while there is no token: nobody could
/// let anybody in again.
pub async fn disable(tx: &mut PlatformTx, id: OperatorId, has_token: bool, by: &By) -> Result<Operator, Error> {
    // of two who disable each other at once the second sees what the first has done
    sqlx::query("select pg_advisory_xact_lock(7245, 0)").execute(tx.conn()).await?;
    hold(tx, id).await?;
    let others: i64 = sqlx::query_scalar(
        "select count(*) from app.operators where id <> $1 and disabled_at is null and password_hash is not null",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    if others == 0 && !has_token {
        return Err(Error::conflict("last_operator", "nobody else could log in: let somebody else in first"));
    }
    let disabled =
        sqlx::query("update app.operators set disabled_at = app.now() where id = $1 and disabled_at is null")
            .bind(id)
            .execute(tx.conn())
            .await?;
    if disabled.rows_affected() == 0 {
        return Err(Error::conflict("operator_disabled", "this operator is disabled already"));
    }
    end_links(tx, id).await?;
    end_sessions(tx, id).await?;
    note(tx, by, "disable", id).await?;
    get(tx, id).await
}

/// Lets somebody in again, by what they had.
pub async fn enable(tx: &mut PlatformTx, id: OperatorId, by: &By) -> Result<Operator, Error> {
    hold(tx, id).await?;
    let enabled = sqlx::query("update app.operators set disabled_at = null where id = $1 and disabled_at is not null")
        .bind(id)
        .execute(tx.conn())
        .await?;
    if enabled.rows_affected() == 0 {
        return Err(Error::conflict("operator_enabled", "this operator is not disabled"));
    }
    note(tx, by, "enable", id).await?;
    get(tx, id).await
}

/// Takes the row, so that what follows is decided on what it says now.
async fn hold(tx: &mut PlatformTx, id: OperatorId) -> Result<(), Error> {
    sqlx::query_scalar::<_, bool>("select true from app.operators where id = $1 for no key update")
        .bind(id)
        .fetch_one(tx.conn())
        .await?;
    Ok(())
}

/// Ends all sessions of somebody, those inside tenants too.
async fn end_sessions(tx: &mut PlatformTx, id: OperatorId) -> Result<(), Error> {
    sqlx::query(
        "with own as (update app.operator_sessions set revoked_at = app.now() where operator_id = $1 and revoked_at is null)
         update crm.sessions set revoked_at = app.now() where impersonator_id = $1 and revoked_at is null",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn note(tx: &mut PlatformTx, by: &By, act: &str, id: OperatorId) -> Result<(), Error> {
    Ok(admin::note(tx, by, act, ("operator", &id.to_string()), 0).await?)
}

/// What a link's page shows to whoever holds it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = OperatorInvitation)]
pub struct Shown {
    /// What they will log in with.
    pub email: String,
    /// The name they were invited by.
    pub name: String,
}

/// Whose link that is. One that is unknown, used or too old is [`Error::NotFound`].
pub async fn look(app: &App, token: &str) -> Result<Shown, Error> {
    let mut tx = operator::tx(app).await?;
    Ok(sqlx::query_as(
        "select o.email, o.name from app.operator_links l join app.operators o on o.id = l.operator_id
          where l.token_hash = $1 and l.used_at is null and l.expires_at > app.now() and o.disabled_at is null",
    )
    .bind(token_hash(token))
    .fetch_one(tx.conn())
    .await?)
}

/// What whoever holds a link sets up an authenticator with: sealed into a value that comes back with the first code, so that nothing of somebody who has
/// a second factor changes before they use the link.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorSetup)]
pub struct SetupShown {
    /// The secret, and the address of its QR code.
    #[serde(flatten)]
    pub setup: Setup,
    /// Comes back with the first code.
    pub sealed: String,
}

/// Begins to set up an authenticator by a link.
pub async fn begin(app: &App, token: &str) -> Result<SetupShown, Error> {
    let (sealed, setup) = second_factor::new_secret(&app.keys, look(app, token).await?.email)?;
    Ok(SetupShown { setup, sealed: URL_SAFE_NO_PAD.encode(sealed) })
}

/// Sets the password and the second factor of whoever holds the link; their other sessions end. Of two who use one link one is right.
pub async fn accept(
    app: &App,
    token: &str,
    password: SecretString,
    (sealed, code): (&str, &SecretString),
) -> Result<(), Error> {
    look(app, token).await?;
    let wrong = || Error::invalid("code", "code_wrong", "the code is wrong: check the clock of the authenticator");
    let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| wrong())?;
    let hash = password::hash("password", password).await?;
    let mut tx = operator::tx(app).await?;
    let code = second_factor::plain(code.expose_secret());
    // what was not sealed by us opens to nothing
    let step = second_factor::step_of(&app.keys, &sealed, &code, tx.now()).map_err(|_| wrong())?.ok_or_else(wrong)?;
    let id: OperatorId = sqlx::query_scalar(
        "with used as (
           update app.operator_links set used_at = app.now() where token_hash = $1 and used_at is null and expires_at > app.now() returning operator_id)
         update app.operators o set password_hash = $2, totp_secret = $3, totp_confirmed_at = app.now(), totp_step = $4
           from used where o.id = used.operator_id and o.disabled_at is null returning o.id",
    )
    .bind(token_hash(token))
    .bind(hash)
    .bind(sealed)
    .bind(step)
    .fetch_one(tx.conn())
    .await?;
    end_sessions(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

/// What a log-in needs to know.
#[derive(sqlx::FromRow)]
struct Candidate {
    id: OperatorId,
    password_hash: Option<String>,
    totp_secret: Option<Vec<u8>>,
}

/// What somebody gives to log in.
pub struct LogIn {
    /// The e-mail.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// A code of the authenticator.
    pub code: Option<SecretString>,
    /// Where the request came from.
    pub address: IpAddr,
    /// The browser, as it names itself.
    pub user_agent: Option<String>,
}

/// Logs somebody in; answers the cookie's value, and until when it is worth something. Unknown names, wrong passwords and disabled ones get the same
/// answer after the same work.
pub async fn open(app: &App, login: LogIn) -> Result<(String, DateTime<Utc>), Error> {
    let email = users::normal_email(&login.email);
    if email.contains('\0') || email.len() > 254 {
        return Err(Error::BadCredentials);
    }
    let attempt = throttle::admit(app, &format!("operator {email}"), login.address).await?;
    let mut tx = operator::tx(app).await?;
    let known: Option<Candidate> = sqlx::query_as(
        "select o.id, o.password_hash, o.totp_secret from app.operators o where o.email = $1 and o.disabled_at is null",
    )
    .bind(&email)
    .fetch_optional(tx.conn())
    .await?;
    drop(tx);
    let hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let fits = password::verify(login.password, hash).await?;
    let Some((known, sealed)) = known.filter(|_| fits).and_then(|mut known| {
        let sealed = known.totp_secret.take()?;
        Some((known, sealed))
    }) else {
        return Err(Error::BadCredentials);
    };
    let Some(code) = login.code else {
        throttle::undecided(app, &attempt).await?;
        return Err(Error::CodeNeeded);
    };
    let mut tx = operator::tx(app).await?;
    let code = second_factor::plain(code.expose_secret());
    let step = second_factor::step_of(&app.keys, &sealed, &code, tx.now())?.ok_or(Error::BadCode)?;
    let session_id = SessionId::new();
    // of two that bring one code the second finds its step used, and who was disabled meanwhile is out
    let expires_at: Option<DateTime<Utc>> = sqlx::query_scalar(
        "with used as (
           update app.operators o set totp_step = $2 where o.id = $1 and o.disabled_at is null and o.totp_step < $2 and o.totp_secret = $7 returning o.id)
         insert into app.operator_sessions (id, operator_id, expires_at, user_agent, ip)
           select $3, used.id, app.now() + make_interval(hours => $4), $5, $6::inet from used returning expires_at",
    )
    .bind(known.id)
    .bind(step)
    .bind(session_id)
    .bind(i32::try_from(HOURS).unwrap_or(12))
    .bind(login.user_agent.map(|agent| sessions::shown_agent(&agent)))
    .bind(login.address.to_string())
    .bind(sealed)
    .fetch_optional(tx.conn())
    .await?;
    let expires_at = expires_at.ok_or(Error::BadCode)?;
    tx.commit().await?;
    throttle::succeeded(app, &attempt).await?;
    Ok((cookie(&app.keys, session_id), expires_at))
}

/// Who has that session, while it is live.
pub(super) async fn find(app: &App, session_id: SessionId) -> Result<Option<Person>, Error> {
    let mut tx = operator::tx(app).await?;
    Ok(sqlx::query_as(
        "select o.id, o.email, o.name, s.id as session_id from app.operator_sessions s join app.operators o on o.id = s.operator_id
          where s.id = $1 and s.revoked_at is null and s.expires_at > app.now() and o.disabled_at is null",
    )
    .bind(session_id)
    .fetch_optional(tx.conn())
    .await?)
}

/// Ends a session.
pub async fn close(tx: &mut PlatformTx, person: &Person) -> Result<(), Error> {
    sqlx::query("update app.operator_sessions set revoked_at = app.now() where id = $1 and revoked_at is null")
        .bind(person.session_id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn cookie(keys: &Keys, id: SessionId) -> String {
    let id = id.uuid().into_bytes();
    URL_SAFE_NO_PAD.encode([id.as_slice(), &keys.sign(PURPOSE, &id)].concat())
}

/// The session in a cookie's value, if it was made by this installation for a person.
pub(super) fn read_cookie(keys: &Keys, value: &str) -> Option<SessionId> {
    let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
    let (id, tag) = bytes.split_first_chunk::<16>()?;
    keys.verify(PURPOSE, id, tag).then(|| Uuid::from_bytes(*id).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_s_cookie_is_no_other_cookie() {
        let keys = Keys::parse(&"ab".repeat(32).into()).unwrap();
        let id = SessionId::new();
        let value = cookie(&keys, id);
        assert_eq!(read_cookie(&keys, &value), Some(id));
        assert_eq!(sessions::read_token(&keys, &value), None);
        assert_eq!(read_cookie(&keys, &sessions::token(&keys, id.uuid().into())), None);
        assert_eq!(read_cookie(&Keys::parse(&"cd".repeat(32).into()).unwrap(), &value), None);
        assert_eq!(read_cookie(&keys, ""), None);
    }
}
