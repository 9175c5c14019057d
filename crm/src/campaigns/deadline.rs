//! The end of a campaign's time: what was not sent by then is skipped, and the campaign completes. A send that comes later skips its own recipient by
//! itself (the mark asks for the time); this settles all that wait, for their hours or for their turn.

use std::time::Duration;

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, Queue, Retry, Tenant, lane};
use serde::{Deserialize, Serialize};

use super::{Campaign, CampaignId, lane_key};
use crate::{App, Error, queue, reactions};

/// Recipients skipped by one transaction.
const CHUNK: i64 = 5_000;

/// Its deadline is behind us.
pub(super) fn passed(message: &'static str) -> Error {
    Error::invalid("ends_at", "ends_at_passed", message)
}

/// Has the deadline of a launched campaign seen to, where it has one.
pub(super) async fn watch(tx: &mut TenantTx, campaign: &Campaign) -> Result<(), Error> {
    if let Some(at) = campaign.ends_at {
        let job = EndCampaign { campaign_id: campaign.id, at };
        Enqueue::<App, EndCampaign>::new().run_at(at).one(tx, &job).await?;
    }
    Ok(())
}

/// Skips what a campaign has not sent by its deadline.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The deadline this is for: where it was given another since, another job is for that.
    pub at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Place {
    is_open: bool,
    is_frozen: bool,
    ends_at: Option<DateTime<Utc>>,
}

impl Job<App> for EndCampaign {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.end";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(20).from_secs(1).up_to_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(600);

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        loop {
            let mut tx = cx.keyed_tx().await?;
            if !jobs::hold(&mut tx, cx.lease).await? || cx.cancel.is_cancelled() {
                return Err(JobError::Release);
            }
            let place: Option<Place> = sqlx::query_as(
                "select c.state in ('active', 'paused') as is_open, c.frozen_at is not null as is_frozen, c.ends_at
                   from crm.campaigns c where c.tenant_id = app.tenant_id() and c.id = $1",
            )
            .bind(self.campaign_id)
            .fetch_optional(tx.conn())
            .await?;
            let Some(place) = place.filter(|place| place.is_open && place.ends_at == Some(self.at)) else {
                return Ok(Done::Now);
            };
            if !place.is_frozen {
                return Err(JobError::Snooze { wait: Duration::from_secs(1) });
            }
            let skipped = skip(&mut tx, self.campaign_id).await?;
            reactions::campaigns_moved(&mut tx, [self.campaign_id.uuid()]).await?;
            if skipped < CHUNK.unsigned_abs() {
                close(&mut tx, self.campaign_id).await?;
                return Ok(Done::with(tx));
            }
            jobs::note_progress(&mut tx, cx.lease).await?;
            tx.commit().await?;
        }
    }
}

async fn skip(tx: &mut TenantTx, id: CampaignId) -> Result<u64, Error> {
    let skipped = sqlx::query(
        "with p as materialized (
           select x.id from crm.recipients x
            where x.tenant_id = app.tenant_id() and x.campaign_id = $1 and x.state = 'pending' order by x.id limit $2 for update),
         m as (
           -- of one whose call was to be made again
           update crm.messages y set status = 'cancelled', reason = 'deadline_passed'
             from p where y.tenant_id = app.tenant_id() and y.id = p.id and y.status = 'queued')
         update crm.recipients r set state = 'skipped', reason = 'deadline_passed' from p where r.tenant_id = app.tenant_id() and r.id = p.id",
    )
    .bind(id)
    .bind(CHUNK)
    .execute(tx.conn())
    .await?;
    Ok(skipped.rows_affected())
}

/// Its jobs have nothing to do any more: they leave, without a token of the line spent on them. One that is paused has nothing left to be resumed.
async fn close(tx: &mut TenantTx, id: CampaignId) -> Result<(), Error> {
    lane::cancel(tx, queue::OUTBOUND, &lane_key(id)).await?;
    sqlx::query(
        "update crm.campaigns set state = 'active' where tenant_id = app.tenant_id() and id = $1 and state = 'paused'",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}
