//! Where a campaign stands: counters folded from the deltas that the rows' own trigger writes, told to live clients, and the one place
//! that notices completion.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Job, JobResult, KeyScope, Queue, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    App, Error,
    campaigns::{Campaign, CampaignId, get, lane_key, lost, quiet},
    events::{self, Event},
    messaging::lines,
    queue,
    tenancy::{settings, tenants},
};

/// Recipients without a job that are failed by one statement.
const ABANDONED_AT_ONCE: i64 = 5_000;

/// The numbers of a campaign: selected = eligible + skipped, and eligible = the sum of the other states.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Progress {
    /// The campaign's state.
    pub state: String,
    /// Contacts chosen at launch.
    pub selected: i64,
    /// Those that were to get the message.
    pub eligible: i64,
    /// Recipients by state.
    pub counts: BTreeMap<String, i64>,
    /// Skipped recipients by reason.
    pub skipped: BTreeMap<String, i64>,
    /// Failed, held and unknown recipients by state and cause.
    pub causes: Vec<Cause>,
    /// Pending recipients that wait for their hours, by cause; the others wait for their turn.
    pub waiting: Vec<Waiting>,
    /// Whether the audience has been frozen to its end.
    pub is_frozen: bool,
    /// Whether the line's breaker keeps the campaign waiting.
    pub waits_for_line: bool,
    /// When the last one will be sent, at the pace of now.
    pub finish_at: Option<DateTime<Utc>>,
}

/// Recipients that did not get the message for one cause.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RecipientCause)]
pub struct Cause {
    /// failed, held or unknown.
    pub state: String,
    /// Stable code.
    pub reason: String,
    /// How many.
    pub count: i64,
}

/// Recipients that wait for their hours of sending.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = WaitingRecipients)]
pub struct Waiting {
    /// quiet_hours or outside_window.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// When the first of them may be sent to.
    pub next_at: DateTime<Utc>,
}

async fn waiting(tx: &mut TenantTx, id: CampaignId) -> Result<Vec<Waiting>, Error> {
    let waiting = sqlx::query_as(
        "select r.reason, count(*) as count, min(r.waits_until) as next_at from crm.recipients r
          where r.tenant_id = app.tenant_id() and r.campaign_id = $1 and r.waits_until > app.now() and r.state = 'pending' and r.reason is not null
          group by 1 order by 1",
    )
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    Ok(waiting)
}

/// The numbers of now, exact: what is folded and what is not.
pub async fn progress(tx: &mut TenantTx, id: CampaignId) -> Result<Progress, Error> {
    let campaign = get(tx, id).await?;
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select z.state, z.reason, sum(z.n)::bigint from (
           select c.state, c.reason, c.count as n from crm.campaign_counts c where c.tenant_id = app.tenant_id() and c.campaign_id = $1
           union all
           select d.state, d.reason, d.delta from crm.campaign_deltas d where d.tenant_id = app.tenant_id() and d.campaign_id = $1) z
         group by 1, 2 having sum(z.n) <> 0",
    )
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    let mut progress = Progress {
        state: campaign.state.clone(),
        selected: 0,
        eligible: 0,
        counts: BTreeMap::new(),
        skipped: BTreeMap::new(),
        causes: Vec::new(),
        waiting: Vec::new(),
        is_frozen: campaign.frozen_at.is_some(),
        waits_for_line: false,
        finish_at: None,
    };
    for (state, reason, count) in rows {
        progress.selected += count;
        *progress.counts.entry(state.clone()).or_default() += count;
        match state.as_str() {
            // an address may have opted out after the launch: it was eligible and was skipped all the same
            "skipped" => *progress.skipped.entry(reason).or_default() += count,
            "failed" | "held" | "unknown" => progress.causes.push(Cause { state, reason, count }),
            _ => {}
        }
    }
    progress.eligible = progress.selected - progress.skipped.values().sum::<i64>();
    let line = jobs::gate::find(tx, &lines::gate_key(campaign.line_id)).await?;
    progress.waits_for_line = line.as_ref().is_some_and(|gate| gate.breaker != "closed");
    progress.finish_at = finish_at(tx, &campaign, &progress, line.and_then(|gate| gate.rate)).await?;
    Ok(progress)
}

/// The same as people are shown it, with what waits for its hours.
pub async fn shown(tx: &mut TenantTx, id: CampaignId) -> Result<Progress, Error> {
    let mut progress = progress(tx, id).await?;
    if progress.counts.get("pending").is_some_and(|count| *count > 0) {
        progress.waiting = waiting(tx, id).await?;
    }
    Ok(progress)
}

impl Progress {
    /// All recipients are known, and none can change any more by what the campaign does.
    fn is_settled(&self) -> bool {
        let open = ["pending", "sending", "unknown"];
        self.is_frozen && open.iter().all(|state| self.counts.get(*state).copied().unwrap_or(0) == 0)
    }
}

