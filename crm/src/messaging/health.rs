//! Whether messages flow on a line: not whether its gateway answers, but whether what is at the gateway came here by itself. Each sweep compares; a
//! message that only the sweep has found is a gap, told at once.

use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobResult, KeyScope, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    events::{self, Event},
    messaging::lines::{LineId, RegisterHook},
    queue,
};

/// What a look at a line has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// It was read back to the end, and so many messages were found that nobody had told of.
    Read {
        /// How many.
        missed: i64,
    },
    /// It can't be read.
    Unreachable {
        /// Stable code.
        reason: &'a str,
    },
}

/// Keeps what was found, and tells where that is news.
pub(super) async fn keep(tx: &mut TenantTx, line_id: LineId, found: Found<'_>) -> Result<(), Error> {
    let (state, reason, missed) = match found {
        Found::Read { missed: 0 } => ("ok", None, 0),
        Found::Read { missed } => ("gap", None, missed),
        Found::Unreachable { reason } => ("unreachable", Some(reason), 0),
    };
    let was: String = sqlx::query_scalar(
        "update crm.lines l set health = $2, health_reason = $3, missed_count = l.missed_count + $4,
                health_at = case when l.health = $2 then l.health_at else app.now() end,
                swept_at = case when $2 = 'unreachable' then l.swept_at else app.now() end
           from (select o.id, o.health from crm.lines o where o.tenant_id = app.tenant_id() and o.id = $1 for update) o
          where l.tenant_id = app.tenant_id() and l.id = o.id
         returning o.health",
    )
    .bind(line_id)
    .bind(state)
    .bind(reason)
    .bind(missed)
    .fetch_one(tx.conn())
    .await?;
    if missed > 0 {
        metrics::counter!("paloma_line_missed_messages_total").increment(missed.unsigned_abs());
        tracing::error!(line.id = %line_id, missed, "messages were at the gateway that it had not told of");
    }
    if was != state || missed > 0 {
        let tenant_id = tx.tenant_id();
        let event = Event::LineHealth { line_id: line_id.uuid(), health: state, missed };
        events::emit(tx, tenant_id, &event).await?;
    }
    Ok(())
}

/// Its gateway has told of something. Noted now and then: what matters is the minute.
pub(super) async fn note_event(tx: &mut TenantTx, line_id: LineId) -> Result<(), Error> {
    sqlx::query(
        "update crm.lines l set last_event_at = app.now()
          where l.tenant_id = app.tenant_id() and l.id = $1 and (l.last_event_at is null or l.last_event_at < app.now() - interval '10 seconds')",
    )
    .bind(line_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Sees to it that every gateway reports to us: somebody may have removed the webhook there, or the gateway was set up anew. Made by the schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckHooks {}

impl Job<App> for CheckHooks {
    type Scope = jobs::Platform;
    const KIND: &'static str = "messaging.check_hooks";
    const QUEUE: Queue = queue::DEFAULT;
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, jobs::Platform>) -> JobResult {
        let mut tx = cx.tx().await?;
        let lines: Vec<(i32, Uuid, String)> = sqlx::query_as(
            "select t.number, l.id, l.health from crm.lines l join crm.tenants t on t.id = l.tenant_id where t.state <> 'closed' order by t.number, l.id",
        )
        .fetch_all(tx.conn())
        .await?;
        for health in ["unknown", "ok", "gap", "unreachable"] {
            let count = lines.iter().filter(|line| line.2 == health).count();
            metrics::gauge!("paloma_lines", "health" => health).set(count as f64);
        }
        for (tenant_number, line_id, _) in lines {
            let job = RegisterHook { line_id: line_id.into() };
            Enqueue::<App, RegisterHook>::new().many_for(&mut tx, tenant_number, std::slice::from_ref(&job)).await?;
        }
        Ok(Done::with(tx))
    }
}
