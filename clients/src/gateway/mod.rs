//! Gateways: the machines that put our messages on the air. This module holds the words they share and the enum over them;
//! what a vendor's wire looks like stays in its own file.

mod address;
pub mod bluebubbles;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use tokio::fs::File;

pub use address::{ChatGuid, normalise_address, text_key};
pub use bluebubbles::{BlueBubbles, BlueBubblesLine};

use crate::ClientError;

/// What carries a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Apple's own.
    Imessage,
    /// The carrier's, MMS included.
    Sms,
    /// The carrier's newer one.
    Rcs,
    /// The gateway does not say.
    Unknown,
}

impl Service {
    /// Our word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imessage => "imessage",
            Self::Sms => "sms",
            Self::Rcs => "rcs",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a vendor's or our word, in any case; what is not known is `Unknown`.
    pub fn from_name(name: &str) -> Self {
        match () {
            () if name.eq_ignore_ascii_case("imessage") => Self::Imessage,
            () if name.eq_ignore_ascii_case("sms") => Self::Sms,
            () if name.eq_ignore_ascii_case("rcs") => Self::Rcs,
            () => Self::Unknown,
        }
    }
}

/// The way a Mac sends: scripting Messages, or a helper inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendMethod {
    /// Needs nothing special; one at a time, up to 120 s a message.
    AppleScript,
    /// Needs the helper; more features.
    PrivateApi,
}

impl SendMethod {
    /// The word for it in settings, which is also the wire's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppleScript => "apple-script",
            Self::PrivateApi => "private-api",
        }
    }

    /// Reads the word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::AppleScript, Self::PrivateApi].into_iter().find(|method| method.as_str() == name)
    }
}

/// A text to send.
#[derive(Clone, PartialEq, Eq)]
pub struct SendText {
    /// Our id of the message at the gateway. It is echoed, and guards against nothing once the send is over.
    pub client_guid: String,
    /// Who gets it, as E.164.
    pub address: String,
    /// The chat to use if one is known; else one is addressed by the number.
    pub chat_guid: Option<String>,
    /// What it says.
    pub text: String,
    /// The message it answers, by the gateway's id. Only the helper can say so; the script leaves it out.
    pub reply_to: Option<String>,
    /// How to send, if not in the line's usual way.
    pub method: Option<SendMethod>,
}

impl std::fmt::Debug for SendText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendText").field("client_guid", &self.client_guid).finish_non_exhaustive()
    }
}

/// A file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFile {
    /// Where its bytes are.
    pub path: PathBuf,
    /// What the other side sees as its name.
    pub name: String,
    /// Its type.
    pub mime: String,
    /// A voice message.
    pub is_voice: bool,
}

