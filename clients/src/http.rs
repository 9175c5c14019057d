//! The only HTTP client of the project: time limits, no redirects, the egress guard, a breaker per host, one span per call, and
//! errors sorted by whether the request may have been acted on. It understands no service and never repeats a call.

mod egress;
mod glanced;
mod hosts;
mod passed;
mod streamed;

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use governor::Quota;
use opentelemetry::global;
pub use reqwest::multipart::{Form, Part};
pub use reqwest::{Method, StatusCode};
use tokio::fs::File;
use tracing::{Instrument, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use url::{Position, Url};

pub use egress::{Egress, Names};
pub use hosts::BreakerOptions;
use hosts::Hosts;
pub use streamed::{Downloaded, Opened};

use crate::ClientError;

/// Names of query parameters whose values are secrets.
const SECRET_PARAMETERS: [&str; 3] = ["password", "guid", "token"];

/// What a client may reach and how patient it is.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Which addresses may be reached.
    pub egress: Egress,
    /// Where the addresses of names come from.
    pub names: Names,
    /// Whether nothing goes out but over TLS.
    pub https_only: bool,
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. BlueBubbles closes after 5 s, and a send that meets a closing connection
    /// has an unknown outcome, so this stays well below.
    pub idle_timeout: Duration,
    /// Longest answer that is read.
    pub answer_limit: usize,
    /// When calls to a host that does not answer are stopped inside this process.
    pub breaker: BreakerOptions,
    /// Highest pace of calls to one host inside this process; none by default.
    pub pace: Option<Quota>,
}

impl HttpOptions {
    /// The usual options under that policy.
    pub fn new(egress: Egress) -> Self {
        Self {
            egress,
            names: Names::System,
            https_only: false,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(3),
            answer_limit: 32 << 20,
            breaker: BreakerOptions::default(),
            pace: None,
        }
    }
}

/// Whether a call may be repeated when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads, and writes that end the same when done twice: a lost answer is only a nuisance.
    Repeatable,
    /// Acts on the world once more each time: a lost answer is an unknown outcome.
    Once,
}

impl Effect {
    /// The error for a call that may have reached the other side but brought no usable answer.
    pub fn lost(self, reason: &'static str) -> ClientError {
        match self {
            Self::Repeatable => ClientError::Transient { reason },
            Self::Once => ClientError::UnknownOutcome { reason },
        }
    }
}

/// One call to make.
pub struct Call {
    /// The outside service, for the span.
    pub service: &'static str,
    /// What is asked of it, for the span; never the path, which may hold phone numbers.
    pub op: &'static str,
    /// Verb.
    pub method: Method,
    /// Where to, secrets included.
    pub url: Url,
    /// JSON to send, if any.
    pub json: Option<Vec<u8>>,
    /// A form with files to send, if any.
    pub form: Option<Form>,
    /// A file to send as it is, if any.
    pub file: Option<Outgoing>,
    /// Fixed extra headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// Extra headers of this call alone.
    pub own_headers: Vec<(&'static str, String)>,
    /// Which bytes of the answer, as the header says it; none for all.
    pub range: Option<String>,
    /// Longest wait for the whole answer.
    pub timeout: Duration,
    /// What a lost answer means.
    pub effect: Effect,
}

/// A file on its way out: no more of it is in memory than a piece.
#[derive(Debug)]
pub struct Outgoing {
    /// The file, from where it stands.
    pub file: File,
    /// So many bytes; fewer or more break the call off.
    pub length: u64,
    /// Its type.
    pub mime: &'static str,
}

impl Call {
    /// The span of this call; whoever makes it records its status or its outcome.
    fn span(&self) -> Span {
        tracing::info_span!(
            "client.call",
            service = self.service,
            op = self.op,
            host = &self.url[Position::BeforeHost..Position::BeforePath],
            status = field::Empty,
            outcome = field::Empty,
        )
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("service", &self.service).field("op", &self.op).finish_non_exhaustive()
    }
}

/// A whole answer, whatever its status.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// What `Retry-After` says, when it says seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// Why the client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("building the HTTP client: {0}")]
pub struct BuildError(reqwest::Error);

/// The client. Cheap to clone; make one per policy and process, because building it reads the system's certificates.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    egress: Egress,
    names: Names,
    https_only: bool,
    answer_limit: usize,
    hosts: Hosts,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("egress", &self.inner.egress).finish_non_exhaustive()
    }
}

