//! The harness: a database cluster shared by a test run, a database for each test, and words that read like the product's.

pub mod actors;
pub mod cluster;
mod database;
mod eventually;
pub mod paloma;
pub mod world;

pub use actors::{Answer, Operator, Tenant};
pub use database::Database;
pub use eventually::{eventually, eventually_some};
pub use world::World;