/// The gateway's answer to a send: there is a message, which may already be marked as failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The gateway's id of the message.
    pub guid: String,
    /// Its position at the gateway.
    pub row_id: Option<i64>,
    /// What carries it.
    pub service: Service,
    /// The chat it went into.
    pub chat_guid: Option<String>,
    /// The code with which the message itself failed.
    pub error: Option<i64>,
    /// When the gateway made it.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was delivered, if that is known already.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// One message as a gateway shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayMessage {
    /// The gateway's id; the same message may be reported many times under it.
    pub guid: String,
    /// Its position at the gateway, growing as rows are stored there; the cursor for catching up.
    pub row_id: Option<i64>,
    /// The text, without NUL and object marks; None where there is none.
    pub text: Option<String>,
    /// Sent by us, from here or from the device itself.
    pub from_me: bool,
    /// The other side of a direct chat, normalised. None in a group, and when the chat is not told, as in updates:
    /// a group's row must not be filed under its sender.
    pub address: Option<String>,
    /// Who the row belongs to: the sender, or in a direct chat the other side even when it is from us.
    pub sender: Option<String>,
    /// The chat as the gateway spells it, which changes between versions: keep it for sending, not as an identity.
    pub chat_guid: Option<String>,
    /// In a group. False also when the chat is not told.
    pub is_group: bool,
    /// Which group, in one spelling whatever the service is called.
    pub group_id: Option<String>,
    /// What the group is called, where it is called something.
    pub group_name: Option<String>,
    /// What carries it.
    pub service: Service,
    /// The code with which it failed; None while all is well.
    pub error: Option<i64>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was delivered.
    pub delivered_at: Option<DateTime<Utc>>,
    /// It was delivered, even if nobody knows when.
    pub is_delivered: bool,
    /// When the other side read it.
    pub read_at: Option<DateTime<Utc>>,
    /// When it was edited or unsent; the two look alike.
    pub edited_at: Option<DateTime<Utc>>,
    /// Whether the edit took the message back: None where the report does not say.
    pub is_unsent: Option<bool>,
    /// Our id from the send, echoed once at most.
    pub temp_guid: Option<String>,
    /// The message this row reacts to, bare of its part.
    pub associated_guid: Option<String>,
    /// The reaction, such as `love` or `-love`.
    pub associated_type: Option<String>,
    /// The message this one replies to.
    pub reply_to_guid: Option<String>,
    /// 0 is a message; others tell of changes in a group.
    pub item_type: i64,
    /// The row only draws the preview of a link in another one.
    pub is_preview: bool,
    /// A voice message. False also where the report does not say.
    pub is_voice: bool,
    /// The files that belong to it, as far as the gateway knows yet.
    pub attachments: Vec<GatewayAttachment>,
}

/// A file of a message, as a gateway tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayAttachment {
    /// The gateway's id.
    pub guid: String,
    /// What it is called there.
    pub name: Option<String>,
    /// Its type by the gateway's word, which may be that of a converted file.
    pub mime: Option<String>,
    /// Apple's word for the type of what is stored.
    pub uti: Option<String>,
    /// Its length, as far as known.
    pub byte_count: Option<i64>,
    /// Of a picture or video.
    pub width: Option<i32>,
    /// Of a picture or video.
    pub height: Option<i32>,
}

/// What a gateway reports by webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayEvent {
    /// A message was seen for the first time, or again: the guid decides.
    MessageNew(Box<GatewayMessage>),
    /// A known message changed.
    MessageUpdated(Box<GatewayMessage>),
    /// A message of ours failed.
    SendError(Box<GatewayMessage>),
    /// The other side started or stopped typing.
    Typing {
        /// The chat as the gateway spells it.
        chat_guid: String,
        /// The other side of a direct chat.
        address: Option<String>,
        /// Typing now. A stop may never come.
        typing: bool,
    },
    /// We read the chat, or marked it unread, on some device. It says nothing about the other side.
    ReadByUs {
        /// The chat as the gateway spells it.
        chat_guid: String,
        /// The other side of a direct chat.
        address: Option<String>,
        /// Read, not unread.
        read: bool,
    },
    /// The gateway started: what happened while it was away was not reported.
    HelloWorld,
    /// Addresses of ours were removed from iMessage: people must look into it.
    AliasRemoved {
        /// The addresses.
        aliases: Vec<String>,
    },
    /// The gateway is reachable under a new address.
    ServerMoved {
        /// The new base URL.
        url: String,
    },
    /// Something we have no use for.
    Other {
        /// The vendor's name for it.
        kind: String,
    },
}

/// A body that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON of the expected outline.
    #[error("the body is not an event")]
    NotAnEvent,
    /// A message event without a message or without its guid.
    #[error("the event names no message")]
    NoMessage,
}

impl ParseError {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAnEvent => "not_an_event",
            Self::NoMessage => "event_without_message",
        }
    }
}

/// What became of fetching a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is there.
    Done {
        /// Its length.
        length: u64,
    },
    /// It is longer than was asked for.
    TooLong,
    /// The gateway knows it and has no bytes of it, for now: it was not downloaded there yet, or was purged.
    NotThere,
    /// The gateway knows no such file.
    Unknown,
}

