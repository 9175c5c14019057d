//! Tenants: the customers of the platform, each behind the wall.

pub mod costs;
pub mod plans;
pub mod quotas;
pub mod standing;
pub mod tenants;
pub mod usage;

pub use tenants::{State, Tenant};
