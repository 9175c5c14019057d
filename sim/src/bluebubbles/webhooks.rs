//! Webhook registration over REST. Posting is the dispatcher's.

use std::sync::{Arc, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::dispatch::Target;
use super::envelope::{self, Reply};
use super::routes::Asked;
use super::state::{State, utc_now};

const REGISTRABLE: [&str; 26] = [
    "*",
    "new-message",
    "updated-message",
    "message-send-error",
    "group-name-change",
    "group-icon-changed",
    "group-icon-removed",
    "participant-removed",
    "participant-added",
    "participant-left",
    "chat-read-status-changed",
    "typing-indicator",
    "scheduled-message-error",
    "server-update",
    "new-server",
    "new-findmy-location",
    "hello-world",
    "incoming-facetime",
    "ft-call-status-changed",
    "imessage-alias-removed",
    "theme-backup-created",
    "theme-backup-updated",
    "theme-backup-deleted",
    "settings-backup-created",
    "settings-backup-updated",
    "settings-backup-deleted",
];

/// One registered webhook.
#[derive(Debug, Clone, Serialize)]
pub struct Webhook {
    /// Row id.
    pub id: u32,
    /// Where events go; unique.
    pub url: String,
    /// Names of events, or `*`.
    pub events: Vec<String>,
    /// When it was made, as ISO text.
    pub created: String,
    #[serde(skip)]
    target: Option<Arc<Target>>,
}

#[derive(Default)]
pub(crate) struct Webhooks {
    last_id: u32,
    list: Vec<Webhook>,
}

impl Webhooks {
    /// Targets of the webhooks that want this event.
    pub fn wanting(&self, event: &str) -> Vec<Arc<Target>> {
        let wants = |webhook: &&Webhook| webhook.events.iter().any(|name| name == "*" || name == event);
        self.list.iter().filter(wants).filter_map(|webhook| webhook.target.clone()).collect()
    }

    pub fn all(&self) -> Vec<Webhook> {
        self.list.clone()
    }

    /// The webhook of this URL, made if there is none; one that exists keeps its events.
    pub fn register(&mut self, url: &str, events: Vec<String>) -> Webhook {
        if let Some(existing) = self.list.iter().find(|webhook| webhook.url == url) {
            return existing.clone();
        }
        self.last_id += 1;
        let created = utc_now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let target = Target::parse(url).map(Arc::new);
        let webhook = Webhook { id: self.last_id, url: url.to_owned(), events, created, target };
        self.list.push(webhook.clone());
        webhook
    }

    fn remove(&mut self, id: &str) -> bool {
        let before = self.list.len();
        self.list.retain(|webhook| webhook.id.to_string() != id);
        self.list.len() < before
    }
}

pub(crate) fn list(state: &State, call: &Asked) -> Reply {
    if call.param("id").is_some() {
        return envelope::unhandled("Validator rule is not a function");
    }
    let all = state.webhooks.read().unwrap_or_else(PoisonError::into_inner).all();
    let message = "Successfully fetched webhooks!";
    match call.param("url") {
        None => envelope::success(message, all),
        Some(url) => match all.into_iter().find(|webhook| webhook.url == url) {
            Some(found) => envelope::success(message, [found]),
            None => envelope::unhandled("Cannot read properties of null (reading 'id')"),
        },
    }
}

pub(crate) fn add(state: &State, call: &Asked) -> Reply {
    let url = match call.body.get("url") {
        None | Some(Value::Null) => return envelope::bad_request("The url field is required."),
        Some(Value::String(url)) if url.trim().is_empty() => {
            return envelope::bad_request("The url field is required.");
        }
        Some(Value::String(url)) => url,
        Some(_) => return envelope::bad_request("The url must be a string."),
    };
    let events = match call.body.get("events") {
        Some(Value::Array(events)) if !events.is_empty() => events,
        None | Some(Value::Null | Value::Array(_)) => {
            return envelope::bad_request("The events field is required.");
        }
        Some(_) => return envelope::bad_request("The events attribute has errors."),
    };
    if !url.starts_with("http") {
        return envelope::bad_request("Webhook URL must start with http!");
    }
    let mut names = Vec::with_capacity(events.len());
    for event in events {
        match event.as_str().filter(|name| REGISTRABLE.contains(name)) {
            Some(name) => names.push(name.to_owned()),
            None => {
                let shown = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
                let all = REGISTRABLE.join(",");
                let detail = format!("Invalid webhook event: {shown}! Webhook must be one of: {all}");
                return envelope::bad_request(&detail);
            }
        }
    }
    let webhook = state.webhooks.write().unwrap_or_else(PoisonError::into_inner).register(url, names);
    envelope::success("Successfully created webhook!", webhook)
}

pub(crate) fn remove(state: &State, id: &str) -> Reply {
    if state.webhooks.write().unwrap_or_else(PoisonError::into_inner).remove(id) {
        envelope::success_empty("Successfully deleted webhook!")
    } else {
        envelope::not_found("Webhook does not exist!")
    }
}
