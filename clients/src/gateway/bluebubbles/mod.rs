//! One Mac with BlueBubbles Server: its REST calls and its events, in the gateway's neutral words.
//! It trusts no answer to be JSON, keeps the password out of everything that can be printed, and leaves retrying to its callers.

mod event;
mod media;
mod read;
mod send;
mod webhook;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

pub use event::parse_event;
pub use read::ServerInfo;
pub use webhook::Webhook;

use super::SendMethod;
use crate::ClientError;
use crate::http::{Call, Effect, Http, Method};

/// Tunnels for hobby use put a page for people before the first answer unless these are sent.
const SKIP_TUNNEL_PAGES: &[(&str, &str)] = &[("ngrok-skip-browser-warning", "1"), ("skip_zrok_interstitial", "1")];

/// How to reach one Mac.
#[derive(Debug, Clone)]
pub struct BlueBubblesLine {
    /// Address of the server, without `/api/v1`.
    pub base_url: String,
    /// The server's password.
    pub password: SecretString,
    /// The usual way to send.
    pub method: SendMethod,
    /// Longest wait for a send by script. The server itself waits 120 s.
    pub apple_script_timeout: Duration,
    /// Longest wait for a send by the helper. The server itself waits about 185 s.
    pub private_api_timeout: Duration,
    /// Longest wait for anything else.
    pub read_timeout: Duration,
}

impl BlueBubblesLine {
    /// A line with the usual patience.
    pub fn new(base_url: impl Into<String>, password: SecretString, method: SendMethod) -> Self {
        Self {
            base_url: base_url.into(),
            password,
            method,
            apple_script_timeout: Duration::from_secs(135),
            private_api_timeout: Duration::from_secs(200),
            read_timeout: Duration::from_secs(30),
        }
    }
}

/// The client of one Mac. Cheap to clone.
#[derive(Clone)]
pub struct BlueBubbles {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    root: Url,
    line: BlueBubblesLine,
}

impl fmt::Debug for BlueBubbles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlueBubbles").field("host", &self.inner.root.host_str()).finish_non_exhaustive()
    }
}

impl BlueBubbles {
    /// The client of that line; refuses an address that is no http or https URL.
    pub fn new(http: Http, mut line: BlueBubblesLine) -> Result<Self, ClientError> {
        let faulty = || ClientError::rejected("bad_base_url", "the address of the gateway is not an http or https URL");
        let mut root = Url::parse(line.base_url.trim()).map_err(|_| faulty())?;
        if !matches!(root.scheme(), "http" | "https") || root.host_str().is_none_or(str::is_empty) {
            return Err(faulty());
        }
        root.set_query(None);
        root.set_fragment(None);
        root.path_segments_mut().map_err(|()| faulty())?.pop_if_empty().extend(["api", "v1"]);
        // The text may hold a user and a password, and is not needed any more.
        line.base_url.clear();
        Ok(Self { inner: Arc::new(Inner { http, root, line }) })
    }

    fn http(&self) -> &Http {
        &self.inner.http
    }

    fn line(&self) -> &BlueBubblesLine {
        &self.inner.line
    }

    /// A repeatable call with the read timeout; callers change what differs.
    fn call(&self, op: &'static str, method: Method, path: &[&str], query: &[(&str, &str)]) -> Call {
        let mut url = self.inner.root.clone();
        url.path_segments_mut().expect("checked when the client was made").extend(path);
        url.query_pairs_mut().extend_pairs(query).append_pair("password", self.inner.line.password.expose_secret());
        Call {
            service: "bluebubbles",
            op,
            method,
            url,
            json: None,
            form: None,
            file: None,
            range: None,
            headers: SKIP_TUNNEL_PAGES,
            own_headers: Vec::new(),
            timeout: self.inner.line.read_timeout,
            effect: Effect::Repeatable,
        }
    }
}

fn json<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("plain structs with text keys always serialise")
}
