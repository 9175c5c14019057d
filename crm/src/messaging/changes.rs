//! Messages that were edited or taken back, by whoever wrote them. A later change wins, whatever order they come in, and nothing brings back what
//! was taken back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clients::gateway::GatewayMessage;
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    events::{self, Event},
    messaging::{
        apply,
        lines::{self, LineId},
        media::transcribe,
    },
    privacy, queue,
};

/// When a message without a word and without a file is looked at again, since its file may come late.
pub(super) const ROUNDS: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(600),
];

/// A change of a message that may be known.
#[derive(Debug)]
pub(super) struct Change {
    guid: String,
    text: Option<String>,
    at: DateTime<Utc>,
    is_unsent: Option<bool>,
}

impl Change {
    /// What a report says of a change; none of a message that is as it was sent.
    pub fn of(message: &GatewayMessage) -> Option<Self> {
        let (guid, text) = (message.guid.clone(), message.text.as_deref().map(|text| privacy::mask(text).into_owned()));
        Some(Self { guid, text, at: message.edited_at?, is_unsent: message.is_unsent })
    }
}

/// Works changes in. A webhook does not say whether a message was edited or taken back in part: such a one is read again.
pub(super) async fn apply(tx: &mut TenantTx, line_id: LineId, changes: &[Change]) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let moved: Vec<(Uuid, Uuid, String, bool)> = sqlx::query_as(
        "with u as materialized (
           select distinct on (u.guid) u.* from unnest($2::text[], $3::text[], $4::timestamptz[], $5::boolean[]) u(guid, text, at, is_unsent)
            order by u.guid, u.is_unsent desc, u.at desc)
         update crm.messages m set
             transcript = case when not u.is_unsent then m.transcript end,
             body = case when u.is_unsent then '' when coalesce(u.text, '') = '' then m.body else u.text end,
             edited_at = case when u.is_unsent then m.edited_at else u.at end,
             unsent_at = case when u.is_unsent then u.at end
           from u
          where m.tenant_id = app.tenant_id() and m.line_id = $1 and m.guid = u.guid and m.unsent_at is null
            and (u.is_unsent or m.edited_at is null or m.edited_at < u.at)
         returning m.id, m.conversation_id, m.guid, u.is_unsent",
    )
    .bind(line_id)
    .bind(changes.iter().map(|row| row.guid.as_str()).collect::<Vec<_>>())
    .bind(changes.iter().map(|row| row.text.as_deref()).collect::<Vec<_>>())
    .bind(changes.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(changes.iter().map(|row| row.is_unsent.unwrap_or(false)).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let unsent: Vec<Uuid> = moved.iter().filter(|(.., is_unsent)| *is_unsent).map(|(id, ..)| *id).collect();
    if !unsent.is_empty() {
        transcribe::forget(tx, &unsent).await?;
    }
    for change in changes.iter().filter(|change| change.is_unsent.is_none()) {
        if moved.iter().any(|(_, _, guid, _)| *guid == change.guid) {
            read_again(tx, line_id, &change.guid, 0, Duration::from_secs(1)).await?;
        }
    }
    changed(tx, moved.into_iter().map(|(message, conversation, ..)| (message, conversation))).await
}

/// Tells live clients that messages are no longer what they were.
pub(super) async fn changed(tx: &mut TenantTx, messages: impl IntoIterator<Item = (Uuid, Uuid)>) -> Result<(), Error> {
    let tenant_id = tx.tenant_id();
    for (message_id, conversation_id) in messages {
        events::emit(tx, tenant_id, &Event::MessageChanged { message_id, conversation_id }).await?;
    }
    Ok(())
}

/// Has one message of the gateway read again, after `wait`.
pub(super) async fn read_again(
    tx: &mut TenantTx,
    line_id: LineId,
    guid: &str,
    round: u8,
    wait: Duration,
) -> Result<(), Error> {
    Enqueue::<App, ReadAgain>::new().wait(wait).one(tx, &ReadAgain { line_id, guid: guid.to_owned(), round }).await?;
    Ok(())
}

/// Reads one message of a gateway again, since a report said too little of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadAgain {
    /// The line.
    pub line_id: LineId,
    /// The gateway's id.
    pub guid: String,
    /// How often it has been read for files that may come late.
    #[serde(default)]
    pub round: u8,
}

impl Job<App> for ReadAgain {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.read_again";
    const QUEUE: Queue = queue::INBOUND;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(10).from_secs(2).up_to_secs(120);
    const TIMEOUT: Duration = Duration::from_secs(60);
    const UNIQUE: KeyScope = KeyScope::UntilStarted;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(format!("{}/{}", self.line_id, self.guid).as_str().into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let line = lines::open(&cx.app, &mut tx, self.line_id).await?;
        drop(tx);
        let found = line.gateway.message(&self.guid).await;
        let found =
            found.map_err(|error| JobError::retry(format!("the gateway could not be read: {}", error.code())))?;
        let mut tx = cx.tx().await?;
        if let Some(mut message) = found {
            // it has been asked for: what it does not say it will never say
            message.is_unsent = message.edited_at.map(|_| message.is_unsent.unwrap_or(false));
            let is_bare =
                message.attachments.is_empty() && message.text.as_deref().is_none_or(|text| text.trim().is_empty());
            if let (true, Some(wait)) = (is_bare && self.round > 0, ROUNDS.get(usize::from(self.round))) {
                read_again(&mut tx, self.line_id, &self.guid, self.round + 1, *wait).await?;
            }
            apply::apply(&mut tx, self.line_id, vec![(0, true, message)]).await?;
        }
        Ok(Done::with(tx))
    }
}
