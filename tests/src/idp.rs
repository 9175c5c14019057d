//! A third party's identity provider (oidc-provider), and a browser that goes from one site to the other as a person's does.

use std::{collections::HashMap, fmt, path::PathBuf, process::Stdio, time::Duration};

use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// The client's secret at every test's provider: a canary that no answer and no row may hold.
pub const CLIENT_SECRET: &str = "canary-client-secret";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// More redirects than any log-in has.
const MOST_STEPS: usize = 12;

/// An identity provider. It goes away with this.
pub struct IdentityProvider {
    child: Child,
    issuer: String,
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProvider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Where oidc-provider is: what `.ci/oidc-provider` makes, unless it is told otherwise.
fn kit() -> PathBuf {
    std::env::var_os("PALOMA_OIDC_PROVIDER").map_or_else(
        || {
            let us = std::env::current_exe().expect("a test has an executable");
            // target/debug/deps/e2e-…
            us.ancestors().nth(3).expect("it lies in a target folder").join("oidc-provider")
        },
        PathBuf::from,
    )
}

impl IdentityProvider {
    /// A provider, or none where oidc-provider is not there; then it has been said.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start() -> Option<Self> {
        let kit = kit();
        if !kit.join("version").is_file() {
            crate::leave_out("oidc-provider is not installed: ./.ci/oidc-provider makes it");
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oidc/provider.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .arg(kit)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // it warns of what is meant for tests alone
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let told = async {
            loop {
                let line = lines.next_line().await.expect("its output can be read").expect("it says where it listens");
                if line.starts_with("http://127.0.0.1:") {
                    return line;
                }
            }
        };
        let issuer = tokio::time::timeout(PATIENCE, told).await.expect("the identity provider listens in time");
        Some(Self { child, issuer })
    }

    /// Who it says it is.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    async fn set(&self, what: &Value) {
        let answer = Client::new().post(format!("{}/_test", self.issuer)).json(what).send().await.expect("it listens");
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// Who logs in there from now on, by what means.
    pub async fn person(&self, subject: &str, email: &str, is_verified: bool, means: &[&str]) {
        let person = json!({ "sub": subject, "email": email, "email_verified": is_verified, "amr": means });
        self.set(&json!({ "person": person })).await;
    }

    /// What its ID tokens say from now on; null for the truth.
    pub async fn lie(&self, lie: Value) {
        self.set(&json!({ "lie": lie })).await;
    }

    /// New keys in place of the old ones.
    pub async fn rotate(&self) {
        self.set(&json!({ "rotate": true })).await;
    }

    /// It is away from now on.
    ///
    /// # Panics
    /// Where it can't be ended.
    pub async fn stop(&mut self) {
        self.child.kill().await.expect("it can be ended");
    }
}

/// A browser, with the cookies of each site.
pub struct Browser {
    client: Client,
    cookies: HashMap<(String, String), String>,
}

/// What a site has answered to a browser.
#[derive(Debug)]
pub struct Seen {
    /// The status.
    pub status: StatusCode,
    /// Where it leads, if it does.
    pub location: Option<String>,
    /// The body as JSON; null where it is none.
    pub body: Value,
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// One without a cookie, which gives itself no name: a program.
    #[must_use]
    pub fn new() -> Self {
        Self::built(Client::builder())
    }

    /// One without a cookie that calls itself that.
    #[must_use]
    pub fn named(agent: &str) -> Self {
        Self::built(Client::builder().user_agent(agent))
    }

    fn built(client: reqwest::ClientBuilder) -> Self {
        crm::process::install_tls();
        let client = client.redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { client, cookies: HashMap::new() }
    }

    /// One in which somebody is logged in already.
    #[must_use]
    pub fn with(base: &str, cookies: &str) -> Self {
        Self::new().holding(base, cookies)
    }

    /// The same with these cookies of a site.
    #[must_use]
    pub fn holding(mut self, base: &str, cookies: &str) -> Self {
        for (name, value) in cookies.split("; ").filter_map(|pair| pair.split_once('=')) {
            self.cookies.insert((site(base), name.to_owned()), value.to_owned());
        }
        self
    }

    /// The cookies of a site, as it gets them.
    #[must_use]
    pub fn cookies(&self, base: &str) -> String {
        let of_site = self.cookies.iter().filter(|((of, _), _)| *of == site(base));
        of_site.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Asks, with the cookies of that site, and keeps those that it sets.
    ///
    /// # Panics
    /// Where there is no answer.
    pub async fn ask(&mut self, method: Method, url: &str, body: Option<&Value>) -> Seen {
        let base = site(url);
        let mut request = self.client.request(method, url).header(header::COOKIE, self.cookies(&base));
        if let Some(body) = body {
            request = request.header(header::ORIGIN, &base).json(body);
        }
        let answer = request.send().await.expect("an answer");
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let text = cookie.to_str().expect("a text");
            let pair = text.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.expect("a name and a value");
            let key = (base.clone(), name.to_owned());
            if value.is_empty() {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        let status = answer.status();
        let location = answer.headers().get(header::LOCATION).map(|to| to.to_str().expect("a text").to_owned());
        let location = location.map(|to| if to.starts_with('/') { format!("{base}{to}") } else { to });
        let body = answer.json().await.unwrap_or(Value::Null);
        Seen { status, location, body }
    }

    /// Follows redirects from there until one leads to `stop`, and answers that address without going there.
    ///
    /// # Panics
    /// Where none does.
    pub async fn walk(&mut self, from: &str, stop: &str) -> String {
        let mut at = from.to_owned();
        for _ in 0..MOST_STEPS {
            let seen = self.ask(Method::GET, &at, None).await;
            at = seen.location.unwrap_or_else(|| panic!("{at} leads nowhere: {} {}", seen.status, seen.body));
            if at.starts_with(stop) {
                return at;
            }
        }
        panic!("too many redirects from {from}, the last to {at}");
    }
}

/// `http://host:port` of an address.
fn site(url: &str) -> String {
    url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}