/// A chat that already exists at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayChat {
    /// The chat as the gateway spells it.
    pub guid: String,
    /// The other side of a direct chat, normalised.
    pub address: Option<String>,
    /// In a group.
    pub is_group: bool,
    /// Which group, in one spelling.
    pub group_id: Option<String>,
    /// What the group is called.
    pub name: Option<String>,
    /// Filed by the device among unknown senders or spam.
    pub is_filtered: bool,
    /// Which of our own addresses it uses.
    pub own_address: Option<String>,
}

/// A gateway of any kind.
#[derive(Debug, Clone)]
pub enum Gateway {
    /// A Mac with BlueBubbles.
    BlueBubbles(BlueBubbles),
}

impl Gateway {
    /// Whether the gateway answers and accepts the credentials; it says nothing about delivering.
    pub async fn ping(&self) -> Result<(), ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.ping().await,
        }
    }

    /// Sends one text. `UnknownOutcome` means that it may have gone out.
    pub async fn send_text(&self, message: &SendText) -> Result<Sent, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.send_text(message).await,
        }
    }

    /// Sends files, and a text with them, as one message. An outcome may be unknown.
    pub async fn send_files(&self, message: &SendText, files: &[SendFile]) -> Result<Sent, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.send_files(message, files).await,
        }
    }

    /// Writes a file of a message where it is asked to: as it was sent, or in the form into which the gateway converts it.
    pub async fn download(
        &self,
        guid: &str,
        is_original: bool,
        into: &mut File,
        limit: u64,
    ) -> Result<Fetched, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.download(guid, is_original, into, limit).await,
        }
    }

    /// Sends one text over SMS, whatever the other side has. As with [`Gateway::send_text`], an outcome may be unknown.
    pub async fn send_sms(&self, message: &SendText) -> Result<Sent, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.send_sms(message).await,
        }
    }

    /// Whether it can send SMS at all; None where it can't say.
    pub async fn relays_sms(&self) -> Result<Option<bool>, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.relays_sms().await,
        }
    }

    /// Shows the other side of a chat that somebody types. It ends by itself.
    pub async fn show_typing(&self, chat_guid: &str) -> Result<(), ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.act_on_chat("typing", chat_guid).await,
        }
    }

    /// Marks a chat as read, which tells the other side where the device does so.
    pub async fn mark_read(&self, chat_guid: &str) -> Result<(), ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.act_on_chat("read", chat_guid).await,
        }
    }

    /// The direct chat with that address, if the gateway has one.
    pub async fn find_chat(&self, address: &str) -> Result<Option<GatewayChat>, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.find_chat(address).await,
        }
    }

    /// Whether the address is on iMessage. A no is often wrong for some minutes.
    pub async fn availability(&self, address: &str) -> Result<bool, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.availability(address).await,
        }
    }

    /// One message by the gateway's id.
    pub async fn message(&self, guid: &str) -> Result<Option<GatewayMessage>, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.message(guid).await,
        }
    }

    /// Messages stored after that position, oldest first by date: page by offset until a page is empty, then move the
    /// cursor to the highest position seen.
    pub async fn messages_since(
        &self,
        row_id: i64,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<GatewayMessage>, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.messages_since(row_id, limit, offset).await,
        }
    }

    /// Messages made in that time (milliseconds, both ends included), oldest first, of one direction if given.
    pub async fn messages_between(
        &self,
        after_ms: i64,
        before_ms: i64,
        from_me: Option<bool>,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<GatewayMessage>, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.messages_between(after_ms, before_ms, from_me, limit, offset).await,
        }
    }

    /// Messages edited or unsent after that time, oldest first, however long ago they were made.
    pub async fn messages_edited_since(
        &self,
        after_ms: i64,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<GatewayMessage>, ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.messages_edited_since(after_ms, limit, offset).await,
        }
    }

    /// Makes the gateway report everything to that URL, and to no older URL of the same folder.
    pub async fn ensure_webhook(&self, url: &str) -> Result<(), ClientError> {
        match self {
            Self::BlueBubbles(mac) => mac.ensure_webhook(url).await,
        }
    }
}
