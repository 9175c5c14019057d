//! Cookie or bearer token to whoever asks. Looks nothing up by itself: the gate decides when.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use crm::{
    App, Error,
    access::{
        Caller, Credential, Permission, Sight, devices,
        operator::{self, Who},
        sessions::{self, Opened},
    },
};
use db::{PlatformTx, TenantTx, Why};
use jobs::admin::By;

use crate::{Api, problem::Problem};

/// The request of somebody known: what handlers of private routes take.
#[derive(Clone)]
pub struct Call {
    /// The application.
    pub app: App,
    /// Who asks.
    pub caller: Caller,
    /// Which conversations they see by what the route is mounted for; the gate says so.
    pub sight: Sight,
}

impl Call {
    /// A transaction in the caller's tenant, in which no other conversations are there than those they see.
    pub async fn tx(&self) -> Result<TenantTx, Problem> {
        Ok(self.caller.tx_within(&self.app, &self.sight).await?)
    }
    /// The same on a route that is mounted for something else, and shows something of a conversation: as far as they may look, or answer where they may not look.
    pub async fn tx_of_looker(&self) -> Result<TenantTx, Problem> {
        let sight = self.caller.sight(Permission::ConversationsReply);
        Ok(self.caller.tx_within(&self.app, &sight).await?)
    }
}

impl FromRequestParts<Api> for Call {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned().ok_or(Error::Unauthorized)?;
        let sight = parts.extensions.get::<Sight>().cloned().ok_or(Error::Unauthorized)?;
        Ok(Self { app: api.app.clone(), caller, sight })
    }
}

/// The request of an operator of the platform, whom the gate knows: what handlers of platform routes take.
#[derive(Clone)]
pub struct Operator {
    app: App,
    who: Who,
}

impl Operator {
    /// The application.
    pub const fn app(&self) -> &App {
        &self.app
    }
    /// Who asks.
    pub const fn who(&self) -> &Who {
        &self.who
    }
    /// A transaction that sees every tenant.
    pub async fn tx(&self) -> Result<PlatformTx, Problem> {
        Ok(self.app.db.platform(Why::Operator).await?)
    }
    /// The same for what changes something: what triggers write of it names who it was.
    pub async fn acting_tx(&self) -> Result<PlatformTx, Problem> {
        let mut tx = self.tx().await?;
        tx.act_as(&self.who.actor()).await?;
        Ok(tx)
    }
    /// Who does it, and why; refused where the reason says nothing.
    pub fn by(&self, reason: &str) -> Result<By, Problem> {
        Ok(By::new(self.who.actor(), reason)?)
    }
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        // only the gate puts it there: a route that is not the platform's can't take this by mistake
        let who = parts.extensions.get::<Who>().cloned().ok_or(Error::Unauthorized)?;
        Ok(Self { app: api.app.clone(), who })
    }
}

/// The name of the cookie. Over TLS its prefix makes the browser refuse one that another host or path has set.
#[must_use]
pub fn cookie_name(public_url: &str) -> &'static str {
    if public_url.starts_with("https://") { "__Host-paloma_session" } else { "paloma_session" }
}

/// The header that sets the cookie for that many seconds; zero removes it.
#[must_use]
pub fn set_cookie(public_url: &str, token: &str, seconds: i64) -> String {
    cookie(cookie_name(public_url), token, seconds, "Lax")
}

/// The same for the operator's, which comes along from our own pages only.
#[must_use]
pub fn set_operator_cookie(public_url: &str, token: &str, seconds: i64) -> String {
    cookie(operator_cookie_name(public_url), token, seconds, "Strict")
}

fn operator_cookie_name(public_url: &str) -> &'static str {
    if public_url.starts_with("https://") { "__Host-paloma_operator" } else { "paloma_operator" }
}

fn ticket_name(public_url: &str, handle: &str) -> String {
    let prefix = if public_url.starts_with("https://") { "__Host-" } else { "" };
    format!("{prefix}paloma_oidc_{handle}")
}

/// The header that sets the cookie by which a browser shows that it has begun that log-in at an identity provider; zero seconds remove it.
#[must_use]
pub fn set_ticket(public_url: &str, (handle, token): (&str, &str), seconds: i64) -> String {
    cookie(&ticket_name(public_url, handle), token, seconds, "Lax")
}

