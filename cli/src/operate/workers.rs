//! `paloma workers`: the processes of the fleet.

use super::{On, Paging};
use crate::print::{self, Column, time};
use anyhow::{Context, Result};
use clap::Subcommand;
use jobs::admin::{self, WorkerRow};
use uuid::Uuid;

/// What can be asked of workers.
#[derive(Debug, Subcommand)]
pub enum WorkersVerb {
    /// Processes that have not been given up, with what they hold.
    List(Paging),
    /// One process.
    Show {
        /// Its id.
        id: Uuid,
    },
}

const COLUMNS: &[Column<WorkerRow>] = &[
    ("id", |worker| worker.id.to_string()),
    ("name", |worker| worker.name.clone()),
    ("host", |worker| worker.host.clone()),
    ("pid", |worker| worker.pid.to_string()),
    ("queues", |worker| worker.queues.join(",")),
    ("started", |worker| time(Some(worker.started_at))),
    ("heard of", |worker| time(Some(worker.seen_at))),
    ("state", |worker| if worker.is_live { "live" } else { "silent" }.to_owned()),
    ("claims", |worker| worker.claims.to_string()),
    ("running", |worker| worker.running.to_string()),
    ("oldest", |worker| time(worker.oldest_leased_at)),
];

/// Does what the verb says.
pub async fn workers(on: On<WorkersVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    match on.verb {
        WorkersVerb::List(paging) => {
            print::page(on.operator.json, &admin::workers(&mut tx, &paging.of()?).await?, COLUMNS)
        }
        WorkersVerb::Show { id } => {
            let worker = admin::find_worker(&mut tx, id).await?;
            print::one(on.operator.json, &worker.with_context(|| format!("there is no worker {id}"))?, COLUMNS)
        }
    }
}
