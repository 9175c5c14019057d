//! Conversations are begun by whoever writes first: by a person here, by what comes in elsewhere.

use db::{Scope, TenantTx};
use uuid::Uuid;

use super::{change, conversations::ConversationId};
use crate::{
    Error,
    access::{Caller, Permission, permission, users::UserId},
    contacts::{region_of_line, suppressions},
};

/// The conversation of that line with that address, for somebody who writes to it. What they begin is theirs where they see or
/// answer their own only; one that is there already and is not theirs to see is refused, since an address has one conversation a line.
pub async fn open_by(
    tx: &mut TenantTx,
    caller: &Caller,
    line_id: Uuid,
    address: &str,
) -> Result<ConversationId, Error> {
    let is_own = |permission| caller.permissions.scope(permission) == Some(permission::Scope::Own);
    if ![Permission::ConversationsView, Permission::ConversationsReply].into_iter().any(is_own) {
        return open(tx, line_id, address).await;
    }
    change::can_have_work(tx, caller.user_id).await?;
    open_for(tx, line_id, address, Some(caller.user_id)).await
}

/// The conversation of that line with that address, begun now where there is none yet.
pub async fn open(tx: &mut TenantTx, line_id: Uuid, address: &str) -> Result<ConversationId, Error> {
    open_for(tx, line_id, address, None).await
}

async fn open_for(
    tx: &mut TenantTx,
    line_id: Uuid,
    address: &str,
    assignee: Option<UserId>,
) -> Result<ConversationId, Error> {
    let region = region_of_line(tx, line_id).await?;
    let address = suppressions::normalise_in(address, region)?;
    // the same address at the same time finds the other's row
    let opened = sqlx::query_scalar(
        "insert into crm.conversations (id, line_id, address, assignee_id, contact_id)
           select $1, $2, $3, $4, (select k.id from crm.contacts k where k.tenant_id = app.tenant_id() and k.phone = $3 order by k.id limit 1)
         on conflict (tenant_id, line_id, address) do update set address = excluded.address
         returning id",
    )
    .bind(ConversationId::new())
    .bind(line_id)
    .bind(&address)
    .bind(assignee)
    .fetch_one(tx.conn())
    .await;
    opened.map_err(|error| match db::constraint::violated(&error) {
        Some("conversations_line") => Error::invalid("line_id", "line_not_found", "there is no such line"),
        _ if db::constraint::is_out_of_sight(&error) => {
            Error::conflict("conversation_not_yours", "somebody else is in touch with this address, or nobody is yet")
        }
        _ => error.into(),
    })
}
