//! `paloma jobs`: what waits, runs and has failed; run it again, or call it off.

use super::{Act, On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jobs::admin::{self, Cause, Death, Explanation, Filter, JobRow, State};
use serde_json::Value;

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub enum JobsVerb {
    /// Live and failed jobs, newest first; completed ones with `--state completed`.
    List(ListArguments),
    /// All that is known of one job.
    Show {
        /// Its id.
        id: i64,
    },
    /// Why one does not run, or what has become of it.
    Why {
        /// Its id.
        id: i64,
    },
    /// Run a discarded, quarantined or cancelled job again.
    Retry(Act),
    /// Cancel a job that has not started.
    Cancel(Act),
}

/// Which jobs.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// In that state: available, running, completed, discarded, quarantined, cancelled.
    #[arg(long)]
    state: Option<State>,
    /// Of that kind, `campaigns.send`.
    #[arg(long)]
    kind: Option<String>,
    /// Of that queue.
    #[arg(long)]
    queue: Option<String>,
    /// Of the lane with that id.
    #[arg(long)]
    lane: Option<i64>,
    #[command(flatten)]
    paging: Paging,
}

const COLUMNS: &[Column<JobRow>] = &[
    ("id", |job| job.id.to_string()),
    ("tenant", |job| job.tenant_number.to_string()),
    ("kind", |job| job.kind.clone()),
    ("queue", |job| job.queue.clone()),
    ("lane", |job| or_dash(job.lane.as_ref())),
    ("state", |job| job.state.name().to_owned()),
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
    let missing = |id: i64| format!("there is no job {id}");
    match on.verb {
        JobsVerb::List(ListArguments { state, kind, queue, lane, paging }) => {
            let (kind, queue) = (kind.as_deref(), queue.as_deref());
            let filter = Filter { state, kind, queue, lane_id: lane };
            print::page(operator.json, &admin::list(&mut tx, &filter, &paging.of()?).await?, COLUMNS)
        }
        JobsVerb::Show { id } => show(operator.json, &admin::find(&mut tx, id).await?.with_context(|| missing(id))?),
        JobsVerb::Why { id } => why(operator.json, &admin::explain(&mut tx, id).await?.with_context(|| missing(id))?),
        JobsVerb::Retry(act) => {
            act.told("job", admin::retry(&mut tx, act.id, &act.by()?).await)?;
            operator.finish(tx, "job", &act, "available").await
        }
        JobsVerb::Cancel(act) => {
            act.told("job", admin::cancel(&mut tx, act.id, &act.by()?).await)?;
            operator.finish(tx, "job", &act, "cancelled").await
        }
    }
}

fn why(as_json: bool, told: &Explanation) -> Result<()> {
    if as_json {
        return print::json(told);
    }
    let mut lines = vec![format!("job {} is {}", told.job_id, told.state.name())];
    for told in &told.causes {
        lines.push(format!("- {}", told.sentence));
        if let Cause::Quarantined { deaths, .. } = &told.cause {
            lines.extend(deaths.iter().map(death));
        }
    }
    lines.extend(told.expected_at.map(|at| format!("expected to start at {}", time(Some(at)))));
    print::line(lines.join("\n"))
}

fn death(death: &Death) -> String {
    let Death { at, process, host, attempt } = death;
    format!("  attempt {attempt}: process {process} on {host} was found dead at {}", time(Some(*at)))
}

fn show(as_json: bool, job: &JobRow) -> Result<()> {
    if as_json {
        return print::json(job);
    }
    let columns = COLUMNS.iter().filter(|(heading, _)| *heading != "last error");
    let mut lines: Vec<String> = columns.map(|(heading, cell)| format!("{heading:<9} {}", cell(job))).collect();
    lines.push(format!("{:<9} {}", "ended", time(job.finished_at)));
    lines.push(format!("{:<9} {}", "payload", or_dash(job.payload.as_ref().map(|payload| payload.0.to_string()))));
    let errors = job.errors.as_ref().and_then(|errors| errors.0.as_array());
    lines.extend(errors.into_iter().flatten().map(|error| {
        let (at, attempt) = (error["at"].as_str().unwrap_or_default(), &error["attempt"]);
        format!("error     {at} attempt {attempt}: {}", error["error"].as_str().unwrap_or_default())
    }));
    print::line(lines.join("\n"))
}

/// Shortened to what fits a line; `show` has the whole of it.
fn last_error(job: &JobRow) -> String {
    let last = job.errors.as_ref().and_then(|errors| errors.0.as_array()).and_then(|errors| errors.last());
    let text = last.and_then(|error: &Value| error["error"].as_str()).unwrap_or("-");
    text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
