//! Where a Mac reports to. The server keeps one row per URL and ignores changed events, so a change is a delete and a create.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::wire::{self, Raw};
use super::{BlueBubbles, json, read};
use crate::ClientError;
use crate::http::Method;

/// Some events, the removal of an alias among them, are sent only to those who ask for everything.
const EVERYTHING: &str = "*";

/// One registration at a Mac.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The server's number for it.
    pub id: i64,
    /// Where to; it contains the secret by which we know the caller.
    pub url: String,
    /// What for.
    pub events: Vec<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("events", &self.events).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct WireWebhook<'a> {
    #[serde(borrow, default)]
    id: Raw<'a>,
    #[serde(borrow, default)]
    url: Raw<'a>,
    #[serde(borrow, default)]
    events: Raw<'a>,
}

#[derive(Serialize)]
struct CreateBody<'a> {
    url: &'a str,
    events: &'a [&'a str],
}

impl BlueBubbles {
    /// All registrations. The server's own filters are broken; filter here.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, ClientError> {
        let answer = self.http().call(self.call("webhook_list", Method::GET, &["webhook"], &[])).await?;
        Ok(wire::list(read::data(&answer)?).into_iter().filter_map(|raw| webhook(Some(raw))).collect())
    }

    /// Registers a URL. One that is there already stays as it is, events included.
    pub async fn create_webhook(&self, url: &str, events: &[&str]) -> Result<(), ClientError> {
        let mut call = self.call("webhook_create", Method::POST, &["webhook"], &[]);
        call.json = Some(json(&CreateBody { url, events }));
        let answer = self.http().call(call).await?;
        read::data(&answer).map(|_| ())
    }

    /// Removes a registration; one that is gone already is fine.
    pub async fn delete_webhook(&self, id: i64) -> Result<(), ClientError> {
        let call = self.call("webhook_delete", Method::DELETE, &["webhook", &id.to_string()], &[]);
        let answer = self.http().call(call).await?;
        match read::data(&answer) {
            Err(ClientError::Rejected { code: "not_found", .. }) => Ok(()),
            result => result.map(|_| ()),
        }
    }

    /// Makes the Mac report everything to `url`. Other URLs that differ only in the last part of the path are ours from before
    /// a change of the secret, and go; they go last, so that no event falls between.
    pub async fn ensure_webhook(&self, url: &str) -> Result<(), ClientError> {
        let folder = url.rsplit_once('/').map_or(url, |(folder, _)| folder);
        let is_ours = |other: &str| other.rsplit_once('/').is_some_and(|(theirs, _)| theirs == folder);
        let registered = self.webhooks().await?;
        let (same, stale): (Vec<_>, Vec<_>) =
            registered.into_iter().filter(|hook| is_ours(&hook.url)).partition(|hook| hook.url == url);
        let is_complete = |hook: &Webhook| hook.events.iter().any(|event| event == EVERYTHING);
        if !same.iter().any(is_complete) {
            for hook in &same {
                self.delete_webhook(hook.id).await?;
            }
            self.create_webhook(url, &[EVERYTHING]).await?;
        }
        for hook in &stale {
            self.delete_webhook(hook.id).await?;
        }
        Ok(())
    }
}

fn webhook(raw: Raw<'_>) -> Option<Webhook> {
    let wire: WireWebhook<'_> = wire::object(raw)?;
    let events = match wire::text(wire.events) {
        // Older rows keep their events as a list written into a string.
        Some(listed) => serde_json::from_str(&listed).unwrap_or_default(),
        None => wire::list(wire.events).into_iter().filter_map(|event| wire::word(Some(event))).collect(),
    };
    Some(Webhook { id: wire::int(wire.id)?, url: wire::word(wire.url)?, events })
}
