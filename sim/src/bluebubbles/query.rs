//! Reads: chats, messages, one of each. Copies what it answers with out of the lock before it writes JSON.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::checks::{self, Refusal};
use super::config::Config;
use super::envelope::{self, Reply};
use super::filter::Filter;
use super::routes::Asked;
use super::rows::{Chat, Row, Rows};
use super::state::{State, lock};
use super::wire::{ChatJson, Chats, MessageJson, Shape, upper};

/// Sorting, bounds and page of a message query.
struct Window {
    ascending: bool,
    after: i64,
    before: i64,
    offset: usize,
    limit: usize,
    metadata: Map<String, Value>,
}

impl Window {
    fn read(fields: &Map<String, Value>) -> Result<Self, Refusal> {
        let ascending = checks::one_of(fields, "sort", &["ASC", "DESC"])? == Some("ASC");
        let after = checks::number(fields, "after", 0, i64::MAX)?;
        let before = checks::number(fields, "before", 1, i64::MAX)?;
        let offset = checks::number(fields, "offset", 0, i64::MAX)?.unwrap_or(0);
        let limit = checks::number(fields, "limit", 1, 1000)?.unwrap_or(100);
        let mut metadata = Map::new();
        metadata.insert("offset".into(), offset.into());
        metadata.insert("limit".into(), limit.into());
        Ok(Self {
            ascending,
            after: after.unwrap_or(i64::MIN),
            before: before.unwrap_or(i64::MAX),
            offset: offset as usize,
            limit: limit as usize,
            metadata,
        })
    }

    /// The rows of this page and how many there are in all.
    fn cut<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> (Vec<Row>, usize) {
        let inside = |row: &&Row| row.created_ms >= self.after && row.created_ms <= self.before;
        let mut found: Vec<&Row> = rows.filter(inside).collect();
        if !found.is_sorted_by_key(|row| (row.created_ms, row.rowid)) {
            found.sort_by_key(|row| (row.created_ms, row.rowid));
        }
        if !self.ascending {
            found.reverse();
        }
        let page = found.iter().skip(self.offset).take(self.limit).map(|row| (*row).clone()).collect();
        (page, found.len())
    }

    fn answer(mut self, config: &Config, with: &With, page: &[Row], total: usize, message: &str) -> Reply {
        self.metadata.insert("total".into(), total.into());
        self.metadata.insert("count".into(), page.len().into());
        let data: Vec<MessageJson<'_>> = page.iter().map(|row| with.show(config, row)).collect();
        envelope::success_page(message, data, Value::Object(self.metadata))
    }
}

/// Which relations a read asked for.
struct With(Vec<String>);

impl With {
    fn of_param(call: &Asked) -> Self {
        Self::of(call.param("with").unwrap_or_default().split(','))
    }

    fn of_body(list: Option<&Vec<Value>>) -> Self {
        Self::of(list.into_iter().flatten().filter_map(Value::as_str))
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let simple = |name: &str| name.trim().to_ascii_lowercase().replace('-', "").replace("message.", "");
        Self(names.map(simple).collect())
    }

    fn has(&self, names: &[&str]) -> bool {
        self.0.iter().any(|name| names.contains(&name.as_str()))
    }

    fn shape<'a>(&self, config: &'a Config) -> Shape<'a> {
        let chats = match (self.has(&["chat", "chats"]), self.has(&["chat.participants", "chats.participants"])) {
            (true, false) => Chats::Listed,
            (true, true) => Chats::ListedWithParticipants,
            (false, _) => Chats::Empty,
        };
        let attributed_body = self.has(&["attributedbody"]);
        let own_address = config.own_address.as_str();
        let summary = self.has(&["messagesummaryinfo"]);
        Shape { full: true, chats, attributed_body, summary, temp_guid: None, macos: config.macos, own_address }
    }

    fn show<'a>(&self, config: &'a Config, row: &'a Row) -> MessageJson<'a> {
        MessageJson { row, shape: self.shape(config) }
    }
}

/// `GET /message/:guid`
pub(crate) fn message(state: &State, config: &Config, call: &Asked, guid: &str) -> Reply {
    let found = find_exact(&lock(&state.rows), guid);
    let Some(row) = found else { return envelope::not_found("Message does not exist!") };
    let with = With::of_param(call);
    let mut shown = with.show(config, &row);
    // Here the participants come with the chat, for groups only.
    if with.has(&["chat", "chats"]) {
        shown.shape.chats = Chats::ListedWithParticipants;
    }
    envelope::success("Success", shown)
}

/// The row with exactly this GUID, letter by letter.
pub(crate) fn find_exact(rows: &Rows, guid: &str) -> Option<Row> {
    let parsed = Uuid::parse_str(guid).ok()?;
    (upper(parsed) == guid).then(|| rows.find(parsed).cloned()).flatten()
}

/// `POST /message/query`
pub(crate) fn messages(state: &State, config: &Config, call: &Asked) -> Reply {
    match read_query(call) {
        Err(detail) => envelope::bad_request(&detail),
        Ok((with, window, wheres, chat_guid)) => {
            let filter = match Filter::parse(&wheres) {
                Ok(filter) => filter,
                Err(detail) => {
                    let mut ledger = lock(&state.ledger);
                    ledger.note_unexpected(call.method.as_str(), &call.path, call.started_ms, &detail);
                    return envelope::unhandled(&detail);
                }
            };
            let rows = lock(&state.rows);
            let chat = match chat_guid {
                None => None,
                Some(guid) => match rows.chat(guid) {
                    Some(chat) => Some(chat),
                    None => {
                        let message = format!("No chat found with GUID: {guid}");
                        return envelope::success(&message, [(); 0]);
                    }
                },
            };
            let (page, total) = select(&rows, chat.as_deref(), &filter, &window);
            drop(rows);
            window.answer(config, &with, &page, total, "Successfully fetched messages!")
        }
    }
}

