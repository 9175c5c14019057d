//! How far each user has read (rules.md D14). A conversation's row is locked whenever its unread state is decided, by whoever stores a
//! message as by whoever reads, so that of two at once the later one sees what the earlier did.

use db::{Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;

use super::conversations::ConversationId;
use crate::{
    Error,
    access::users::UserId,
    events::{self, Event},
};

/// What a user has not read of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unread {
    /// The conversation.
    #[schema(value_type = Uuid)]
    pub conversation_id: ConversationId,
    /// How far it is read.
    pub position: i64,
    /// Messages that came in after that.
    pub unread_count: i64,
}

/// Reads a conversation up to a place. Only forward, and no further than what has come in.
pub async fn read(tx: &mut TenantTx, reader: UserId, id: ConversationId, position: i64) -> Result<Unread, Error> {
    lock(tx, id).await?;
    let position: i64 = sqlx::query_scalar(
        "insert into crm.reads (user_id, conversation_id, position)
           select $1, $2, greatest(least($3, coalesce(max(m.position), 0)), coalesce((select u.read_from from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1), 0))
             from crm.messages m where m.tenant_id = app.tenant_id() and m.conversation_id = $2 and m.direction = 'inbound'
         on conflict on constraint reads_pkey do update set
           position = greatest(crm.reads.position, least($3, coalesce((select max(m.position) from crm.messages m
             where m.tenant_id = app.tenant_id() and m.conversation_id = $2 and m.direction = 'inbound'), 0)))
         returning position",
    )
    .bind(reader)
    .bind(id)
    .bind(position)
    .fetch_one(tx.conn())
    .await?;
    settle(tx, reader, id, position).await
}

/// Makes the last message that came in unread, with all after it; what was unread before it stays so.
pub async fn unread(tx: &mut TenantTx, reader: UserId, id: ConversationId) -> Result<Unread, Error> {
    lock(tx, id).await?;
    let last: Option<i64> = sqlx::query_scalar(
        "select max(m.position) from crm.messages m where m.tenant_id = app.tenant_id() and m.conversation_id = $1 and m.direction = 'inbound'",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    let last =
        last.ok_or_else(|| Error::conflict("nothing_to_mark", "nothing has come in here that could be unread"))?;
    let position: i64 = sqlx::query_scalar(
        "insert into crm.reads (user_id, conversation_id, position)
           values ($1, $2, least($3, greatest(0, coalesce((select u.read_from from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1), 0))))
         on conflict on constraint reads_pkey do update set position = least(crm.reads.position, $3)
         returning position",
    )
    .bind(reader)
    .bind(id)
    .bind(last - 1)
    .fetch_one(tx.conn())
    .await?;
    settle(tx, reader, id, position).await
}

/// Forgets what a user has read and not read: from here on only what comes in counts.
pub(crate) async fn begin_afresh(tx: &mut TenantTx, reader: UserId) -> Result<(), Error> {
    sqlx::query(
        "with unread as (delete from crm.unreads u where u.tenant_id = app.tenant_id() and u.user_id = $1)
         delete from crm.reads r where r.tenant_id = app.tenant_id() and r.user_id = $1",
    )
    .bind(reader)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn lock(tx: &mut TenantTx, id: ConversationId) -> Result<(), Error> {
    sqlx::query_scalar::<_, bool>(
        "select true from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1 for no key update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(())
}

/// Lists the conversation as unread or not, and tells the user's other devices, nobody else.
async fn settle(tx: &mut TenantTx, reader: UserId, id: ConversationId, position: i64) -> Result<Unread, Error> {
    let unread_count: i64 = sqlx::query_scalar(
        "with n as materialized (
           select count(*) as count from crm.messages m
            where m.tenant_id = app.tenant_id() and m.conversation_id = $2 and m.direction = 'inbound' and m.position > $3),
         gone as (
           delete from crm.unreads u using n where u.tenant_id = app.tenant_id() and u.user_id = $1 and u.conversation_id = $2 and n.count = 0),
         added as (
           insert into crm.unreads (user_id, conversation_id, assignee_id)
             select $1, c.id, c.assignee_id from crm.conversations c, n where c.tenant_id = app.tenant_id() and c.id = $2 and n.count > 0
           on conflict on constraint unreads_pkey do nothing)
         select count from n",
    )
    .bind(reader)
    .bind(id)
    .bind(position)
    .fetch_one(tx.conn())
    .await?;
    let (tenant_id, user_id) = (tx.tenant_id(), reader.uuid());
    let event = Event::UnreadChanged { user_id, conversation_id: id.uuid(), unread_count };
    events::emit_to(tx, tenant_id, user_id, &event).await?;
    Ok(Unread { conversation_id: id, position, unread_count })
}