impl Http {
    /// Builds the client, installing ring as the TLS provider of the process if there is none yet.
    pub fn new(options: HttpOptions) -> Result<Self, BuildError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Losing this race means another thread installed one, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = match builder(&options).build() {
            Ok(client) => client,
            Err(error) => {
                // A machine without root certificates can still talk plain HTTP to a gateway in its own network.
                tracing::warn!(error = %error.without_url(), "no root certificates: calls over https will fail");
                builder(&options).tls_certs_only([]).build().map_err(|error| BuildError(error.without_url()))?
            }
        };
        let hosts = Hosts::new(options.breaker, options.pace);
        let HttpOptions { egress, names, https_only, answer_limit, .. } = options;
        let inner = Inner { client, egress, names, https_only, answer_limit, hosts };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether a call to that address may be tried, by what can be told without asking for its name.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        self.inner.egress.allows_url(url) && (!self.inner.https_only || url.scheme() == "https")
    }

    /// Makes one call and reads the whole answer. Statuses are the caller's business; an error means there is no answer.
    pub async fn call(&self, call: Call) -> Result<Answer, ClientError> {
        let span = call.span();
        async {
            let result = self.guarded(call).await.inspect_err(record_outcome);
            result.inspect(|answer| record_status(answer.status))
        }
        .instrument(span)
        .await
    }

    async fn guarded(&self, call: Call) -> Result<Answer, ClientError> {
        let effect = call.effect;
        let result = self.exchange(call).await;
        result.inspect_err(|error| tracing::debug!(code = error.code(), ?effect, "call failed"))
    }

    /// Asks a host that may be asked, and remembers whether it is there. Where only the head is waited for, the body has no limit yet.
    async fn reach(&self, call: Call, wait: Wait) -> Result<reqwest::Response, ClientError> {
        let url = call.url.clone();
        self.admitted(&url, self.ask(call, wait)).await
    }

    /// The same for whatever is asked: nothing of it happens where it may not be.
    async fn admitted(
        &self,
        url: &Url,
        asked: impl Future<Output = Result<reqwest::Response, ClientError>>,
    ) -> Result<reqwest::Response, ClientError> {
        if !self.allows(url) {
            return Err(egress_refused());
        }
        let host = self.inner.hosts.get(&url[Position::BeforeHost..Position::BeforePath]);
        host.admit().await?;
        let answered = asked.await;
        match &answered {
            Ok(response) => host.record(!is_unreachable_behind_proxy(response.status())),
            Err(error) if host_is_away(error) => host.record(false),
            // Something answered or was cut off in the middle, or the call was refused here: that is no sign of absence.
            Err(_) => {}
        }
        answered
    }

    async fn ask(&self, call: Call, wait: Wait) -> Result<reqwest::Response, ClientError> {
        let (effect, timeout) = (call.effect, call.timeout);
        let mut request = self.inner.client.request(call.method, call.url);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        for (name, value) in call.own_headers {
            request = request.header(name, value);
        }
        for (name, value) in trace_headers() {
            request = request.header(name, value);
        }
        if let Some(range) = call.range {
            request = request.header("range", range);
        }
        if let Some(form) = call.form {
            request = request.multipart(form);
        }
        if let Some(Outgoing { file, length, mime }) = call.file {
            request = request.header("content-length", length).header("content-type", mime).body(file);
        }
        if let Some(json) = call.json {
            request = request.header("content-type", "application/json").body(json);
        }
        match wait {
            Wait::Whole => request.timeout(timeout).send().await.map_err(|error| sort(&error, effect)),
            Wait::Head => match tokio::time::timeout(timeout, request.send()).await {
                Ok(answered) => answered.map_err(|error| sort(&error, effect)),
                Err(_) => Err(effect.lost("timeout")),
            },
        }
    }

    async fn exchange(&self, call: Call) -> Result<Answer, ClientError> {
        let effect = call.effect;
        let response = self.reach(call, Wait::Whole).await?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = self.read(response, effect).await?;
        Ok(Answer { status, retry_after, body })
    }

    async fn read(&self, mut response: reqwest::Response, effect: Effect) -> Result<Vec<u8>, ClientError> {
        let limit = self.inner.answer_limit;
        let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
        let mut body = Vec::with_capacity(announced.min(limit).min(1 << 16));
        while let Some(chunk) = response.chunk().await.map_err(|_| effect.lost("answer_cut"))? {
            if body.len() + chunk.len() > limit {
                return Err(effect.lost("answer_too_long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// What `Retry-After` says in seconds: a day at the most, whatever it says.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(86_400)))
}

/// Writes into the span of the call which status came.
fn record_status(status: StatusCode) {
    Span::current().record("status", status.as_u16());
}

/// Writes into the span of the call why no answer came.
fn record_outcome(error: &ClientError) {
    Span::current().record("outcome", error.code());
}

/// What the time limit of a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// The whole answer.
    Whole,
    /// Its head, and then each piece of its body.
    Head,
}

/// What tells the other side which span calls it; nothing unless traces are recorded.
fn trace_headers() -> HashMap<String, String> {
    let (context, mut headers) = (Span::current().context(), HashMap::new());
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    headers
}

/// The URL as it may be logged: without user, password and the values of secret parameters.
pub fn redacted(url: &Url) -> String {
    let mut clean = url.clone();
    // Fails only for URLs that cannot have a user, which then have nothing to hide there.
    let _ = clean.set_username("");
    let _ = clean.set_password(None);
    if url.query().is_some() {
        clean.query_pairs_mut().clear().extend_pairs(url.query_pairs().map(|(name, value)| {
            let secret = SECRET_PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known));
            (name, if secret { "***".into() } else { value })
        }));
    }
    clean.into()
}

fn builder(options: &HttpOptions) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("paloma/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(options.idle_timeout)
        .redirect(reqwest::redirect::Policy::none())
        // A repeat must be decided where the effect is known, and a proxy from the environment would connect for us
        // behind the back of the egress guard.
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .https_only(options.https_only)
        .dns_resolver(egress::GuardedResolver { policy: options.egress, names: options.names.clone() })
}

/// Sorts a failed exchange. Only what failed while connecting is known not to have reached the other side.
fn sort(error: &reqwest::Error, effect: Effect) -> ClientError {
    if chain(error).any(|cause| cause.is::<egress::Refused>()) {
        return egress_refused();
    }
    if error.is_builder() {
        return ClientError::rejected("bad_address", "the address of the service is not usable");
    }
    let io = chain(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    if error.is_connect() {
        let reason = match io {
            _ if error.is_dns() => "dns",
            _ if error.is_timeout() => "connect_timeout",
            Some(std::io::ErrorKind::ConnectionRefused) => "connect_refused",
            _ => "connect_failed",
        };
        return ClientError::Transient { reason };
    }
    effect.lost(match io {
        _ if error.is_timeout() => "timeout",
        Some(std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe) => "connection_reset",
        _ => "connection_lost",
    })
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn StdError + 'static)| (*cause).source())
}

fn egress_refused() -> ClientError {
    ClientError::rejected("egress_refused", "the target is not an allowed address")
}

fn host_is_away(error: &ClientError) -> bool {
    matches!(error.code(), "dns" | "connect_timeout" | "connect_refused" | "connect_failed")
}

/// Proxies and tunnels answer so when the service behind them is away.
fn is_unreachable_behind_proxy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502 | 503 | 521..=523 | 530)
}

#[cfg(test)]
mod tests;
