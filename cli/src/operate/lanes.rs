//! `paloma lanes`: the units of fairness and pause.

use super::{Act, On, Paging, counted};
use crate::print::{self, Column, or_dash};
use anyhow::{Context, Result};
use clap::Subcommand;
use jobs::admin::{self, LaneRow};

/// What can be done with lanes.
#[derive(Debug, Subcommand)]
pub enum LanesVerb {
    /// Lanes, newest first, with what waits in them.
    List(Paging),
    /// One lane.
    Show {
        /// Its id.
        id: i64,
    },
    /// Start nothing more of a lane.
    Pause(Act),
    /// Let a paused lane go on.
    Resume(Act),
    /// Give a lane its share beside the tenant's other lanes.
    Weigh {
        #[command(flatten)]
        act: Act,
        /// 1 to 100.
        #[arg(long)]
        weight: i16,
    },
    /// Cancel all that waits in a lane, for good.
    Cancel(Act),
}

const COLUMNS: &[Column<LaneRow>] = &[
    ("id", |lane| lane.id.to_string()),
    ("tenant", |lane| or_dash(lane.tenant_number)),
    ("queue", |lane| lane.queue.clone()),
    ("lane", |lane| lane.key.clone()),
    ("state", |lane| match (lane.cancelled_at, lane.paused_at) {
        (Some(_), _) => "cancelled".to_owned(),
        (None, Some(_)) => "paused".to_owned(),
        (None, None) => "open".to_owned(),
    }),
    ("weight", |lane| lane.weight.to_string()),
    ("jobs", |lane| counted(lane.jobs)),
    ("scheduled", |lane| counted(lane.scheduled)),
    ("gates", |lane| lane.gates.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
];

/// Does what the verb says.
pub async fn lanes(on: On<LanesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    let (act, word) = match on.verb {
        LanesVerb::List(paging) => {
            return print::page(on.operator.json, &admin::lanes(&mut tx, &paging.of()?).await?, COLUMNS);
        }
        LanesVerb::Show { id } => {
            let lane = admin::find_lane(&mut tx, id).await?;
            return print::one(on.operator.json, &lane.with_context(|| format!("there is no lane {id}"))?, COLUMNS);
        }
        LanesVerb::Pause(act) => {
            act.told("lane", admin::pause_lane(&mut tx, act.id, &act.by()?).await)?;
            (act, "paused")
        }
        LanesVerb::Resume(act) => {
            act.told("lane", admin::resume_lane(&mut tx, act.id, &act.by()?).await)?;
            (act, "resumed")
        }
        LanesVerb::Weigh { act, weight } => {
            act.told("lane", admin::weigh_lane(&mut tx, act.id, weight, &act.by()?).await)?;
            (act, "weighed")
        }
        LanesVerb::Cancel(act) => {
            act.told("lane", admin::cancel_lane(&mut tx, act.id, &act.by()?).await)?;
            (act, "cancelled")
        }
    };
    on.operator.finish(tx, "lane", &act, word).await
}
