//! Everything that touches rows, through the front door: HTTP in, rows, events and simulator traffic out.

mod contacts;
mod campaigns;
mod messaging;
mod engine;
mod imports;
mod wall;

/// Not a test: the process that holds the run's database cluster, started by the first test that needs one.
#[test]
#[ignore = "holds the database cluster of a run"]
fn hold_the_cluster() {
    e2e::cluster::hold();
}
