//! Who asks and what they may do: people, sessions, API keys, permissions, and the throttle in front of the log-in.

pub mod api_keys;
pub mod audit;
mod caller;
pub mod idempotency;
pub mod impersonation;
pub mod invitations;
pub mod operator;
pub mod operators;
pub mod password;
pub mod permission;
mod prune;
pub mod role;
pub mod second_factor;
pub mod sessions;
pub mod throttle;
pub mod users;

pub use caller::{Caller, Credential, Via, identify, recheck};
pub use permission::{Permission, Permissions};
pub use prune::Prune;
pub use role::Role;
