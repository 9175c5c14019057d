//! Logging in, linking and proving by OpenID Connect: the authorization code flow, begun by one request and ended by another, in whatever process they arrive.
//! What a provider vouches for is checked in `clients::oidc`; here it is decided who that is, and what is open to them.

use std::net::IpAddr;

use chrono::TimeDelta;
use clients::oidc::{Fault, Returned};
use db::{Actor, Scope};
use secrecy::SecretString;

mod known;

pub use super::begun::{SECONDS, Ticket, handle_of};
use super::{
    begun::{self, Begun, Plan, Purpose, Who},
    caller::Caller,
    identities::{self, Said},
    providers::{self, Usable, Which},
    second_factor,
    sessions::{self, Opened, Origin},
    throttle,
    users::{self, UserId},
};
use crate::{App, Error};

/// How far a provider's clock may be behind ours where it says when somebody logged in.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// What a provider says of whoever has given more than one thing (RFC 8176).
const SEVERAL_FACTORS: &str = "mfa";

/// A log-in that is to begin.
pub struct LogIn {
    /// At which provider.
    pub provider: Which,
    /// Into which tenant, where the installation's provider is used and it was said.
    pub tenant: Option<String>,
    /// Where to go afterwards: a path of ours.
    pub return_to: Option<String>,
    /// Where the request came from.
    pub address: IpAddr,
}

/// What has begun.
pub struct Departure {
    /// Where the browser goes.
    pub url: String,
    /// What it keeps meanwhile.
    pub ticket: Ticket,
}

/// Where a request comes from.
pub struct Whence {
    /// The address.
    pub address: IpAddr,
    /// The browser, as it names itself.
    pub user_agent: Option<String>,
    /// The value of its device's cookie, if it has one.
    pub device: Option<String>,
}

/// What came of a log-in that has come back.
pub enum Arrival {
    /// They are in.
    Open {
        /// The session.
        opened: Opened,
        /// Where they wanted to.
        return_to: String,
    },
    /// A code of the second factor is missing.
    CodeNeeded,
    /// Somebody logged in is known there from now on, or has proven who they are.
    Done {
        /// Where they were.
        return_to: String,
    },
}

/// Why it came to nothing, and where whoever tried goes.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// Where they were; none for a log-in.
    pub return_to: Option<String>,
}

/// What comes back with the browser.
pub struct Answer {
    /// Which provider's address it has come to.
    pub provider: Which,
    /// The state.
    pub state: String,
    /// What the browser kept.
    pub token: Option<String>,
    /// The code; none where the provider refuses.
    pub code: Option<String>,
    /// Who says so, where it does.
    pub issuer: Option<String>,
}

/// A path of our own, and nothing a browser would take for another site.
fn own_path(path: Option<String>) -> Result<String, Error> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2000
        && !path.contains('\\')
        && !path.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    if is_own { Ok(path) } else { Err(Error::invalid("return_to", "return_to_foreign", "this is not a path of ours")) }
}

fn of_fault(fault: &Fault) -> Error {
    tracing::info!(%fault, "a log-in by an identity provider came to nothing");
    let (code, message) = match fault {
        Fault::Unreachable(_) => ("identity_provider_unreachable", "the identity provider does not answer"),
        Fault::Faulty(_) => {
            ("identity_provider_faulty", "the identity provider answers what the standard does not know")
        }
        Fault::Refused(_) => ("identity_provider_refused", "the identity provider refuses"),
        Fault::Untrusted(_) => ("identity_not_trusted", "what the identity provider sent can't be trusted"),
    };
    Error::conflict(code, message)
}

fn expired() -> Error {
    Error::conflict("log_in_expired", "this log-in has been used, is too old, or was begun in another browser")
}

fn unknown() -> Error {
    Error::conflict("identity_unknown", "nobody here is known by that")
}

/// A page has no header to say how long: it is said in the code.
fn throttled(error: Error) -> Error {
    match error {
        Error::Limited { .. } => {
            Error::conflict("log_in_throttled", "too many log-ins from here came to nothing: wait a quarter of an hour")
        }
        error => error,
    }
}

/// Begins a log-in.
pub async fn begin(app: &App, log_in: LogIn) -> Result<Departure, Error> {
    let return_to = own_path(log_in.return_to)?;
    throttle::begins(app, log_in.address).await?;
    let provider = providers::find(app, log_in.provider).await?.ok_or(Error::NotFound)?;
    let tenant = log_in.tenant.filter(|_| provider.which == Which::Installation);
    depart(app, &provider, (Purpose::LogIn, None), (tenant.as_deref(), &return_to)).await
}

