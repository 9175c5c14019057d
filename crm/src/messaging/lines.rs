//! Lines: the tenant's own addresses, each on a gateway, with its pace and its webhook.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use clients::gateway::{BlueBubbles, BlueBubblesLine, Gateway, SendMethod, normalise_address};
use db::{Id, Page, PageOf, Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey, gate::Limits};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    App, Error,
    messaging::{fallback, inbound},
    queue, secrets,
    tenancy::organizations::{self, OrganizationId},
};

/// What the gateway's password is sealed for.
pub(crate) const PASSWORD: &str = "line.password";
/// What the token in the webhook's path is sealed for.
pub(crate) const HOOK: &str = "line.hook";

/// Marks ids of lines.
#[derive(Debug)]
pub enum LineMark {}
/// The id of a line.
pub type LineId = Id<LineMark>;

/// A line as the API shows it; its password and webhook are never shown.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Line {
    /// The line.
    pub id: LineId,
    /// What people call it.
    pub name: String,
    /// Its own address: a phone in E.164 or an e-mail handle.
    pub address: String,
    /// The organization that it is of; none: the tenant itself.
    #[schema(value_type = Option<Uuid>)]
    pub organization_id: Option<OrganizationId>,
    /// Where its gateway stands.
    pub base_url: String,
    /// apple_script or private_api.
    pub method: String,
    /// Whether the gateway reports to us: pending, registered or failed.
    pub hook_state: String,
    /// Why it does not.
    pub hook_error: Option<String>,
    /// Sends a minute; none: as many as come.
    pub rate_per_minute: Option<f64>,
    /// Sends that may follow at once after a rest.
    pub burst: f64,
    /// Sends running at once; none: no cap.
    pub cap: Option<i32>,
    /// closed, open or half_open: whether sends are let through.
    pub breaker: String,
    /// Whether a message goes out over SMS where the other side proves to have no iMessage.
    pub falls_back: bool,
    /// Whether a phone relays SMS for this line; none: the gateway can't say.
    pub sms_relay: Option<bool>,
    /// Whether the other side is told that an agent has read what it wrote.
    pub sends_read_receipts: bool,
    /// Whether the other side is shown that an agent types.
    pub sends_typing: bool,
    /// Whether messages flow: unknown, ok, gap (some were missing), unreachable.
    pub health: String,
    /// Why it can't be reached: a stable code.
    pub health_reason: Option<String>,
    /// Since when its health is so.
    pub health_at: Option<DateTime<Utc>>,
    /// When it was last read back to the end.
    pub swept_at: Option<DateTime<Utc>>,
    /// When its gateway last told of anything.
    pub last_event_at: Option<DateTime<Utc>>,
    /// Messages that were found by reading back alone, since the line was made.
    pub missed_count: i64,
    /// When the line was made.
    pub created_at: DateTime<Utc>,
}

/// A line to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// What people call it.
    pub name: String,
    /// Its own address: a phone in E.164 or an e-mail handle.
    pub address: String,
    /// Where its gateway stands, `http://mac.local:1234`.
    pub base_url: String,
    /// The organization that it is of; none: the tenant itself.
    #[schema(value_type = Option<Uuid>)]
    pub organization_id: Option<OrganizationId>,
    /// The gateway's password.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
    /// apple_script (the default) or private_api.
    #[serde(default = "apple_script")]
    pub method: String,
    /// Sends a minute; 60 unless said otherwise, as a Mac needs.
    pub rate_per_minute: Option<f64>,
    /// Sends that may follow at once after a rest; a second of the rate unless said otherwise.
    pub burst: Option<f64>,
    /// Sends running at once; 1 unless said otherwise.
    pub cap: Option<i32>,
    /// Neither rate nor cap.
    #[serde(default)]
    pub unlimited: bool,
    /// How long a send may take before its outcome is unknown; by the method unless said otherwise.
    pub send_timeout_s: Option<i32>,
    /// How long to wait before an unknown outcome is looked up; past the gateway's own longest wait unless said otherwise.
    pub resolve_after_s: Option<i32>,
}

fn apple_script() -> String {
    "apple_script".to_owned()
}

/// What may be changed of a line; absent fields stay.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineChange {
    /// What people call it.
    pub name: Option<String>,
    /// The organization that it is of; null: the tenant itself.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<Uuid>)]
    pub organization_id: Option<Option<OrganizationId>>,
    /// Sends a minute.
    pub rate_per_minute: Option<f64>,
    /// Sends that may follow at once after a rest.
    pub burst: Option<f64>,
    /// Sends running at once.
    pub cap: Option<i32>,
    /// Neither rate nor cap.
    pub unlimited: Option<bool>,
    /// Whether a message goes out over SMS where the other side proves to have no iMessage.
    pub falls_back: Option<bool>,
    /// Whether the other side is told that an agent has read what it wrote.
    pub sends_read_receipts: Option<bool>,
    /// Whether the other side is shown that an agent types.
    pub sends_typing: Option<bool>,
}

