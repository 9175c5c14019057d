//! The inbox: conversations as a team works on them. Who has them, where they stand, what each user has read, notes, labels, drafts, search.
//! What goes over a gateway's wire is messaging's matter, and which conversations there are for whoever asks is the database's.

pub mod canned;
pub mod change;
pub mod conversations;
pub mod counts;
pub mod drafts;
pub mod extras;
pub mod filters;
mod keys;
pub mod labels;
pub mod opening;
pub mod presence;
pub mod reach;
pub mod reading;
pub mod search;
mod seen;
pub mod thread;
pub mod write;

pub use conversations::{Conversation, ConversationId};

/// Tells a field that is null from one that is absent.
fn said<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}
