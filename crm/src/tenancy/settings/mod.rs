//! Settings of a tenant and of its organizations: an organization's value wins over the tenant's where it is set, and the tenant's over what is so from
//! the start. Unset, empty and null are three things (ADR 25). What is used where is said by each key; nothing here uses anything.

mod change;
mod hours;
mod key;
mod kind;
mod resolve;

pub use change::{Change, change};
pub(crate) use change::SECRET;
pub use key::Key;
pub use kind::Kind;
pub use resolve::{Held, Level, Setting, Settings, Source, resolve};
pub(crate) use resolve::{of_line, of_organization};
