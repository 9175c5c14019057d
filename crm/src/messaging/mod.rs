//! Messages in and out: lines and their gateways, what comes in by webhook or is read back, conversations.

pub mod apply;
mod arrivals;
pub mod call;
pub mod conversations;
pub mod inbound;
pub mod keywords;
pub mod lines;
pub mod lost;
pub mod send;
pub mod sweep;
