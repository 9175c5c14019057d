//! `paloma gates`: what stands before outside services.

use super::{Act, Done, On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use jobs::admin::{self, GateChange};
use jobs::gate::Gate;

/// What can be done with gates.
#[derive(Debug, Subcommand)]
pub enum GatesVerb {
    /// Gates, newest first.
    List(Paging),
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

const COLUMNS: &[Column<Gate>] = &[
    ("id", |gate| gate.id.to_string()),
    ("tenant", |gate| gate.tenant_number.to_string()),
    ("gate", |gate| gate.key.clone()),
    ("rate/s", |gate| or_dash(gate.rate)),
    ("burst", |gate| gate.burst.to_string()),
    ("cap", |gate| or_dash(gate.cap)),
    ("running", |gate| gate.running.to_string()),
    ("state", |gate| if gate.is_paused { "paused".to_owned() } else { gate.breaker.clone() }),
    ("open until", |gate| time(gate.open_until)),
    ("reason", |gate| or_dash(gate.reason.as_ref())),
];

/// Does what the verb says.
pub async fn gates(on: On<GatesVerb>) -> Result<()> {
    let mut tx = on.operator.tx().await?;
    let (act, word, found) = match on.verb {
        GatesVerb::List(paging) => {
            return print::page(on.operator.json, &admin::gates(&mut tx, &paging.of()?).await?, COLUMNS);
        }
        GatesVerb::Set(set) => {
            let (rate, cap) = (set.rate.map(|rate| rate.0), set.cap.map(|cap| cap.0));
            if rate.is_none() && cap.is_none() && set.burst.is_none() {
                bail!("what should change? Give --rate, --burst or --cap");
            }
            let found = admin::set_gate(&mut tx, set.act.id, GateChange { rate, burst: set.burst, cap }).await?;
            (set.act, "set", found)
        }
        GatesVerb::Pause(act) => {
            let found = admin::pause_gate(&mut tx, act.id, &act.reason).await?;
            (act, "paused", found)
        }
        GatesVerb::Resume(act) => {
            let found = admin::resume_gate(&mut tx, act.id).await?;
            (act, "resumed", found)
        }
        GatesVerb::Close(act) => {
            let found = admin::close_gate(&mut tx, act.id).await?;
            (act, "closed", found)
        }
    };
    on.operator.finish(tx, Done { thing: "gate", id: act.id, act: word, reason: &act.reason, found }).await
}
