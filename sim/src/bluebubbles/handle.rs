//! The controls of a running simulator for tests in the same process. The `/_sim` routes are these methods over HTTP.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::config::{Behaviour, Config, Rule, Scope};
use super::dispatch::PostCounts;
use super::ledger::{Call, Page, Sent, SentSummary, Unexpected};
use super::query::find_exact;
use super::rows::service_named;
use super::send::{message_event, receive};
use super::state::{State, lock};
use super::webhooks::Webhook;
use super::wire::{event_body, upper};

/// A message that a peer writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbound {
    /// Who writes.
    pub address: String,
    /// What.
    pub text: String,
    /// `iMessage`, `SMS` or `RCS`.
    pub service: String,
    /// GUID of the message, an upper-case UUID; made up if absent.
    pub guid: Option<String>,
    /// How many such messages; `guid` is of the first.
    pub count: u32,
    /// No event, as when the server was down when it came; a query still finds it.
    pub silent: bool,
}

impl Default for Inbound {
    fn default() -> Self {
        let (address, text, guid) = (String::new(), String::new(), None);
        Self { address, text, service: "iMessage".into(), guid, count: 1, silent: false }
    }
}

impl Inbound {
    /// One iMessage.
    pub fn new(address: &str, text: &str) -> Self {
        Self { address: address.into(), text: text.into(), ..Self::default() }
    }
}

/// Handle on a running simulator; cheap to clone.
#[derive(Clone)]
pub struct Sim(pub(crate) Arc<State>);

impl Sim {
    /// The knobs as they are.
    pub fn config(&self) -> Config {
        (*self.0.config()).clone()
    }

