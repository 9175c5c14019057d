//! `paloma schedules`: what is made by the clock, and when it will be.

use super::{On, Paging};
use crate::print::{self, Column, time};
use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use jobs::admin::{self, ScheduleRow};
use jobs::schedule::next_fire;
use serde::Serialize;

/// What can be asked of schedules.
#[derive(Debug, Subcommand)]
pub enum SchedulesVerb {
    /// Schedules by name.
    List(Paging),
    /// The next times at which one fires.
    Preview(Preview),
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
    #[arg(long, default_value = "UTC", requires = "cron")]
    zone: String,
    /// How many times.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
}

const COLUMNS: &[Column<ScheduleRow>] = &[
    ("name", |schedule| schedule.name.clone()),
    ("cron", |schedule| schedule.cron.clone()),
    ("zone", |schedule| schedule.time_zone.clone()),
    ("kind", |schedule| schedule.kind.clone()),
    ("next", |schedule| time(Some(schedule.next_fire_at))),
    ("last", |schedule| time(schedule.last_fired_at)),
    ("state", |schedule| if schedule.paused_at.is_some() { "paused".to_owned() } else { "on".to_owned() }),
];

#[derive(Debug, Serialize)]
struct Fires {
    cron: String,
    zone: String,
    fires: Vec<DateTime<Utc>>,
}

/// Does what the verb says.
pub async fn schedules(on: On<SchedulesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    match on.verb {
        SchedulesVerb::List(paging) => {
            print::page(on.operator.json, &admin::schedules(&mut tx, &paging.of()?).await?, COLUMNS)
        }
        SchedulesVerb::Preview(preview) => {
            let (cron, zone) = match (preview.cron, preview.name) {
                (Some(cron), _) => (cron, preview.zone),
                (None, name) => {
                    let name = name.unwrap_or_default();
                    let stored = admin::find_schedule(&mut tx, &name).await?;
                    let stored = stored.with_context(|| format!("there is no schedule {name}"))?;
                    (stored.cron, stored.time_zone)
                }
            };
            let mut at = db::Scope::now(&tx);
            let mut fires = Vec::new();
            for _ in 0..preview.count {
                let zone =
                    zone.parse().map_err(|_| anyhow!("there is no time zone {zone}: a name is Europe/Berlin"))?;
                at = next_fire(&cron, zone, at).map_err(anyhow::Error::msg)?;
                fires.push(at);
            }
            if on.operator.json {
                return print::json(&Fires { cron, zone, fires });
            }
            fires.iter().for_each(|fire| println!("{}", time(Some(*fire))));
            Ok(())
        }
    }
}
