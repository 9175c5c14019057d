//! The knobs of one simulated Mac. Everything here may change while the server runs; what starts it (address, pool sizes)
//! is in `Server::start`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How one request ends when it does not end well. Says both what really happens to the message and what the caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// As a healthy server does it.
    #[default]
    Normal,
    /// The connection closes before anything happened.
    DropBefore,
    /// The message leaves, then the connection closes without an answer.
    DropAfter,
    /// Nothing leaves and no answer ever comes.
    HangBefore,
    /// The message leaves and no answer ever comes.
    HangAfter,
    /// The message leaves; 500 with `data: null`, as when the waiter found no row in time.
    WaiterTimeout,
    /// The same answer, but nothing left.
    WaiterTimeoutUnsent,
    /// The row carries error 22 when it is first seen: 500 without `data`, and a `new-message` with the error.
    ErrorRow,
    /// The poller rejects the waiter: 500 with the row as `data`, and a `message-send-error` event.
    ErrorRowRejected,
    /// 200 first; the row silently turns to error 22 later, visible only by a query.
    AsyncError,
    /// The chat is unknown to Messages: 500, nothing leaves.
    ChatMissing,
    /// The script fails at once with a text that repeats the message: 500, nothing leaves.
    ScriptFailure,
    /// The helper never answers: 500 `Transaction timeout`, nothing leaves.
    HelperTimeout,
    /// The same answer, but the message leaves.
    HelperTimeoutSent,
    /// The message leaves but its row is never found: 500.
    RowNotFound,
    /// 504 after the message left.
    GatewayTimeout,
    /// 504 although nothing left.
    GatewayTimeoutUnsent,
    /// An HTML 502 of a proxy in front; nothing reached the Mac.
    Proxy502,
    /// An HTML 524 of a proxy in front; the message leaves.
    Proxy524,
    /// An HTML 403 of a proxy in front; nothing reached the Mac.
    Proxy403,
    /// A proxy in front turns the caller away for 20 s: 429 with `Retry-After`; nothing reached the Mac.
    Proxy429,
    /// 400 with a validation error, nothing leaves.
    BadRequest,
    /// 401 as for a wrong password, nothing leaves.
    Unauthorized,
    /// The wording of an uncaught exception: 500, nothing leaves.
    Unhandled,
    /// The fallback script sends a second time: two messages leave, one answer.
    SentTwice,
    /// 200, and no delivery receipt ever follows.
    NeverDelivered,
}

