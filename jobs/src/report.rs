//! The queue report: the fleet's reading of itself, taken by one process a minute and told by all of them, so that the gauges are right
//! whichever processes are asked and however many there are. Whoever takes it also logs it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};

use crate::{
    admin::{COUNTED, Depth, Holder},
    metrics::{set, set_of},
};

/// How old a reading may become.
const EVERY_S: f64 = 60.0;
/// The kinds of holders of the vacuum horizon.
const HOLDERS: [&str; 4] = ["session", "standby", "prepared", "slot"];

/// What one process has seen for all.
#[derive(Debug, Deserialize)]
struct Reading {
    taken_at: DateTime<Utc>,
    queues: Vec<Depth>,
    gates: Gates,
    schedule_overdue_s: f64,
    holders: Vec<Holder>,
}

/// Gates by what they let through.
#[derive(Debug, Deserialize)]
struct Gates {
    closed: u32,
    open: u32,
    half_open: u32,
    paused: u32,
    empty: u32,
}

/// Takes the reading where it is due, and sets the gauges by it.
pub(crate) async fn tell(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let read: Option<(Json<Reading>, bool)> =
        sqlx::query_as("select r.reading, r.is_new from jobs.take_reading($1, $2) r")
            .bind(EVERY_S)
            .bind(COUNTED)
            .fetch_optional(conn)
            .await?;
    if let Some((Json(reading), is_new)) = read {
        if is_new {
            log(&reading);
        }
        show(&reading);
    }
    Ok(())
}

fn log(reading: &Reading) {
    for depth in &reading.queues {
        tracing::info!(
            queue = depth.queue,
            due = depth.due,
            is_estimated = depth.is_due_estimated || depth.is_scheduled_estimated,
            running = depth.running,
            scheduled = depth.scheduled,
            oldest_due_s = depth.oldest_due_s,
            oldest_open_s = depth.oldest_open_s,
            "queue report"
        );
    }
    for holder in reading.holders.iter().filter(|holder| holder.is_old()) {
        tracing::warn!(%holder, "the vacuum horizon is held back: dead rows pile up in the queue's tables");
    }
}

fn show(reading: &Reading) {
    set("paloma_reading_timestamp_seconds", reading.taken_at.timestamp_millis() as f64 / 1e3);
    for depth in &reading.queues {
        let one = |name, value| set_of(name, "queue", depth.queue.clone(), value);
        one("paloma_queue_due_jobs", depth.due as f64);
        one("paloma_queue_running_jobs", depth.running as f64);
        one("paloma_queue_scheduled_jobs", depth.scheduled as f64);
        one("paloma_queue_estimated", f64::from(u8::from(depth.is_due_estimated || depth.is_scheduled_estimated)));
        one("paloma_queue_oldest_due_seconds", depth.oldest_due_s);
        one("paloma_queue_oldest_open_seconds", depth.oldest_open_s);
    }
    let Gates { closed, open, half_open, paused, empty } = reading.gates;
    for (breaker, count) in [("closed", closed), ("open", open), ("half_open", half_open)] {
        set_of("paloma_gates", "breaker", breaker, f64::from(count));
    }
    for (by, count) in [("paused", paused), ("empty", empty)] {
        set_of("paloma_gates_held", "by", by, f64::from(count));
    }
    set("paloma_schedule_overdue_seconds", reading.schedule_overdue_s);
    for kind in HOLDERS {
        let of_kind = || reading.holders.iter().filter(|holder| holder.holder == kind);
        if kind != "slot" {
            let oldest = of_kind().filter_map(|holder| holder.age_s).fold(0.0, f64::max);
            set_of("paloma_vacuum_horizon_seconds", "holder", kind, oldest);
        }
        let furthest = of_kind().map(|holder| holder.transactions).max().unwrap_or(0);
        set_of("paloma_vacuum_horizon_transactions", "holder", kind, furthest as f64);
    }
}
