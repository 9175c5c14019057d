//! `paloma batches`: jobs with one purpose, how far they are, and what is done to all of them at once.

use super::{Act, On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jobs::admin::{self, BatchRow};
use jobs::batch::State;

/// What can be done with batches.
#[derive(Debug, Subcommand)]
pub enum BatchesVerb {
    /// Batches, newest first.
    List(ListArguments),
    /// One batch.
    Show {
        /// Its id.
        id: i64,
    },
    /// Start nothing more of a batch; what runs ends.
    Pause(Act),
    /// Let a paused batch go on.
    Resume(Act),
    /// Cancel a batch and what follows it, for good.
    Cancel(Act),
    /// Run the jobs of a batch again that were discarded, and only those: quarantined ones stay.
    Retry(Act),
}

/// Which batches.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// In that state: held, active, paused, cancelled, completed.
    #[arg(long)]
    state: Option<State>,
    #[command(flatten)]
    paging: Paging,
}

const COLUMNS: &[Column<BatchRow>] = &[
    ("id", |batch| batch.id.to_string()),
    ("tenant", |batch| or_dash(batch.tenant_number)),
    ("name", |batch| batch.name.clone()),
    ("state", |batch| if batch.is_retrying { "retrying" } else { batch.state.name() }.to_owned()),
    ("enqueued", |batch| batch.enqueued_count.to_string()),
    ("completed", |batch| batch.completed_count.to_string()),
    ("discarded", |batch| batch.discarded_count.to_string()),
    ("cancelled", |batch| batch.cancelled_count.to_string()),
    ("sealed", |batch| if batch.is_sealed { "yes" } else { "no" }.to_owned()),
    ("opened", |batch| time(Some(batch.created_at))),
    ("ended", |batch| time(batch.completed_at)),
];

/// Does what the verb says.
pub async fn batches(on: On<BatchesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    let (act, word) = match on.verb {
        BatchesVerb::List(ListArguments { state, paging }) => {
            return print::page(on.operator.json, &admin::batches(&mut tx, state, &paging.of()?).await?, COLUMNS);
        }
        BatchesVerb::Show { id } => {
            let batch = admin::find_batch(&mut tx, id).await?;
            return print::one(on.operator.json, &batch.with_context(|| format!("there is no batch {id}"))?, COLUMNS);
        }
        BatchesVerb::Pause(act) => {
            act.told("batch", admin::pause_batch(&mut tx, act.id, &act.by()?).await)?;
            (act, "paused")
        }
        BatchesVerb::Resume(act) => {
            act.told("batch", admin::resume_batch(&mut tx, act.id, &act.by()?).await)?;
            (act, "resumed")
        }
        BatchesVerb::Cancel(act) => {
            act.told("batch", admin::cancel_batch(&mut tx, act.id, &act.by()?).await)?;
            (act, "cancelled")
        }
        BatchesVerb::Retry(act) => {
            act.told("batch", admin::retry_batch(&mut tx, act.id, &act.by()?).await)?;
            (act, "retrying")
        }
    };
    on.operator.finish(tx, "batch", &act, word).await
}