    /// Turns knobs.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        let mut config = self.config();
        change(&mut config);
        self.0.set_config(config);
    }

    /// Turns the knobs named in a JSON object; an unknown one is an error and changes nothing.
    pub fn patch_config(&self, patch: &Value) -> Result<Config, String> {
        let config = self.config().patched(patch)?;
        self.0.set_config(config.clone());
        Ok(config)
    }

    /// Back to the start: rows, logs, rules, knobs and, unless kept, webhooks.
    pub fn reset(&self, keep_webhooks: bool) {
        self.0.reset(keep_webhooks);
    }

    /// The next `count` sends end this way.
    pub fn fail_next(&self, count: u32, behaviour: Behaviour) {
        self.0.fail_next(count, behaviour, Scope::Send);
    }

    /// The next `count` requests of this scope end this way.
    pub fn fail_next_of(&self, count: u32, behaviour: Behaviour, scope: Scope) {
        self.0.fail_next(count, behaviour, scope);
    }

    /// Sets what holds for one address; replaces what held before.
    pub fn rule(&self, rule: Rule) {
        self.0.set_rule(rule);
    }

    /// Sends to this address end this way, until told otherwise.
    pub fn rule_behaviour(&self, address: &str, behaviour: Behaviour) {
        self.rule(Rule { address: address.into(), behaviour: Some(behaviour), ..Rule::default() });
    }

    /// This address writes back after each message that reaches it.
    pub fn rule_reply(&self, address: &str, reply: &str) {
        self.rule(Rule { address: address.into(), reply: Some(reply.into()), ..Rule::default() });
    }

    /// All rules, by address.
    pub fn rules(&self) -> Vec<Rule> {
        self.0.rules()
    }

    /// Forgets all rules and failures still to come.
    pub fn clear_rules(&self) {
        self.0.clear_rules();
    }

    /// The server goes down or comes back; while down, connections close unanswered and events are lost.
    pub fn set_offline(&self, offline: bool) {
        self.configure(|config| config.offline = offline);
    }

    /// Refuses connections for a while, closing those that are open; a zero duration accepts again.
    pub fn refuse_connections(&self, period: Duration) {
        self.0.refuse_until.send_replace((!period.is_zero()).then(|| Instant::now() + period));
    }

    /// Makes the chat with an address, as though there had been one. Gives its GUID.
    pub fn add_chat(&self, address: &str, service: &str) -> Result<String, String> {
        let service = service_named(service).ok_or_else(|| format!("unknown service {service}"))?;
        let config = self.0.config();
        let chat = lock(&self.0.rows).direct_chat(config.chat_prefix(service), service, address);
        Ok(chat.guid.to_string())
    }

    /// A peer writes. Gives the GUIDs of the messages.
    pub fn inbound(&self, inbound: &Inbound) -> Result<Vec<String>, String> {
        if inbound.address.is_empty() {
            return Err("an inbound message needs an address".into());
        }
        let service = service_named(&inbound.service).ok_or_else(|| format!("unknown service {}", inbound.service))?;
        let guid = match &inbound.guid {
            None => None,
            Some(guid) => Some(Uuid::parse_str(guid).map_err(|_| "guid must be a UUID".to_owned())?),
        };
        let config = self.0.config();
        let chat = lock(&self.0.rows).direct_chat(config.chat_prefix(service), service, &inbound.address);
        let text: Arc<str> = inbound.text.as_str().into();
        let mut guids = Vec::with_capacity(inbound.count as usize);
        for n in 0..inbound.count {
            let guid = guid.filter(|_| n == 0);
            let row = receive(&self.0, chat.clone(), service, text.clone(), guid, inbound.silent);
            guids.push(upper(row.ok_or("a message with this guid exists")?.guid));
        }
        Ok(guids)
    }

    /// Emits the `new-message` of a row again, as after an hour or a restart. False if there is no such row.
    pub fn replay(&self, guid: &str) -> bool {
        let row = find_exact(&lock(&self.0.rows), guid);
        if let Some(row) = &row {
            message_event(&self.0, "new-message", row, None);
        }
        row.is_some()
    }

    /// Emits any event with any data.
    pub fn emit(&self, event: &str, data: &Value) {
        self.0.emit(event, || event_body(event, data));
    }

    /// Changes the error code of a row without any event. False if there is no such row.
    pub fn set_error(&self, guid: &str, error: i32) -> bool {
        Uuid::parse_str(guid).is_ok_and(|guid| lock(&self.0.rows).change(guid, |row| row.error = error).is_some())
    }

    /// Every message that left.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent_page(0, usize::MAX).entries
    }

    /// Messages that left, after the one with this `seq`.
    pub fn sent_page(&self, after: u64, limit: usize) -> Page<Sent> {
        lock(&self.0.ledger).sent_page(after, limit)
    }

    /// The sent log in numbers; cheap at any size.
    pub fn summary(&self) -> SentSummary {
        lock(&self.0.ledger).summary()
    }

    /// Every request that began (the newest 500,000).
    pub fn calls(&self) -> Vec<Call> {
        self.calls_page(0, usize::MAX, None).entries
    }

    /// Requests after the one with this `seq`, only those to `path` if given.
    pub fn calls_page(&self, after: u64, limit: usize, path: Option<&str>) -> Page<Call> {
        lock(&self.0.ledger).calls_page(after, limit, path)
    }

    /// Requests turned away while offline or unreachable.
    pub fn refused(&self) -> u64 {
        lock(&self.0.ledger).refused()
    }

    /// Requests the simulator does not know; a test that ends with any has found a wrong call.
    pub fn unexpected(&self) -> Vec<Unexpected> {
        lock(&self.0.ledger).unexpected()
    }

    /// The registered webhooks.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.0.webhooks.read().unwrap_or_else(PoisonError::into_inner).all()
    }

    /// Registers a webhook without asking the REST API.
    pub fn register_webhook(&self, url: &str, events: &[&str]) -> Webhook {
        let events = events.iter().map(|&event| event.to_owned()).collect();
        self.0.webhooks.write().unwrap_or_else(PoisonError::into_inner).register(url, events)
    }

    /// How posting to webhooks went so far.
    pub fn posts(&self) -> PostCounts {
        self.0.queue.counts()
    }

    /// Waits until every event that is due or scheduled has been posted.
    pub async fn settled(&self) {
        self.0.queue.settled().await;
    }
}
