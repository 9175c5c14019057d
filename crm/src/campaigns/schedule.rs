//! A launch at a time: the campaign waits as scheduled, and a job launches it once the time has come. Whether it still may is asked then, so
//! a changed mind needs no job to be found.

use chrono::{DateTime, NaiveDateTime, Utc};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobResult, Queue, Retry, Tenant};
use serde::{Deserialize, Serialize};

use super::{
    Campaign, CampaignId, get,
    lifecycle::{self, may_launch, step},
};
use crate::{App, Error, queue, reactions, tenancy::tenants};

/// Schedules a draft, or gives a scheduled campaign another time. What could not be launched now is refused now.
pub async fn schedule(tx: &mut TenantTx, id: CampaignId, at: &str) -> Result<Campaign, Error> {
    let at = instant("starts_at", at)?;
    if at <= tx.now() {
        return Err(Error::invalid("starts_at", "starts_at_passed", "give a time to come, or launch it now"));
    }
    let campaign = step(tx, id, &["draft", "scheduled"], "scheduled").await?;
    if campaign.ends_at.is_some_and(|end| end <= at) {
        return Err(Error::invalid("starts_at", "starts_after_deadline", "it would begin after its deadline"));
    }
    may_launch(tx, &campaign).await?;
    sqlx::query(
        "update crm.campaigns set starts_at = $2, launch_problem = null where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Enqueue::<App, LaunchScheduled>::new().run_at(at).one(tx, &LaunchScheduled { campaign_id: id, at }).await?;
    reactions::campaigns_moved(tx, [id.uuid()]).await?;
    get(tx, id).await
}

/// Makes a scheduled campaign a draft again.
pub async fn unschedule(tx: &mut TenantTx, id: CampaignId) -> Result<Campaign, Error> {
    step(tx, id, &["scheduled"], "draft").await?;
    sqlx::query("update crm.campaigns set starts_at = null where tenant_id = app.tenant_id() and id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    reactions::campaigns_moved(tx, [id.uuid()]).await?;
    get(tx, id).await
}

/// A moment. A time without an offset is another moment wherever it is read, so it is refused.
pub(super) fn instant(field: &'static str, text: &str) -> Result<DateTime<Utc>, Error> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    if naive.iter().any(|form| NaiveDateTime::parse_from_str(text, form).is_ok()) {
        let message = "the offset is missing: write 2026-01-05T10:00:00-05:00, or Z for UTC";
        return Err(Error::invalid(field, "offset_missing", message));
    }
    Err(Error::invalid(field, "time_invalid", "write a time such as 2026-01-05T10:00:00-05:00"))
}

/// Launches a campaign whose time has come.
#[derive(Debug, Serialize, Deserialize)]
pub struct LaunchScheduled {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The time this is for: where it was given another since, another job is for that.
    pub at: DateTime<Utc>,
}

impl Job<App> for LaunchScheduled {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.launch";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(20).from_secs(1).up_to_secs(60);

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        if !self.is_wanted(&mut tx).await? {
            return Ok(Done::Now);
        }
        if tenants::own(&mut tx).await?.state.is_still() {
            drop(tx);
            return self.give_back(&cx, "tenant_suspended").await;
        }
        match lifecycle::launch_from(&mut tx, self.campaign_id, &["scheduled"]).await {
            Ok(_) => Ok(Done::with(tx)),
            Err(error @ (Error::Invalid { .. } | Error::Conflict { .. } | Error::PlanLimit(_))) => {
                let code = error.code();
                drop(tx);
                self.give_back(&cx, code).await
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl LaunchScheduled {
    async fn is_wanted(&self, tx: &mut TenantTx) -> Result<bool, Error> {
        // whoever moves it to another time comes before this, or waits until it is launched
        let wanted: Option<bool> = sqlx::query_scalar(
            "select c.state = 'scheduled' and c.starts_at = $2 from crm.campaigns c where c.tenant_id = app.tenant_id() and c.id = $1 for no key update",
        )
        .bind(self.campaign_id)
        .bind(self.at)
        .fetch_optional(tx.conn())
        .await?;
        Ok(wanted == Some(true))
    }

    /// It can't be launched: a draft again, which says why.
    async fn give_back(&self, cx: &Cx<App, Tenant>, code: &'static str) -> JobResult {
        let mut tx = cx.tx().await?;
        let moved = sqlx::query(
            "update crm.campaigns set state = 'draft', launch_problem = $3
              where tenant_id = app.tenant_id() and id = $1 and state = 'scheduled' and starts_at = $2",
        )
        .bind(self.campaign_id)
        .bind(self.at)
        .bind(code)
        .execute(tx.conn())
        .await?
        .rows_affected();
        if moved == 0 {
            return Ok(Done::Now);
        }
        tracing::warn!(campaign_id = %self.campaign_id, code, "a scheduled campaign could not be launched");
        reactions::campaigns_moved(&mut tx, [self.campaign_id.uuid()]).await?;
        Ok(Done::with(tx))
    }
}
