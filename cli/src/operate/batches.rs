//! `paloma batches`: jobs with one purpose, and how far they are.

use super::{On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Context, Result};
use clap::Subcommand;
use jobs::admin::{self, BatchRow};

/// What can be asked of batches.
#[derive(Debug, Subcommand)]
pub enum BatchesVerb {
    /// Batches, newest first.
    List(Paging),
    /// One batch.
    Show {
        /// Its id.
        id: i64,
    },
}

const COLUMNS: &[Column<BatchRow>] = &[
    ("id", |batch| batch.id.to_string()),
    ("tenant", |batch| or_dash(batch.tenant_number)),
    ("name", |batch| batch.name.clone()),
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
    match on.verb {
        BatchesVerb::List(paging) => {
            print::page(on.operator.json, &admin::batches(&mut tx, &paging.of()?).await?, COLUMNS)
        }
        BatchesVerb::Show { id } => {
            let batch = admin::find_batch(&mut tx, id).await?;
            print::one(on.operator.json, &batch.with_context(|| format!("there is no batch {id}"))?, COLUMNS)
        }
    }
}
