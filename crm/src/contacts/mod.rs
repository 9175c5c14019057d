//! Contacts of a tenant: who can be written to, whom nobody may write to, and how they got here.

pub mod contact;
pub mod import;
pub mod suppressions;
