//! `paloma queues`: what waits and runs in each queue.

use super::{On, Paging};
use crate::print::{self, Column};
use anyhow::Result;
use clap::Subcommand;
use jobs::admin::{self, Depth};

/// What can be asked of queues.
#[derive(Debug, Subcommand)]
pub enum QueuesVerb {
    /// Queues by name, with their depth and the age of the oldest due job.
    List(Paging),
}

const COLUMNS: &[Column<Depth>] = &[
    ("queue", |depth| depth.queue.clone()),
    ("due", |depth| about(depth.due, depth.is_due_estimated)),
    ("running", |depth| depth.running.to_string()),
    ("later", |depth| about(depth.scheduled, depth.is_scheduled_estimated)),
    ("oldest due", |depth| format!("{:.0} s", depth.oldest_due_s)),
    ("oldest open", |depth| format!("{:.0} s", depth.oldest_open_s)),
];

/// A number, or a guess at one.
pub fn about(count: i64, is_estimated: bool) -> String {
    if is_estimated { format!("~{count}") } else { count.to_string() }
}

/// Does what the verb says.
pub async fn queues(on: On<QueuesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    let QueuesVerb::List(paging) = on.verb;
    print::page(on.operator.json, &admin::queues(&mut tx, &paging.of()?).await?, COLUMNS)
}
