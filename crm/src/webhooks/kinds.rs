//! What a webhook can be told: the kinds of events that are for all of a tenant, and who may see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error,
    access::{Caller, Permission, Permissions, Via},
    events::{self, Event},
};

/// The kind of a test that somebody sends by hand. It is no event: it has no number, and is tried once.
pub const PING: &str = "ping";

/// That a conversation stands elsewhere, by no more than its id: also that it has left the sight of whoever is told.
pub(super) const MOVED: &str = "conversation.updated";

/// A kind of event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WebhookKind)]
pub struct Kind {
    /// Its name.
    pub kind: &'static str,
    /// What somebody needs to see it.
    pub permission: Permission,
    /// Whether whoever asks may have a webhook told of it.
    pub is_allowed: bool,
}

/// Every kind that there is for webhooks: what is for one user alone is not.
pub fn all() -> impl Iterator<Item = &'static str> {
    Event::KINDS.into_iter().filter(|kind| !Event::PERSONAL.contains(kind))
}

/// The kinds, with what the caller may choose.
#[must_use]
pub fn list(caller: &Caller) -> Vec<Kind> {
    let kind = |kind| {
        let permission = events::permission(kind);
        Kind { kind, permission, is_allowed: caller.permissions.contains(permission) }
    };
    all().map(kind).collect()
}

/// The kinds in order, each once; refused where one is unknown, or is not the caller's to see. A webhook sees as a person does: a key that sees less than its
/// maker may have it told nothing of conversations.
pub(super) fn choose(caller: &Caller, kinds: &[String]) -> Result<Vec<&'static str>, Error> {
    let unknown = |kind: &String| {
        let message = format!("there is no kind of event {kind:?} for webhooks");
        Error::invalid("kinds", "webhook_kind_unknown", message)
    };
    if let Some(kind) = kinds.iter().find(|kind| all().all(|known| known != *kind)) {
        return Err(unknown(kind));
    }
    let chosen: Vec<&'static str> = all().filter(|known| kinds.iter().any(|kind| kind == known)).collect();
    if chosen.is_empty() {
        return Err(Error::invalid("kinds", "webhook_kinds_missing", "choose what the webhook is told of"));
    }
    if let Some(beyond) = chosen.iter().find(|kind| !caller.permissions.contains(events::permission(kind))) {
        let message = format!("{beyond} needs the permission {}, which you don't have", events::permission(beyond));
        return Err(Error::invalid("kinds", "webhook_kinds_beyond_own", message));
    }
    let is_key = matches!(caller.via, Via::Key(_));
    if is_key && chosen.iter().any(|kind| events::permission(kind).is_scoped()) {
        caller.require_whole_sight()?;
    }
    Ok(chosen)
}

/// Whether somebody with those permissions may be told of it. A test tells nothing.
pub(super) fn may_see(permissions: Permissions, kind: &str) -> bool {
    kind == PING || permissions.contains(events::permission(kind))
}
