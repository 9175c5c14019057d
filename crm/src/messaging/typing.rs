//! Who types, and who has read: what loses its worth within seconds is told and kept nowhere, and what is told to the other side goes out by a job
//! that is dropped when it comes late.

use std::time::Duration;

use clients::ClientError;
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    App, Error, events,
    messaging::lines::{self, LineId},
    queue,
};

/// How long somebody types who is not heard of again. The gateway may never say that they have stopped.
pub const TYPES_FOR: chrono::TimeDelta = chrono::TimeDelta::seconds(15);
/// A report older than this is of no use.
pub(super) const STALE: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// The other side has begun or stopped typing.
pub(super) async fn tell(
    tx: &mut TenantTx,
    line_id: LineId,
    chat: &str,
    address: Option<&str>,
    is_typing: bool,
) -> Result<(), Error> {
    let conversation: Option<(Uuid, Option<Uuid>)> = sqlx::query_as(
        "select c.id, c.assignee_id from crm.conversations c where c.tenant_id = app.tenant_id() and c.line_id = $1 and c.address = coalesce($3, split_part($2, ';', 3))",
    )
    .bind(line_id)
    .bind(chat)
    .bind(address)
    .fetch_optional(tx.conn())
    .await?;
    let Some((conversation_id, assignee)) = conversation else { return Ok(()) };
    let expires_at = tx.now() + TYPES_FOR;
    let data = json!({ "conversation_id": conversation_id, "is_typing": is_typing, "expires_at": expires_at });
    events::whisper(tx, "typing", (conversation_id, assignee), data).await
}

/// An agent types in a conversation: the other side is shown it, where the line can and may. Asked for again and again, it is said every ten seconds.
pub async fn show(tx: &mut TenantTx, conversation_id: Uuid) -> Result<(), Error> {
    Enqueue::<App, ShowTyping>::new().class(0).one(tx, &ShowTyping { conversation_id, asked_at: tx.now() }).await?;
    Ok(())
}

/// An agent has read a conversation: the other side is told, where the line can and may.
pub async fn mark_read(tx: &mut TenantTx, conversation_id: Uuid) -> Result<(), Error> {
    Enqueue::<App, MarkRead>::new().wait(Duration::from_secs(1)).one(tx, &MarkRead { conversation_id }).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Chat {
    line_id: LineId,
    chat_guid: String,
    sends_typing: bool,
    sends_read_receipts: bool,
}

/// The chat, where the helper can do something with it: SMS knows neither.
async fn chat(tx: &mut TenantTx, conversation_id: Uuid) -> Result<Option<Chat>, Error> {
    Ok(sqlx::query_as(
        "select c.line_id, c.chat_guid, l.sends_typing, l.sends_read_receipts from crm.conversations c join crm.lines l on l.tenant_id = c.tenant_id and l.id = c.line_id
          where c.tenant_id = app.tenant_id() and c.id = $1 and c.chat_guid is not null and l.method = 'private_api' and c.service not in ('sms')",
    )
    .bind(conversation_id)
    .fetch_optional(tx.conn())
    .await?)
}

/// What an answer to something that is only nice to have means for its job.
fn outcome(result: Result<(), ClientError>) -> JobResult {
    match result {
        Ok(()) | Err(ClientError::Rejected { .. }) => Ok(Done::Now),
        Err(error) => Err(JobError::retry(error.code())),
    }
}

/// Shows the other side that an agent types. It ends by itself there; the call that should end it begins it anew.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShowTyping {
    /// Where.
    pub conversation_id: Uuid,
    /// When.
    pub asked_at: chrono::DateTime<chrono::Utc>,
}

impl Job<App> for ShowTyping {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.show_typing";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(2).from_secs(1).up_to_secs(1);
    const TIMEOUT: Duration = Duration::from_secs(15);
    const UNIQUE: KeyScope = KeyScope::For(Duration::from_secs(10));

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.conversation_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let is_late = tx.now() - self.asked_at > STALE;
        let Some(chat) = chat(&mut tx, self.conversation_id).await?.filter(|chat| chat.sends_typing && !is_late) else {
            return Ok(Done::with(tx));
        };
        let line = lines::open(&cx.app, &mut tx, chat.line_id).await?;
        drop(tx);
        // one that does not get through is not worth a failure in the list
        match outcome(line.gateway.show_typing(&chat.chat_guid).await) {
            Err(_) if cx.is_last_attempt() => Ok(Done::Now),
            other => other,
        }
    }
}

/// Marks a chat as read at the gateway, which tells the other side.
#[derive(Debug, Serialize, Deserialize)]
pub struct MarkRead {
    /// Which.
    pub conversation_id: Uuid,
}

impl Job<App> for MarkRead {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.mark_read";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(8).from_secs(2).up_to_secs(120);
    const TIMEOUT: Duration = Duration::from_secs(60);
    const UNIQUE: KeyScope = KeyScope::UntilStarted;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.conversation_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let Some(chat) = chat(&mut tx, self.conversation_id).await?.filter(|chat| chat.sends_read_receipts) else {
            return Ok(Done::with(tx));
        };
        let line = lines::open(&cx.app, &mut tx, chat.line_id).await?;
        drop(tx);
        match outcome(line.gateway.mark_read(&chat.chat_guid).await) {
            Err(_) if cx.is_last_attempt() => Ok(Done::Now),
            other => other,
        }
    }
}
