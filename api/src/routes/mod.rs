//! The routes of each feature, and their one list.

mod access;
mod campaigns;
mod contacts;
mod conversations;
mod health;
mod hooks;
mod imports;
mod lines;
mod live;
mod operations;
mod suppressions;
mod tenants;

use crate::gate::Routes;

/// Every route there is.
#[must_use]
pub fn all() -> Routes {
    [
        access::routes(),
        campaigns::routes(),
        contacts::routes(),
        conversations::routes(),
        health::routes(),
        hooks::routes(),
        imports::routes(),
        lines::routes(),
        live::routes(),
        operations::routes(),
        suppressions::routes(),
        tenants::routes(),
    ]
    .into_iter()
    .fold(Routes::new(), Routes::merge)
}
