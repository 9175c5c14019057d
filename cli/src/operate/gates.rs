//! `paloma gates`: what stands before outside services.

use super::{Act, On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use jobs::admin::{self, GateChange, GateRow};

/// What can be done with gates.
#[derive(Debug, Subcommand)]
pub enum GatesVerb {
    /// Gates, newest first.
    List(Paging),
    /// One gate.
    Show {
        /// Its id.
        id: i64,
    },
    /// Change the limits of a gate; what is not given stays.
    Set(SetArguments),
    /// Let nothing through.
    Pause(Act),
    /// Let a paused gate through again.
    Resume(Act),
    /// Close a breaker at once, without a probe.
    Close(Act),
}

/// New limits.
#[derive(Debug, Args)]
pub struct SetArguments {
    #[command(flatten)]
    act: Act,
    /// Starts a second, or `none`.
    #[arg(long, value_parser = limit::<f64>)]
    rate: Option<Limit<f64>>,
    /// Most tokens that collect.
    #[arg(long)]
    burst: Option<f64>,
    /// Jobs running at once, or `none`.
    #[arg(long, value_parser = limit::<i32>)]
    cap: Option<Limit<i32>>,
    /// Starts in an hour by the clock, or `none`.
    #[arg(long, value_parser = limit::<i32>)]
    hourly: Option<Limit<i32>>,
    /// Starts in a day by the calendar, or `none`.
    #[arg(long, value_parser = limit::<i32>)]
    daily: Option<Limit<i32>>,
    /// Whose hours and days, Europe/Berlin.
    #[arg(long)]
    time_zone: Option<String>,
}

/// A limit or none. Not an `Option`, which clap takes for an argument that may be absent.
#[derive(Debug, Clone, Copy)]
struct Limit<T>(Option<T>);

fn limit<T: std::str::FromStr + Default + PartialOrd>(text: &str) -> Result<Limit<T>, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let value: T = text.parse().map_err(|_| "a number, or `none`".to_owned())?;
    if value > T::default() { Ok(Limit(Some(value))) } else { Err("above 0, or `none`".to_owned()) }
}

const COLUMNS: &[Column<GateRow>] = &[
    ("id", |gate| gate.id.to_string()),
    ("tenant", |gate| or_dash(gate.tenant_number)),
    ("gate", |gate| gate.key.clone()),
    ("rate/s", |gate| or_dash(gate.rate)),
    ("burst", |gate| gate.burst.to_string()),
    ("tokens", |gate| gate.rate.map_or_else(|| "-".to_owned(), |_| format!("{:.1}", gate.tokens))),
    ("cap", |gate| or_dash(gate.cap)),
    ("hourly", |gate| or_dash(gate.hourly)),
    ("daily", |gate| or_dash(gate.daily)),
    ("running", |gate| gate.running.to_string()),
    ("state", |gate| if gate.paused_at.is_some() { "paused".to_owned() } else { gate.breaker.clone() }),
    ("open until", |gate| time(gate.open_until)),
    ("reason", |gate| or_dash(gate.reason.as_ref())),
];

/// Does what the verb says.
pub async fn gates(on: On<GatesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    let (act, word) = match on.verb {
        GatesVerb::List(paging) => {
            return print::page(on.operator.json, &admin::gates(&mut tx, &paging.of()?).await?, COLUMNS);
        }
        GatesVerb::Show { id } => {
            let gate = admin::find_gate(&mut tx, id).await?;
            return print::one(on.operator.json, &gate.with_context(|| format!("there is no gate {id}"))?, COLUMNS);
        }
        GatesVerb::Set(SetArguments { act, rate, burst, cap, hourly, daily, time_zone }) => {
            let counts = [&cap, &hourly, &daily];
            if rate.is_none() && burst.is_none() && time_zone.is_none() && counts.iter().all(|count| count.is_none()) {
                bail!("what should change? Give --rate, --burst, --cap, --hourly, --daily or --time-zone");
            }
            let change = GateChange {
                rate: rate.map(|rate| rate.0),
                burst,
                cap: cap.map(|cap| cap.0),
                hourly: hourly.map(|hourly| hourly.0),
                daily: daily.map(|daily| daily.0),
                time_zone: time_zone.as_deref(),
            };
            act.told("gate", admin::set_gate(&mut tx, act.id, change, &act.by()?).await)?;
            (act, "set")
        }
        GatesVerb::Pause(act) => {
            act.told("gate", admin::pause_gate(&mut tx, act.id, &act.by()?).await)?;
            (act, "paused")
        }
        GatesVerb::Resume(act) => {
            act.told("gate", admin::resume_gate(&mut tx, act.id, &act.by()?).await)?;
            (act, "resumed")
        }
        GatesVerb::Close(act) => {
            act.told("gate", admin::close_gate(&mut tx, act.id, &act.by()?).await)?;
            (act, "closed")
        }
    };
    on.operator.finish(tx, "gate", &act, word).await
}
