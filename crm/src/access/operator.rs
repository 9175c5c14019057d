//! The platform's operator in a browser: the token, shown once, becomes a cookie for a working day. The cookie is bound to the token, so a new
//! token ends every one of them. Operators as people of their own are not known here.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use db::{Scope as _, Why};
use secrecy::{ExposeSecret, SecretString};

use super::throttle;
use crate::{App, Error, secrets::Keys};

/// How long the cookie is worth something.
pub const HOURS: i64 = 12;
const PURPOSE: &str = "operator-session";

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
    let expires_at = now(app).await? + TimeDelta::hours(HOURS);
    Ok((cookie(&app.keys, expected, expires_at), expires_at))
}

/// Until when that cookie's value is worth something; none where it is not.
pub async fn find(app: &App, value: &str) -> Result<Option<DateTime<Utc>>, Error> {
    let expected = app.config.operator_token.as_ref();
    let Some(expires_at) = expected.and_then(|expected| read_cookie(&app.keys, expected, value)) else {
        return Ok(None);
    };
    let now = now(app).await?;
    Ok((expires_at > now).then_some(expires_at))
}

async fn now(app: &App) -> Result<DateTime<Utc>, Error> {
    Ok(app.db.platform(Why::Login).await?.now())
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
