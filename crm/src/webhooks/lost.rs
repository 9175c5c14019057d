//! Deliveries that lost their jobs: one that was given up for faults of ours, or called off, has failed; one that an operator has run again waits.

use db::{Scope, TenantTx};
use jobs::{Cx, Done, Fate, Job, JobResult, Queue, Tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::deliver::Deliver;
use crate::{App, Error, queue};

/// Something became of jobs that deliver: their deliveries follow.
#[derive(Debug, Serialize, Deserialize)]
pub struct FollowDeliveries {
    /// Which jobs.
    pub fates: Vec<Fate>,
}

impl Job<App> for FollowDeliveries {
    type Scope = Tenant;
    const KIND: &'static str = "webhooks.follow_deliveries";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        // a payload that can't be read was refused by its own handler too: it names no delivery
        let told: Vec<(i64, Deliver)> = self
            .fates
            .iter()
            .filter_map(|fate| Some((fate.job_id, Deliver::deserialize(&fate.payload).ok()?)))
            .collect();
        let mut tx = cx.tx().await?;
        follow(&mut tx, &told).await?;
        Ok(Done::with(tx))
    }
}

/// The job of a delivery that had lost it runs again.
pub(super) async fn found(tx: &mut TenantTx, job: &Deliver) -> Result<(), Error> {
    sqlx::query(
        "update crm.webhook_deliveries d set state = 'pending', reason = null, next_attempt_at = app.now()
          where d.tenant_id = app.tenant_id() and d.id = $1 and d.turn = $2 and d.state = 'failed'",
    )
    .bind(job.delivery_id)
    .bind(job.turn)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One at a time for a tenant, as with messages, so that the last word is that of the newest state.
async fn follow(tx: &mut TenantTx, told: &[(i64, Deliver)]) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock(7242, app.tenant_number())").execute(tx.conn()).await?;
    sqlx::query(
        "with f as materialized (
           select u.delivery_id, u.turn, jobs.fate(u.job_id) as fate from unnest($1::bigint[], $2::uuid[], $3::int[]) u(job_id, delivery_id, turn))
         update crm.webhook_deliveries d
            set state = case f.fate when 'live' then 'pending' else 'failed' end,
                reason = case f.fate when 'live' then null when 'gone' then 'lane_cancelled' else 'job_' || f.fate end,
                next_attempt_at = case f.fate when 'live' then app.now() end
           from f
          where d.tenant_id = app.tenant_id() and d.id = f.delivery_id and d.turn = f.turn
            and case when f.fate = 'live' then d.state = 'failed' and d.reason like any(array['job\\_%', 'lane\\_%']) else d.state = 'pending' end",
    )
    .bind(told.iter().map(|(job_id, _)| *job_id).collect::<Vec<_>>())
    .bind(told.iter().map(|(_, job)| job.delivery_id.uuid()).collect::<Vec<Uuid>>())
    .bind(told.iter().map(|(_, job)| job.turn).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}
