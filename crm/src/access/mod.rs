//! Who asks and what they may do: people, teams, sessions, their devices, identity providers, API keys, permissions, and the throttle in front of the log-in.

pub mod api_keys;
pub mod audit;
mod begun;
mod caller;
pub mod devices;
pub mod idempotency;
pub mod identities;
pub mod impersonation;
pub mod invitations;
pub mod key_limits;
pub mod oidc;
pub mod operator;
pub mod operators;
pub mod password;
pub mod permission;
pub mod providers;
mod prune;
pub mod role;
pub mod roles;
pub mod second_factor;
pub mod sessions;
mod sight;
pub mod teams;
pub mod throttle;
pub mod users;

pub use caller::{Caller, Credential, Via, identify, known, recheck, recognize};
pub use permission::{Permission, Permissions};
pub use prune::Prune;
pub(crate) use role::Granted;
pub use role::Role;
pub use sight::{Sight, Within};
