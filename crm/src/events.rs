//! What happened, for live clients. An event is written in the transaction of what it tells and is numbered after the commit; what
//! else it causes is said in [`crate::reactions`].

pub mod audience;

use std::time::Duration;

use chrono::{DateTime, Utc};
use db::{Db, PlatformTx, Scope, TenantTx, Why};
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{App, Error, access::Permission, queue};

/// The channel on which a process is told that events wait to be numbered.
pub const OUTBOX: &str = "paloma_outbox";
/// The channel on which every api process is told that numbered events can be read.
pub const CHANNEL: &str = "paloma_events";

/// Where a campaign stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CampaignProgress {
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its state.
    pub state: String,
    /// Recipients by state.
    pub counts: std::collections::BTreeMap<String, i64>,
    /// When it will be done at the pace of now; none while nothing moves.
    pub finish_at: Option<DateTime<Utc>>,
}

/// Where a long job stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobProgress {
    /// What the job works on, `import`.
    pub subject: &'static str,
    /// Its id.
    pub id: Uuid,
    /// Its state.
    pub state: String,
    /// Steps done.
    pub done: i64,
    /// Steps in all, as far as known.
    pub total: i64,
}

/// One message whose status moved.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageStatus {
    /// The message.
    pub message_id: Uuid,
    /// Its conversation.
    pub conversation_id: Uuid,
    /// The status it has now.
    pub status: String,
    /// Why, where there is a reason.
    pub reason: Option<String>,
}

/// An event, named after the singular thing.
#[derive(Debug, Clone)]
pub enum Event {
    /// `campaign.progress`, at most two a second and campaign.
    CampaignProgress(CampaignProgress),
    /// `job.progress`.
    JobProgress(JobProgress),
    /// `message.status`: those of one group commit together.
    MessageStatus(Vec<MessageStatus>),
    /// `message.new`: a message came in, or somebody wrote one.
    MessageNew {
        /// The message.
        message_id: Uuid,
        /// Its conversation.
        conversation_id: Uuid,
        /// inbound or outbound.
        direction: &'static str,
    },
    /// `line.health`: messages flow on a line, or do not, or some had been missing.
    LineHealth {
        /// The line.
        line_id: Uuid,
        /// ok, gap or unreachable.
        health: &'static str,
        /// Messages that were missing.
        missed: i64,
    },
    /// `message.changed`: it was edited or taken back, somebody reacted to it, its files came.
    MessageChanged {
        /// The message.
        message_id: Uuid,
        /// Its conversation.
        conversation_id: Uuid,
    },
    /// `conversation.updated`: it stands elsewhere, is somebody else's, has other labels or a note.
    ConversationUpdated {
        /// The conversation.
        conversation_id: Uuid,
    },
    /// `unread.changed`, to the user who has read, for their other devices: nobody else's badge moves by it.
    UnreadChanged {
        /// The user.
        user_id: Uuid,
        /// The conversation.
        conversation_id: Uuid,
        /// What is unread in it now.
        unread_count: i64,
    },
    /// `device.changed`, to one user: somebody has logged in as them from a browser that is new to them, or it was said whose that was.
    DeviceChanged {
        /// The session.
        session_id: Uuid,
    },
    /// `label.changed`: one was made, changed or removed.
    LabelChanged {
        /// The label.
        label_id: Uuid,
    },
    /// `webhook.disabled`: it was switched off by itself.
    WebhookDisabled {
        /// The webhook.
        webhook_id: Uuid,
        /// gone or failing.
        reason: &'static str,
    },
}

