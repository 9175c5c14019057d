//! Reading from a Mac: health, chats, availability and messages. Statements that reach its database are constants.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::send::refusal;
use super::wire::{self, Envelope, Raw};
use super::{BlueBubbles, json};
use crate::ClientError;
use crate::gateway::{GatewayChat, GatewayMessage, normalise_address};
use crate::http::{Answer, Call, Method};

/// Most rows the server gives at once.
const PAGE: u32 = 1000;
/// What comes with each message: its chat, its files, and what tells an edit from an unsend.
const WITH: [&str; 3] = ["chat", "attachment", "messageSummaryInfo"];
/// The Mac counts from 2001, in nanoseconds.
const APPLE_EPOCH_MS: i64 = 978_307_200_000;

/// What a Mac says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Version of macOS, such as `15.5`.
    pub os_version: Option<String>,
    /// Version of BlueBubbles, such as `1.9.9`.
    pub server_version: Option<String>,
    /// The Private API is switched on.
    pub private_api: bool,
    /// Its helper is connected right now; it drops whenever Messages restarts.
    pub helper_connected: bool,
    /// The iMessage login the Mac seems to use.
    pub detected_imessage: Option<String>,
}

impl ServerInfo {
    /// Whether the Private API can be used now.
    pub fn private_api_usable(&self) -> bool {
        self.private_api && self.helper_connected
    }

    /// The first number of the version of macOS; from 26 on, chats are spelled `any;…`.
    pub fn macos_major(&self) -> Option<u32> {
        self.os_version.as_deref()?.split('.').next()?.trim().parse().ok()
    }
}

#[derive(Deserialize)]
struct WireInfo<'a> {
    #[serde(borrow, default)]
    os_version: Raw<'a>,
    #[serde(borrow, default)]
    server_version: Raw<'a>,
    #[serde(borrow, default)]
    private_api: Raw<'a>,
    #[serde(borrow, default)]
    helper_connected: Raw<'a>,
    #[serde(borrow, default)]
    detected_imessage: Raw<'a>,
}

#[derive(Deserialize)]
struct WireAccount<'a> {
    #[serde(borrow, default)]
    sms_forwarding_enabled: Raw<'a>,
    #[serde(borrow, default)]
    sms_forwarding_capable: Raw<'a>,
}

#[derive(Deserialize)]
struct WireAvailability<'a> {
    #[serde(borrow, default)]
    available: Raw<'a>,
}

#[derive(Serialize)]
struct ChatQuery<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    guid: Option<&'a str>,
    offset: u32,
    limit: u32,
}

#[derive(Serialize)]
struct MessageQuery<'a> {
    with: [&'static str; 3],
    r#where: &'a [Condition],
    sort: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<i64>,
    offset: u32,
    limit: u32,
}

#[derive(Serialize)]
struct Condition {
    statement: &'static str,
    args: ConditionArgs,
}

#[derive(Serialize)]
struct ConditionArgs {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
}

impl BlueBubbles {
    /// Whether the server answers and takes the password; it says nothing about iMessage.
    pub async fn ping(&self) -> Result<(), ClientError> {
        let answer = self.http().call(self.call("ping", Method::GET, &["ping"], &[])).await?;
        data(&answer).map(|_| ())
    }

    /// Versions and abilities. Ask again from time to time.
    pub async fn server_info(&self) -> Result<ServerInfo, ClientError> {
        let answer = self.http().call(self.call("server_info", Method::GET, &["server", "info"], &[])).await?;
        let wire: WireInfo<'_> = wire::object(data(&answer)?).ok_or_else(not_understood)?;
        Ok(ServerInfo {
            os_version: wire::word(wire.os_version),
            server_version: wire::word(wire.server_version),
            private_api: wire::flag(wire.private_api),
            helper_connected: wire::flag(wire.helper_connected),
            detected_imessage: wire::word(wire.detected_imessage),
        })
    }

    /// Whether a phone relays SMS for this Mac; None where the Private API, which alone knows, is off.
    pub async fn relays_sms(&self) -> Result<Option<bool>, ClientError> {
        let answer = self.http().call(self.call("account", Method::GET, &["icloud", "account"], &[])).await?;
        let data = match data(&answer) {
            Err(ClientError::Rejected { code: "private_api_off", .. }) => return Ok(None),
            result => result?,
        };
        let wire: Option<WireAccount<'_>> = wire::object(data);
        Ok(wire.filter(|wire| wire.sms_forwarding_enabled.is_some()).map(|wire| {
            wire::flag(wire.sms_forwarding_enabled)
                && (wire.sms_forwarding_capable.is_none() || wire::flag(wire.sms_forwarding_capable))
        }))
    }

    /// The direct chat with that address, preferring one that the Mac does not file as spam.
    ///
    /// The server cannot search by address, and reading all chats for each new contact would be absurd: the guids such a chat
    /// can have are asked for one by one.
    pub async fn find_chat(&self, address: &str) -> Result<Option<GatewayChat>, ClientError> {
        let Some(address) = normalise_address(address) else { return Ok(None) };
        let mut filtered = None;
        for service in ["any", "iMessage", "SMS", "RCS"] {
            let guid = format!("{service};-;{address}");
            let found = self.query_chats(Some(&guid), 0, 1).await?;
            match found.into_iter().find(|chat| !chat.is_group && chat.address.as_deref() == Some(address.as_str())) {
                Some(chat) if !chat.is_filtered => return Ok(Some(chat)),
                Some(chat) => filtered = filtered.or(Some(chat)),
                None => {}
            }
        }
        Ok(filtered)
    }

