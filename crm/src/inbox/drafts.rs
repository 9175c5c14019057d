//! What a user has begun to write, one draft a conversation, so that it is there on their other devices too.

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{conversations::ConversationId, write::MOST_TEXT};
use crate::{
    Error,
    access::users::UserId,
    messaging::media::{self, Media, upload},
    secrets::Keys,
};

/// What something written is: it goes out, or stays with us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = MessageKind)]
pub enum Kind {
    /// A message to the other side.
    #[default]
    Message,
    /// A note among colleagues.
    Note,
}

/// A draft.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Draft {
    /// Its conversation.
    #[schema(value_type = Uuid)]
    pub conversation_id: ConversationId,
    /// message or note.
    pub kind: Kind,
    /// The text so far.
    pub body: String,
    /// Files attached to it that can still be sent.
    pub media: Vec<Media>,
    /// How many of its files are gone: an upload is kept for a day.
    pub lost_file_count: usize,
    /// When it was last written at.
    pub updated_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    conversation_id: ConversationId,
    kind: Kind,
    body: String,
    media_ids: Vec<Uuid>,
    updated_at: DateTime<Utc>,
}

impl Row {
    async fn shown(self, tx: &mut TenantTx, keys: &Keys) -> Result<Draft, Error> {
        let media = media::unsent_own(tx, keys, &self.media_ids).await?;
        Ok(Draft {
            conversation_id: self.conversation_id,
            kind: self.kind,
            body: self.body,
            lost_file_count: self.media_ids.len() - media.len(),
            media,
            updated_at: self.updated_at,
        })
    }
}

/// What is kept as a draft.
#[derive(Debug)]
pub struct Begun<'a> {
    /// message or note.
    pub kind: Kind,
    /// The text so far; with files there may be none.
    pub body: &'a str,
    /// Uploads that are to go with it.
    pub media: &'a [Uuid],
}

/// The draft of a user in a conversation.
pub async fn get(tx: &mut TenantTx, keys: &Keys, user_id: UserId, id: ConversationId) -> Result<Draft, Error> {
    let row: Row = sqlx::query_as(
        "select d.conversation_id, d.kind, d.body, d.media_ids, d.updated_at from crm.drafts d
          where d.tenant_id = app.tenant_id() and d.user_id = $1 and d.conversation_id = $2",
    )
    .bind(user_id)
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    row.shown(tx, keys).await
}

/// Keeps a draft in place of the one before. Of two devices that write at once the later one's is kept.
pub async fn put(
    tx: &mut TenantTx,
    keys: &Keys,
    user_id: UserId,
    id: ConversationId,
    Begun { kind, body, media }: Begun<'_>,
) -> Result<Draft, Error> {
    upload::check_count(media)?;
    if body.is_empty() && media.is_empty() || body.chars().count() > MOST_TEXT {
        return Err(Error::invalid("body", "text_length", format!("a text has 1 to {MOST_TEXT} characters")));
    }
    let kept: Result<Row, _> = sqlx::query_as(
        "insert into crm.drafts (user_id, conversation_id, kind, body, media_ids) values ($1, $2, $3, $4, $5)
         on conflict on constraint drafts_pkey do update
           set kind = excluded.kind, body = excluded.body, media_ids = excluded.media_ids, updated_at = app.now()
         returning conversation_id, kind, body, media_ids, updated_at",
    )
    .bind(user_id)
    .bind(id)
    .bind(kind)
    .bind(body)
    .bind(media)
    .fetch_one(tx.conn())
    .await;
    let row = kept.map_err(|error| match db::constraint::violated(&error) {
        Some("drafts_conversation") => Error::NotFound,
        _ if db::constraint::is_out_of_sight(&error) => Error::NotFound,
        _ => Error::from(error),
    })?;
    row.shown(tx, keys).await
}

/// Throws the draft away; one that is not there is no fault.
pub async fn delete(tx: &mut TenantTx, user_id: UserId, id: ConversationId) -> Result<(), Error> {
    sqlx::query(
        "delete from crm.drafts d where d.tenant_id = app.tenant_id() and d.user_id = $1 and d.conversation_id = $2",
    )
    .bind(user_id)
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}
