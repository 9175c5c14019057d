//! draft → active ⇄ paused → completed | cancelled: each step a compare-and-set, so that of two callers one wins.

use db::{Scope, TenantTx};
use jobs::{Enqueue, gate::Limits, lane};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    App, Error,
    campaigns::{
        Audience, CampaignId, CancelRest,
        audience::{Chosen, check_variables, count},
        campaign::{Campaign, check_body, get},
        deadline, expand, lane_key,
        progress::CampaignProgress,
    },
    messaging::lines,
    queue, reactions,
    tenancy::plans,
};

/// The answer to a launch.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Launched {
    /// The campaign, active now.
    pub campaign: Campaign,
    /// Whom it will reach.
    pub audience: Audience,
}

/// Whom a draft or a scheduled campaign would reach as things stand, and whether its text can be sent to them: what a launch would say, without one.
pub async fn check(tx: &mut TenantTx, id: CampaignId) -> Result<Audience, Error> {
    let campaign = get(tx, id).await?;
    if !matches!(campaign.state.as_str(), "draft" | "scheduled") {
        return Err(Error::conflict("campaign_state", format!("the campaign is {}", campaign.state)));
    }
    let chosen = Chosen::of(tx, &campaign).await?;
    check_text(tx, &campaign, &chosen).await?;
    count(tx, &chosen).await
}

async fn check_text(tx: &mut TenantTx, campaign: &Campaign, chosen: &Chosen) -> Result<(), Error> {
    let template = check_body(&campaign.body)?;
    check_variables(tx, chosen, &template).await
}

/// Launches a draft, or what was scheduled: counts, freezes in a job, sends by jobs.
pub async fn launch(tx: &mut TenantTx, id: CampaignId) -> Result<Launched, Error> {
    launch_from(tx, id, &["draft", "scheduled"]).await
}

pub(super) async fn launch_from(tx: &mut TenantTx, id: CampaignId, from: &[&str]) -> Result<Launched, Error> {
    let campaign = step(tx, id, from, "active").await?;
    let audience = may_launch(tx, &campaign).await?;
    plans::admit_campaign(tx, id.uuid(), audience.eligible).await?;
    configure_lane(tx, &campaign).await?;
    // opened by the expansion, once the audience is frozen
    lane::pause(tx, queue::OUTBOUND, &lane_key(id)).await?;
    let batch =
        jobs::batch::open::<App, CampaignProgress>(tx, &lane_key(id), &CampaignProgress { campaign_id: id }).await?;
    jobs::batch::own_lane(tx, batch, queue::OUTBOUND, &lane_key(id)).await?;
    sqlx::query(
        "update crm.campaigns set batch_id = $2, launch_problem = null where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .bind(batch)
    .execute(tx.conn())
    .await?;
    expand::enqueue(tx, &campaign).await?;
    deadline::watch(tx, &campaign).await?;
    reactions::campaigns_moved(tx, [id.uuid()]).await?;
    Ok(Launched { campaign: get(tx, id).await?, audience })
}

/// Whom it would reach if it were launched now; else why it can't be.
pub(super) async fn may_launch(tx: &mut TenantTx, campaign: &Campaign) -> Result<Audience, Error> {
    if campaign.ends_at.is_some_and(|end| end <= tx.now()) {
        return Err(deadline::passed("its deadline has passed: give another, or none"));
    }
    check_body(&campaign.body)?;
    if let Some(import) = campaign.import_id {
        let state: String =
            sqlx::query_scalar("select state from crm.imports where tenant_id = app.tenant_id() and id = $1")
                .bind(import)
                .fetch_one(tx.conn())
                .await?;
        if state != "completed" {
            return Err(Error::conflict(
                "import_not_completed",
                format!("the import is {state}: wait until it has ended"),
            ));
        }
    }
    let chosen = Chosen::of(tx, campaign).await?;
    let audience = count(tx, &chosen).await?;
    if audience.eligible == 0 {
        let reasons: Vec<String> =
            audience.skipped.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        let reasons = if reasons.is_empty() { "the audience is empty".to_owned() } else { reasons.join(", ") };
        return Err(Error::invalid("audience", "audience_empty", format!("nobody would get this message ({reasons})")));
    }
    check_text(tx, campaign, &chosen).await?;
    Ok(audience)
}

/// The campaign's lane passes its own gate, where it has a rate, and always the line's.
pub(crate) async fn configure_lane(tx: &mut TenantTx, campaign: &Campaign) -> Result<(), Error> {
    let mut gates = Vec::new();
    if let Some(per_minute) = campaign.rate_per_minute {
        let rate = per_minute / 60.0;
        let limits = Limits { rate: Some(rate), burst: rate.ceil().max(1.0), cap: None };
        gates.push(jobs::gate::configure(tx, &lane_key(campaign.id), limits).await?);
    }
    let line = jobs::gate::find(tx, &lines::gate_key(campaign.line_id)).await?;
    gates.push(line.ok_or(Error::NotFound)?.id);
    lane::configure(tx, queue::OUTBOUND, &lane_key(campaign.id), 1, &gates).await?;
    Ok(())
}

/// Nothing of it is sent any more once this has committed, but for the calls in flight.
pub async fn pause(tx: &mut TenantTx, id: CampaignId) -> Result<Campaign, Error> {
    let campaign = step(tx, id, &["active"], "paused").await?;
    lane::pause(tx, queue::OUTBOUND, &lane_key(id)).await?;
    reactions::campaigns_moved(tx, [id.uuid()]).await?;
    Ok(campaign)
}

/// It goes on where it was.
pub async fn resume(tx: &mut TenantTx, id: CampaignId) -> Result<Campaign, Error> {
    let campaign = step(tx, id, &["paused"], "active").await?;
    if campaign.frozen_at.is_some() {
        lane::resume(tx, queue::OUTBOUND, &lane_key(id)).await?;
    }
    reactions::campaigns_moved(tx, [id.uuid()]).await?;
    Ok(campaign)
}

/// What was not sent stays unsent. There is no way back.
pub async fn cancel(tx: &mut TenantTx, id: CampaignId) -> Result<Campaign, Error> {
    let campaign = step(tx, id, &["draft", "scheduled", "active", "paused"], "cancelled").await?;
    lane::cancel(tx, queue::OUTBOUND, &lane_key(id)).await?;
    Enqueue::<App, CancelRest>::new().one(tx, &CancelRest { campaign_id: id }).await?;
    reactions::campaigns_moved(tx, [id.uuid()]).await?;
    Ok(campaign)
}

/// Moves a campaign from one of these states to another; Conflict where it is in none of them.
pub(super) async fn step(
    tx: &mut TenantTx,
    id: CampaignId,
    from: &[&str],
    to: &'static str,
) -> Result<Campaign, Error> {
    let moved = sqlx::query(
        "update crm.campaigns set state = $3,
                launched_at = case when $3 = 'active' then coalesce(launched_at, app.now()) else launched_at end,
                completed_at = case when $3 = 'cancelled' then app.now() else completed_at end
          where tenant_id = app.tenant_id() and id = $1 and state = any($2)",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .execute(tx.conn())
    .await?;
    let campaign = get(tx, id).await?;
    if moved.rows_affected() > 0 {
        return Ok(campaign);
    }
    let code = match (to, campaign.state.as_str()) {
        ("active", "active") => "campaign_already_active",
        ("paused", "paused") => "campaign_already_paused",
        _ => "campaign_state",
    };
    Err(Error::conflict(code, format!("the campaign is {}", campaign.state)))
}
