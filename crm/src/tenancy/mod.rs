//! Tenants: the customers of the platform, each behind the wall.

pub mod costs;
pub mod quotas;
pub mod tenants;

pub use tenants::{State, Tenant};
