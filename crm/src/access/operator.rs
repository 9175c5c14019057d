//! Who operates the platform: whoever holds the installation's token, which is the first way in and the one for programs, or a person of their own
//! (`operators`). In a browser either becomes a cookie for a working day: the token's is bound to the token, so a new one ends every one of them; a
//! person's names a session that can be ended.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use db::{Actor, PlatformTx, Scope as _, Why};
use secrecy::{ExposeSecret, SecretString};

use super::{
    operators::{self, Person},
    throttle,
};
use crate::{App, Error, secrets::Keys};

/// How long the cookie is worth something.
pub const HOURS: i64 = 12;
const PURPOSE: &str = "operator-session";

/// Who operates.
#[derive(Debug, Clone)]
pub enum Who {
    /// Whoever holds the installation's token.
    Token,
    /// A person.
    Person(Person),
}

impl Who {
    /// Who acts, for the audit.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        match self {
            Self::Token => Actor::Operator,
            Self::Person(person) => Actor::OperatorPerson(person.id.uuid()),
        }
    }
}

/// Whether that is the operator's token. Tags are compared, in constant time, so that the answer's time tells nothing.
#[must_use]
pub fn is_token(app: &App, given: &str) -> bool {
    app.config.operator_token.as_ref().is_some_and(|expected| {
        app.keys.verify("operator", given.as_bytes(), &app.keys.sign("operator", expected.expose_secret().as_bytes()))
    })
}

/// Changes the token for a cookie's value. Wrong ones are throttled by where they come from: by the one name there is, a stranger could keep the
/// operator out.
pub async fn open(app: &App, given: &SecretString, address: IpAddr) -> Result<(String, DateTime<Utc>), Error> {
    let attempt = throttle::admit(app, &format!("operator from {address}"), address).await?;
    let Some(expected) = app.config.operator_token.as_ref().filter(|_| is_token(app, given.expose_secret())) else {
        return Err(Error::BadCredentials);
    };
    throttle::succeeded(app, &attempt).await?;
    let expires_at = tx(app).await?.now() + TimeDelta::hours(HOURS);
    Ok((cookie(&app.keys, expected, expires_at), expires_at))
}

/// Whose cookie's value that is; none where it is nobody's, or worth nothing any more.
pub async fn find(app: &App, value: &str) -> Result<Option<Who>, Error> {
    if let Some(id) = operators::read_cookie(&app.keys, value) {
        return Ok(operators::find(app, id).await?.map(Who::Person));
    }
    let expected = app.config.operator_token.as_ref();
    let Some(expires_at) = expected.and_then(|expected| read_cookie(&app.keys, expected, value)) else {
        return Ok(None);
    };
    let now = tx(app).await?.now();
    Ok((expires_at > now).then_some(Who::Token))
}

/// A transaction in which it is found out who asks.
pub(super) async fn tx(app: &App) -> Result<PlatformTx, Error> {
    Ok(app.db.platform(Why::Login).await?)
}

/// When it ends, and a tag over that and the token.
fn cookie(keys: &Keys, token: &SecretString, expires_at: DateTime<Utc>) -> String {
    let seconds = expires_at.timestamp().to_be_bytes();
    URL_SAFE_NO_PAD.encode([seconds.as_slice(), &keys.sign(PURPOSE, &signed(seconds, token))].concat())
}

fn read_cookie(keys: &Keys, token: &SecretString, value: &str) -> Option<DateTime<Utc>> {
    let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
    let (seconds, tag) = bytes.split_first_chunk::<8>()?;
    keys.verify(PURPOSE, &signed(*seconds, token), tag)
        .then(|| DateTime::from_timestamp(i64::from_be_bytes(*seconds), 0))?
}

fn signed(seconds: [u8; 8], token: &SecretString) -> Vec<u8> {
    [&seconds, token.expose_secret().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_of_one_token_and_one_time() {
        let keys = Keys::parse(&"ab".repeat(32).into()).unwrap();
        let (token, other) = ("t".repeat(32).into(), "u".repeat(32).into());
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let value = cookie(&keys, &token, at);
        assert_eq!(read_cookie(&keys, &token, &value), Some(at));
        assert_eq!(read_cookie(&keys, &other, &value), None);
        let later = cookie(&keys, &token, at + TimeDelta::hours(1));
        assert_eq!(read_cookie(&keys, &token, &format!("{}{}", &later[..11], &value[11..])), None);
        assert_eq!(read_cookie(&keys, &token, ""), None);
    }
}