/// Begins to link whoever is logged in. It takes a proof.
pub async fn begin_link(
    app: &App,
    caller: &Caller,
    provider: Which,
    return_to: Option<String>,
) -> Result<Departure, Error> {
    let return_to = own_path(return_to)?;
    caller.require_proof(caller.tx(app).await?.now())?;
    let (provider, who) = (own(app, caller, provider).await?, who(caller)?);
    depart(app, &provider, (Purpose::Link, Some(who)), (None, &return_to)).await
}

/// Begins a proof by the provider, which has them log in there anew. Whoever has a second factor here gives a code of it first.
pub async fn begin_proof(
    app: &App,
    caller: &Caller,
    provider: Which,
    (return_to, code): (Option<String>, Option<&SecretString>),
    address: IpAddr,
) -> Result<Departure, Error> {
    let return_to = own_path(return_to)?;
    let (provider, who) = (own(app, caller, provider).await?, who(caller)?);
    sessions::require_code(app, caller, address, code).await?;
    depart(app, &provider, (Purpose::Prove, Some(who)), (None, &return_to)).await
}

fn who(caller: &Caller) -> Result<Who, Error> {
    // a key has no browser to send anywhere
    let session_id = caller.session_id().ok_or(Error::ProofNeeded)?;
    Ok(Who { tenant_id: caller.tenant_id, user_id: caller.user_id, session_id })
}

/// A provider that the caller's people may use: another tenant's is none.
async fn own(app: &App, caller: &Caller, which: Which) -> Result<Usable, Error> {
    let found = providers::find(app, which).await?;
    found.filter(|found| found.tenant_id.is_none_or(|id| id == caller.tenant_id)).ok_or(Error::NotFound)
}

async fn depart(
    app: &App,
    provider: &Usable,
    (purpose, who): (Purpose, Option<Who>),
    (tenant_slug, return_to): (Option<&str>, &str),
) -> Result<Departure, Error> {
    let plan =
        Plan { purpose, provider_id: provider.which.own(), issuer: &provider.issuer, tenant_slug, who, return_to };
    let (binding, ticket) = begun::insert(app, plan).await?;
    let is_fresh = purpose == Purpose::Prove;
    let url = app.oidc.begin(&provider.party(), &binding, is_fresh).await.map_err(|fault| of_fault(&fault))?;
    Ok(Departure { url: url.into(), ticket })
}

/// Ends what was begun: whoever comes back with a state, from the browser that began, is logged in, linked, or has proven who they are. `session` is who
/// is logged in there now.
pub async fn finish(app: &App, answer: Answer, session: Option<&Caller>, from: Whence) -> Result<Arrival, Failure> {
    // an address has so many tries; the name is that of this log-in, so that nobody uses up another's
    let name = format!("begun {}", handle_of(&answer.state).unwrap_or_default());
    let attempt = throttle::admit(app, &name, from.address).await;
    let attempt = attempt.map_err(|error| Failure { error: throttled(error), return_to: None })?;
    let taken = match (&answer.token, handle_of(&answer.state)) {
        (Some(token), Some(_)) => begun::take(app, &answer.state, token).await,
        _ => Ok(None),
    };
    let begun = match taken {
        Ok(Some(begun)) => begun,
        Ok(None) => return Err(Failure { error: expired(), return_to: None }),
        Err(error) => return Err(Failure { error, return_to: None }),
    };
    let return_to = (begun.purpose != Purpose::LogIn).then(|| begun.return_to.clone());
    let arrived = arrive(app, &begun, answer, session, from).await;
    let decided = match &arrived {
        Ok(Arrival::Open { .. } | Arrival::Done { .. }) => Some(true),
        Err(error) if matches!(error.code(), "identity_unknown" | "identity_not_trusted" | "email_not_verified") => {
            None
        }
        // what a provider fails at, or somebody thinks better of, is nobody's guess
        Ok(Arrival::CodeNeeded) | Err(_) => Some(false),
    };
    let settled = match decided {
        Some(true) => throttle::succeeded(app, &attempt).await,
        Some(false) => throttle::undecided(app, &attempt).await,
        None => Ok(()),
    };
    match settled {
        Ok(()) => arrived.map_err(|error| Failure { error, return_to }),
        Err(error) => Err(Failure { error, return_to }),
    }
}