type Query<'a> = (With, Window, Vec<Value>, Option<&'a str>);

fn read_query(call: &Asked) -> Result<Query<'_>, Refusal> {
    let with = With::of_body(checks::array(&call.body, "with")?);
    let wheres = checks::array(&call.body, "where")?.cloned().unwrap_or_default();
    let window = Window::read(&call.body)?;
    let chat_guid = checks::string(&call.body, "chatGuid")?.filter(|guid| !guid.is_empty());
    Ok((with, window, wheres, chat_guid))
}

fn select(rows: &Rows, chat: Option<&Chat>, filter: &Filter, window: &Window) -> (Vec<Row>, usize) {
    if let Some(guids) = filter.guids() {
        let in_chat = |row: &&Row| chat.is_none_or(|chat| chat.rowid == row.chat.rowid);
        let found = guids.into_iter().filter_map(|guid| rows.find(guid));
        return window.cut(found.filter(in_chat).filter(|row| filter.holds(row)));
    }
    if let Some(chat) = chat {
        return window.cut(rows.of_chat(chat).filter(|row| filter.holds(row)));
    }
    let start = (filter.above_rowid() as usize).min(rows.all().len());
    window.cut(rows.all()[start..].iter().filter(|row| filter.holds(row)))
}

/// `GET /chat/:guid/message`
pub(crate) fn chat_messages(state: &State, config: &Config, call: &Asked, guid: &str) -> Reply {
    let mut fields = Map::new();
    for (key, value) in &call.query {
        fields.insert(key.clone(), Value::String(value.clone()));
    }
    let window = match Window::read(&fields) {
        Ok(window) => window,
        Err(detail) => return envelope::bad_request(&detail),
    };
    let with = With::of_param(call);
    let rows = lock(&state.rows);
    let Some(chat) = rows.chat(guid) else { return envelope::not_found("Chat does not exist!") };
    let (page, total) = window.cut(rows.of_chat(&chat));
    drop(rows);
    window.answer(config, &with, &page, total, "Success")
}

/// `GET /chat/:guid`
pub(crate) fn chat(state: &State, config: &Config, call: &Asked, guid: &str) -> Reply {
    let with = With::of_param(call);
    let rows = lock(&state.rows);
    let Some(chat) = rows.chat(guid) else { return envelope::not_found("Chat does not exist!") };
    let last = rows.of_chat(&chat).next_back().cloned();
    drop(rows);
    let mut shown = ChatJson::new(&chat, &config.own_address);
    // The key is always there; the list is only filled on request.
    shown.participants = Some(if with.has(&["participants"]) { &chat.participants } else { &[] });
    if with.has(&["lastmessage"]) {
        match last {
            None => return envelope::unhandled("Cannot read properties of undefined (reading 'guid')"),
            Some(row) => shown.last_message = Some(last_message(config, &row)),
        }
    }
    envelope::success("Success", shown)
}

fn last_message(config: &Config, row: &Row) -> Value {
    let row_json = With(Vec::new()).show(config, row);
    serde_json::to_value(row_json).unwrap_or_default()
}

/// `POST /chat/query`
pub(crate) fn chats(state: &State, config: &Config, call: &Asked) -> Reply {
    let read = || -> Result<_, Refusal> {
        let guid = checks::string(&call.body, "guid")?.filter(|guid| !guid.is_empty());
        let with = With::of_body(checks::array(&call.body, "with")?);
        let sort = checks::one_of(&call.body, "sort", &["lastmessage"])?;
        let offset = checks::number(&call.body, "offset", 0, i64::MAX)?.unwrap_or(0);
        let limit = checks::number(&call.body, "limit", 1, 1000)?.unwrap_or(1000);
        Ok((guid, with, sort.is_some(), offset as usize, limit as usize))
    };
    let (guid, with, by_last, offset, limit) = match read() {
        Ok(query) => query,
        Err(detail) => return envelope::bad_request(&detail),
    };
    let rows = lock(&state.rows);
    let wanted: Vec<Arc<Chat>> = match guid {
        Some(guid) => rows.chat(guid).into_iter().collect(),
        None => rows.chats().iter().rev().cloned().collect(),
    };
    let total = wanted.len();
    let mut page: Vec<(Arc<Chat>, Option<Row>)> = wanted
        .into_iter()
        .skip(offset)
        .take(limit)
        .map(|chat| {
            let last = rows.of_chat(&chat).next_back().cloned();
            (chat, last)
        })
        .collect();
    drop(rows);
    if by_last {
        page.sort_by_key(|(_, last)| std::cmp::Reverse(last.as_ref().map(|row| row.created_ms)));
    }
    let with_last = with.has(&["lastmessage"]);
    let data: Vec<ChatJson<'_>> = page
        .iter()
        .map(|(chat, last)| {
            let mut shown = ChatJson::new(chat, &config.own_address);
            shown.participants = Some(&chat.participants);
            let last = || last.as_ref().map_or(Value::Null, |row| last_message(config, row));
            shown.last_message = with_last.then(last);
            shown
        })
        .collect();
    let mut metadata = Map::new();
    metadata.insert("count".into(), json!(data.len()));
    metadata.insert("total".into(), json!(total));
    for key in ["offset", "limit"] {
        if let Some(raw) = call.body.get(key) {
            metadata.insert(key.into(), raw.clone());
        }
    }
    envelope::success_page("Success", data, Value::Object(metadata))
}