/// What a browser brings to show it.
#[must_use]
pub fn ticket<'a>(public_url: &str, handle: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    find_cookie(headers, &ticket_name(public_url, handle))
}

fn device_name(public_url: &str) -> &'static str {
    if public_url.starts_with("https://") { "__Host-paloma_device" } else { "paloma_device" }
}

/// By what a browser is known that somebody has logged in with before. It lets nobody in.
#[must_use]
pub fn device(public_url: &str, headers: &HeaderMap) -> Option<String> {
    find_cookie(headers, device_name(public_url)).map(str::to_owned)
}

/// The headers that set the cookies of somebody who has just come in: the session's, and the device's, which lasts for long after it and is set anew each time.
pub fn log_in_cookies(public_url: &str, opened: &Opened) -> impl Iterator<Item = String> + use<> {
    let of_days = |days: i32| i64::from(days) * 86_400;
    let session = set_cookie(public_url, &opened.token, of_days(sessions::DAYS));
    let device = opened.device.as_ref();
    let device = device.map(|token| cookie(device_name(public_url), token, of_days(devices::DAYS), "Lax"));
    std::iter::once(session).chain(device)
}

fn cookie(name: &str, token: &str, seconds: i64, same_site: &str) -> String {
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}")
}

/// What the request brings to say who asks. A bearer token goes before a cookie.
#[must_use]
pub fn credential(public_url: &str, headers: &HeaderMap) -> Option<Credential> {
    if let Some(token) = bearer(headers) {
        return Some(Credential::Key(token.to_owned()));
    }
    find_cookie(headers, cookie_name(public_url)).map(|token| Credential::Session(token.to_owned()))
}

fn find_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, token)| token)
}

/// The token of an `Authorization: Bearer` header.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Which operator of the platform asks: by the token in a header, or by the cookie that it or a log-in was changed for. Anybody else is refused.
pub async fn require_operator(app: &App, headers: &HeaderMap) -> Result<Who, Error> {
    let who = match bearer(headers) {
        Some(token) => operator::is_token(app, token).then_some(Who::Token),
        None => match find_cookie(headers, operator_cookie_name(&app.config.public_url)) {
            Some(cookie) => operator::find(app, cookie).await?,
            None => None,
        },
    };
    who.ok_or(Error::Unauthorized)
}

/// Where the request came from.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<Api> for ClientAddress {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let forwarded = api.settings.behind_proxy.then(|| forwarded_for(&parts.headers)).flatten();
        Ok(Self(forwarded.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// The address that the nearest proxy has appended; those before it are whatever the client wrote.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_that_the_proxy_wrote_counts() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.9".parse().unwrap());
        assert_eq!(forwarded_for(&headers), Some("203.0.113.9".parse().unwrap()));
        headers.insert("x-forwarded-for", "nonsense".parse().unwrap());
        assert_eq!(forwarded_for(&headers), None);
    }

    #[test]
    fn a_cookie_is_found_among_others_and_gives_way_to_a_key() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=b; paloma_session=xyz; c=d".parse().unwrap());
        let plain = |headers: &HeaderMap| credential("http://127.0.0.1:8080", headers);
        assert!(matches!(plain(&headers), Some(Credential::Session(token)) if token == "xyz"));
        assert!(credential("https://app.example.com", &headers).is_none());
        headers.insert(header::AUTHORIZATION, "Bearer pk_1".parse().unwrap());
        assert!(matches!(plain(&headers), Some(Credential::Key(token)) if token == "pk_1"));
    }

    #[test]
    fn a_cookie_over_tls_is_bound_to_the_host_and_out_of_reach_of_scripts() {
        let cookie = set_cookie("https://app.example.com", "t", 60);
        assert_eq!(cookie, "__Host-paloma_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        let cookie = super::cookie(device_name("https://app.example.com"), "t", 60, "Lax");
        assert_eq!(cookie, "__Host-paloma_device=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "bearer pk_1".parse().unwrap());
        assert_eq!(bearer(&headers), Some("pk_1"));
        headers.insert(header::AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}
