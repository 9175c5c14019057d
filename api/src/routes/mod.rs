//! The routes of each feature, and their one list.

mod access;
mod audit;
mod batches;
mod campaigns;
mod canned_replies;
mod contact_labels;
mod contacts;
mod contacts_bulk;
mod conversations;
mod health;
mod hooks;
mod imports;
mod labels;
mod lines;
mod live;
mod media;
mod messages;
mod operations;
mod own_access;
mod platform;
mod quiet_hours;
mod saved_filters;
mod search;
mod suppressions;
mod tenants;
mod usage;
mod users;

use crate::gate::Routes;

/// Every route there is.
#[must_use]
pub fn all() -> Routes {
    [
        access::routes(),
        audit::routes(),
        batches::routes(),
        campaigns::routes(),
        canned_replies::routes(),
        contact_labels::routes(),
        contacts::routes(),
        contacts_bulk::routes(),
        conversations::routes(),
        health::routes(),
        hooks::routes(),
        imports::routes(),
        labels::routes(),
        lines::routes(),
        live::routes(),
        media::routes(),
        messages::routes(),
        operations::routes(),
        own_access::routes(),
        platform::routes(),
        quiet_hours::routes(),
        saved_filters::routes(),
        search::routes(),
        suppressions::routes(),
        tenants::routes(),
        usage::routes(),
        users::routes(),
    ]
    .into_iter()
    .fold(Routes::new(), Routes::merge)
}
