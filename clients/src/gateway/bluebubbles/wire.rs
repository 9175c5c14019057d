//! The JSON of BlueBubbles, read with tolerance: every value is kept raw and asked for what it can be, so that a number in
//! quotes, a null, a missing key or half an emoji never loses a message.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error, Visitor};
use serde_json::value::RawValue;

use crate::gateway::{ChatGuid, GatewayAttachment, GatewayChat, GatewayMessage, Sent, Service, normalise_address};

pub(super) type Raw<'a> = Option<&'a RawValue>;

/// What surrounds every answer.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    status: Raw<'a>,
    #[serde(borrow, default)]
    pub(super) data: Raw<'a>,
    #[serde(borrow, default)]
    error: Raw<'a>,
}

#[derive(Deserialize)]
struct WireError<'a> {
    #[serde(borrow, default)]
    message: Raw<'a>,
    #[serde(borrow, default)]
    error: Raw<'a>,
}

impl<'a> Envelope<'a> {
    /// None when the body is something else, such as a proxy's page.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|envelope: &Self| int(envelope.status).is_some())
    }

    /// The detail of an error. It may contain the message that was to be sent: compare it, never keep it.
    pub(super) fn detail(&self) -> Option<String> {
        let error: WireError<'a> = object(self.error)?;
        text(error.message).or_else(|| text(error.error))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMessage<'a> {
    #[serde(borrow, default, rename = "originalROWID")]
    row_id: Raw<'a>,
    #[serde(borrow, default)]
    guid: Raw<'a>,
    #[serde(borrow, default)]
    text: Raw<'a>,
    #[serde(borrow, default)]
    handle: Raw<'a>,
    #[serde(borrow, default)]
    chats: Raw<'a>,
    #[serde(borrow, default)]
    attachments: Raw<'a>,
    #[serde(borrow, default)]
    error: Raw<'a>,
    #[serde(borrow, default)]
    date_created: Raw<'a>,
    #[serde(borrow, default)]
    date_delivered: Raw<'a>,
    #[serde(borrow, default)]
    date_read: Raw<'a>,
    #[serde(borrow, default)]
    date_edited: Raw<'a>,
    #[serde(borrow, default)]
    date_retracted: Raw<'a>,
    #[serde(borrow, default)]
    is_delivered: Raw<'a>,
    #[serde(borrow, default)]
    is_from_me: Raw<'a>,
    #[serde(borrow, default)]
    item_type: Raw<'a>,
    #[serde(borrow, default)]
    temp_guid: Raw<'a>,
    #[serde(borrow, default)]
    associated_message_guid: Raw<'a>,
    #[serde(borrow, default)]
    associated_message_type: Raw<'a>,
    #[serde(borrow, default)]
    thread_originator_guid: Raw<'a>,
    #[serde(borrow, default)]
    balloon_bundle_id: Raw<'a>,
    #[serde(borrow, default)]
    group_title: Raw<'a>,
    #[serde(borrow, default)]
    part_count: Raw<'a>,
    #[serde(borrow, default)]
    message_summary_info: Raw<'a>,
    #[serde(borrow, default)]
    is_audio_message: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSummary<'a> {
    #[serde(borrow, default)]
    retracted_parts: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAttachment<'a> {
    #[serde(borrow, default)]
    guid: Raw<'a>,
    #[serde(borrow, default)]
    uti: Raw<'a>,
    #[serde(borrow, default)]
    mime_type: Raw<'a>,
    #[serde(borrow, default)]
    transfer_name: Raw<'a>,
    #[serde(borrow, default)]
    total_bytes: Raw<'a>,
    #[serde(borrow, default)]
    width: Raw<'a>,
    #[serde(borrow, default)]
    height: Raw<'a>,
    #[serde(borrow, default)]
    hide_attachment: Raw<'a>,
}

#[derive(Deserialize)]
struct WireHandle<'a> {
    #[serde(borrow, default)]
    address: Raw<'a>,
    #[serde(borrow, default)]
    service: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChat<'a> {
    #[serde(borrow, default)]
    guid: Raw<'a>,
    #[serde(borrow, default)]
    style: Raw<'a>,
    #[serde(borrow, default)]
    chat_identifier: Raw<'a>,
    #[serde(borrow, default)]
    is_filtered: Raw<'a>,
    #[serde(borrow, default)]
    last_addressed_handle: Raw<'a>,
    #[serde(borrow, default)]
    display_name: Raw<'a>,
}

/// What draws the preview of a link; a message with a link may be one itself.
const LINK_PREVIEW: &str = "com.apple.messages.URLBalloonProvider";
/// Custom emoji by their number: what stands for an emoji that only the text names.
const EMOJI: [&str; 2] = ["2006", "3006"];

