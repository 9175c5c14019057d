//! `paloma schedules`: what is made by the clock, by which contract, and when it will be.

use super::{Done, On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, NaiveDateTime, Utc};
use clap::{Args, Subcommand};
use db::Actor;
use jobs::admin::{self, By, Refused, ScheduleRow};
use jobs::schedule::{self, Ambiguous, Dst, Fire, Fired, Nonexistent, ScheduleError};
use serde::Serialize;

/// What can be asked of schedules, and done with them.
#[derive(Debug, Subcommand)]
pub enum SchedulesVerb {
    /// Schedules by name.
    List(Paging),
    /// One schedule with all that it promises.
    Show(Named),
    /// The next times at which one fires, and what changes of its zone's clock do to them.
    Preview(Preview),
    /// Let one make nothing.
    Pause(Act),
    /// Let a paused one go on, from now.
    Resume(Act),
    /// Make the job of one at once.
    Fire(Act),
}

/// Which one.
#[derive(Debug, Args)]
pub struct Named {
    /// Its name, as the list shows it.
    name: String,
}

/// Which one, and why.
#[derive(Debug, Args)]
pub struct Act {
    /// Its name, as the list shows it.
    name: String,
    /// Why, in 1 to 500 characters: kept in the audit.
    #[arg(long)]
    reason: String,
}

/// Of which schedule, or of which cron line.
#[derive(Debug, Args)]
pub struct Preview {
    /// A stored schedule.
    #[arg(required_unless_present = "cron", conflicts_with = "cron")]
    name: Option<String>,
    /// A cron line: five fields, or six with seconds first.
    #[arg(long)]
    cron: Option<String>,
    /// The zone of the line's clock.
    #[arg(long, default_value = "UTC", conflicts_with = "name")]
    zone: String,
    /// A time that the clock leaves out: skip, next_valid.
    #[arg(long, conflicts_with = "name")]
    nonexistent: Option<Nonexistent>,
    /// A time that the clock shows twice: first, second, both.
    #[arg(long, conflicts_with = "name")]
    ambiguous: Option<Ambiguous>,
    /// From when on; now, where it is not said.
    #[arg(long)]
    from: Option<DateTime<Utc>>,
    /// How many times.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
}

const COLUMNS: &[Column<ScheduleRow>] = &[
    ("name", |schedule| schedule.name.clone()),
    ("cron", |schedule| schedule.cron.clone()),
    ("zone", |schedule| schedule.time_zone.clone()),
    ("kind", |schedule| schedule.kind.clone()),
    ("next", |schedule| time(next(schedule))),
    ("last", |schedule| time(schedule.last_fired_at)),
    ("state", |schedule| state(schedule).to_owned()),
];

const FIRES: &[Column<Fire>] = &[
    ("utc", |fire| time(Some(fire.at))),
    ("local", |fire| fire.local.format("%a %Y-%m-%d %H:%M:%S%:z").to_string()),
    ("due", |fire| time(Some(fire.run_at))),
    ("clock", |fire| match fire.dst {
        None => String::new(),
        Some(Dst::Moved) => format!("{} does not exist", fire.meant.map(clock).unwrap_or_default()),
        Some(Dst::First) => "the first of two".to_owned(),
        Some(Dst::Second) => "the second of two".to_owned(),
    }),
];

fn clock(at: NaiveDateTime) -> String {
    at.format("%H:%M:%S").to_string()
}
fn state(schedule: &ScheduleRow) -> &'static str {
    match (schedule.retired_at, schedule.paused_at) {
        (Some(_), _) => "retired",
        (None, Some(_)) => "paused",
        (None, None) => "on",
    }
}
/// When it fires next, where it fires at all.
fn next(schedule: &ScheduleRow) -> Option<DateTime<Utc>> {
    (schedule.retired_at.is_none() && schedule.paused_at.is_none()).then_some(schedule.next_fire_at)
}

/// A line of `show`.
const PARTS: &[Column<ScheduleRow>] = &[
    ("cron", |row| row.cron.clone()),
    ("zone", |row| row.time_zone.clone()),
    ("nonexistent", |row| row.nonexistent.clone()),
    ("ambiguous", |row| row.ambiguous.clone()),
    ("catch up", |row| row.catch_up_limit.map_or_else(|| row.catch_up.clone(), |most| format!("all, up to {most}"))),
    ("overlap", |row| row.overlap.clone()),
    ("jitter", |row| format!("up to {} s", f64::from(row.jitter_ms) / 1000.0)),
    ("makes", |row| format!("{} on {}", row.kind, row.queue)),
    ("state", |row| state(row).to_owned()),
    ("reason", |row| or_dash(row.reason.as_ref())),
    ("next", |row| time(next(row))),
    ("waits to run", |row| time(row.queued_fire_at)),
    ("last", |row| time(row.last_fired_at)),
    ("last job", |row| or_dash(row.last_job_id)),
    ("skipped", |row| row.skipped_count.to_string()),
    ("missed", |row| time(row.missed_at)),
];

#[derive(Debug, Serialize)]
struct Fires {
    cron: String,
    zone: String,
    fires: Vec<Fire>,
}

