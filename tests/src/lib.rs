//! The harness: a database cluster shared by a test run, a database for each test, and words that read like the product's.

pub mod actors;
mod authenticator;
pub mod bucket;
pub mod cluster;
mod database;
mod eventually;
pub mod idp;
pub mod paloma;
mod port;
pub mod world;

pub use actors::{Answer, Operator, Tenant};
pub use authenticator::Authenticator;
pub use bucket::{Bucket, Weather};
pub use database::Database;
pub use eventually::{before_the_hour_s_last_minute, early_in_the_minute, eventually, eventually_some, in_time};
pub use idp::{Browser, IdentityProvider};
pub use port::Port;
pub use world::{Beyond, OPERATOR, World};

/// For a test that this machine lacks something for: says so, and fails where nothing may be left out (`PALOMA_LEAVE_NOTHING_OUT`, set by `.ci/run`).
///
/// # Panics
/// There.
pub fn leave_out(why: &str) {
    assert!(std::env::var_os("PALOMA_LEAVE_NOTHING_OUT").is_none(), "{why}");
    println!("left out: {why}");
}
