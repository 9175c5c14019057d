//! What messages have besides their text: reactions, the tries of one that went over two services, files. One look at each for a whole page.

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::thread::Message;
use crate::{
    Error,
    messaging::{attempts, media},
    secrets::Keys,
};

/// How somebody reacted to a message.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = MessageReaction)]
pub struct Reaction {
    #[serde(skip)]
    message_id: Uuid,
    /// love, like, dislike, laugh, emphasize, question, or an emoji.
    pub kind: String,
    /// contact, or us.
    pub from: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Adds to each message what it has.
pub(super) async fn add(tx: &mut TenantTx, keys: &Keys, messages: &mut [Message]) -> Result<(), Error> {
    let ids: Vec<Uuid> =
        messages.iter().filter(|message| message.kind == "message").map(|message| message.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let reactions: Vec<Reaction> = sqlx::query_as(
        "select m.id as message_id, r.kind, case when r.sender = '' then 'us' else 'contact' end as \"from\", r.at
           from crm.messages m
           join crm.message_reactions r on r.tenant_id = m.tenant_id and r.line_id = m.line_id and r.target_guid = m.guid
          where m.tenant_id = app.tenant_id() and m.id = any($1) and not r.is_removed
          order by r.at, r.sender",
    )
    .bind(&ids)
    .fetch_all(tx.conn())
    .await?;
    let attempts = attempts::of_messages(tx, &ids).await?;
    let media = media::of_messages(tx, keys, &ids).await?;
    for message in messages {
        let id = message.id;
        message.reactions = reactions.iter().filter(|reaction| reaction.message_id == id).cloned().collect();
        message.attempts = attempts.iter().filter(|(of, _)| *of == id).map(|(_, attempt)| attempt.clone()).collect();
        message.media = media.iter().filter(|media| media.message_id == Some(id)).cloned().collect();
    }
    Ok(())
}
