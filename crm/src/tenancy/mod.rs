//! Tenants: the customers of the platform, each behind the wall; the organizations in them, and what either sets.

pub mod costs;
pub mod organizations;
pub mod plans;
pub mod quotas;
pub mod settings;
pub mod standing;
pub mod tenants;
pub mod usage;
pub(crate) mod week;

pub use tenants::{State, Tenant};