    /// `read` or `typing`, of a chat that the server does not look for: one that it does not know is answered alike. There is no call that ends
    /// typing: the one with that name begins it anew.
    pub async fn act_on_chat(&self, act: &'static str, chat_guid: &str) -> Result<(), ClientError> {
        let answer = self.http().call(self.call("chat_act", Method::POST, &["chat", chat_guid, act], &[])).await?;
        data(&answer).map(|_| ())
    }

    /// A page of all chats, newest first.
    pub async fn chats(&self, limit: u32, offset: u32) -> Result<Vec<GatewayChat>, ClientError> {
        self.query_chats(None, offset, limit).await
    }

    async fn query_chats(&self, guid: Option<&str>, offset: u32, limit: u32) -> Result<Vec<GatewayChat>, ClientError> {
        let mut call = self.call("chat_query", Method::POST, &["chat", "query"], &[]);
        call.json = Some(json(&ChatQuery { guid, offset, limit: limit.clamp(1, PAGE) }));
        let answer = self.http().call(call).await?;
        Ok(wire::list(data(&answer)?).into_iter().filter_map(|raw| wire::chat(Some(raw))).collect())
    }

    /// Whether Apple knows the address. Needs the Private API; a no is often wrong for minutes, and asking in bulk looks like spam.
    pub async fn availability(&self, address: &str) -> Result<bool, ClientError> {
        let path = ["handle", "availability", "imessage"];
        let call = self.call("availability", Method::GET, &path, &[("address", address)]);
        let answer = self.http().call(call).await?;
        let wire: WireAvailability<'_> = wire::object(data(&answer)?).ok_or_else(not_understood)?;
        Ok(wire::flag(wire.available))
    }

    /// One message by its guid; None when the Mac does not have it.
    pub async fn message(&self, guid: &str) -> Result<Option<GatewayMessage>, ClientError> {
        let call = self.call(
            "message",
            Method::GET,
            &["message", guid],
            &[("with", "chats,attachments,message-summary-info")],
        );
        let answer = self.http().call(call).await?;
        if answer.status.as_u16() == 404 && Envelope::parse(&answer.body).is_some() {
            return Ok(None);
        }
        wire::message(data(&answer)?).map(Some).ok_or_else(not_understood)
    }

    /// Messages stored after that position. They come by date, not by position: page by offset until a page is empty and only
    /// then move the cursor, or a message that was synced late is lost.
    pub async fn messages_since(
        &self,
        row_id: i64,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<GatewayMessage>, ClientError> {
        let stored_after = Condition { statement: "message.ROWID > :id", args: ConditionArgs { id: Some(row_id) } };
        self.query_messages(&[stored_after], None, None, limit, offset).await
    }

    /// Messages made in that time, both ends included, oldest first.
    pub async fn messages_between(
        &self,
        after_ms: i64,
        before_ms: i64,
        from_me: Option<bool>,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<GatewayMessage>, ClientError> {
        let direction = from_me.map(|from_me| Condition {
            statement: if from_me { "message.is_from_me = 1" } else { "message.is_from_me = 0" },
            args: ConditionArgs { id: None },
        });
        let span = (Some(after_ms.max(0)), Some(before_ms.max(1)));
        self.query_messages(direction.as_slice(), span.0, span.1, limit, offset).await
    }

    /// Messages edited or unsent after that time. Such a change moves no position, so the cursor of new rows passes it by.
    pub async fn messages_edited_since(
        &self,
        after_ms: i64,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<GatewayMessage>, ClientError> {
        let since = (after_ms - APPLE_EPOCH_MS).max(0).saturating_mul(1_000_000);
        let edited = Condition { statement: "message.date_edited > :id", args: ConditionArgs { id: Some(since) } };
        self.query_messages(&[edited], None, None, limit, offset).await
    }

    async fn query_messages(
        &self,
        conditions: &[Condition],
        after: Option<i64>,
        before: Option<i64>,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<GatewayMessage>, ClientError> {
        let limit = limit.clamp(1, PAGE);
        let query = MessageQuery { with: WITH, r#where: conditions, sort: "ASC", after, before, offset, limit };
        let call =
            Call { json: Some(json(&query)), ..self.call("message_query", Method::POST, &["message", "query"], &[]) };
        let answer = self.http().call(call).await?;
        let rows: Vec<&RawValue> = wire::list(data(&answer)?);
        let messages: Vec<_> = rows.iter().filter_map(|raw| wire::message(Some(raw))).collect();
        if messages.len() < rows.len() {
            // One odd row must not stop the cursor for ever.
            tracing::warn!(skipped = rows.len() - messages.len(), "rows without a guid in an answer of the gateway");
        }
        Ok(messages)
    }
}

/// The data of an answer to a call that may be repeated, or why there is none.
pub(super) fn data(answer: &Answer) -> Result<Raw<'_>, ClientError> {
    let envelope = Envelope::parse(&answer.body);
    match envelope {
        Some(envelope) if answer.status.is_success() => Ok(envelope.data),
        Some(envelope) => {
            Err(refusal(answer, envelope.detail().as_deref())
                .unwrap_or(ClientError::Transient { reason: "server_error" }))
        }
        None if answer.status.is_success() => Err(not_understood()),
        None => Err(refusal(answer, None).unwrap_or(ClientError::Transient { reason: "bad_gateway" })),
    }
}

fn not_understood() -> ClientError {
    ClientError::Transient { reason: "answer_not_understood" }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