/// Does what the verb says.
pub async fn schedules(on: On<SchedulesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    let (act, word) = match on.verb {
        SchedulesVerb::List(paging) => {
            return print::page(on.operator.json, &admin::schedules(&mut tx, &paging.of()?).await?, COLUMNS);
        }
        SchedulesVerb::Show(named) => return show(on.operator.json, &find(&mut tx, &named.name).await?),
        SchedulesVerb::Preview(asked) => {
            let fires = preview(&mut tx, asked).await?;
            if on.operator.json {
                return print::json(&fires);
            }
            return print::text(print::table(&fires.fires, FIRES));
        }
        SchedulesVerb::Pause(act) => {
            let done = admin::pause_schedule(&mut tx, &act.name, &act.by()?).await;
            act.told(done.map_err(ScheduleError::from))?;
            (act, "paused".to_owned())
        }
        SchedulesVerb::Resume(act) => {
            act.told(admin::resume_schedule(&mut tx, &act.name, &act.by()?).await)?;
            (act, "resumed".to_owned())
        }
        SchedulesVerb::Fire(act) => {
            let declared = crm::schedule(&act.name).with_context(|| format!("there is no schedule {}", act.name))?;
            let word = match act.told(schedule::fire_now(&mut tx, &declared, &act.by()?).await)? {
                Fired::Skipped(id) => bail!("its last job {id} is still live, and its fires may not overlap"),
                Fired::Made(id) => format!("fired, as job {id}"),
                Fired::Duplicate(id) => format!("not fired: job {id} does the same already"),
                Fired::Queued(id) => format!("fired: its job is made when job {id} has ended"),
            };
            (act, word)
        }
    };
    on.operator.commit(tx, Done { thing: "schedule", id: &act.name, act: &word, reason: &act.reason }).await
}

impl Act {
    fn by(&self) -> Result<By> {
        Ok(By::new(Actor::Operator, &self.reason)?)
    }
    fn told<T>(&self, done: Result<T, ScheduleError>) -> Result<T> {
        done.map_err(|error| match error {
            ScheduleError::Refused(Refused::NotFound) => anyhow!("there is no schedule {}", self.name),
            error => anyhow!(error).context(format!("schedule {}", self.name)),
        })
    }
}

async fn find(tx: &mut db::PlatformTx, name: &str) -> Result<ScheduleRow> {
    admin::find_schedule(tx, name).await?.with_context(|| format!("there is no schedule {name}"))
}

fn show(as_json: bool, row: &ScheduleRow) -> Result<()> {
    if as_json {
        return print::json(row);
    }
    let parts: String = PARTS.iter().map(|(part, cell)| format!("  {part:<14}{}\n", cell(row))).collect();
    print::text(format_args!("{}\n{parts}", row.name))
}

async fn preview(tx: &mut db::PlatformTx, asked: Preview) -> Result<Fires> {
    let (from, count) = (asked.from.unwrap_or_else(|| db::Scope::now(tx)), usize::from(asked.count));
    if let Some(cron) = asked.cron {
        let fires = schedule::preview_line(&cron, &asked.zone, asked.nonexistent, asked.ambiguous, from, count)?;
        return Ok(Fires { cron, zone: asked.zone, fires });
    }
    let row = find(tx, &asked.name.unwrap_or_default()).await?;
    let fires = admin::preview(&row, from, count)?;
    Ok(Fires { cron: row.cron, zone: row.time_zone, fires })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        verb: SchedulesVerb,
    }
    fn said(line: &str) -> Result<SchedulesVerb, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.verb)
    }

    #[test]
    fn a_preview_says_what_a_change_of_the_clock_did() {
        let from = "2026-10-31T12:00:00Z".parse().unwrap();
        let (zone, both) = ("America/New_York", Some(Ambiguous::Both));
        let fires = schedule::preview_line("30 1 * * *", zone, None, both, from, 2).unwrap();
        assert_eq!(
            print::table(&fires, FIRES),
            "utc                   local                          due                   clock\n\
             2026-11-01 05:30:00Z  Sun 2026-11-01 01:30:00-04:00  2026-11-01 05:30:00Z  the first of two\n\
             2026-11-01 06:30:00Z  Sun 2026-11-01 01:30:00-05:00  2026-11-01 06:30:00Z  the second of two\n"
        );
        let from = "2026-03-07T12:00:00Z".parse().unwrap();
        let fires = schedule::preview_line("30 2 * * *", zone, None, None, from, 1).unwrap();
        assert!(print::table(&fires, FIRES).contains("Sun 2026-03-08 03:00:00-04:00"));
        assert!(print::table(&fires, FIRES).ends_with("02:30:00 does not exist\n"));
    }

    #[test]
    fn a_verb_that_changes_something_wants_a_reason() {
        assert!(matches!(said("x fire sweep --reason late").unwrap(), SchedulesVerb::Fire(_)));
        for line in ["x fire sweep", "x pause sweep", "x resume sweep", "x preview", "x preview a --ambiguous both"] {
            assert!(said(line).is_err(), "{line}");
        }
        assert!(matches!(said("x show sweep").unwrap(), SchedulesVerb::Show(_)));
        let line =
            "x preview --cron @ --zone Europe/Berlin --ambiguous second --nonexistent skip --from 2026-01-01T00:00:00Z";
        let SchedulesVerb::Preview(asked) = said(line).unwrap() else { panic!("a preview") };
        assert_eq!((asked.count, asked.ambiguous), (50, Some(Ambiguous::Second)));
        assert!(said("x preview --cron @ --ambiguous third").unwrap_err().to_string().contains("first, second, both"));
    }
}