/// The knobs that may change at run time. All delays are milliseconds and may be 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The server password; without one every request ends in a 500.
    pub password: Option<String>,
    /// Major macOS version; from 26 on every chat GUID starts with `any;`.
    pub macos: u32,
    /// The Private API setting.
    pub private_api: bool,
    /// Whether the helper inside Messages is connected.
    pub helper_connected: bool,
    /// Whether an iPhone relays SMS for this Mac.
    pub sms_relay: bool,
    /// The address this Mac sends from.
    pub own_address: String,
    /// Calling code put before numbers without `+`.
    pub calling_code: String,
    /// Whether a send over the Private API finds a chat for every address, as though the Mac had written to all of them before.
    pub implicit_chats: bool,
    /// Whether an address without a rule is on iMessage.
    pub imessage_default: bool,
    /// Sends that come wait at the Mac with nothing out yet, until this is turned off.
    pub hold_sends: bool,
    /// From the request until the row exists (and the message has left).
    pub row_delay_ms: u64,
    /// From the row until the poller sees it.
    pub poll_delay_ms: u64,
    /// From the row being seen until the delivery receipt.
    pub delivered_delay_ms: u64,
    /// From the delivery receipt until the read receipt.
    pub read_delay_ms: u64,
    /// From the answer until an asynchronous error reaches the row.
    pub async_error_delay_ms: u64,
    /// Share by which each delay above varies at random, 0–100.
    pub jitter_pct: f64,
    /// The gap the helper keeps between two writes; 200 on a real Mac.
    pub helper_gap_ms: u64,
    /// How long modelled time-outs (waiter, helper, 504) take before they answer.
    pub stall_ms: u64,
    /// Whether peers share read receipts.
    pub read_receipts: bool,
    /// The server is down: connections close without an answer and events are lost.
    pub offline: bool,
    /// Only the way in is down: connections close without an answer, events still go out.
    pub unreachable: bool,
    /// Share of sends whose answer is lost after the message left.
    pub drop_answers_pct: f64,
    /// Share of sends lost before anything happened.
    pub drop_requests_pct: f64,
    /// How `mode_pct` of the sends end.
    pub mode: Behaviour,
    /// Share of sends that `mode` applies to.
    pub mode_pct: f64,
    /// Share of webhook posts that are lost.
    pub webhook_drop_pct: f64,
    /// Share of webhook posts made twice.
    pub webhook_duplicate_pct: f64,
    /// Delay of late webhook posts.
    pub webhook_delay_ms: u64,
    /// Share of webhook posts that are late by `webhook_delay_ms`.
    pub webhook_delay_pct: f64,
    /// Share of webhook posts that get a random delay up to `webhook_shuffle_ms`, so they overtake each other.
    pub webhook_shuffle_pct: f64,
    /// Upper bound of the random delay of shuffled posts.
    pub webhook_shuffle_ms: u64,
    /// Seed of every random choice.
    pub seed: u64,
    /// Added to the machine's clock in every date on the wire.
    pub clock_offset_ms: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            password: Some("sim-password".into()),
            macos: 15,
            private_api: true,
            helper_connected: true,
            sms_relay: true,
            own_address: "+15550001111".into(),
            calling_code: "1".into(),
            implicit_chats: true,
            imessage_default: true,
            hold_sends: false,
            row_delay_ms: 0,
            poll_delay_ms: 0,
            delivered_delay_ms: 0,
            read_delay_ms: 0,
            async_error_delay_ms: 0,
            jitter_pct: 0.0,
            helper_gap_ms: 0,
            stall_ms: 0,
            read_receipts: false,
            offline: false,
            unreachable: false,
            drop_answers_pct: 0.0,
            drop_requests_pct: 0.0,
            mode: Behaviour::Normal,
            mode_pct: 100.0,
            webhook_drop_pct: 0.0,
            webhook_duplicate_pct: 0.0,
            webhook_delay_ms: 0,
            webhook_delay_pct: 100.0,
            webhook_shuffle_pct: 0.0,
            webhook_shuffle_ms: 250,
            seed: 1,
            clock_offset_ms: 0,
        }
    }
}

impl Config {
    /// Delays as a healthy Mac shows them.
    pub fn realistic() -> Self {
        Self {
            row_delay_ms: 800,
            poll_delay_ms: 500,
            delivered_delay_ms: 2_000,
            read_delay_ms: 20_000,
            async_error_delay_ms: 3_000,
            jitter_pct: 50.0,
            helper_gap_ms: 200,
            stall_ms: 120_000,
            read_receipts: true,
            ..Self::default()
        }
    }

    /// This configuration with the fields of a JSON object laid over it; an unknown field is an error.
    pub fn patched(&self, patch: &Value) -> Result<Self, String> {
        let Value::Object(fields) = patch else { return Err("a patch is a JSON object".into()) };
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(target) = &mut whole {
            target.extend(fields.clone());
        }
        serde_json::from_value(whole).map_err(|error| error.to_string())
    }

    /// Whether the Private API can be used now, and the server's words if it cannot.
    pub(crate) fn private_api_error(&self) -> Option<&'static str> {
        match (self.private_api, self.helper_connected) {
            (false, _) => Some("iMessage Private API is not enabled!"),
            (true, false) => Some("iMessage Private API Helper is not connected!"),
            (true, true) => None,
        }
    }

    /// The prefix chats of a service have on this macOS.
    pub(crate) fn chat_prefix<'a>(&self, service: &'a str) -> &'a str {
        if self.macos >= 26 { "any" } else { service }
    }
}

/// What holds for one address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The peer's phone number or e-mail address.
    pub address: String,
    /// How sends to it end.
    pub behaviour: Option<Behaviour>,
    /// How many sends `behaviour` holds for; for ever if absent.
    pub times: Option<u32>,
    /// Whether it is on iMessage; `false` makes iMessage sends fail asynchronously with error 22.
    pub imessage: Option<bool>,
    /// Whether it shares read receipts.
    pub read_receipts: Option<bool>,
    /// What it writes back when a message reaches it.
    pub reply: Option<String>,
    /// How long after the message the reply comes.
    pub reply_delay_ms: u64,
}

/// Which requests an injected failure applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Requests that send a message.
    #[default]
    Send,
    /// All others.
    Read,
    /// Every request.
    Any,
}

impl Scope {
    pub(crate) fn covers(self, is_send: bool) -> bool {
        match self {
            Scope::Send => is_send,
            Scope::Read => !is_send,
            Scope::Any => true,
        }
    }
}
