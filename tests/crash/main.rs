//! Real worker processes, killed, stopped, cut off and asked to end in the middle of their work: nothing is lost, nothing is done twice.
//! The api, the gateway and the scheduler run in the test's own process.

mod campaigns;
mod canaries;
mod chaos;
mod collector;
mod imports;
mod metrics;
mod mixed;
mod process;
mod said;
mod scene;
mod traces;
mod voice;

/// Not a test: the process that holds the run's database cluster, started by the first test that needs one.
#[test]
#[ignore = "holds the database cluster of a run"]
fn hold_the_cluster() {
    e2e::cluster::hold();
}
