//! A BlueBubbles server as a client sees it: REST, webhooks, and a Mac behind it that fails in the ways Macs do. Drives
//! tests, demos and load; never talks to anything but its webhooks.

mod bench;
mod checks;
mod config;
mod control;
mod create;
mod dispatch;
mod envelope;
mod files;
mod filter;
mod handle;
mod ledger;
mod query;
mod routes;
mod rows;
mod send;
mod server;
mod state;
mod webhooks;
mod wire;

pub use bench::{BenchReport, bench};
pub use config::{Behaviour, Config, Rule, Scope};
pub use dispatch::PostCounts;
pub use handle::{Attached, Inbound, Sim};
pub use ledger::{Call, Page, Sent, SentSummary, Unexpected};
pub use server::Server;
pub use webhooks::Webhook;
