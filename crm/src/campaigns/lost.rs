//! Recipients that lost their jobs. A send job that is given up or called off records nothing itself: its recipient has failed, which is said
//! here. Where an operator has the job run again it waits again, and a campaign that had completed is active until it is settled once more.

use db::{Scope, TenantTx};
use jobs::{Cx, Done, Fate, Job, JobResult, Queue, Tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    campaigns::send::SendToRecipient,
    events::{self, Event, MessageStatus},
    queue, reactions,
};

/// Something became of send jobs: their recipients follow.
#[derive(Debug, Serialize, Deserialize)]
pub struct FollowSends {
    /// Which jobs.
    pub fates: Vec<Fate>,
}

impl Job<App> for FollowSends {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.follow_sends";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        // a payload that can't be read was refused by its own handler too: it names no recipient
        let sends = self.fates.iter().filter_map(|fate| {
            let send = SendToRecipient::deserialize(&fate.payload).ok()?;
            Some((fate.job_id, send.recipient_id.uuid()))
        });
        let (jobs, recipients): (Vec<i64>, Vec<Uuid>) = sends.unzip();
        let mut tx = cx.tx().await?;
        follow(&mut tx, &jobs, &recipients).await?;
        Ok(Done::with(tx))
    }
}

/// One at a time for a tenant, and what holds is read after the wait: of two that were told of one job the later then sees no less.
async fn follow(tx: &mut TenantTx, jobs: &[i64], recipients: &[Uuid]) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock(7242, app.tenant_number())").execute(tx.conn()).await?;
    let fates: Vec<(Uuid, bool)> = sqlx::query_as(
        "select u.recipient_id, jobs.fate(u.job_id) = 'live' from unnest($1::bigint[], $2::uuid[]) u(job_id, recipient_id)",
    )
    .bind(jobs)
    .bind(recipients)
    .fetch_all(tx.conn())
    .await?;
    let (live, lost): (Vec<_>, Vec<_>) = fates.into_iter().partition(|(_, is_live)| *is_live);
    give_up(tx, &lost.into_iter().map(|(id, _)| id).collect::<Vec<_>>()).await?;
    take_back(tx, &live.into_iter().map(|(id, _)| id).collect::<Vec<_>>()).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Moved {
    id: Uuid,
    campaign_id: Uuid,
    /// Of its message, where there is one: a call that was to be made again has left it.
    conversation_id: Option<Uuid>,
    status: Option<String>,
}

/// Of these the ones that wait have failed, unless their campaign is cancelled: then they are; or its deadline has passed: then they are skipped.
pub(crate) async fn give_up(tx: &mut TenantTx, recipients: &[Uuid]) -> Result<(), Error> {
    let moved: Vec<Moved> = sqlx::query_as(
        "with r as materialized (
           select x.id, x.is_late from (select distinct u.id from unnest($1::uuid[]) u(id) order by u.id) w
            cross join lateral (
              select y.id, coalesce((select c.ends_at <= app.now() from crm.campaigns c where c.tenant_id = y.tenant_id and c.id = y.campaign_id), false) as is_late
                from crm.recipients y
               where y.tenant_id = app.tenant_id() and y.id = w.id and y.state = 'pending'
                 and (select c.state from crm.campaigns c where c.tenant_id = y.tenant_id and c.id = y.campaign_id) in ('active', 'paused')
                 for update) x),
         f as (
           update crm.recipients y set state = case when r.is_late then 'skipped' else 'failed' end, reason = case when r.is_late then 'deadline_passed' else 'job_given_up' end
             from r where y.tenant_id = app.tenant_id() and y.id = r.id returning y.id, y.campaign_id),
         m as (
           update crm.messages y set status = case when r.is_late then 'cancelled' else 'failed' end, reason = case when r.is_late then 'deadline_passed' else 'job_given_up' end
             from r where y.tenant_id = app.tenant_id() and y.id = r.id and y.status = 'queued' returning y.id, y.conversation_id, y.status)
         select f.id, f.campaign_id, m.conversation_id, m.status from f left join m on m.id = f.id",
    )
    .bind(recipients)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    tell(tx, moved).await
}

/// Of these the ones that failed because their jobs were given up wait again, and their campaigns are open again.
pub(crate) async fn take_back(tx: &mut TenantTx, recipients: &[Uuid]) -> Result<(), Error> {
    let moved: Vec<Moved> = sqlx::query_as(
        "with r as materialized (
           select x.id from (select distinct u.id from unnest($1::uuid[]) u(id) order by u.id) w
            cross join lateral (
              select y.id from crm.recipients y
               where y.tenant_id = app.tenant_id() and y.id = w.id and y.state = 'failed' and y.reason = 'job_given_up'
                 and (select c.state from crm.campaigns c where c.tenant_id = y.tenant_id and c.id = y.campaign_id) <> 'cancelled'
                 for update) x),
         f as (
           update crm.recipients y set state = 'pending', reason = null from r
            where y.tenant_id = app.tenant_id() and y.id = r.id returning y.id, y.campaign_id),
         m as (
           update crm.messages y set status = 'queued', reason = null from r
            where y.tenant_id = app.tenant_id() and y.id = r.id and y.status = 'failed' and y.reason = 'job_given_up'
           returning y.id, y.conversation_id, y.status)
         select f.id, f.campaign_id, m.conversation_id, m.status from f left join m on m.id = f.id",
    )
    .bind(recipients)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let campaigns: Vec<Uuid> = moved.iter().map(|row| row.campaign_id).collect();
    // recipients first, then campaigns, as whoever completes one does; and who is about to complete it is waited for
    sqlx::query(
        "select id from crm.campaigns where tenant_id = app.tenant_id() and id = any($1) order by id for no key update",
    )
    .bind(&campaigns)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "update crm.campaigns c set state = 'active', completed_at = null
          where c.tenant_id = app.tenant_id() and c.id = any($1) and c.state = 'completed'",
    )
    .bind(campaigns)
    .execute(tx.conn())
    .await?;
    tell(tx, moved).await
}

async fn tell(tx: &mut TenantTx, moved: Vec<Moved>) -> Result<(), Error> {
    reactions::campaigns_moved(tx, moved.iter().map(|row| row.campaign_id)).await?;
    let items: Vec<MessageStatus> = moved
        .into_iter()
        .filter_map(|Moved { id: message_id, conversation_id, status, .. }| {
            let status = status?;
            let reason = (status == "failed").then(|| "job_given_up".to_owned());
            Some(MessageStatus { message_id, conversation_id: conversation_id?, status, reason })
        })
        .collect();
    if !items.is_empty() {
        let (tenant_id, event) = (tx.tenant_id(), Event::MessageStatus(items));
        events::emit(tx, tenant_id, &event).await?;
    }
    Ok(())
}