impl Event {
    /// Every kind there is, for the snapshot. Those of breakers are written by the database, with the change of the gate itself.
    pub const KINDS: [&'static str; 13] = [
        "breaker.closed",
        "breaker.opened",
        "campaign.progress",
        "conversation.updated",
        "device.changed",
        "job.progress",
        "label.changed",
        "line.health",
        "message.changed",
        "message.new",
        "message.status",
        "unread.changed",
        "webhook.disabled",
    ];
    /// Kinds that are for one user alone.
    pub const PERSONAL: [&'static str; 2] = [Self::DEVICE, "unread.changed"];
    /// The kind that is for a user's own sessions: it takes no permission, and no key and no operator in the user's place gets it.
    pub const DEVICE: &'static str = "device.changed";
    /// Kinds that are told and kept nowhere: they have no number and are not told again.
    pub const WHISPERED: [&'static str; 2] = ["conversation.presence", "typing"];

    /// The name on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CampaignProgress(_) => "campaign.progress",
            Self::JobProgress(_) => "job.progress",
            Self::MessageStatus(_) => "message.status",
            Self::MessageNew { .. } => "message.new",
            Self::LineHealth { .. } => "line.health",
            Self::MessageChanged { .. } => "message.changed",
            Self::ConversationUpdated { .. } => "conversation.updated",
            Self::UnreadChanged { .. } => "unread.changed",
            Self::DeviceChanged { .. } => Self::DEVICE,
            Self::LabelChanged { .. } => "label.changed",
            Self::WebhookDisabled { .. } => "webhook.disabled",
        }
    }
    fn data(&self) -> Value {
        match self {
            Self::CampaignProgress(progress) => serde_json::json!(progress),
            Self::JobProgress(progress) => serde_json::json!(progress),
            Self::MessageStatus(items) => serde_json::json!({ "items": items }),
            Self::MessageNew { message_id, conversation_id, direction } => {
                serde_json::json!({ "message_id": message_id, "conversation_id": conversation_id, "direction": direction })
            }
            Self::LineHealth { line_id, health, missed } => {
                serde_json::json!({ "line_id": line_id, "health": health, "missed": missed })
            }
            Self::MessageChanged { message_id, conversation_id } => {
                serde_json::json!({ "message_id": message_id, "conversation_id": conversation_id })
            }
            Self::ConversationUpdated { conversation_id } => serde_json::json!({ "conversation_id": conversation_id }),
            Self::UnreadChanged { user_id, conversation_id, unread_count } => {
                serde_json::json!({ "user_id": user_id, "conversation_id": conversation_id, "unread_count": unread_count })
            }
            Self::DeviceChanged { session_id } => serde_json::json!({ "session_id": session_id }),
            Self::LabelChanged { label_id } => serde_json::json!({ "label_id": label_id }),
            Self::WebhookDisabled { webhook_id, reason } => {
                serde_json::json!({ "webhook_id": webhook_id, "reason": reason })
            }
        }
    }
}

/// What somebody needs to see an event of that kind.
#[must_use]
pub fn permission(kind: &str) -> Permission {
    match kind {
        "campaign.progress" => Permission::CampaignsView,
        "job.progress" => Permission::ContactsView,
        "webhook.disabled" => Permission::AdminWebhooksManage,
        // of messages and conversations, and whatever is not decided yet
        _ => Permission::ConversationsView,
    }
}

/// Writes the event into the outbox of a tenant, in the transaction of what it tells.
pub async fn emit<S: Scope>(tx: &mut S, tenant_id: Uuid, event: &Event) -> Result<(), sqlx::Error> {
    write(tx, tenant_id, None, None, event).await
}

/// The same of a conversation that is somebody else's from now on: whoever saw it as `former`'s, or as nobody's, is told that too.
pub async fn emit_moved<S: Scope>(
    tx: &mut S,
    tenant_id: Uuid,
    former: Option<Uuid>,
    event: &Event,
) -> Result<(), sqlx::Error> {
    write(tx, tenant_id, None, Some(former.unwrap_or_else(Uuid::nil)), event).await
}

/// The same for one user of the tenant alone.
pub async fn emit_to<S: Scope>(tx: &mut S, tenant_id: Uuid, user_id: Uuid, event: &Event) -> Result<(), sqlx::Error> {
    write(tx, tenant_id, Some(user_id), None, event).await
}

async fn write<S: Scope>(
    tx: &mut S,
    tenant_id: Uuid,
    user_id: Option<Uuid>,
    former: Option<Uuid>,
    event: &Event,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into crm.event_outbox (tenant_id, kind, data, user_id, former_assignee_id) values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant_id)
    .bind(event.kind())
    .bind(Json(event.data()))
    .bind(user_id)
    .bind(former)
    .execute(tx.conn())
    .await?;
    tx.notify(OUTBOX);
    Ok(())
}

/// What is told to the sockets of now and written nowhere: by the notice itself, with the commit.
#[derive(Debug, Serialize, Deserialize)]
pub struct Whisper {
    /// Whose.
    pub tenant_id: Uuid,
    /// The name.
    pub kind: String,
    /// What it tells.
    pub data: Value,
    /// Of which conversation, and who has it; one that does not say so is told to nobody who sees some of them only.
    #[serde(default)]
    pub of: Option<(Uuid, Option<Uuid>)>,
    /// When it was said.
    pub at: DateTime<Utc>,
}

