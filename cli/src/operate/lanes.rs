//! `paloma lanes`: the units of fairness and pause.

use super::{Act, Done, On, Paging};
use crate::print::{self, Column};
use anyhow::Result;
use clap::Subcommand;
use jobs::admin::{self, LaneRow};

/// What can be done with lanes.
#[derive(Debug, Subcommand)]
pub enum LanesVerb {
    /// Lanes, newest first, with what waits in them.
    List(Paging),
    /// Start nothing more of a lane.
    Pause(Act),
    /// Let a paused lane go on.
    Resume(Act),
    /// Cancel all that waits in a lane, for good.
    Cancel(Act),
}

const COLUMNS: &[Column<LaneRow>] = &[
    ("id", |lane| lane.id.to_string()),
    ("tenant", |lane| lane.tenant_number.to_string()),
    ("queue", |lane| lane.queue.clone()),
    ("lane", |lane| lane.key.clone()),
    ("state", |lane| match (lane.cancelled_at, lane.paused_at) {
        (Some(_), _) => "cancelled".to_owned(),
        (None, Some(_)) => "paused".to_owned(),
        (None, None) => "open".to_owned(),
    }),
    ("jobs", |lane| lane.jobs.to_string()),
    ("scheduled", |lane| lane.scheduled.to_string()),
];

/// Does what the verb says.
pub async fn lanes(on: On<LanesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    let (act, word, found) = match on.verb {
        LanesVerb::List(paging) => {
            return print::page(on.operator.json, &admin::lanes(&mut tx, &paging.of()?).await?, COLUMNS);
        }
        LanesVerb::Pause(act) => {
            let found = admin::pause_lane(&mut tx, act.id).await?;
            (act, "paused", found)
        }
        LanesVerb::Resume(act) => {
            let found = admin::resume_lane(&mut tx, act.id).await?;
            (act, "resumed", found)
        }
        LanesVerb::Cancel(act) => {
            let found = admin::cancel_lane(&mut tx, act.id).await?;
            (act, "cancelled", found)
        }
    };
    on.operator.finish(tx, Done { thing: "lane", id: act.id, act: word, reason: &act.reason, found }).await
}
