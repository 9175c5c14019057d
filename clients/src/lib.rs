//! Every call that leaves the process: one HTTP client, one error for all of them, and a concrete client per outside service.
//! It knows nothing of the database, the queue or the product, never retries, and keeps secrets out of logs and errors.

pub mod blobs;
pub mod error;
pub mod gateway;
pub mod http;
pub mod oidc;
pub mod webhook;

#[cfg(test)]
mod scripted;

pub use error::ClientError;
pub use http::{Egress, Http, HttpOptions, Names};
