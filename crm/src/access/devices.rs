//! Browsers by which somebody has logged in. One that is new to them is news in their other sessions until one of those says whose it was. A browser is
//! known by a cookie of its own, of which a hash is kept; it lets nobody in.

use chrono::{DateTime, Utc};
use db::{Id, PlatformTx, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{audit, caller::Caller, sessions::SessionId, users::UserId};
use crate::{
    Error,
    events::{self, Event},
    secrets::{random_bytes, token_hash},
};

/// How long a device is kept after its last log-in, in days. Browsers keep no cookie for longer.
pub const DAYS: i32 = 400;
/// After so many days in which nobody has said anything a device is known, and no news any more: whoever has lost the only one that could speak for others
/// would never have one again.
const NEWS_DAYS: i32 = 30;
/// Devices that are kept of one person.
const MOST: i64 = 50;

/// A device.
#[derive(Debug)]
pub enum Device {}
/// The id of a device.
pub type DeviceId = Id<Device>;

/// What a log-in has come from.
pub(super) struct Met {
    /// The value of the device's cookie; none where it is no browser.
    pub token: Option<String>,
    /// The device.
    pub device_id: Option<DeviceId>,
    /// It is news to whose log-in it is.
    pub is_new: bool,
}

/// Meets what somebody logs in from. The first device of a person is no news. What gives itself no name is a program that keeps no cookies: it is none, and
/// news wherever there is one.
pub(super) async fn meet(
    tx: &mut TenantTx,
    user_id: UserId,
    user_agent: Option<&str>,
    brought: Option<&str>,
) -> Result<Met, Error> {
    // Whoever says whose a session was has their turn in the audit before they touch its device: were it taken here after a device, the two could wait for each
    // other. It also has two log-ins at once come one after the other, so that one of them is the first.
    audit::take_turn(tx).await?;
    if user_agent.is_none_or(str::is_empty) {
        let is_new: bool = sqlx::query_scalar(
            "select exists (select from crm.devices d where d.tenant_id = app.tenant_id() and d.user_id = $1)",
        )
        .bind(user_id)
        .fetch_one(tx.conn())
        .await?;
        return Ok(Met { token: None, device_id: None, is_new });
    }
    let token = brought.filter(|token| is_token(token)).map_or_else(new_token, str::to_owned);
    let (device_id, is_new): (DeviceId, bool) = sqlx::query_as(
        "insert into crm.devices as d (id, user_id, device_hash, recognized_at)
         values ($1, $2, $3, case when not exists (select from crm.devices o where o.tenant_id = app.tenant_id() and o.user_id = $2) then app.now() end)
         on conflict (tenant_id, user_id, device_hash) do update set seen_at = app.now()
         returning d.id, d.recognized_at is null and d.created_at > app.now() - make_interval(days => $4)",
    )
    .bind(DeviceId::new())
    .bind(user_id)
    .bind(hash(user_id, &token))
    .bind(NEWS_DAYS)
    .fetch_one(tx.conn())
    .await?;
    if is_new {
        make_room(tx, user_id, device_id).await?;
    }
    Ok(Met { token: Some(token), device_id: Some(device_id), is_new })
}

/// Keeps so many of somebody's devices: those that are not known go first, so that strangers push out none that is, and then the least recently seen.
async fn make_room(tx: &mut TenantTx, user_id: UserId, but: DeviceId) -> Result<(), Error> {
    sqlx::query(
        "delete from crm.devices d where d.tenant_id = app.tenant_id() and d.id in (
           select o.id from crm.devices o where o.tenant_id = app.tenant_id() and o.user_id = $1
            order by o.id = $2 desc, o.recognized_at is null, o.seen_at desc, o.id desc offset $3)",
    )
    .bind(user_id)
    .bind(but)
    .bind(MOST)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Has somebody's sessions read anew what is news.
pub(super) async fn tell(tx: &mut TenantTx, user_id: UserId, session_id: SessionId) -> Result<(), Error> {
    let (tenant_id, user_id, session_id) = (tx.tenant_id(), user_id.uuid(), session_id.uuid());
    events::emit_to(tx, tenant_id, user_id, &Event::DeviceChanged { session_id }).await?;
    Ok(())
}

/// A device by which somebody has logged in as the caller, and of which nobody has said whose it is.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct NewDevice {
    /// Its first session, which may have ended since.
    #[schema(value_type = Uuid)]
    pub session_id: SessionId,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// The browser, as it names itself.
    pub user_agent: Option<String>,
    /// Where it was opened from.
    pub ip: Option<String>,
    /// Whether the session that asks may say that it was the person: one from a new device itself may not.
    pub may_be_recognized: bool,
}

/// What is news to the caller's session, newest first: nothing of its own device, and nothing to a key or an operator in the person's place.
pub async fn news(tx: &mut TenantTx, caller: &Caller) -> Result<Vec<NewDevice>, Error> {
    if caller.impersonator_id.is_some() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as(
        "select s.id as session_id, s.created_at, s.user_agent, host(s.ip) as ip,
                not own.is_new_device or own.device_answered_at is not null as may_be_recognized
           from crm.sessions own
           join crm.sessions s on s.tenant_id = own.tenant_id and s.user_id = own.user_id and s.is_new_device and s.device_answered_at is null
          where own.tenant_id = app.tenant_id() and own.id = $1 and s.id <> own.id and (s.device_id = own.device_id) is not true
            and s.created_at > app.now() - make_interval(days => $2)
            -- of a device the first, by which all of its sessions are answered
            and not exists (select from crm.sessions o where o.tenant_id = s.tenant_id and o.user_id = s.user_id and o.device_id = s.device_id
                               and o.is_new_device and o.device_answered_at is null and o.id < s.id)
          order by s.id desc limit 10",
    )
    .bind(caller.session_id())
    .bind(NEWS_DAYS)
    .fetch_all(tx.conn())
    .await?)
}

