//! Messages that lost their jobs. A send job that is given up or called off records nothing itself: its message gets a state with a reason
//! here, and waits again where an operator has the job run again.

use db::{Scope, TenantTx};
use jobs::{Cx, Done, Fate, Job, JobResult, Queue, Tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    events::{self, Event, MessageStatus},
    messaging::send::SendMessage,
    queue,
};

/// Something became of send jobs: their messages follow.
#[derive(Debug, Serialize, Deserialize)]
pub struct FollowJobs {
    /// Which jobs.
    pub fates: Vec<Fate>,
}

impl Job<App> for FollowJobs {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.follow_jobs";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        // a payload that can't be read was refused by its own handler too: it names no message
        let sends = self.fates.iter().filter_map(|fate| {
            let send = SendMessage::deserialize(&fate.payload).ok()?;
            Some((fate.job_id, send.message_id))
        });
        let (jobs, messages): (Vec<i64>, Vec<Uuid>) = sends.unzip();
        let mut tx = cx.tx().await?;
        follow(&mut tx, &jobs, &messages).await?;
        Ok(Done::with(tx))
    }
}

#[derive(sqlx::FromRow)]
struct Moved {
    id: Uuid,
    conversation_id: Uuid,
    status: String,
    reason: Option<String>,
}

/// One at a time for a tenant, and what holds is read after the wait: of two that were told of one job the later then sees no less, so the
/// last word is that of the newest state.
async fn follow(tx: &mut TenantTx, jobs: &[i64], messages: &[Uuid]) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock(7240, app.tenant_number())").execute(tx.conn()).await?;
    let moved: Vec<Moved> = sqlx::query_as(
        "with f as materialized (
           select u.message_id, jobs.fate(u.job_id) as fate from unnest($1::bigint[], $2::uuid[]) u(job_id, message_id)),
         z as (
           select f.message_id, f.fate,
                  case f.fate when 'live' then 'queued' when 'discarded' then 'failed' when 'quarantined' then 'failed' else 'cancelled' end as status,
                  case f.fate when 'live' then null when 'gone' then 'lane_cancelled' else 'job_' || f.fate end as reason
             from f)
         update crm.messages m set status = z.status, reason = z.reason
           from z
          where m.tenant_id = app.tenant_id() and m.id = z.message_id
            and case when z.fate = 'live' then crm.has_lost_its_job(m.status, m.reason) else m.status = 'queued' end
         returning m.id, m.conversation_id, m.status, m.reason",
    )
    .bind(jobs)
    .bind(messages)
    .fetch_all(tx.conn())
    .await?;
    if moved.is_empty() {
        return Ok(());
    }
    let items = moved.into_iter().map(|Moved { id: message_id, conversation_id, status, reason }| MessageStatus {
        message_id,
        conversation_id,
        status,
        reason,
    });
    let (tenant_id, event) = (tx.tenant_id(), Event::MessageStatus(items.collect()));
    events::emit(tx, tenant_id, &event).await?;
    Ok(())
}
