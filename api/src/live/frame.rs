//! An event as it goes over the wire: written once for all sockets, and as far as somebody sees who sees some conversations only.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use crm::{
    App, Error,
    access::{Caller, Permission, Sight, Within},
    events::{
        self, Event, Numbered, Whisper,
        audience::{self, Holders, Told},
    },
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// An event as it goes over the wire.
#[derive(Debug)]
pub struct Frame {
    /// Its number, if it is one that is kept.
    pub seq: Option<i64>,
    /// What somebody needs to see it; nothing where it is for a user's own sessions.
    permission: Option<Permission>,
    /// For whom alone, if not for all of the tenant.
    user_id: Option<Uuid>,
    text: Utf8Bytes,
    /// Whether it tells of conversations at all.
    is_about_some: bool,
    /// Who had its conversation before.
    former: Option<Uuid>,
    asked: Arc<Asked>,
}

/// Who has the conversations of frames that are handed out together: asked once for all of them and all sockets of this process, and only where one of them
/// wants to know.
#[derive(Debug)]
struct Asked {
    tenant_id: Uuid,
    conversations: Vec<Uuid>,
    holders: OnceCell<Holders>,
}

impl Asked {
    async fn holders(&self, app: &App) -> Result<&Holders, Error> {
        self.holders.get_or_try_init(|| events::holders(&app.db, self.tenant_id, &self.conversations)).await
    }
}

impl Frame {
    /// The frames of numbered events of a tenant that are handed out together.
    pub fn of_all(tenant_id: Uuid, events: &[Numbered]) -> Result<Vec<Self>, Error> {
        let about: Vec<Vec<Uuid>> = events.iter().map(|event| audience::conversations(&event.data)).collect();
        let asked = Arc::new(Asked { tenant_id, conversations: about.concat(), holders: OnceCell::new() });
        events.iter().zip(&about).map(|(event, about)| Self::of(event, !about.is_empty(), &asked)).collect()
    }
    fn of(event: &Numbered, is_about_some: bool, asked: &Arc<Asked>) -> Result<Self, Error> {
        let text = serde_json::to_string(event).map_err(|error| Error::Internal(error.into()))?;
        Ok(Self {
            seq: Some(event.seq),
            permission: (event.kind != Event::DEVICE).then(|| events::permission(&event.kind)),
            user_id: event.user_id,
            text: text.into(),
            is_about_some,
            former: event.former_assignee_id,
            asked: Arc::clone(asked),
        })
    }
    /// The frame of what is written nowhere; it has no number, and says itself who has its conversation.
    pub fn of_whisper(whisper: &Whisper) -> Self {
        let text = json!({ "kind": whisper.kind, "data": whisper.data, "at": whisper.at }).to_string();
        let holders =
            whisper.of.map(|(conversation, assignee)| Holders::of(conversation, assignee)).unwrap_or_default();
        let conversations = audience::conversations(&whisper.data);
        let is_about_some = !conversations.is_empty();
        let holders = OnceCell::new_with(Some(holders));
        Self {
            seq: None,
            permission: Some(events::permission(&whisper.kind)),
            user_id: None,
            text: text.into(),
            is_about_some,
            former: None,
            asked: Arc::new(Asked { tenant_id: whisper.tenant_id, conversations, holders }),
        }
    }
    /// What of it that caller gets.
    pub async fn text_for(&self, app: &App, caller: &Caller) -> Result<Option<Utf8Bytes>, Error> {
        let is_theirs = self.user_id.is_none_or(|id| caller.user_id.uuid() == id);
        let Some(permission) = self.permission else {
            // how somebody logs in is nothing to a key of theirs, nor to an operator in their place
            let is_own = is_theirs && caller.session_id().is_some() && caller.impersonator_id.is_none();
            return Ok(is_own.then(|| self.text.clone()));
        };
        if !is_theirs || !caller.permissions.contains(permission) {
            return Ok(None);
        }
        match caller.sight(permission) {
            Sight::All => Ok(Some(self.text.clone())),
            // what is for one user alone is about what they did themselves
            Sight::Within(_) if self.user_id.is_some() || !self.is_about_some => Ok(Some(self.text.clone())),
            Sight::Within(within) => self.part_for(app, &within).await,
        }
    }

    async fn part_for(&self, app: &App, within: &Within) -> Result<Option<Utf8Bytes>, Error> {
        let holders = self.asked.holders(app).await?;
        let mut event: Value = serde_json::from_str(&self.text).map_err(|error| Error::Internal(error.into()))?;
        Ok(match audience::told(&event["data"], self.former, holders, within) {
            Told::Whole => Some(self.text.clone()),
            Told::Part(data) => {
                event["data"] = data;
                Some(event.to_string().into())
            }
            Told::Nothing => None,
        })
    }
}
