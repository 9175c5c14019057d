//! The engine's metrics: the one list of them, and how each is told. Labels are bounded by the program's text (kinds, queues, outcomes,
//! schedules); ids and tenants are never labels, they are in the log, in the audit and in `jobs.costs`.

use std::{collections::HashMap, time::Duration};

use metrics::{Counter, Histogram, Unit, counter, gauge, histogram};

/// What a metric is, and how its values are put together.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// Only grows; of this process.
    Counter,
    /// What is now.
    Gauge,
    /// Counted by these upper bounds; of this process.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub r#type: Type,
    /// What it counts.
    pub unit: Unit,
    /// What it says, with its labels.
    pub help: &'static str,
}

/// From a job that waits for nothing to one that has waited for a day.
const WAITS: &[f64] = &[0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
/// From an empty handler to the longest import.
const RUNS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 180.0, 600.0, 1_800.0];
/// A round trip of the cycle: the answer of a statement, or of a database in need.
const TRIPS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Jobs that one claim brought.
const CLAIMED: &[f64] = &[0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0];
/// How late a schedule is: within its look, or after a stand-still.
const LATE: &[f64] = &[0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3_600.0, 86_400.0];

const fn metric(name: &'static str, r#type: Type, unit: Unit, help: &'static str) -> Metric {
    Metric { name, r#type, unit, help }
}

/// Every metric of the engine.
pub const ALL: &[Metric] = &[
    metric("paloma_job_wait_seconds", Type::Histogram(WAITS), Unit::Seconds, "From due to leased, by kind and queue."),
    metric(
        "paloma_job_run_seconds",
        Type::Histogram(RUNS),
        Unit::Seconds,
        "From a handler's start to its end, by kind and queue.",
    ),
    metric("paloma_jobs_settled_total", Type::Counter, Unit::Count, "Leases that ended, by kind, queue and outcome."),
    metric(
        "paloma_claims_total",
        Type::Counter,
        Unit::Count,
        "Cycles of this process, by result: some jobs, none, failed.",
    ),
    metric("paloma_claim_jobs", Type::Histogram(CLAIMED), Unit::Count, "Jobs that one cycle brought."),
    metric("paloma_cycle_seconds", Type::Histogram(TRIPS), Unit::Seconds, "Round trip of a cycle to the database."),
    metric(
        "paloma_leases_lost_total",
        Type::Counter,
        Unit::Count,
        "Leases found lost, by where: at settle, or at the commit of an effect.",
    ),
    metric("paloma_rescues_total", Type::Counter, Unit::Count, "Jobs that this process freed from dead workers."),
    metric(
        "paloma_gate_refusals_total",
        Type::Counter,
        Unit::Count,
        "Lanes that a claim of this process left waiting before a gate, by what kept them: tokens, cap, budget, breaker, rest, pause.",
    ),
    metric("paloma_breakers_opened_total", Type::Counter, Unit::Count, "Breakers that this process opened."),
    metric(
        "paloma_schedule_fires_total",
        Type::Counter,
        Unit::Count,
        "Fires of this scheduler, by schedule and outcome: made, duplicate, queued, skipped.",
    ),
    metric("paloma_schedule_lag_seconds", Type::Histogram(LATE), Unit::Seconds, "From a fire's time to its making."),
    metric(
        "paloma_reading_timestamp_seconds",
        Type::Gauge,
        Unit::Seconds,
        "When the fleet's last reading was taken, since 1970.",
    ),
    metric("paloma_queue_due_jobs", Type::Gauge, Unit::Count, "Jobs that are due and do not run, by queue. Reading."),
    metric("paloma_queue_running_jobs", Type::Gauge, Unit::Count, "Jobs that run, by queue. Reading."),
    metric("paloma_queue_scheduled_jobs", Type::Gauge, Unit::Count, "Jobs that are due later, by queue. Reading."),
    metric(
        "paloma_queue_estimated",
        Type::Gauge,
        Unit::Count,
        "1 where a count of the queue was too long and is a guess of the planner. Reading.",
    ),
    metric(
        "paloma_queue_oldest_due_seconds",
        Type::Gauge,
        Unit::Seconds,
        "How long the oldest due job has waited, by queue. Reading.",
    ),
    metric(
        "paloma_queue_oldest_open_seconds",
        Type::Gauge,
        Unit::Seconds,
        "The same of jobs that neither a pause nor a gate holds back, by queue. Reading.",
    ),
    metric("paloma_gates", Type::Gauge, Unit::Count, "Gates by breaker: closed, open, half_open. Reading."),
    metric(
        "paloma_gates_held",
        Type::Gauge,
        Unit::Count,
        "Gates by what lets nothing through: paused, or empty of tokens. Reading.",
    ),
    metric(
        "paloma_schedule_overdue_seconds",
        Type::Gauge,
        Unit::Seconds,
        "How late the schedule is that is latest and not paused. Reading.",
    ),
    metric(
        "paloma_vacuum_horizon_seconds",
        Type::Gauge,
        Unit::Seconds,
        "How long dead rows have been kept from vacuum, by holder: session, standby, prepared. Reading.",
    ),
    metric(
        "paloma_vacuum_horizon_transactions",
        Type::Gauge,
        Unit::Count,
        "The same in transactions, by holder: session, standby, prepared, slot. Reading.",
    ),
];

/// Describes every metric to the installed recorder, and begins those at zero whose first count would otherwise come from nowhere.
pub fn describe() {
    for metric in ALL {
        match metric.r#type {
            Type::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            Type::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            Type::Histogram(_) => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
    for at in ["settle", "commit"] {
        counter!("paloma_leases_lost_total", "at" => at).absolute(0);
    }
    for by in REFUSALS {
        counter!("paloma_gate_refusals_total", "by" => by).absolute(0);
    }
    counter!("paloma_rescues_total").absolute(0);
    counter!("paloma_breakers_opened_total").absolute(0);
}

/// How a lease ended, as the label says it.
pub(crate) const OUTCOMES: [&str; 6] = ["completed", "retry", "snooze", "discarded", "cancelled", "release"];

/// The metrics of one kind, looked up once: a job adds three numbers and no text.
struct Meter {
    wait: Histogram,
    run: Histogram,
    settled: [Counter; OUTCOMES.len()],
}

/// The metrics of each kind that a process knows.
pub(crate) struct Meters(HashMap<&'static str, Meter>);

impl Meters {
    pub fn of(kinds: impl Iterator<Item = (&'static str, &'static str)>) -> Self {
        Self(kinds.map(|(kind, queue)| (kind, Meter::new(kind, queue))).collect())
    }
    /// A handler has come back.
    pub fn ran(&self, kind: &str, waited_s: f64, ran: Duration) {
        if let Some(meter) = self.0.get(kind) {
            meter.wait.record(waited_s);
            meter.run.record(ran.as_secs_f64());
        }
    }
    /// Its lease has ended with that one of [`OUTCOMES`].
    pub fn settled(&self, kind: &str, outcome: usize) {
        if let Some(settled) = self.0.get(kind).and_then(|meter| meter.settled.get(outcome)) {
            settled.increment(1);
        }
    }
}

impl Meter {
    fn new(kind: &'static str, queue: &'static str) -> Self {
        Self {
            wait: histogram!("paloma_job_wait_seconds", "kind" => kind, "queue" => queue),
            run: histogram!("paloma_job_run_seconds", "kind" => kind, "queue" => queue),
            settled: OUTCOMES.map(
                |outcome| counter!("paloma_jobs_settled_total", "kind" => kind, "queue" => queue, "outcome" => outcome),
            ),
        }
    }
}

/// A cycle has come back, with jobs or without; none: it failed.
pub(crate) fn cycled(took: Duration, jobs: Option<usize>) {
    histogram!("paloma_cycle_seconds").record(took.as_secs_f64());
    let result = match jobs {
        Some(0) => "none",
        Some(_) => "some",
        None => "failed",
    };
    counter!("paloma_claims_total", "result" => result).increment(1);
    if let Some(jobs) = jobs {
        histogram!("paloma_claim_jobs").record(jobs as f64);
    }
}

/// What keeps a lane before a gate, in the order in which a cycle's header counts it.
pub(crate) const REFUSALS: [&str; 6] = ["tokens", "cap", "budget", "breaker", "rest", "pause"];

/// A claim left lanes waiting, so many for each of [`REFUSALS`].
pub(crate) fn refused(counts: &[i64]) {
    for (by, count) in REFUSALS.into_iter().zip(counts) {
        if let Ok(count @ 1..) = u64::try_from(*count) {
            counter!("paloma_gate_refusals_total", "by" => by).increment(count);
        }
    }
}

/// Leases were found lost, at settle or at commit.
pub(crate) fn leases_lost(at: &'static str, count: usize) {
    counter!("paloma_leases_lost_total", "at" => at).increment(count as u64);
}

/// A schedule has fired, that long after its time.
pub(crate) fn fired(schedule: &'static str, outcome: &'static str, late: f64) {
    counter!("paloma_schedule_fires_total", "schedule" => schedule, "outcome" => outcome).increment(1);
    histogram!("paloma_schedule_lag_seconds").record(late.max(0.0));
}

/// Sets a gauge that stands for the whole fleet.
pub(crate) fn set(name: &'static str, value: f64) {
    gauge!(name).set(value);
}

/// The same of one of a bounded set of things.
pub(crate) fn set_of(name: &'static str, label: &'static str, thing: impl Into<metrics::SharedString>, value: f64) {
    gauge!(name, label => thing.into()).set(value);
}