/// Tells a field that is null from one that is absent.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<OrganizationId>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The gate before a line.
#[must_use]
pub fn gate_key(line: LineId) -> String {
    format!("line/{line}")
}

/// Makes a line with its gate, and has its webhook registered.
pub async fn create(app: &App, tx: &mut TenantTx, new: NewLine) -> Result<Line, Error> {
    let method = SendMethod::from_name(&new.method.replace('_', "-"))
        .ok_or_else(|| Error::invalid("method", "method_unknown", "choose apple_script or private_api"))?;
    let address = normalise_address(&new.address).ok_or_else(|| {
        Error::invalid("address", "address_invalid", "give a phone in E.164 (+13055550142) or an e-mail handle")
    })?;
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "name_length", "give a name of 1 to 200 characters"));
    }
    // refuses what is no http URL, or stands where no call may go, before anything is stored; a name is looked at with each call
    let is_allowed = url::Url::parse(new.base_url.trim()).is_ok_and(|url| app.http.allows(&url));
    if !is_allowed || gateway_of(app, &new.base_url, new.password.clone(), method, 1).is_err() {
        let message = "give an http or https address at which gateways may stand";
        return Err(Error::invalid("base_url", "base_url_invalid", message));
    }
    let id = LineId::new();
    let limits = limits(new.unlimited, new.rate_per_minute, new.burst, new.cap)?;
    let timeout = new.send_timeout_s.unwrap_or(if method == SendMethod::AppleScript { 135 } else { 200 });
    let resolve = new.resolve_after_s.unwrap_or(timeout + 15);
    if !(1..=600).contains(&timeout) || !(1..=3600).contains(&resolve) {
        return Err(Error::invalid(
            "send_timeout_s",
            "timeout_range",
            "a send may take 1 to 600 s, a look-up may wait 1 to 3600 s",
        ));
    }
    let token = secrets::random_token();
    sqlx::query(
        "insert into crm.lines (id, name, address, base_url, password, method, hook_token_hash, hook_token, send_timeout_s, resolve_after_s, organization_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(name)
    .bind(&address)
    .bind(new.base_url.trim())
    .bind(app.keys.seal(PASSWORD, &new.password)?)
    .bind(&new.method)
    .bind(secrets::token_hash(&token))
    .bind(app.keys.seal(HOOK, &token.into())?)
    .bind(timeout)
    .bind(resolve)
    .bind(new.organization_id)
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    jobs::gate::configure(tx, &gate_key(id), limits).await?;
    inbound::configure(tx, id).await?;
    Enqueue::<App, RegisterHook>::new().one(tx, &RegisterHook { line_id: id }).await?;
    get(tx, id).await
}

fn refused(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("lines_address_key") => Error::conflict("line_address_taken", "there is a line with this address"),
        Some("lines_organization") => organizations::unknown(),
        _ => error.into(),
    }
}

fn limits(
    unlimited: bool,
    rate_per_minute: Option<f64>,
    burst: Option<f64>,
    cap: Option<i32>,
) -> Result<Limits, Error> {
    if unlimited {
        return Ok(Limits { rate: None, burst: 1.0, cap: None });
    }
    let per_minute = rate_per_minute.unwrap_or(60.0);
    let rate = per_minute / 60.0;
    let burst = burst.unwrap_or_else(|| rate.ceil().max(1.0));
    let cap = cap.unwrap_or(1);
    if !(per_minute > 0.0 && per_minute <= 600_000.0) {
        return Err(Error::invalid("rate_per_minute", "rate_range", "give a rate above 0 and up to 600000 a minute"));
    }
    if !(1.0..=100_000.0).contains(&burst) || !(1..=10_000).contains(&cap) {
        return Err(Error::invalid("burst", "limit_range", "burst and cap must be 1 or more"));
    }
    Ok(Limits { rate: Some(rate), burst, cap: Some(cap) })
}

/// A line of the tenant.
pub async fn get(tx: &mut TenantTx, id: LineId) -> Result<Line, Error> {
    sqlx::query_as(
        "select l.id, l.name, l.address, l.organization_id, l.base_url, l.method, l.hook_state, l.hook_error, g.rate * 60 as rate_per_minute,
                g.burst, g.cap, g.breaker, l.falls_back, l.sms_relay, l.sends_read_receipts, l.sends_typing,
                l.health, l.health_reason, l.health_at, l.swept_at, l.last_event_at, l.missed_count, l.created_at
           from crm.lines l join jobs.gates g on g.tenant_number = app.tenant_number() and g.key = 'line/' || l.id
          where l.tenant_id = app.tenant_id() and l.id = $1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound)
}

