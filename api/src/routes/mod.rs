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
mod identity_providers;
mod imports;
mod labels;
mod lines;
mod live;
mod media;
mod messages;
mod oidc;
mod operations;
mod organizations;
mod own_access;
mod platform;
mod privacy;
mod quiet_hours;
mod roles;
mod saved_filters;
mod search;
mod settings;
mod suppressions;
mod teams;
mod tenants;
mod usage;
mod users;
mod webhooks;

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
        identity_providers::routes(),
        imports::routes(),
        labels::routes(),
        lines::routes(),
        live::routes(),
        media::routes(),
        messages::routes(),
        oidc::routes(),
        operations::routes(),
        organizations::routes(),
        own_access::routes(),
        platform::routes(),
        privacy::routes(),
        quiet_hours::routes(),
        roles::routes(),
        saved_filters::routes(),
        search::routes(),
        settings::routes(),
        suppressions::routes(),
        teams::routes(),
        tenants::routes(),
        usage::routes(),
        users::routes(),
        webhooks::routes(),
    ]
    .into_iter()
    .fold(Routes::new(), Routes::merge)
}
