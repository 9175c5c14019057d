//! What happened, for live clients. An event is written in the transaction of what it tells and is numbered after the commit; what
//! else it causes is said in [`crate::reactions`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use db::{Db, Scope, Why};
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{App, Error, queue};

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
    /// `message.new`: a message came in.
    MessageNew {
        /// The message.
        message_id: Uuid,
        /// Its conversation.
        conversation_id: Uuid,
    },
}

impl Event {
    /// Every kind there is, for the snapshot. Those of breakers are written by the database, with the change of the gate itself.
    pub const KINDS: [&'static str; 6] =
        ["breaker.closed", "breaker.opened", "campaign.progress", "job.progress", "message.new", "message.status"];

    /// The name on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CampaignProgress(_) => "campaign.progress",
            Self::JobProgress(_) => "job.progress",
            Self::MessageStatus(_) => "message.status",
            Self::MessageNew { .. } => "message.new",
        }
    }
    fn data(&self) -> Value {
        match self {
            Self::CampaignProgress(progress) => serde_json::json!(progress),
            Self::JobProgress(progress) => serde_json::json!(progress),
            Self::MessageStatus(items) => serde_json::json!({ "items": items }),
            Self::MessageNew { message_id, conversation_id } => {
                serde_json::json!({ "message_id": message_id, "conversation_id": conversation_id })
            }
        }
    }
}

/// Writes the event into the outbox of a tenant, in the transaction of what it tells.
pub async fn emit<S: Scope>(tx: &mut S, tenant_id: Uuid, event: &Event) -> Result<(), sqlx::Error> {
    sqlx::query("insert into crm.event_outbox (tenant_id, kind, data) values ($1, $2, $3)")
        .bind(tenant_id)
        .bind(event.kind())
        .bind(Json(event.data()))
        .execute(tx.conn())
        .await?;
    tx.notify(OUTBOX);
    Ok(())
}

/// A numbered event, as the live feed sends it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Numbered {
    /// Whose.
    #[serde(skip)]
    pub tenant_id: Uuid,
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
    let mut tx = db.platform(Why::Feed).await?;
    let count: i32 = sqlx::query_scalar("select crm.number_events(5000)").fetch_one(tx.conn()).await?;
    if count > 0 {
        tx.notify(CHANNEL);
    }
    tx.commit().await?;
    Ok(count)
}

/// The tenant's events after `seq`, oldest first.
pub async fn after(db: &Db, tenant_id: Uuid, seq: i64, limit: i64) -> Result<Vec<Numbered>, Error> {
    let mut tx = db.platform(Why::Feed).await?;
    let events = sqlx::query_as(
        "select tenant_id, seq, kind, data, at from crm.events where tenant_id = $1 and seq > $2 order by seq limit $3",
    )
    .bind(tenant_id)
    .bind(seq)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(events)
}

/// The number of the tenant's last event; 0 before the first.
pub async fn last_seq(db: &Db, tenant_id: Uuid) -> Result<i64, Error> {
    let mut tx = db.platform(Why::Feed).await?;
    let seq: Option<i64> = sqlx::query_scalar("select seq from crm.event_counters where tenant_id = $1")
        .bind(tenant_id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(seq.unwrap_or(0))
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
