//! The kinds that API clients may enqueue, with the shape of each one's payload. What is not in this list can't be enqueued from outside.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::Refusal;
use crate::access::Permission;

/// Most characters of a text.
pub const MOST_TEXT: usize = 10_000;

/// `messaging.send_text`: one message to one address. Whoever is on the list of suppressions does not get it, also if they are put there later,
/// before it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendTextPayload {
    /// The line it goes out by.
    pub line_id: Uuid,
    /// A phone or an e-mail handle.
    #[schema(min_length = 1, max_length = 320)]
    pub address: String,
    /// The text; it may be empty where there are files.
    #[schema(max_length = 10_000)]
    pub text: String,
    /// Files taken in before, sent with the text as one message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub media_ids: Vec<Uuid>,
}

/// `messaging.sweep`: asks a line's gateway for what its webhooks may have lost.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepPayload {
    /// The line.
    pub line_id: Uuid,
}

/// The payload of a public kind, in the shape that the row's `kind` asks for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PublicPayload {
    /// Of `messaging.send_text`.
    SendText(SendTextPayload),
    /// Of `messaging.sweep`.
    Sweep(SweepPayload),
}

/// The name of a public kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum PublicKind {
    /// One message to one address.
    #[serde(rename = "messaging.send_text")]
    SendText,
    /// A sweep of a line.
    #[serde(rename = "messaging.sweep")]
    Sweep,
}

impl PublicKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::SendText, Self::Sweep];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendText => "messaging.send_text",
            Self::Sweep => "messaging.sweep",
        }
    }
    /// What somebody needs to enqueue it.
    #[must_use]
    pub const fn permission(self) -> Permission {
        match self {
            Self::SendText => Permission::ConversationsReply,
            Self::Sweep => Permission::AdminChannelsManage,
        }
    }
    /// The payload in this kind's shape, or where and why it is not.
    pub(super) fn parse(self, payload: &Value) -> Result<PublicPayload, Refusal> {
        match self {
            Self::SendText => {
                let payload: SendTextPayload = shaped(payload)?;
                let length = payload.text.chars().count();
                let is_empty = payload.text.trim().is_empty() && payload.media_ids.is_empty();
                if is_empty || length > MOST_TEXT {
                    let detail = format!("a text has 1 to {MOST_TEXT} characters");
                    return Err(Refusal::at("text_length", detail, "/payload/text"));
                }
                Ok(PublicPayload::SendText(payload))
            }
            Self::Sweep => Ok(PublicPayload::Sweep(shaped(payload)?)),
        }
    }
}

fn shaped<T: DeserializeOwned>(payload: &Value) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(payload).map_err(|error| {
        let pointer = super::rows::pointer("/payload", error.path());
        Refusal::at("payload_invalid", error.into_inner().to_string(), pointer)
    })
}
