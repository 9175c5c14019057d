//! What `paloma` is made of, for its binary and for the tests: the launcher of the embedded database cluster, the supervisor of our own
//! processes, the operator's verbs, and the seeding. Only the last two know the product; the launcher and the supervisor use it over HTTP.

#![deny(clippy::print_stdout, reason = "`print` writes, and ends quietly where nobody reads any more")]

pub mod cluster;
pub mod demo_inbox;
pub mod operate;
pub mod print;
pub mod seeding;
mod spawn;
pub mod stack;
