//! The JSON objects of the server: message in its full and its notification shape, chat, handle. Builds bytes, decides
//! nothing.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::rows::{Chat, File, Handle, Row};

/// A GUID as the wire spells it.
pub(crate) fn upper(guid: Uuid) -> String {
    guid.hyphenated().encode_upper(&mut Uuid::encode_buffer()).to_owned()
}

/// What the wire says of a chat besides the row itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chats {
    /// No key at all.
    Absent,
    /// An empty list, as when the relation was not loaded.
    Empty,
    /// The message's chat.
    Listed,
    /// The message's chat with its participants if it is a group.
    ListedWithParticipants,
}

/// How a message is shown.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// REST shape; otherwise the shorter one of webhooks.
    pub full: bool,
    pub chats: Chats,
    pub attributed_body: bool,
    /// What tells an edit from an unsend; webhooks never say it.
    pub summary: bool,
    pub temp_guid: Option<&'a str>,
    pub macos: u32,
    pub own_address: &'a str,
}

pub(crate) struct HandleJson<'a>(pub &'a Handle);

impl Serialize for HandleJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("originalROWID", &self.0.rowid)?;
        map.serialize_entry("address", &*self.0.address)?;
        map.serialize_entry("service", self.0.service)?;
        map.serialize_entry("uncanonicalizedId", &None::<&str>)?;
        map.serialize_entry("country", &self.0.address.starts_with("+1").then_some("us"))?;
        map.end()
    }
}

/// A chat; what is `None` is left out.
pub(crate) struct ChatJson<'a> {
    pub chat: &'a Chat,
    pub full: bool,
    pub participants: Option<&'a [Arc<Handle>]>,
    pub own_address: &'a str,
    pub last_message: Option<Value>,
    pub messages: Option<Value>,
}

impl<'a> ChatJson<'a> {
    pub fn new(chat: &'a Chat, own_address: &'a str) -> Self {
        Self { chat, full: true, participants: None, own_address, last_message: None, messages: None }
    }
}

impl Serialize for ChatJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("originalROWID", &self.chat.rowid)?;
        map.serialize_entry("guid", &*self.chat.guid)?;
        map.serialize_entry("style", &if self.chat.is_group() { 43 } else { 45 })?;
        map.serialize_entry("chatIdentifier", &*self.chat.identifier)?;
        map.serialize_entry("isArchived", &false)?;
        map.serialize_entry("displayName", &*self.chat.name)?;
        if let Some(participants) = self.participants {
            let handles: Vec<HandleJson<'_>> = participants.iter().map(|handle| HandleJson(handle)).collect();
            map.serialize_entry("participants", &handles)?;
        }
        if self.full {
            map.serialize_entry("isFiltered", &false)?;
            map.serialize_entry("groupId", &upper(self.chat.group_id))?;
            map.serialize_entry("properties", &None::<&str>)?;
            map.serialize_entry("lastAddressedHandle", self.own_address)?;
        }
        if let Some(last) = &self.last_message {
            map.serialize_entry("lastMessage", last)?;
        }
        if let Some(messages) = &self.messages {
            map.serialize_entry("messages", messages)?;
        }
        map.end()
    }
}

pub(crate) struct MessageJson<'a> {
    pub row: &'a Row,
    pub shape: Shape<'a>,
}

