//! What a person writes into a conversation: a reply, which is a message with the job that sends it, in one commit; or a note, which stays
//! with us.

use db::{Scope, TenantTx};
use uuid::Uuid;

use super::{change, conversations::ConversationId};
use crate::{
    Error,
    access::users::UserId,
    events::{self, Event},
    messaging::{lines::LineId, media::upload, send},
    tenancy::plans,
};

/// Most characters of what somebody writes.
pub const MOST_TEXT: usize = 10_000;

/// A reply to be sent.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Who writes it.
    pub author: UserId,
    /// What.
    pub body: &'a str,
    /// Files that go with it, uploaded by its author; with them there may be no text.
    pub media: &'a [Uuid],
    /// The message that it answers.
    pub reply_to_id: Option<Uuid>,
    /// Also where the other side has opted out: its author was warned.
    pub despite_opt_out: bool,
}

#[derive(sqlx::FromRow)]
struct Place {
    line_id: LineId,
    is_suppressed: bool,
    is_blacklisted: bool,
}

/// Queues a reply, ahead of all bulk work of its line (D8: to somebody who has opted out only knowingly).
pub async fn reply(tx: &mut TenantTx, id: ConversationId, reply: Reply<'_>) -> Result<Uuid, Error> {
    if reply.media.is_empty() || !reply.body.is_empty() {
        check(reply.body)?;
    }
    // replies of one conversation wait for one another here, so that their order is that of their times
    let place: Place = sqlx::query_as(
        "select c.line_id,
                exists (select from crm.suppressions s where s.tenant_id = c.tenant_id and s.address = c.address) as is_suppressed,
                exists (select from crm.suppressions s where s.tenant_id = c.tenant_id and s.address = c.address and s.reason = 'blacklisted') as is_blacklisted
           from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1 for no key update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    if place.is_blacklisted {
        return Err(Error::conflict("recipient_blacklisted", "this address is on the list of those not to write to"));
    }
    if place.is_suppressed && !reply.despite_opt_out {
        let message = "the recipient has asked for no more messages; say despite_opt_out to send this one all the same";
        return Err(Error::conflict("recipient_opted_out", message));
    }
    if let Some(quoted) = reply.reply_to_id {
        is_here(tx, id, quoted).await?;
    }
    plans::admit_messages(tx, 1).await?;
    let message_id = ConversationId::new().uuid();
    sqlx::query(
        "with m as (
           insert into crm.messages (id, conversation_id, line_id, direction, source, address, body, status, client_guid, author_id, reply_to_id, despite_opt_out, created_at)
             select $1, c.id, c.line_id, 'outbound', 'user', c.address, $3, 'queued', 'paloma-' || $1::uuid, $4, $5, $6, app.clock()
               from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $2
           returning conversation_id, created_at)
         update crm.conversations c set last_message_at = greatest(c.last_message_at, m.created_at)
           from m where c.tenant_id = app.tenant_id() and c.id = m.conversation_id",
    )
    .bind(message_id)
    .bind(id)
    .bind(reply.body)
    .bind(reply.author)
    .bind(reply.reply_to_id)
    .bind(place.is_suppressed)
    .execute(tx.conn())
    .await?;
    upload::attach_own(tx, message_id, reply.media).await?;
    send::enqueue_direct(tx, place.line_id, message_id).await?;
    forget_draft(tx, reply.author, id, "message").await?;
    let tenant_id = tx.tenant_id();
    let event = Event::MessageNew { message_id, conversation_id: id.uuid(), direction: "outbound" };
    events::emit(tx, tenant_id, &event).await?;
    Ok(message_id)
}

fn check(body: &str) -> Result<(), Error> {
    if body.trim().is_empty() || body.chars().count() > MOST_TEXT {
        return Err(Error::invalid("body", "text_length", format!("a text has 1 to {MOST_TEXT} characters")));
    }
    Ok(())
}

async fn is_here(tx: &mut TenantTx, id: ConversationId, message: Uuid) -> Result<(), Error> {
    let found: Option<bool> = sqlx::query_scalar(
        "select true from crm.messages m where m.tenant_id = app.tenant_id() and m.id = $2 and m.conversation_id = $1",
    )
    .bind(id)
    .bind(message)
    .fetch_optional(tx.conn())
    .await?;
    let message = "a reply answers a message of its own conversation";
    found.map(|_| ()).ok_or_else(|| Error::invalid("reply_to_id", "reply_to_unknown", message))
}

/// Writes a note. It brings its conversation to the top, and is unread for nobody.
pub async fn note(tx: &mut TenantTx, id: ConversationId, author: UserId, body: &str) -> Result<Uuid, Error> {
    check(body)?;
    let note_id = ConversationId::new().uuid();
    let updated = sqlx::query(
        "with c as (
           update crm.conversations c set last_message_at = greatest(c.last_message_at, app.clock()) where c.tenant_id = app.tenant_id() and c.id = $2
           returning c.id, c.last_message_at)
         insert into crm.notes (id, conversation_id, author_id, body, created_at) select $1, c.id, $3, $4, c.last_message_at from c",
    )
    .bind(note_id)
    .bind(id)
    .bind(author)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if updated.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    forget_draft(tx, author, id, "note").await?;
    change::tell(tx, id).await?;
    Ok(note_id)
}

/// What was written is no draft any more, on no device.
async fn forget_draft(tx: &mut TenantTx, author: UserId, id: ConversationId, kind: &str) -> Result<(), Error> {
    sqlx::query("delete from crm.drafts d where d.tenant_id = app.tenant_id() and d.user_id = $1 and d.conversation_id = $2 and d.kind = $3")
        .bind(author)
        .bind(id)
        .bind(kind)
        .execute(tx.conn())
        .await?;
    Ok(())
}
