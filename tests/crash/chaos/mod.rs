//! The queue while what it stands on is broken on purpose: real worker processes on a database cluster of their own, a load that does
//! not stop, one fault a test, and a checker that proves the queue's laws from the rows meanwhile and afterwards.
//!
//! Each test has a published seed, which decides whom a fault hits and when. `PALOMA_CHAOS_SEED` puts another in its place, and
//! `PALOMA_CHAOS=long` (`make chaos`) lets each fault come ten times as often.

mod campaigns;
mod checker;
mod clocks;
mod disk;
mod everything;
mod failover;
mod field;
pub mod ground;
pub mod kinds;
mod load;
mod network;
mod pooler;
mod processes;
pub mod proxy;
pub mod scene;
mod schedulers;
mod server;
pub mod worker;

use std::time::Duration;

/// So short that a test can wait for a lease that is lost; a worker's trips to the database may take a third of it.
pub const LEASE: Duration = Duration::from_secs(4);

/// How often a fault comes, given how often it does in the short form.
pub fn rounds(short: usize) -> usize {
    if std::env::var("PALOMA_CHAOS").is_ok_and(|form| form == "long") { short * 10 } else { short }
}

/// The seed of this run.
pub fn seed(published: u64) -> u64 {
    std::env::var("PALOMA_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(published)
}

/// Not a test: a worker process of a chaos test.
#[test]
#[ignore = "a process that a chaos test starts"]
fn be_a_process() {
    kinds::be();
}
