//! What follows from what happened: the only place where a lower feature causes work of a higher one.

use db::{Scope, TenantTx};
use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use uuid::Uuid;

use crate::{App, Error, campaigns::progress::CampaignProgress, messaging::lines::LineId, messaging::sweep::Sweep};

/// A campaign is looked at again at most twice a second, however many of its messages move.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Campaigns of which this process has lately asked for the progress. Cheap to clone.
#[derive(Clone, Default)]
pub struct Lately(Arc<Mutex<HashMap<(i32, Uuid), Instant>>>);

impl Lately {
    /// Whether it is time to ask again; if so, it counts as asked.
    pub fn is_due(&self, campaign: (i32, Uuid)) -> bool {
        let mut asked = self.0.lock().expect("nothing panics while it is held");
        asked.retain(|_, at| at.elapsed() < PROGRESS_EVERY);
        match asked.entry(campaign) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(Instant::now());
                true
            }
        }
    }
}

/// Recipients of these campaigns moved: their progress will be told and their completion noticed.
pub async fn campaigns_moved(tx: &mut TenantTx, campaigns: impl IntoIterator<Item = Uuid>) -> Result<(), Error> {
    let campaigns: BTreeSet<Uuid> = campaigns.into_iter().collect();
    for campaign_id in campaigns {
        let job = CampaignProgress { campaign_id: campaign_id.into() };
        jobs::Enqueue::<App, CampaignProgress>::new().wait(PROGRESS_EVERY).one(tx, &job).await?;
    }
    Ok(())
}

/// The same from a group that spans tenants: `(tenant number, campaign)`.
pub async fn campaigns_moved_in(
    tx: &mut db::PlatformTx,
    campaigns: impl IntoIterator<Item = (i32, Uuid)>,
) -> Result<(), jobs::EnqueueError> {
    let campaigns: BTreeSet<(i32, Uuid)> = campaigns.into_iter().collect();
    for (tenant_number, campaign_id) in campaigns {
        let job = CampaignProgress { campaign_id: campaign_id.into() };
        jobs::Enqueue::<App, CampaignProgress>::new()
            .run_at(tx.now() + PROGRESS_EVERY)
            .many_for(tx, tenant_number, std::slice::from_ref(&job))
            .await?;
    }
    Ok(())
}

/// Outcomes on these lines are unknown: they will be looked up when the gateway's own wait is over.
pub async fn outcomes_unknown_in(
    tx: &mut db::PlatformTx,
    lines: impl IntoIterator<Item = (i32, Uuid, Duration)>,
) -> Result<(), jobs::EnqueueError> {
    let lines: BTreeSet<(i32, Uuid, Duration)> = lines.into_iter().collect();
    for (tenant_number, line_id, wait) in lines {
        let job = Sweep { line_id: LineId::from(line_id) };
        jobs::Enqueue::<App, Sweep>::new()
            .run_at(tx.now() + wait)
            .many_for(tx, tenant_number, std::slice::from_ref(&job))
            .await?;
    }
    Ok(())
}

/// Recipients whose send could not be confirmed and whose campaign sends once more: `(recipient, campaign)`.
pub async fn send_again(tx: &mut TenantTx, recipients: impl IntoIterator<Item = (Uuid, Uuid)>) -> Result<(), Error> {
    for (recipient_id, campaign_id) in recipients {
        crate::campaigns::send::again(tx, recipient_id.into(), campaign_id.into()).await?;
    }
    Ok(())
}

/// A user can't work any more: what they had is nobody's.
pub(crate) async fn user_deactivated(tx: &mut TenantTx, user_id: Uuid, name: &str) -> Result<(), Error> {
    crate::inbox::change::release(tx, user_id.into(), name).await
}

/// A user works again, from now on.
pub(crate) async fn user_reactivated(tx: &mut TenantTx, user_id: Uuid) -> Result<(), Error> {
    crate::inbox::reading::begin_afresh(tx, user_id.into()).await
}

/// Two contacts are one: the conversations of the one that goes are the other's.
pub(crate) async fn contacts_merged(tx: &mut TenantTx, kept: Uuid, gone: Uuid) -> Result<(), Error> {
    crate::inbox::change::hand_over(tx, kept, gone).await
}
