//! Who asks: the answer to a cookie or a bearer token, looked up once a request.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use db::{Actor, Narrow, TenantTx};
use uuid::Uuid;

use super::{
    api_keys::{self, ApiKeyId},
    impersonation,
    key_limits::Allowance,
    permission::{Permission, Permissions, Scope},
    sessions::{self, SessionId},
    sight::Sight,
    users::UserId,
};
use crate::{App, Error, tenancy::State};

/// How long a proof holds for what is dangerous.
const PROOF_HOLDS: TimeDelta = TimeDelta::minutes(10);

/// What a request brings to say who asks.
#[derive(Clone)]
pub enum Credential {
    /// The value of the session's cookie.
    Session(String),
    /// An API key.
    Key(String),
}

/// By what somebody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// A session.
    Session(SessionId),
    /// An API key.
    Key(ApiKeyId),
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session:{id}"),
            Self::Key(id) => write!(f, "key:{id}"),
        }
    }
}

/// A text that names neither a session nor a key.
#[derive(Debug, thiserror::Error)]
#[error("this names no session and no key")]
pub struct UnknownVia;

impl FromStr for Via {
    type Err = UnknownVia;
    fn from_str(text: &str) -> Result<Self, UnknownVia> {
        let (kind, id) = text.split_once(':').ok_or(UnknownVia)?;
        match kind {
            "session" => id.parse().map(Self::Session).map_err(|_| UnknownVia),
            "key" => id.parse().map(Self::Key).map_err(|_| UnknownVia),
            _ => Err(UnknownVia),
        }
    }
}

/// Who asks, in which tenant, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The person, or the maker of the key.
    pub user_id: UserId,
    /// What they may do.
    pub permissions: Permissions,
    /// Who is in their teams, where a permission of theirs reaches as far as that.
    pub mates: Arc<[Uuid]>,
    /// By what they are known.
    pub via: Via,
    /// The tenant may look, but change nothing.
    pub is_suspended: bool,
    /// The tenant asks for a second factor that this person has not set up: until then nothing else is open to them.
    pub lacks_factor: bool,
    /// When they last gave what they log in with; never by a key.
    pub proven_at: Option<DateTime<Utc>>,
    /// The operator of the platform who acts in the person's place.
    pub impersonator_id: Option<Uuid>,
}

impl Caller {
    /// Refuses whoever lacks the permission.
    pub fn require(&self, permission: Permission) -> Result<(), Error> {
        if self.permissions.contains(permission) {
            return Ok(());
        }
        let is_withheld = self.impersonator_id.is_some() && impersonation::withheld().contains(permission);
        if is_withheld { Err(Error::Impersonated) } else { Err(Error::Forbidden(permission.name())) }
    }
    /// Refuses whoever lacks the permission for what somebody has, or nobody.
    pub fn require_of(&self, permission: Permission, assignee: Option<UserId>) -> Result<(), Error> {
        self.require(permission)?;
        let scope = self.permissions.scope(permission).unwrap_or(Scope::Own);
        match Sight::of(scope, self.user_id, &self.mates) {
            Sight::Within(within) if !within.covers(assignee.map(UserId::uuid)) => {
                Err(Error::OutOfScope(permission.name()))
            }
            Sight::All | Sight::Within(_) => Ok(()),
        }
    }
    /// Refuses whoever lacks the permission for everything.
    pub fn require_whole(&self, permission: Permission) -> Result<(), Error> {
        self.require(permission)?;
        match self.permissions.scope(permission) {
            Some(Scope::All) => Ok(()),
            Some(Scope::Own | Scope::Team) | None => Err(Error::OutOfScope(permission.name())),
        }
    }
    /// Refuses whoever does not see all conversations, where all that was said with somebody would be told. Who sees none is out of scope as who sees some:
    /// the permission that opens it they have.
    pub fn require_whole_sight(&self) -> Result<(), Error> {
        match self.permissions.scope(Permission::ConversationsView) {
            Some(Scope::All) => Ok(()),
            Some(Scope::Own | Scope::Team) | None => Err(Error::OutOfScope(Permission::ConversationsView.name())),
        }
    }
    /// Which conversations they see by what that permission opens.
    #[must_use]
    pub fn sight(&self, permission: Permission) -> Sight {
        Sight::by(self.permissions, permission, self.user_id, &self.mates)
    }
    /// Refuses to put into a role, or a team, what the caller may not do, or not so far.
    pub fn within_own(&self, permissions: Permissions) -> Result<(), Error> {
        match permissions.beyond(self.permissions) {
            None => Ok(()),
            Some(beyond) => self.require(beyond).and(Err(Error::OutOfScope(beyond.name()))),
        }
    }
    /// Refuses to give a role that grants these, or to take it away, where it grants what the caller may not do, or not so far.
    pub fn may_grant(&self, permissions: Permissions) -> Result<(), Error> {
        match permissions.beyond(self.permissions) {
            None => Ok(()),
            Some(beyond) => {
                let message = format!("this role may {beyond}, which you may not, or not so far");
                Err(Error::conflict("role_beyond_own", message))
            }
        }
    }
    /// Refuses to make a way into the place of somebody who may do these, where that reaches what the caller may not do: what is that person's own is not the
    /// caller's own.
    pub fn may_stand_in(&self, id: UserId, permissions: Permissions) -> Result<(), Error> {
        if id == self.user_id {
            return self.may_grant(permissions);
        }
        self.may_grant(permissions.of_another(self.mates.contains(&id.uuid())))
    }
    /// Refuses what is dangerous to whoever has not proven lately who they are: somebody may sit at a screen that was left open.
    pub fn require_proof(&self, now: DateTime<Utc>) -> Result<(), Error> {
        match self.proven_at {
            Some(at) if now - at < PROOF_HOLDS => Ok(()),
            _ => Err(Error::ProofNeeded),
        }
    }
    /// Who acts, for the audit trail.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        match (self.via, self.impersonator_id) {
            (Via::Session(_), None) => Actor::User(self.user_id.uuid()),
            (Via::Session(_), Some(operator_id)) => Actor::Impersonator { user_id: self.user_id.uuid(), operator_id },
            (Via::Key(id), _) => Actor::Key(id.uuid()),
        }
    }
    /// The session, if it is a person.
    #[must_use]
    pub const fn session_id(&self) -> Option<SessionId> {
        match self.via {
            Via::Session(id) => Some(id),
            Via::Key(_) => None,
        }
    }
    /// A transaction in the caller's tenant, for what is not a matter of single conversations.
    pub async fn tx(&self, app: &App) -> Result<TenantTx, Error> {
        self.tx_within(app, &Sight::All).await
    }
    /// The same, in which no other conversations are there than those of that sight.
    pub async fn tx_within(&self, app: &App, sight: &Sight) -> Result<TenantTx, Error> {
        let (tenant, actor) = (self.tenant_id, self.actor());
        Ok(match sight {
            Sight::All => app.db.tenant(tenant, actor).await?,
            Sight::Within(within) => {
                let (users, with_unassigned) = (Arc::clone(&within.users), within.with_unassigned);
                let narrow = Narrow { users, with_unassigned, who: self.via.to_string() };
                app.db.tenant_within(tenant, actor, narrow).await?
            }
        })
    }
}

