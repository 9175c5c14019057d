//! The routes of each feature, and their one list.

mod access;
mod batches;
mod campaigns;
mod contacts;
mod conversations;
mod health;
mod hooks;
mod imports;
mod jobs;
mod lines;
mod live;
mod suppressions;
mod tenants;

use crate::gate::Routes;

/// Every route there is.
#[must_use]
pub fn all() -> Routes {
    [
        access::routes(),
        batches::routes(),
        campaigns::routes(),
        contacts::routes(),
        conversations::routes(),
        health::routes(),
        hooks::routes(),
        imports::routes(),
        jobs::routes(),
        lines::routes(),
        live::routes(),
        suppressions::routes(),
        tenants::routes(),
    ]
    .into_iter()
    .fold(Routes::new(), Routes::merge)
}
