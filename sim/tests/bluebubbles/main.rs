//! The simulator through its front door: REST over loopback with a plain client, webhooks at a plain receiver.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod desk;
mod failures;
mod protocol;
mod reads;
