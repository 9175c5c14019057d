//! Everything that touches rows, through the front door: HTTP in, rows, events and simulator traffic out.

#![expect(clippy::unwrap_used, reason = "a test fails by its panic")]

mod access;
mod audit;
mod bucket;
mod campaigns;
mod campaigns_made;
mod campaigns_timing;
mod contacts;
mod contacts_many;
mod demo_inbox;
mod devices;
mod engine;
mod fallback;
mod impersonation;
mod imports;
mod imports_held;
mod inbound;
mod inbox;
mod intake;
mod key_limits;
mod lifecycle;
mod line_health;
mod live;
mod lost;
mod matrix;
mod media;
mod messaging;
mod oidc;
mod oidc_refused;
mod operate;
mod operations;
mod operator;
mod organizations;
mod plans;
mod platform;
mod privacy;
mod roles;
mod schedules;
mod scopes;
mod second_factor;
mod secrets;
mod security_cases;
mod sending;
mod settings;
mod singles;
mod spa;
mod statements;
mod users;
mod versions;
mod wall;
mod webhooks;

/// Not a test: the process that holds the run's database cluster, started by the first test that needs one.
#[test]
#[ignore = "holds the database cluster of a run"]
fn hold_the_cluster() {
    e2e::cluster::hold();
}

/// Not a test: the process that obeys the operator's verbs for a test.
#[test]
#[ignore = "is `paloma` for one verb"]
fn be_paloma() {
    e2e::paloma::be();
}
