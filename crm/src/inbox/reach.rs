//! How far an act reaches that somebody may do in some conversations only. Which ones they see at all the database decides: what is out of sight is not
//! there, whatever is asked. Here is refused what they see and may not do something to.

use db::{Scope, TenantTx};
use uuid::Uuid;

use super::conversations::ConversationId;
use crate::{
    Error,
    access::{Caller, Permission, permission, users::UserId},
};

/// Refuses an act in a conversation that is out of the caller's reach, and keeps it with whoever has it until the act is done.
pub async fn require(
    tx: &mut TenantTx,
    caller: &Caller,
    permission: Permission,
    id: ConversationId,
) -> Result<(), Error> {
    if caller.permissions.scope(permission) == Some(permission::Scope::All) {
        return Ok(());
    }
    let (assignee,): (Option<UserId>,) = sqlx::query_as(
        "select c.assignee_id from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1 for no key update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    caller.require_of(permission, assignee)
}

/// The same by a message of it.
pub async fn require_at(
    tx: &mut TenantTx,
    caller: &Caller,
    permission: Permission,
    message_id: Uuid,
) -> Result<(), Error> {
    if caller.permissions.scope(permission) == Some(permission::Scope::All) {
        return Ok(());
    }
    let id: ConversationId = sqlx::query_scalar(
        "select m.conversation_id from crm.messages m where m.tenant_id = app.tenant_id() and m.id = $1",
    )
    .bind(message_id)
    .fetch_one(tx.conn())
    .await?;
    require(tx, caller, permission, id).await
}
