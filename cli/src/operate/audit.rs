//! `paloma audit`: who did what to the queue, and why.

use super::{Operator, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::Result;
use clap::Args;
use jobs::admin::{self, AuditRow};

/// Which acts.
#[derive(Debug, Args)]
pub struct AuditArguments {
    #[command(flatten)]
    operator: Operator,
    /// On that sort of thing: job, lane, gate, batch, schedule or quota.
    #[arg(long)]
    subject: Option<String>,
    /// On the thing of that id.
    #[arg(long, requires = "subject")]
    id: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

const COLUMNS: &[Column<AuditRow>] = &[
    ("id", |act| act.id.to_string()),
    ("at", |act| time(Some(act.at))),
    ("tenant", |act| or_dash(act.tenant_number)),
    ("who", |act| act.actor.clone()),
    ("act", |act| act.act.clone()),
    ("on", |act| format!("{} {}", act.subject, act.subject_id)),
    ("reason", |act| act.reason.clone()),
];

/// Lists acts, newest first.
pub async fn audit(arguments: &AuditArguments) -> Result<()> {
    let mut tx = arguments.operator.tx().await?;
    let (subject, id) = (arguments.subject.as_deref(), arguments.id.as_deref());
    let page = admin::audit(&mut tx, subject, id, &arguments.paging.of()?).await?;
    print::page(arguments.operator.json, &page, COLUMNS)
}