/// A session of which somebody says whose it was.
#[derive(sqlx::FromRow)]
struct Asked {
    device_id: Option<DeviceId>,
    /// Nobody has said so yet.
    is_news: bool,
    /// Whoever says it does so from another device.
    is_by_another: bool,
    /// And from one that is not news itself.
    is_by_known: bool,
}

/// One of the caller's own; any other is [`Error::NotFound`].
async fn asked(tx: &mut TenantTx, caller: &Caller, id: SessionId) -> Result<Asked, Error> {
    Ok(sqlx::query_as(
        "select s.device_id, s.is_new_device and s.device_answered_at is null as is_news,
                own.id is not null and own.id <> s.id and (s.device_id = own.device_id) is not true as is_by_another,
                coalesce(not own.is_new_device or own.device_answered_at is not null, false) as is_by_known
           from crm.sessions s
           left join crm.sessions own on own.tenant_id = s.tenant_id and own.user_id = s.user_id and own.id = $3
          where s.tenant_id = app.tenant_id() and s.user_id = $1 and s.id = $2",
    )
    .bind(caller.user_id)
    .bind(id)
    .bind(caller.session_id())
    .fetch_one(tx.conn())
    .await?)
}

/// It was the person: the device of that session is known from now on. A session says so of no device that is its own, and of none while its own is news: whoever
/// has come in would vouch for themselves. What is no news needs no answer.
pub async fn recognize(tx: &mut TenantTx, caller: &Caller, id: SessionId) -> Result<(), Error> {
    let asked = asked(tx, caller, id).await?;
    if !asked.is_news {
        return Ok(());
    }
    if !(asked.is_by_another && asked.is_by_known) {
        let message = "say so in a session of another browser, one that is not new itself";
        return Err(Error::conflict("device_not_known", message));
    }
    sqlx::query(
        "update crm.sessions s set device_answered_at = app.now()
          where s.tenant_id = app.tenant_id() and s.user_id = $1 and (s.id = $2 or s.device_id = $3) and s.is_new_device and s.device_answered_at is null",
    )
    .bind(caller.user_id)
    .bind(id)
    .bind(asked.device_id)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "update crm.devices d set recognized_at = app.now() where d.tenant_id = app.tenant_id() and d.id = $1 and d.recognized_at is null",
    )
    .bind(asked.device_id)
    .execute(tx.conn())
    .await?;
    tell(tx, caller.user_id, id).await
}

/// It was not the person: the device's sessions end, and it is forgotten, so that its next log-in is news again. False where that session is no news, or of the
/// caller's own device: to end that one says nothing.
pub(super) async fn disown(tx: &mut TenantTx, caller: &Caller, id: SessionId) -> Result<bool, Error> {
    let asked = asked(tx, caller, id).await?;
    if !(asked.is_news && asked.is_by_another) {
        return Ok(false);
    }
    sqlx::query(
        "update crm.sessions s set revoked_at = coalesce(s.revoked_at, app.now()),
                device_answered_at = case when s.is_new_device then coalesce(s.device_answered_at, app.now()) end
          where s.tenant_id = app.tenant_id() and s.user_id = $1 and (s.id = $2 or s.device_id = $3)
            and (s.revoked_at is null or s.is_new_device and s.device_answered_at is null)",
    )
    .bind(caller.user_id)
    .bind(id)
    .bind(asked.device_id)
    .execute(tx.conn())
    .await?;
    sqlx::query("delete from crm.devices d where d.tenant_id = app.tenant_id() and d.id = $1")
        .bind(asked.device_id)
        .execute(tx.conn())
        .await?;
    tell(tx, caller.user_id, id).await?;
    Ok(true)
}

/// Removes those that were not seen for so long that their cookies are gone too.
pub(super) async fn prune(tx: &mut PlatformTx) -> Result<(), Error> {
    sqlx::query("delete from crm.devices d where d.seen_at < app.now() - make_interval(days => $1)")
        .bind(DAYS)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// 128 random bits, as hex.
fn new_token() -> String {
    random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// What is kept of a cookie, for one person: nothing says that another uses the same browser.
fn hash(user_id: UserId, token: &str) -> Vec<u8> {
    token_hash(&format!("{user_id} {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_taken_only_as_it_was_made_and_kept_as_a_hash_of_each_person() {
        let token = new_token();
        assert!(is_token(&token) && token != new_token());
        for other in ["", &token[1..], &format!("{token}0"), &"Z".repeat(32), &"é".repeat(16)] {
            assert!(!is_token(other), "{other}");
        }
        let (one, other) = (UserId::new(), UserId::new());
        assert_eq!(hash(one, &token), hash(one, &token));
        assert_ne!(hash(one, &token), hash(other, &token));
    }
}
