//! Webhook bodies of BlueBubbles. They carry no signature, id or time and come twice, late and out of order: this only reads them.

use serde::Deserialize;

use super::wire::{self, Raw};
use crate::gateway::{ChatGuid, GatewayEvent, GatewayMessage, ParseError};

#[derive(Deserialize)]
struct WireEvent<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow, default)]
    data: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChatState<'a> {
    #[serde(borrow, default, alias = "chatGuid")]
    guid: Raw<'a>,
    #[serde(borrow, default)]
    display: Raw<'a>,
    #[serde(borrow, default)]
    read: Raw<'a>,
}

#[derive(Deserialize)]
struct WireAliases<'a> {
    #[serde(borrow, default)]
    aliases: Raw<'a>,
}

/// Reads one webhook body.
pub fn parse_event(body: &[u8]) -> Result<GatewayEvent, ParseError> {
    match std::str::from_utf8(body) {
        Ok(body) => parse(body),
        Err(_) => parse(&String::from_utf8_lossy(body)),
    }
}

fn parse(body: &str) -> Result<GatewayEvent, ParseError> {
    let event: WireEvent<'_> = serde_json::from_str(body).map_err(|_| ParseError::NotAnEvent)?;
    let kind = wire::word(event.kind).ok_or(ParseError::NotAnEvent)?;
    // Some events wrap their data once more, as JSON in a string; the address of a moved server is a plain string.
    let inner = wire::text(event.data).filter(|text| text.trim_start().starts_with('{'));
    let inner: Raw<'_> = inner.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let data = inner.or(event.data);
    Ok(match kind.as_str() {
        "new-message" => GatewayEvent::MessageNew(message(data)?),
        "updated-message" => GatewayEvent::MessageUpdated(message(data)?),
        "message-send-error" => GatewayEvent::SendError(message(data)?),
        "typing-indicator" | "chat-read-status-changed" => {
            let state: WireChatState<'_> = wire::object(data).ok_or(ParseError::NotAnEvent)?;
            let chat_guid = wire::word(state.guid).ok_or(ParseError::NotAnEvent)?;
            let address = ChatGuid::parse(&chat_guid).address();
            if kind == "typing-indicator" {
                GatewayEvent::Typing { chat_guid, address, typing: wire::flag(state.display) }
            } else {
                GatewayEvent::ReadByUs { chat_guid, address, read: wire::flag(state.read) }
            }
        }
        "hello-world" => GatewayEvent::HelloWorld,
        // The name that can be registered and the name that is sent differ.
        "imessage-aliases-removed" | "imessage-alias-removed" => {
            let wire: Option<WireAliases<'_>> = wire::object(data);
            let aliases = wire.map(|wire| wire::list(wire.aliases)).unwrap_or_default();
            GatewayEvent::AliasRemoved { aliases: aliases.into_iter().filter_map(|a| wire::word(Some(a))).collect() }
        }
        "new-server" => match wire::word(data) {
            Some(url) => GatewayEvent::ServerMoved { url },
            None => GatewayEvent::Other { kind },
        },
        _ => GatewayEvent::Other { kind },
    })
}

fn message(data: Raw<'_>) -> Result<Box<GatewayMessage>, ParseError> {
    wire::message(data).map(Box::new).ok_or(ParseError::NoMessage)
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
