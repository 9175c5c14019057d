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
use super::rows::{Extra, File, service_named};
use super::send::{Arrival, message_event, receive};
use super::state::{State, lock};
use super::webhooks::{Webhook, Webhooks};
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
    /// The members of the group it is written in, the writer among them; empty for a direct chat.
    pub group: Vec<String>,
    /// What that group is called.
    pub group_name: String,
    /// GUID of the message it answers.
    pub reply_to: Option<String>,
    /// Written on another device of this Mac's own account, to `address`.
    pub from_device: bool,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            address: String::new(),
            text: String::new(),
            service: "iMessage".into(),
            guid: None,
            count: 1,
            silent: false,
            group: Vec::new(),
            group_name: String::new(),
            reply_to: None,
            from_device: false,
        }
    }
}

impl Inbound {
    /// One iMessage.
    pub fn new(address: &str, text: &str) -> Self {
        Self { address: address.into(), text: text.into(), ..Self::default() }
    }
}

/// A file that a peer sends.
#[derive(Debug, Clone)]
pub struct Attached {
    /// What it is called.
    pub name: String,
    /// Its type by the sender's word.
    pub mime: String,
    /// What it is.
    pub bytes: bytes::Bytes,
    /// What the server makes of it where the original is not asked for: type and bytes.
    pub converted: Option<(String, bytes::Bytes)>,
    /// A voice message.
    pub is_voice: bool,
    /// The Mac knows it and has not downloaded it yet.
    pub is_late: bool,
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
        let prefix = config.chat_prefix(service);
        let chat = match inbound.group.as_slice() {
            [] => lock(&self.0.rows).direct_chat(prefix, service, &inbound.address),
            members => lock(&self.0.rows).group_chat(prefix, service, members, &inbound.group_name),
        };
        let extra =
            inbound.reply_to.clone().map(|reply_to| Box::new(Extra { reply_to: Some(reply_to), ..Extra::default() }));
        let text: Arc<str> = inbound.text.as_str().into();
        let mut guids = Vec::with_capacity(inbound.count as usize);
        for n in 0..inbound.count {
            let guid = guid.filter(|_| n == 0);
            let arrival = Arrival {
                service,
                text: text.clone(),
                guid,
                from_me: inbound.from_device,
                author: (!inbound.group.is_empty()).then(|| inbound.address.clone()),
                extra: extra.clone(),
                silent: inbound.silent,
            };
            let row = receive(&self.0, chat.clone(), arrival);
            guids.push(upper(row.ok_or("a message with this guid exists")?.guid));
        }
        Ok(guids)
    }

    /// Somebody reacts to a message, or takes it back by a `-` before the kind; nobody named is this Mac's own account. False if there is no
    /// such message.
    pub fn react(&self, guid: &str, from: Option<&str>, kind: &str) -> bool {
        let Some(target) = find_exact(&lock(&self.0.rows), guid) else { return false };
        let service = target.handle.as_ref().map_or("iMessage", |handle| handle.service);
        let extra = Extra { reacts_to: Some(format!("p:0/{guid}")), reaction: Some(kind.into()), ..Extra::default() };
        let text = match kind.strip_prefix('-') {
            Some(kind) => format!("Removed a {kind} from \u{201c}{}\u{201d}", target.text),
            None => format!("Reacted {kind} to \u{201c}{}\u{201d}", target.text),
        };
        let arrival = Arrival {
            service,
            text: text.into(),
            from_me: from.is_none(),
            author: from.map(str::to_owned),
            extra: Some(Box::new(extra)),
            ..Arrival::default()
        };
        receive(&self.0, target.chat, arrival).is_some()
    }

    /// A message gets a file, as happens some time after it was told of: no event says so. Gives the file's GUID; none if there is no such
    /// message.
    pub fn attach(&self, guid: &str, file: &Attached) -> Option<String> {
        let mut rows = lock(&self.0.rows);
        let message = Uuid::parse_str(guid).ok().filter(|guid| rows.find(*guid).is_some())?;
        let uti = if file.is_voice { "com.apple.coreaudio-format" } else { "public.data" };
        let kept = rows.add_file(|rowid| File {
            rowid,
            guid: format!("at_0_{}", upper(Uuid::new_v4())),
            uti: uti.into(),
            mime: Some(file.mime.clone()),
            name: file.name.clone(),
            bytes: file.bytes.clone(),
            converted: file.converted.clone(),
            width: 0,
            height: 0,
            is_on_disk: !file.is_late,
        });
        rows.change(message, |row| {
            let extra = row.extra.get_or_insert_default();
            extra.files.push(kept.clone());
            extra.is_voice |= file.is_voice;
        });
        Some(kept.guid.clone())
    }

    /// A peer sends a file, and a text with it or none. Gives the message's GUID.
    pub fn inbound_file(&self, inbound: &Inbound, file: &Attached) -> Result<String, String> {
        let guid = self.inbound(&Inbound { silent: true, ..inbound.clone() })?.remove(0);
        self.attach(&guid, file);
        if !inbound.silent {
            self.replay(&guid);
        }
        Ok(guid)
    }

    /// The Mac has downloaded a file. False if there is none.
    pub fn file_arrives(&self, guid: &str) -> bool {
        lock(&self.0.rows).change_file(guid, |file| file.is_on_disk = true)
    }

    /// The files that a message carries, as name and bytes.
    pub fn files_of(&self, guid: &str) -> Vec<(String, bytes::Bytes)> {
        let row = find_exact(&lock(&self.0.rows), guid);
        let files = row.and_then(|row| row.extra).map(|extra| extra.files).unwrap_or_default();
        files.iter().map(|file| (file.name.clone(), file.bytes.clone())).collect()
    }

    /// Whether a message was sent as a voice message.
    pub fn is_voice(&self, guid: &str) -> bool {
        find_exact(&lock(&self.0.rows), guid).and_then(|row| row.extra).is_some_and(|extra| extra.is_voice)
    }

    /// The writer of a message edits it. False if there is no such message.
    pub fn edit(&self, guid: &str, text: &str) -> bool {
        self.rewrite(guid, text, false, false)
    }

    /// The writer of a message takes it back. False if there is no such message.
    pub fn unsend(&self, guid: &str) -> bool {
        self.rewrite(guid, "", true, false)
    }

    /// The same as [`Sim::edit`] without an event, as when the server was down.
    pub fn edit_silently(&self, guid: &str, text: &str) -> bool {
        self.rewrite(guid, text, false, true)
    }

    fn rewrite(&self, guid: &str, text: &str, is_unsent: bool, silent: bool) -> bool {
        let now = self.0.now_ms();
        let changed = Uuid::parse_str(guid).ok().and_then(|guid| {
            lock(&self.0.rows).change(guid, |row| {
                row.text = text.into();
                let extra = row.extra.get_or_insert_default();
                (extra.edited_ms, extra.is_unsent) = (now.max(extra.edited_ms + 1), is_unsent);
            })
        });
        if let Some(row) = &changed
            && !silent
        {
            message_event(&self.0, "updated-message", row, None);
        }
        changed.is_some()
    }

    /// Somebody renames the group of a message. False if there is no such message.
    pub fn rename_group(&self, guid: &str, name: &str) -> bool {
        let Some(target) = find_exact(&lock(&self.0.rows), guid) else { return false };
        let extra = Extra { item_type: 2, group_title: Some(name.into()), ..Extra::default() };
        let arrival = Arrival { extra: Some(Box::new(extra)), silent: true, ..Arrival::default() };
        let Some(row) = receive(&self.0, target.chat, arrival) else { return false };
        message_event(&self.0, "group-name-change", &row, None);
        message_event(&self.0, "new-message", &row, None);
        true
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

    /// Somebody removes all webhooks at the Mac.
    pub fn forget_webhooks(&self) {
        *self.0.webhooks.write().unwrap_or_else(PoisonError::into_inner) = Webhooks::default();
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