/// The tenant's lines, or those of an organization, newest first.
pub async fn list(
    tx: &mut TenantTx,
    organization: Option<OrganizationId>,
    page: &PageOf<LineId>,
) -> Result<Page<Line>, Error> {
    let rows = sqlx::query_as(
        "select l.id, l.name, l.address, l.organization_id, l.base_url, l.method, l.hook_state, l.hook_error, g.rate * 60 as rate_per_minute,
                g.burst, g.cap, g.breaker, l.falls_back, l.sms_relay, l.sends_read_receipts, l.sends_typing,
                l.health, l.health_reason, l.health_at, l.swept_at, l.last_event_at, l.missed_count, l.created_at
           from crm.lines l join jobs.gates g on g.tenant_number = app.tenant_number() and g.key = 'line/' || l.id
          where l.tenant_id = app.tenant_id() and ($1::uuid is null or l.id < $1) and ($3::uuid is null or l.organization_id = $3)
          order by l.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .bind(organization)
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &Line| row.id))
}

/// Changes a line's name, its organization, its pace and its manners.
pub async fn update(tx: &mut TenantTx, id: LineId, change: LineChange) -> Result<Line, Error> {
    let line = get(tx, id).await?;
    if let Some(name) = &change.name {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 200 {
            return Err(Error::invalid("name", "name_length", "give a name of 1 to 200 characters"));
        }
        sqlx::query("update crm.lines set name = $2 where tenant_id = app.tenant_id() and id = $1")
            .bind(id)
            .bind(name)
            .execute(tx.conn())
            .await?;
    }
    sqlx::query(
        "update crm.lines l set falls_back = coalesce($2, l.falls_back), sends_read_receipts = coalesce($3, l.sends_read_receipts),
                sends_typing = coalesce($4, l.sends_typing), organization_id = case when $5 then $6 else l.organization_id end
          where l.tenant_id = app.tenant_id() and l.id = $1",
    )
    .bind(id)
    .bind(change.falls_back)
    .bind(change.sends_read_receipts)
    .bind(change.sends_typing)
    .bind(change.organization_id.is_some())
    .bind(change.organization_id.flatten())
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if change.unlimited.is_some() || change.rate_per_minute.is_some() || change.burst.is_some() || change.cap.is_some()
    {
        let unlimited = change.unlimited.unwrap_or(false);
        // a burst that was made for the old rate does not outlive it
        let burst = change.burst.or(if change.rate_per_minute.is_some() { None } else { Some(line.burst) });
        let limits =
            limits(unlimited, change.rate_per_minute.or(line.rate_per_minute), burst, change.cap.or(line.cap))?;
        jobs::gate::configure(tx, &gate_key(id), limits).await?;
    }
    get(tx, id).await
}

/// What a send needs of its line.
#[derive(Clone)]
pub struct LineGateway {
    /// The client.
    pub gateway: Gateway,
    /// How the gateway names a direct chat it has not been asked about: `iMessage` or `any`.
    pub chat_prefix: String,
    /// When the line was made: nothing older is of interest.
    pub created_at: DateTime<Utc>,
    /// Waits before an unknown outcome is looked up.
    pub resolve_after: Duration,
    /// The greatest row of the gateway that has been worked in.
    pub row_cursor: i64,
    /// Up to when changes of old messages have been.
    pub change_cursor: DateTime<Utc>,
    /// It has been read back to the end before: what is missing from there on was missed.
    pub was_swept: bool,
    hook_token: Vec<u8>,
}

fn gateway_of(
    app: &App,
    base_url: &str,
    password: SecretString,
    method: SendMethod,
    timeout_s: i32,
) -> Result<Gateway, Error> {
    let mut line = BlueBubblesLine::new(base_url, password, method);
    let timeout = Duration::from_secs(u64::try_from(timeout_s).unwrap_or(135));
    line.apple_script_timeout = timeout;
    line.private_api_timeout = timeout;
    Ok(Gateway::BlueBubbles(
        BlueBubbles::new(app.http.clone(), line)
            .map_err(|error| anyhow::anyhow!("a stored line can't be used: {error}"))?,
    ))
}