/// Who brings that credential; Unauthorized where it is unknown, expired or revoked.
pub async fn identify(app: &App, credential: &Credential) -> Result<Caller, Error> {
    Ok(recognize(app, credential).await?.0)
}

/// The same, with what a key may ask for.
pub async fn recognize(app: &App, credential: &Credential) -> Result<(Caller, Option<Allowance>), Error> {
    match credential {
        Credential::Session(token) => {
            let id = sessions::read_token(&app.keys, token).ok_or(Error::Unauthorized)?;
            Ok((of_session(&sessions::find(app, id).await?.ok_or(Error::Unauthorized)?), None))
        }
        Credential::Key(token) => {
            let (live, allowance) = api_keys::find(app, token).await?.ok_or(Error::Unauthorized)?;
            Ok((of_key(&live), Some(allowance)))
        }
    }
}

/// Who of these is still known, and what they may do now: one look for all that stay connected, a statement for each kind of credential
/// that there is. Who is missing is known no more.
pub async fn recheck(app: &App, known: &[(Uuid, Via)]) -> Result<HashMap<Via, Caller>, Error> {
    let (mut of_sessions, mut of_keys) = (Vec::new(), Vec::new());
    for (tenant_id, via) in known {
        match via {
            Via::Session(id) => of_sessions.push((*tenant_id, *id)),
            Via::Key(id) => of_keys.push((*tenant_id, *id)),
        }
    }
    let mut found = HashMap::with_capacity(known.len());
    if !of_sessions.is_empty() {
        found.extend(
            sessions::find_all(app, &of_sessions).await?.iter().map(of_session).map(|caller| (caller.via, caller)),
        );
    }
    if !of_keys.is_empty() {
        found.extend(api_keys::find_all(app, &of_keys).await?.iter().map(of_key).map(|caller| (caller.via, caller)));
    }
    Ok(found)
}

/// Who is known by that in that tenant, if anybody still is.
pub async fn known(app: &App, tenant_id: Uuid, via: Via) -> Result<Option<Caller>, Error> {
    Ok(recheck(app, &[(tenant_id, via)]).await?.remove(&via))
}

fn of_session(live: &sessions::Live) -> Caller {
    Caller {
        tenant_id: live.tenant_id,
        user_id: live.user_id,
        permissions: match live.impersonator_id {
            None => live.granted.permissions(),
            Some(_) => live.granted.permissions().without(impersonation::withheld()),
        },
        mates: live.granted.mates(),
        via: Via::Session(live.id),
        is_suspended: live.tenant_state == State::Suspended,
        lacks_factor: live.lacks_factor,
        // whoever is inside in somebody's place can't prove to be them
        proven_at: live.impersonator_id.is_none().then_some(live.proven_at),
        impersonator_id: live.impersonator_id,
    }
}

fn of_key(live: &api_keys::Live) -> Caller {
    Caller {
        tenant_id: live.tenant_id,
        user_id: live.created_by,
        permissions: live.permissions(),
        mates: live.mates(),
        via: Via::Key(live.id),
        is_suspended: live.tenant_state == State::Suspended,
        lacks_factor: false,
        proven_at: None,
        impersonator_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_what_somebody_is_known_is_read_as_it_is_written() {
        for via in [Via::Session(SessionId::new()), Via::Key(ApiKeyId::new())] {
            assert_eq!(via.to_string().parse::<Via>().unwrap(), via);
        }
        for other in ["", "session:", "user:01890000-0000-7000-8000-000000000000", "session:x"] {
            assert!(other.parse::<Via>().is_err(), "{other}");
        }
    }
}
