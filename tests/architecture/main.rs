//! What no compiler checks: which crate may use which, what SQL may say, how large a file may be, what changes need a reader.

#![expect(clippy::unwrap_used, reason = "a test fails by its panic")]

mod documents;
mod manifests;
mod migrations;
mod snapshots;
mod sources;
mod sql;
mod texts;

/// Not a test: the process that holds the run's database cluster, started by the first test that needs one.
#[test]
#[ignore = "holds the database cluster of a run"]
fn hold_the_cluster() {
    e2e::cluster::hold();
}
