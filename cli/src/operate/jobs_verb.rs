//! `paloma jobs`: what waits, runs and has failed; run it again, or call it off.

use super::{Act, Done, On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use jobs::admin::{self, Acted, JobRow};
use serde_json::Value;

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub enum JobsVerb {
    /// Live and failed jobs, newest first; completed ones are found by id.
    List {
        /// Only in that state.
        #[arg(long)]
        state: Option<State>,
        #[command(flatten)]
        paging: Paging,
    },
    /// All that is known of one job.
    Show {
        /// Its id.
        id: i64,
    },
    /// Run a discarded or cancelled job again.
    Retry(Act),
    /// Cancel a job that has not started.
    Cancel(Act),
}

/// The states that are listed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum State {
    /// Waits, or is due later.
    Available,
    /// At work.
    Running,
    /// Given up.
    Discarded,
    /// No longer wanted.
    Cancelled,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Running => "running",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }
}

const COLUMNS: &[Column<JobRow>] = &[
    ("id", |job| job.id.to_string()),
    ("tenant", |job| job.tenant_number.to_string()),
    ("kind", |job| job.kind.clone()),
    ("queue", |job| job.queue.clone()),
    ("lane", |job| or_dash(job.lane.as_ref())),
    ("state", |job| job.state.clone()),
    ("attempt", |job| match job.max_attempts {
        Some(most) => format!("{}/{most}", job.attempt),
        None => job.attempt.to_string(),
    }),
    ("due", |job| time(job.run_at)),
    ("last error", last_error),
];

/// Does what the verb says.
pub async fn jobs(on: On<JobsVerb>) -> Result<()> {
    let operator = &on.operator;
    let mut tx = operator.tx().await?;
    match on.verb {
        JobsVerb::List { state, paging } => {
            let page = admin::list(&mut tx, state.map(State::name), &paging.of()?).await?;
            print::page(operator.json, &page, COLUMNS)
        }
        JobsVerb::Show { id } => {
            let job = admin::find(&mut tx, id).await?;
            show(operator.json, &job.with_context(|| format!("there is no job {id}"))?)
        }
        JobsVerb::Retry(act) => {
            let acted = admin::retry(&mut tx, act.id).await?;
            if acted == Acted::Available {
                admin::annotate(&mut tx, act.id, &format!("run again by the operator: {}", act.reason)).await?;
            }
            let found = found(&acted, act.id)?;
            let done = Done { thing: "job", id: act.id, act: "available", reason: &act.reason, found };
            operator.finish(tx, done).await
        }
        JobsVerb::Cancel(act) => {
            let reason = format!("cancelled by the operator: {}", act.reason);
            let acted = admin::cancel(&mut tx, act.id, &reason).await?;
            let found = found(&acted, act.id)?;
            let done = Done { thing: "job", id: act.id, act: "cancelled", reason: &act.reason, found };
            operator.finish(tx, done).await
        }
    }
}

fn found(acted: &Acted, id: i64) -> Result<bool> {
    match acted {
        Acted::Available | Acted::Cancelled => Ok(true),
        Acted::NotFound => Ok(false),
        Acted::Running => bail!("job {id} runs and can't be taken away from its worker: pause its lane, or wait"),
        Acted::LaneCancelled => bail!("the lane of job {id} is cancelled and takes no jobs"),
        Acted::KeyHeld => bail!("another job holds the unique key of job {id}: that one does the work"),
    }
}

fn show(as_json: bool, job: &JobRow) -> Result<()> {
    if as_json {
        return print::json(job);
    }
    for (heading, cell) in COLUMNS.iter().filter(|(heading, _)| *heading != "last error") {
        println!("{heading:<9} {}", cell(job));
    }
    println!("{:<9} {}", "ended", time(job.finished_at));
    println!("{:<9} {}", "payload", or_dash(job.payload.as_ref().map(|payload| payload.0.to_string())));
    let errors = job.errors.as_ref().and_then(|errors| errors.0.as_array());
    for error in errors.into_iter().flatten() {
        let (at, attempt) = (error["at"].as_str().unwrap_or_default(), &error["attempt"]);
        println!("error     {at} attempt {attempt}: {}", error["error"].as_str().unwrap_or_default());
    }
    Ok(())
}

/// Shortened to what fits a line; `show` has the whole of it.
fn last_error(job: &JobRow) -> String {
    let last = job.errors.as_ref().and_then(|errors| errors.0.as_array()).and_then(|errors| errors.last());
    let text = last.and_then(|error: &Value| error["error"].as_str()).unwrap_or("-");
    text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