/// A message, or None when it is no object or has no guid.
pub(super) fn message(raw: Raw<'_>) -> Option<GatewayMessage> {
    let wire: WireMessage<'_> = object(raw)?;
    let guid = word(wire.guid)?;
    let handle: Option<WireHandle<'_>> = object(wire.handle);
    let sender = handle.as_ref().and_then(|handle| normalise_address(&text(handle.address)?));
    let chat = list(wire.chats).into_iter().find_map(|raw| chat(Some(raw)));
    let named =
        handle.and_then(|handle| text(handle.service)).map_or(Service::Unknown, |name| Service::from_name(&name));
    let service = match (named, &chat) {
        // The row's own handle says what carried it; a chat keeps the name it was born with.
        (Service::Unknown, Some(chat)) => ChatGuid::parse(&chat.guid).service,
        (named, _) => named,
    };
    let delivered_at = moment(wire.date_delivered);
    let text = text(wire.text).map(|text| text.replace('\u{fffc}', ""));
    let attachments: Vec<_> = list(wire.attachments).into_iter().filter_map(|raw| attachment(Some(raw))).collect();
    let is_blank = text.as_deref().is_none_or(|text| text.trim().is_empty());
    let edited_at = moment(wire.date_edited).or_else(|| moment(wire.date_retracted));
    let is_unsent =
        edited_at.and_then(|_| unsent(wire.message_summary_info, wire.part_count, is_blank && attachments.is_empty()));
    Some(GatewayMessage {
        guid,
        row_id: int(wire.row_id),
        is_preview: is_blank && word(wire.balloon_bundle_id).as_deref() == Some(LINK_PREVIEW),
        is_voice: flag(wire.is_audio_message),
        group_id: chat.as_ref().and_then(|chat| chat.group_id.clone()),
        group_name: word(wire.group_title).or_else(|| chat.as_ref()?.name.clone()),
        is_unsent,
        from_me: flag(wire.is_from_me),
        address: chat.as_ref().and_then(|chat| chat.address.clone()),
        sender,
        is_group: chat.as_ref().is_some_and(|chat| chat.is_group),
        chat_guid: chat.map(|chat| chat.guid),
        service,
        error: int(wire.error).filter(|code| *code != 0),
        created_at: moment(wire.date_created),
        delivered_at,
        is_delivered: flag(wire.is_delivered) || (delivered_at.is_some() && flag(wire.is_from_me)),
        read_at: moment(wire.date_read),
        edited_at,
        temp_guid: word(wire.temp_guid),
        associated_guid: word(wire.associated_message_guid).map(|guid| bare_guid(&guid).to_owned()),
        associated_type: word(wire.associated_message_type).map(|kind| tapback(kind, text.as_deref())),
        reply_to_guid: word(wire.thread_originator_guid),
        item_type: int(wire.item_type).unwrap_or(0),
        attachments,
        text,
    })
}

/// Whether an edit took the message back. The summary says it; without it a row that has lost all its parts does, and another one may be either.
fn unsent(summary: Raw<'_>, part_count: Raw<'_>, is_empty: bool) -> Option<bool> {
    let parts = int(part_count);
    let summaries = list(summary);
    if summaries.is_empty() {
        return (parts == Some(0) || is_empty).then_some(true);
    }
    let retracted: usize = summaries
        .into_iter()
        .filter_map(|raw| object::<WireSummary<'_>>(Some(raw)))
        .map(|summary| list(summary.retracted_parts).len())
        .sum();
    // what is left of several parts is an edit
    Some(retracted > 0 && (is_empty || parts.is_none_or(|parts| parts <= i64::try_from(retracted).unwrap_or(i64::MAX))))
}

/// The reaction's name; an emoji of the sender's own choice is said by the text alone.
fn tapback(kind: String, text: Option<&str>) -> String {
    if !EMOJI.contains(&kind.as_str()) {
        return kind;
    }
    let emoji = text.and_then(|text| {
        text.split(' ')
            .find(|word| word.chars().next().is_some_and(|c| !c.is_ascii() && !c.is_alphabetic() && c != '\u{201c}'))
    });
    let sign = if kind == EMOJI[0] { "" } else { "-" };
    format!("{sign}{}", emoji.unwrap_or("emoji"))
}

/// A file, or None when it has no guid or is part of what draws a link.
pub(super) fn attachment(raw: Raw<'_>) -> Option<GatewayAttachment> {
    let wire: WireAttachment<'_> = object(raw)?;
    let name = text(wire.transfer_name).filter(|name| !name.is_empty());
    let is_drawing = name.as_deref().is_some_and(|name| name.ends_with(".pluginPayloadAttachment"));
    if is_drawing || flag(wire.hide_attachment) {
        return None;
    }
    let length = |raw| int(raw).filter(|length| *length > 0);
    Some(GatewayAttachment {
        guid: word(wire.guid)?,
        // the last part of a path, whatever the separator: it is shown, and never used as a path
        name: name.map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default().chars().take(255).collect()),
        mime: word(wire.mime_type).map(|mime| mime.to_lowercase()),
        uti: word(wire.uti),
        byte_count: length(wire.total_bytes),
        width: length(wire.width).and_then(|width| i32::try_from(width).ok()),
        height: length(wire.height).and_then(|height| i32::try_from(height).ok()),
    })
}

