//! The queue, for the platform's operator across tenants and for each tenant its own part, to look at. What changes something is the
//! operator's alone, needs a reason, and is in the audit.

mod audit;
mod batches;
mod costs;
mod gates;
mod jobs;
mod lanes;
mod platform_jobs;
mod queues;
mod schedules;
mod session;
mod workers;

use crate::gate::Routes;

/// The routes.
pub fn routes() -> Routes {
    [
        audit::routes(),
        batches::routes(),
        costs::routes(),
        gates::routes(),
        jobs::routes(),
        lanes::routes(),
        platform_jobs::routes(),
        queues::routes(),
        schedules::routes(),
        session::routes(),
        workers::routes(),
    ]
    .into_iter()
    .fold(Routes::new(), Routes::merge)
}