async fn arrive(
    app: &App,
    begun: &Begun,
    answer: Answer,
    session: Option<&Caller>,
    from: Whence,
) -> Result<Arrival, Error> {
    let provider = providers::find(app, answer.provider).await?;
    // it may have been set up anew meanwhile
    let provider = provider.filter(|found| found.issuer == begun.issuer && found.which.own() == begun.provider_id);
    let Some(provider) = provider else {
        return Err(Error::conflict("identity_provider_gone", "this identity provider can't be used any more"));
    };
    let session = match begun.purpose {
        Purpose::LogIn => None,
        Purpose::Link | Purpose::Prove => Some(same(begun, session)?),
    };
    let Some(code) = answer.code else {
        return Err(of_fault(&Fault::Refused("by_its_answer")));
    };
    let now = begun::stranger(app).await?.now();
    let (nonce, verifier) = begun.secrets(app)?;
    let returned = Returned { code: &code, issuer: answer.issuer.as_deref() };
    let vouched = app.oidc.finish(&provider.party(), (&nonce, verifier), &returned, now).await;
    let vouched = vouched.map_err(|fault| of_fault(&fault))?;
    match (begun.purpose, session) {
        (Purpose::LogIn, _) => known::log_in(app, begun, &provider, &vouched, from).await,
        (Purpose::Link | Purpose::Prove, None) => Err(Error::Unauthorized),
        (Purpose::Link, Some(caller)) => {
            let email = app.oidc.email(&provider.party(), &vouched).await.map_err(|fault| of_fault(&fault))?;
            let email = email.map(|email| users::normal_email(&email.address)).filter(|email| is_kept(email));
            let mut tx = caller.tx(app).await?;
            let said = Said { issuer: &begun.issuer, subject: &vouched.subject, email: email.as_deref() };
            identities::link(&mut tx, caller.user_id, said).await?;
            tx.commit().await?;
            Ok(Arrival::Done { return_to: begun.return_to.clone() })
        }
        (Purpose::Prove, Some(caller)) => {
            // a provider that lets in whoever was there before has proven nothing
            if vouched.logged_in_at.is_none_or(|at| at < begun.begun_at - SKEW) {
                let message = "the identity provider did not ask you to log in anew";
                return Err(Error::conflict("identity_proof_stale", message));
            }
            let mut tx = caller.tx(app).await?;
            let said = Said { issuer: &begun.issuer, subject: &vouched.subject, email: None };
            if !identities::used(&mut tx, caller.user_id, said).await? {
                return Err(Error::conflict("identity_other", "that is somebody else than who is logged in here"));
            }
            sessions::note_proof(&mut tx, caller).await?;
            tx.commit().await?;
            Ok(Arrival::Done { return_to: begun.return_to.clone() })
        }
    }
}

/// Whoever is logged in, if it is by the session that began.
fn same<'a>(begun: &Begun, session: Option<&'a Caller>) -> Result<&'a Caller, Error> {
    let caller = session.ok_or(Error::Unauthorized)?;
    let is_same = begun.who().is_some_and(|who| {
        (who.tenant_id, who.user_id, Some(who.session_id)) == (caller.tenant_id, caller.user_id, caller.session_id())
    });
    if is_same { Ok(caller) } else { Err(expired()) }
}

fn is_kept(email: &str) -> bool {
    email.len() <= 254 && !email.contains('\0')
}

/// Ends a log-in that waited for a code of the second factor.
pub async fn finish_with_code(
    app: &App,
    token: &str,
    code: &SecretString,
    from: Whence,
) -> Result<(Opened, String), Error> {
    let waiting = begun::waiting(app, token).await?.ok_or_else(expired)?;
    let awaiting = waiting.awaiting.0;
    let which = waiting.provider_id.map_or(Which::Installation, |id| Which::Own(id.into()));
    if providers::find(app, which).await?.is_none_or(|found| found.issuer != waiting.issuer) {
        return Err(Error::conflict("identity_provider_gone", "this identity provider can't be used any more"));
    }
    let user_id = UserId::from(awaiting.user_id);
    let user = {
        let mut tx = app.db.tenant(awaiting.tenant_id, Actor::User(awaiting.user_id)).await?;
        users::get(&mut tx, user_id).await?
    };
    // wrong codes count together with those after a password
    let attempt = throttle::admit(app, &user.email, from.address).await?;
    let origin = Origin::new(from.address, from.user_agent.as_deref(), from.device);
    let mut tx = app.db.tenant(awaiting.tenant_id, Actor::User(awaiting.user_id)).await?;
    if !second_factor::pass(&mut tx, &app.keys, user_id, code).await? {
        drop(tx);
        origin.refuse(app, vec![(awaiting.tenant_id, user_id)], "code");
        return Err(Error::BadCode);
    }
    tx.commit().await?;
    let opened = known::open(app, &waiting.issuer, awaiting, (origin, false)).await?;
    begun::end(app, waiting.id).await?;
    throttle::succeeded(app, &attempt).await?;
    Ok((opened, waiting.return_to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_our_own_is_gone_back_to() {
        for path in ["/", "/inbox?tab=mine", "/settings/security#x"] {
            assert_eq!(own_path(Some(path.to_owned())).unwrap(), path);
        }
        assert_eq!(own_path(None).unwrap(), "/");
        for path in
            ["", "inbox", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "/a b"]
        {
            assert_eq!(own_path(Some(path.to_owned())).unwrap_err().code(), "return_to_foreign", "{path}");
        }
    }
}