/// The message inside the answer to a send.
pub(super) fn sent(raw: Raw<'_>) -> Option<Sent> {
    message(raw).map(|message| Sent {
        guid: message.guid,
        row_id: message.row_id,
        service: message.service,
        chat_guid: message.chat_guid,
        error: message.error,
        created_at: message.created_at,
        delivered_at: message.delivered_at,
    })
}

/// A chat, or None when it is no object or has no guid.
pub(super) fn chat(raw: Raw<'_>) -> Option<GatewayChat> {
    let wire: WireChat<'_> = object(raw)?;
    let guid = word(wire.guid)?;
    let parsed = ChatGuid::parse(&guid);
    let is_group = parsed.is_group.unwrap_or_else(|| int(wire.style) == Some(43));
    let address =
        if is_group { None } else { parsed.address().or_else(|| normalise_address(&text(wire.chat_identifier)?)) };
    let own_address = text(wire.last_addressed_handle).and_then(|own| normalise_address(&own));
    let group_id = is_group.then(|| parsed.identifier.to_owned()).filter(|id| !id.is_empty());
    let name = word(wire.display_name).filter(|_| is_group);
    Some(GatewayChat { address, is_group, group_id, name, is_filtered: flag(wire.is_filtered), own_address, guid })
}

/// An object with the keys of `T`.
pub(super) fn object<'a, T: Deserialize<'a>>(raw: Raw<'a>) -> Option<T> {
    raw.map(RawValue::get).filter(|json| json.starts_with('{')).and_then(|json| serde_json::from_str(json).ok())
}

/// The items of a list; nothing when it is no list.
pub(super) fn list(raw: Raw<'_>) -> Vec<&RawValue> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// A text, from a string or a number, without NUL, which Postgres cannot hold.
pub(super) fn text(raw: Raw<'_>) -> Option<String> {
    let json = raw?.get();
    match json.as_bytes().first()? {
        b'"' if !json.contains('\\') => Some(json[1..json.len() - 1].to_owned()),
        b'"' => {
            let unescaped = serde_json::Deserializer::from_str(json).deserialize_bytes(LossyText).ok()?;
            Some(if unescaped.contains('\0') { unescaped.replace('\0', "") } else { unescaped })
        }
        b'-' | b'0'..=b'9' => Some(json.to_owned()),
        _ => None,
    }
}

/// Identifiers of the gateway have tens of characters. A longer one is none: it would fit no index and stop all that is stored beside it.
const MAX_WORD: usize = 500;

/// A text that says something and is short enough to name something.
pub(super) fn word(raw: Raw<'_>) -> Option<String> {
    text(raw).filter(|text| !text.is_empty() && text.len() <= MAX_WORD)
}

/// A whole number, also in quotes or written with a fraction.
pub(super) fn int(raw: Raw<'_>) -> Option<i64> {
    let json = raw?.get().trim_matches('"').trim();
    // The cast saturates, which is as good as any answer for numbers that large.
    json.parse()
        .ok()
        .or_else(|| json.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number as i64))
}

/// A yes, also as a number or in quotes; everything else is a no.
pub(super) fn flag(raw: Raw<'_>) -> bool {
    raw.is_some_and(|raw| matches!(raw.get().trim_matches('"').trim(), "true" | "1"))
}

/// Milliseconds since 1970; 0 means never.
fn moment(raw: Raw<'_>) -> Option<DateTime<Utc>> {
    int(raw).filter(|ms| *ms > 0).and_then(DateTime::from_timestamp_millis)
}

/// Reactions name their target as `p:<part>/<guid>` or `bp:<guid>`.
fn bare_guid(guid: &str) -> &str {
    let guid = guid.strip_prefix("bp:").unwrap_or(guid);
    guid.rsplit_once('/').map_or(guid, |(_, bare)| bare)
}

/// Reads a JSON string as bytes, because half a surrogate pair is an error in a string and not in bytes.
struct LossyText;

impl Visitor<'_> for LossyText {
    type Value = String;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}
