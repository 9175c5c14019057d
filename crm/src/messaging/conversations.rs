//! Conversations and their messages, as people read them: newest first, page by page. Writes belong to send and inbound.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Error;

/// The id of a conversation.
pub type ConversationId = Id<Conversation>;

/// All messages between one line and one address.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Conversation {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: ConversationId,
    /// Our side.
    pub line_id: Uuid,
    /// The other side: a phone in E.164 or an e-mail.
    pub address: String,
    /// The contact of that address, if there is one.
    pub contact_id: Option<Uuid>,
    /// The service of the last message: imessage, sms, rcs, unknown.
    pub service: String,
    /// When the last message came or went.
    pub last_message_at: DateTime<Utc>,
    /// When the first did.
    pub created_at: DateTime<Utc>,
}

/// A message as it is shown in its conversation.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Message)]
pub struct MessageRow {
    /// The id.
    pub id: Uuid,
    /// Its conversation.
    #[schema(value_type = Uuid)]
    pub conversation_id: ConversationId,
    /// inbound or outbound.
    pub direction: String,
    /// Who made it: campaign, user, device, contact, system.
    pub source: String,
    /// The text.
    pub body: String,
    /// imessage, sms, rcs, unknown.
    pub service: String,
    /// Where it stands: queued, sending, sent, delivered, read, unknown, failed, cancelled, received.
    pub status: String,
    /// Why, where there is a reason: a stable code.
    pub reason: Option<String>,
    /// When the gateway took it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it reached the device.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The tenant's conversations, the one with the latest message first.
pub async fn list(
    tx: &mut TenantTx,
    line_id: Option<Uuid>,
    page: &PageOf<(DateTime<Utc>, ConversationId)>,
) -> Result<Page<Conversation>, Error> {
    let (at, id) = page.after.unzip();
    let rows: Vec<Conversation> = sqlx::query_as(
        "select id, line_id, address, contact_id, service, last_message_at, created_at
         from crm.conversations
         where tenant_id = app.tenant_id()
           and ($1::uuid is null or line_id = $1)
           and ($2::timestamptz is null or (last_message_at, id) < ($2, $3))
         order by last_message_at desc, id desc
         limit $4",
    )
    .bind(line_id)
    .bind(at)
    .bind(id)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| (row.last_message_at, row.id)))
}

/// The messages of a conversation, newest first.
pub async fn messages(
    tx: &mut TenantTx,
    id: ConversationId,
    page: &PageOf<(DateTime<Utc>, Uuid)>,
) -> Result<Page<MessageRow>, Error> {
    // without it an unknown conversation would answer as an empty one
    sqlx::query_scalar::<_, bool>("select true from crm.conversations where tenant_id = app.tenant_id() and id = $1")
        .bind(id)
        .fetch_one(tx.conn())
        .await?;
    let (at, after) = page.after.unzip();
    let rows: Vec<MessageRow> = sqlx::query_as(
        "select id, conversation_id, direction, source, body, service, status, reason, sent_at, delivered_at, read_at, created_at
         from crm.messages
         where tenant_id = app.tenant_id() and conversation_id = $1
           and ($2::timestamptz is null or (created_at, id) < ($2, $3))
         order by created_at desc, id desc
         limit $4",
    )
    .bind(id)
    .bind(at)
    .bind(after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| (row.created_at, row.id)))
}