/// The pace is the smallest of the line's, the campaign's and the one measured since the launch; of one with hours, which are counted, no other is
/// measured, since it has rested in between.
async fn finish_at(
    tx: &mut TenantTx,
    campaign: &Campaign,
    progress: &Progress,
    line_rate: Option<f64>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let count = |state: &str| progress.counts.get(state).copied().unwrap_or(0);
    let left = count("pending") + count("sending");
    let (Some(launched_at), true) = (campaign.launched_at, campaign.state == "active" && left > 0) else {
        return Ok(None);
    };
    let elapsed = (tx.now() - launched_at).as_seconds_f64();
    let sent = progress.eligible - left;
    let rules = quiet::own(tx).await?;
    let hours = campaign.hours(&rules);
    let own = jobs::gate::find(tx, &lane_key(campaign.id)).await?.and_then(|gate| gate.rate);
    let is_told = hours.is_any() && (own.is_some() || line_rate.is_some());
    let measured = (sent > 0 && elapsed > 1.0 && !is_told).then(|| sent as f64 / elapsed);
    let pace = [measured, own, line_rate].into_iter().flatten().fold(f64::INFINITY, f64::min);
    if !pace.is_finite() || pace <= 0.0 {
        return Ok(None);
    }
    let work = Duration::from_secs_f64((left as f64 / pace).min(10.0 * 365.0 * 86_400.0));
    let tenant = tenants::own(tx).await?.time_zone.parse().unwrap_or(chrono_tz::UTC);
    let home = settings::zone_of_line(tx, campaign.line_id.uuid(), tenant).await?;
    let done = hours.done_at(tx.now(), TimeDelta::from_std(work).unwrap_or(TimeDelta::MAX), home, tenant);
    // what is left then is skipped
    Ok(done.map(|done| campaign.ends_at.map_or(done, |end| done.min(end))))
}

/// Folds, tells, and completes a campaign whose last recipient has been settled. Collapses by its key: at most two a second.
#[derive(Debug, Serialize, Deserialize)]
pub struct CampaignProgress {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Job<App> for CampaignProgress {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.progress";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const UNIQUE: KeyScope = KeyScope::UntilStarted;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.campaign_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        fail_abandoned(&mut tx, self.campaign_id).await?;
        fold(&mut tx, self.campaign_id).await?;
        let mut progress = progress(&mut tx, self.campaign_id).await?;
        if progress.state == "active" && progress.is_settled() {
            progress = complete(&mut tx, self.campaign_id).await?;
        }
        let event = events::CampaignProgress {
            campaign_id: self.campaign_id.uuid(),
            state: progress.state,
            counts: progress.counts,
            finish_at: progress.finish_at,
        };
        let tenant_id = tx.tenant_id();
        events::emit(&mut tx, tenant_id, &Event::CampaignProgress(event)).await?;
        Ok(Done::with(tx))
    }
}

/// Completes a campaign, unless a recipient has begun to wait again since it was looked at. Answers the numbers of then.
async fn complete(tx: &mut TenantTx, id: CampaignId) -> Result<Progress, Error> {
    sqlx::query("select from crm.campaigns where tenant_id = app.tenant_id() and id = $1 for no key update")
        .bind(id)
        .execute(tx.conn())
        .await?;
    let mut progress = progress(tx, id).await?;
    if progress.state == "active" && progress.is_settled() {
        sqlx::query(
            "update crm.campaigns set state = 'completed', completed_at = app.now() where tenant_id = app.tenant_id() and id = $1",
        )
        .bind(id)
        .execute(tx.conn())
        .await?;
        "completed".clone_into(&mut progress.state);
    }
    Ok(progress)
}

/// Once all send jobs have ended, a recipient that still waits has lost its job and nobody has said so: it failed. Whether they have ended is
/// asked first: until then the recipients, who may be many, are not looked at. One that an operator runs again is live, though its batch has
/// completed.
async fn fail_abandoned(tx: &mut TenantTx, id: CampaignId) -> Result<(), Error> {
    let batch: Option<i64> = sqlx::query_scalar(
        "select batch_id from crm.campaigns
          where tenant_id = app.tenant_id() and id = $1 and state = 'active' and frozen_at is not null and batch_id is not null",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    let Some(batch) = batch else { return Ok(()) };
    let batch = jobs::batch::find(tx, batch).await?;
    if batch.is_none_or(|batch| batch.completed_at.is_none() || batch.live_count() > 0) {
        return Ok(());
    }
    loop {
        let abandoned: Vec<Uuid> = sqlx::query_scalar(
            "select id from crm.recipients
              where tenant_id = app.tenant_id() and campaign_id = $1 and state = 'pending' and resent_count = 0 order by id limit $2",
        )
        .bind(id)
        .bind(ABANDONED_AT_ONCE)
        .fetch_all(tx.conn())
        .await?;
        if abandoned.is_empty() {
            return Ok(());
        }
        lost::give_up(tx, &abandoned).await?;
    }
}

/// Adds the deltas up. Two folders at once take different rows, and the counters are sums, so nothing is counted twice.
async fn fold(tx: &mut TenantTx, id: CampaignId) -> Result<(), Error> {
    sqlx::query(
        // what is found to be out now went out within half a second of it: that is told and folded twice a second
        "with d as (
           delete from crm.campaign_deltas x where x.ctid = any(array(
             select y.ctid from crm.campaign_deltas y where y.tenant_id = app.tenant_id() and y.campaign_id = $1 for update skip locked)) returning x.state, x.reason, x.delta),
         rates as (
           insert into crm.campaign_rates (campaign_id, at, count)
             select $1, date_bin('10 seconds', app.now(), 'epoch'::timestamptz), sum(d.delta) from d where d.state in ('sent', 'delivered', 'read') having sum(d.delta) > 0
           on conflict (tenant_id, campaign_id, at) do update set count = crm.campaign_rates.count + excluded.count),
         used as (
           -- the ledger of usage takes what went out from here: no send waits for it
           insert into crm.usage_log (measure, amount)
             select 'campaign_messages', sum(d.delta) from d where d.state in ('sent', 'delivered', 'read') having sum(d.delta) <> 0)
         insert into crm.campaign_counts (campaign_id, state, reason, count)
           select $1, d.state, d.reason, sum(d.delta) from d group by d.state, d.reason order by d.state, d.reason
         on conflict (tenant_id, campaign_id, state, reason) do update set count = crm.campaign_counts.count + excluded.count",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}
