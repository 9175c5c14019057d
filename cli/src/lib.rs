//! What `paloma` is made of, for its binary and for the tests: the launcher of the embedded database cluster and the
//! supervisor of our own processes. Refuses to know the product: that is used over HTTP only.

pub mod cluster;
mod spawn;
pub mod stack;