/// The channel of what is written nowhere.
pub const WHISPERS: &str = "paloma_whispers";

/// Tells the tenant's sockets of now of a conversation, and who has it. For what loses its worth within seconds: an event a heartbeat would fill the log.
pub async fn whisper(tx: &mut TenantTx, kind: &str, of: (Uuid, Option<Uuid>), data: Value) -> Result<(), Error> {
    let whisper = Whisper { tenant_id: tx.tenant_id(), kind: kind.to_owned(), data, of: Some(of), at: tx.now() };
    let text = serde_json::to_string(&whisper).map_err(anyhow::Error::from)?;
    sqlx::query("select pg_notify($1, $2)").bind(WHISPERS).bind(text).execute(tx.conn()).await?;
    Ok(())
}

/// A numbered event, as the live feed sends it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Numbered {
    /// Whose.
    #[serde(skip)]
    pub tenant_id: Uuid,
    /// For whom alone, if not for all of the tenant.
    #[serde(skip)]
    pub user_id: Option<Uuid>,
    /// Who had the conversation before that it tells of, where it has gone to another; all zeros: nobody.
    #[serde(skip)]
    pub former_assignee_id: Option<Uuid>,
    /// Position in the tenant's log, without gaps.
    pub seq: i64,
    /// The name.
    pub kind: String,
    /// What it tells.
    pub data: Json<Value>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Numbers what is committed, unless another process is doing it. Answers how many were numbered.
pub async fn number(db: &Db) -> Result<i32, Error> {
    let mut tx = feed(db).await?;
    let count: i32 = sqlx::query_scalar("select crm.number_events(5000)").fetch_one(tx.conn()).await?;
    if count > 0 {
        tx.notify(CHANNEL);
    }
    tx.commit().await?;
    Ok(count)
}

/// A transaction that sees the events of every tenant.
pub(crate) async fn feed(db: &Db) -> Result<PlatformTx, Error> {
    Ok(db.platform(Why::Feed).await?)
}

/// The tenant's events after `seq`, oldest first.
pub async fn after(db: &Db, tenant_id: Uuid, seq: i64, limit: i64) -> Result<Vec<Numbered>, Error> {
    let mut tx = feed(db).await?;
    let events = sqlx::query_as(
        "select tenant_id, user_id, former_assignee_id, seq, kind, data, at from crm.events where tenant_id = $1 and seq > $2 order by seq limit $3",
    )
    .bind(tenant_id)
    .bind(seq)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(events)
}

/// Who has these conversations of a tenant now.
pub async fn holders(db: &Db, tenant_id: Uuid, conversations: &[Uuid]) -> Result<audience::Holders, Error> {
    audience::Holders::read(&mut feed(db).await?, tenant_id, conversations).await
}

/// Which of a tenant's events can be told.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Kept {
    /// The number of the oldest that is kept; none where none is.
    pub oldest: Option<i64>,
    /// The number of the last; 0 before the first.
    pub last: i64,
}

/// Which of the tenant's events can be told.
pub async fn kept(db: &Db, tenant_id: Uuid) -> Result<Kept, Error> {
    let mut tx = feed(db).await?;
    let kept = sqlx::query_as(
        "select (select min(e.seq) from crm.events e where e.tenant_id = $1) as oldest,
                coalesce((select c.seq from crm.event_counters c where c.tenant_id = $1), 0) as last",
    )
    .bind(tenant_id)
    .fetch_one(tx.conn())
    .await?;
    Ok(kept)
}

/// Removes numbered events that are older than a week; a client that was away for longer reads everything anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prune {}

impl Job<App> for Prune {
    type Scope = Platform;
    const KIND: &'static str = "events.prune";
    const QUEUE: Queue = queue::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        loop {
            let mut tx = cx.tx().await?;
            let removed = sqlx::query(
                "delete from crm.events where ctid = any(array(select ctid from crm.events where at < app.now() - interval '7 days' limit 10000))",
            )
            .execute(tx.conn())
            .await?
            .rows_affected();
            if removed == 0 || cx.cancel.is_cancelled() {
                return Ok(Done::with(tx));
            }
            tx.commit().await?;
        }
    }
}
