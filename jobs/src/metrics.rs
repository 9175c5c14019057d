//! The engine's metrics, described: a name without help text is refused by promtool.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Describes every metric of the engine to the installed recorder.
pub fn describe() {
    describe_histogram!("paloma_job_wait_seconds", "From due to leased, by kind.");
    describe_histogram!("paloma_job_run_seconds", "From started to ended, by kind.");
    describe_counter!("paloma_jobs_settled_total", "Jobs that ended a lease, by kind and outcome.");
    describe_counter!("paloma_claims_total", "Cycles that this process has run.");
    describe_counter!("paloma_leases_lost_total", "Outcomes whose lease had been lost.");
    describe_counter!("paloma_rescues_total", "Jobs freed from dead workers.");
    describe_counter!("paloma_breaker_opened_total", "Breakers that this process opened.");
    describe_gauge!("paloma_queue_due", "Due jobs of a queue that do not run.");
    describe_gauge!("paloma_queue_oldest_due_seconds", "How long the oldest due job of a queue has waited.");
}