/// Opens the line's gateway.
pub async fn open(app: &App, tx: &mut TenantTx, id: LineId) -> Result<LineGateway, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        base_url: String,
        password: Vec<u8>,
        method: String,
        send_timeout_s: i32,
        resolve_after_s: i32,
        row_cursor: i64,
        change_cursor: DateTime<Utc>,
        was_swept: bool,
        chat_prefix: String,
        hook_token: Vec<u8>,
        created_at: DateTime<Utc>,
    }
    let row: Row = sqlx::query_as(
        "select base_url, password, method, send_timeout_s, resolve_after_s, row_cursor, coalesce(change_cursor, created_at) as change_cursor, swept_at is not null as was_swept, chat_prefix, hook_token, created_at
           from crm.lines where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound)?;
    let method = SendMethod::from_name(&row.method.replace('_', "-")).unwrap_or(SendMethod::AppleScript);
    let password = app.keys.open(PASSWORD, &row.password)?;
    Ok(LineGateway {
        gateway: gateway_of(app, &row.base_url, password, method, row.send_timeout_s)?,
        chat_prefix: row.chat_prefix,
        created_at: row.created_at,
        resolve_after: Duration::from_secs(u64::try_from(row.resolve_after_s).unwrap_or(200)),
        row_cursor: row.row_cursor,
        change_cursor: row.change_cursor,
        was_swept: row.was_swept,
        hook_token: row.hook_token,
    })
}

/// Lines as this process last read them: a campaign would read the same row for each of its messages. Cheap to clone.
#[derive(Clone, Default)]
pub struct LineCache(Arc<Mutex<HashMap<LineId, (Instant, LineGateway)>>>);

impl LineCache {
    /// The line, at most five seconds old.
    pub async fn open(&self, app: &App, cx: &Cx<App, Tenant>, id: LineId) -> Result<LineGateway, Error> {
        let cached = {
            let lines = self.0.lock().expect("nothing panics while it is held");
            lines.get(&id).filter(|(read, _)| read.elapsed() < Duration::from_secs(5)).map(|(_, line)| line.clone())
        };
        if let Some(line) = cached {
            return Ok(line);
        }
        let mut tx = cx.tx().await?;
        let line = open(app, &mut tx, id).await?;
        self.0.lock().expect("nothing panics while it is held").insert(id, (Instant::now(), line.clone()));
        Ok(line)
    }
}

/// Keeps the webhook of a line registered at its gateway.
#[derive(Debug, Serialize, Deserialize)]
pub struct RegisterHook {
    /// The line.
    pub line_id: LineId,
}

impl Job<App> for RegisterHook {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.register_hook";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(12).from_secs(2).up_to_secs(600);
    const TIMEOUT: Duration = Duration::from_secs(120);
    const UNIQUE: KeyScope = KeyScope::UntilStarted;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.line_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let line = open(&cx.app, &mut tx, self.line_id).await?;
        drop(tx);
        let token = cx.app.keys.open(HOOK, &line.hook_token)?;
        let url = format!(
            "{}/api/v1/hooks/bluebubbles/{}/{}",
            cx.app.config.public_url.trim_end_matches('/'),
            self.line_id,
            secrecy::ExposeSecret::expose_secret(&token)
        );
        let registered = register(&line, &url).await;
        let mut tx = cx.tx().await?;
        let error = registered.as_ref().err().map(|error| error.code());
        sqlx::query(
            "update crm.lines set hook_state = case when $2::text is null then 'registered' else 'failed' end, hook_error = $2,
                    chat_prefix = coalesce($3, chat_prefix)
              where tenant_id = app.tenant_id() and id = $1",
        )
        .bind(self.line_id)
        .bind(error)
        .bind(registered.as_ref().ok().map(|mac| mac.chat_prefix))
        .execute(tx.conn())
        .await?;
        match registered {
            Ok(mac) => {
                fallback::keep_relay(&mut tx, self.line_id, mac.relays_sms).await?;
                Ok(Done::with(tx))
            }
            Err(error) => {
                tx.commit().await?;
                Err(JobError::retry(error))
            }
        }
    }
}

/// What a Mac says of itself.
struct Mac {
    /// How it names new direct chats.
    chat_prefix: &'static str,
    /// Whether a phone relays SMS for it.
    relays_sms: Option<bool>,
}

/// Registers the webhook and asks what the Mac can do.
async fn register(line: &LineGateway, url: &str) -> Result<Mac, clients::ClientError> {
    line.gateway.ensure_webhook(url).await?;
    let Gateway::BlueBubbles(mac) = &line.gateway;
    let info = mac.server_info().await?;
    let chat_prefix = if info.macos_major().is_some_and(|major| major >= 26) { "any" } else { "iMessage" };
    // where the helper is away nothing can be asked: what was known stays unknown
    let relays_sms = if info.private_api_usable() { line.gateway.relays_sms().await? } else { None };
    Ok(Mac { chat_prefix, relays_sms })
}
