//! Messages in and out: lines and their gateways, what comes in by webhook or is read back.

pub mod apply;
mod arrivals;
pub mod attempts;
pub mod call;
pub mod changes;
pub mod fallback;
pub mod health;
pub mod inbound;
pub mod keywords;
pub mod lines;
pub mod lost;
pub mod media;
pub mod send;
pub mod sweep;
mod tapbacks;
pub mod typing;