impl MessageJson<'_> {
    fn serialize_head<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (row, shape) = (self.row, &self.shape);
        map.serialize_entry("originalROWID", &row.rowid)?;
        if let Some(temp_guid) = shape.temp_guid {
            map.serialize_entry("tempGuid", temp_guid)?;
        }
        map.serialize_entry("guid", &*row.guid.hyphenated().encode_upper(&mut Uuid::encode_buffer()))?;
        map.serialize_entry("text", row.text.trim())?;
        if shape.attributed_body {
            let length = row.text.trim().encode_utf16().count();
            let run = json!({"range": [0, length], "attributes": {"__kIMMessagePartAttributeName": 0}});
            map.serialize_entry("attributedBody", &json!([{"string": row.text.trim(), "runs": [run]}]))?;
        } else {
            map.serialize_entry("attributedBody", &None::<&str>)?;
        }
        map.serialize_entry("handle", &row.handle.as_deref().map(HandleJson))?;
        map.serialize_entry("handleId", &row.handle.as_ref().map_or(0, |handle| handle.rowid))?;
        map.serialize_entry("otherHandle", &0)?;
        let files = row.extra.as_deref().map_or(&[][..], |extra| &extra.files);
        map.serialize_entry("attachments", &files.iter().map(|file| file_json(file)).collect::<Vec<_>>())
    }

    fn serialize_state<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let row = self.row;
        let extra = row.extra.as_deref();
        let moment = |ms: i64| (ms != 0).then_some(ms);
        map.serialize_entry("subject", &extra.and_then(|extra| extra.subject.as_deref()))?;
        map.serialize_entry("error", &row.error)?;
        map.serialize_entry("dateCreated", &row.created_ms)?;
        map.serialize_entry("dateRead", &moment(row.read_ms))?;
        map.serialize_entry("dateDelivered", &moment(row.delivered_ms))?;
        map.serialize_entry("isDelivered", &row.is_delivered)?;
        map.serialize_entry("isFromMe", &row.from_me)?;
        map.serialize_entry("hasDdResults", &false)?;
        map.serialize_entry("isArchived", &false)?;
        map.serialize_entry("itemType", &extra.map_or(0, |extra| extra.item_type))?;
        map.serialize_entry("groupTitle", &extra.and_then(|extra| extra.group_title.as_deref()))?;
        map.serialize_entry("groupActionType", &0)?;
        map.serialize_entry("balloonBundleId", &None::<&str>)?;
        map.serialize_entry("associatedMessageGuid", &extra.and_then(|extra| extra.reacts_to.as_deref()))?;
        map.serialize_entry("associatedMessageType", &extra.and_then(|extra| extra.reaction.as_deref()))?;
        map.serialize_entry("expressiveSendStyleId", &extra.and_then(|extra| extra.effect.as_deref()))?;
        map.serialize_entry("threadOriginatorGuid", &extra.and_then(|extra| extra.reply_to.as_deref()))?;
        map.serialize_entry("hasPayloadData", &false)
    }

    fn serialize_full_only<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let row = self.row;
        let extra = row.extra.as_deref();
        for key in ["country", "datePlayed", "timeExpressiveSendPlayed", "replyToGuid"] {
            map.serialize_entry(key, &None::<&str>)?;
        }
        map.serialize_entry("threadOriginatorPart", &extra.and_then(|extra| extra.reply_part.as_deref()))?;
        map.serialize_entry("cacheRoomnames", &row.chat.is_group().then_some(&*row.chat.identifier))?;
        for key in [
            "isDelayed",
            "isAutoReply",
            "isSystemMessage",
            "isServiceMessage",
            "isForward",
            "isCorrupt",
            "isSpam",
            "isExpired",
        ] {
            map.serialize_entry(key, &false)?;
        }
        map.serialize_entry("isAudioMessage", &extra.is_some_and(|extra| extra.is_voice))?;
        map.serialize_entry("shareStatus", &0)?;
        map.serialize_entry("shareDirection", &0)?;
        if self.shape.macos >= 12 {
            map.serialize_entry("wasDeliveredQuietly", &false)?;
            map.serialize_entry("didNotifyRecipient", &false)?;
        }
        Ok(())
    }
}

impl Serialize for MessageJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (row, shape) = (self.row, &self.shape);
        let mut map = serializer.serialize_map(None)?;
        self.serialize_head(&mut map)?;
        self.serialize_state(&mut map)?;
        if shape.full {
            self.serialize_full_only(&mut map)?;
        }
        let mut chat = ChatJson::new(&row.chat, shape.own_address);
        chat.full = shape.full;
        match shape.chats {
            Chats::Absent => {}
            Chats::Empty => map.serialize_entry("chats", &[(); 0])?,
            Chats::Listed => map.serialize_entry("chats", &[chat])?,
            Chats::ListedWithParticipants => {
                chat.participants = row.chat.is_group().then_some(&row.chat.participants);
                map.serialize_entry("chats", &[chat])?;
            }
        }
        let extra = row.extra.as_deref();
        let edited_ms = extra.map_or(0, |extra| extra.edited_ms);
        let is_unsent = extra.is_some_and(|extra| extra.is_unsent);
        let summary = match (shape.summary, is_unsent, edited_ms) {
            (true, true, _) => json!([{"ust": true, "retractedParts": [0], "originalTextRange": [0, 1]}]),
            (true, false, 1..) => json!([{"editedParts": [0]}]),
            _ => Value::Null,
        };
        map.serialize_entry("messageSummaryInfo", &summary)?;
        map.serialize_entry("payloadData", &None::<&str>)?;
        if shape.macos >= 13 {
            map.serialize_entry("dateEdited", &(edited_ms != 0).then_some(edited_ms))?;
            // practically never set, also not by an unsend
            map.serialize_entry("dateRetracted", &None::<i64>)?;
            map.serialize_entry("partCount", &i32::from(!is_unsent))?;
        }
        map.end()
    }
}

/// A file as messages and `GET /attachment/:guid` show it.
pub(crate) fn file_json(file: &File) -> Value {
    json!({
        "originalROWID": file.rowid, "guid": file.guid, "uti": file.uti, "mimeType": file.mime, "transferName": file.name,
        "totalBytes": file.bytes.len(), "transferState": if file.is_on_disk { 5 } else { 0 }, "isOutgoing": false, "hideAttachment": false,
        "isSticker": false, "originalGuid": null, "hasLivePhoto": false, "height": file.height, "width": file.width, "metadata": null,
    })
}

#[derive(Serialize)]
struct EventJson<'a, T> {
    r#type: &'a str,
    data: T,
}

/// The body of a webhook post.
pub(crate) fn event_body(event: &str, data: impl Serialize) -> Bytes {
    serde_json::to_vec(&EventJson { r#type: event, data }).expect("events are plain JSON").into()
}
