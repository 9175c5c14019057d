//! The simulated chat.db: handles, chats and message rows with the indexes a send and a query need. Knows nothing of HTTP,
//! events or faults.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

/// One address on one service.
#[derive(Debug)]
pub(crate) struct Handle {
    pub rowid: u32,
    pub address: Arc<str>,
    pub service: &'static str,
}

/// One conversation.
#[derive(Debug)]
pub(crate) struct Chat {
    pub rowid: u32,
    pub guid: Arc<str>,
    pub identifier: Arc<str>,
    /// Of a group that has one.
    pub name: Arc<str>,
    pub group_id: Uuid,
    pub participants: Vec<Arc<Handle>>,
}

impl Chat {
    pub fn is_group(&self) -> bool {
        self.guid.split(';').nth(1) == Some("+")
    }
}

/// A file of a message.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub rowid: u32,
    pub guid: String,
    pub uti: String,
    pub mime: Option<String>,
    pub name: String,
    pub bytes: bytes::Bytes,
    /// What the server makes of it where the original is not asked for.
    pub converted: Option<(String, bytes::Bytes)>,
    pub width: i64,
    pub height: i64,
    /// Where false, the Mac has a row of it and no bytes.
    pub is_on_disk: bool,
}

/// What few messages carry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extra {
    /// The message this row reacts to, as the wire spells it.
    pub reacts_to: Option<String>,
    pub reaction: Option<String>,
    /// 0 is "never".
    pub edited_ms: i64,
    pub is_unsent: bool,
    pub files: Vec<Arc<File>>,
    pub item_type: i64,
    pub group_title: Option<String>,
    pub is_voice: bool,
    pub subject: Option<String>,
    pub effect: Option<String>,
    pub reply_to: Option<String>,
    pub reply_part: Option<String>,
}

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub rowid: u32,
    pub guid: Uuid,
    pub chat: Arc<Chat>,
    pub handle: Option<Arc<Handle>>,
    pub text: Arc<str>,
    pub from_me: bool,
    pub is_delivered: bool,
    pub error: i32,
    pub created_ms: i64,
    /// 0 is "not yet".
    pub delivered_ms: i64,
    /// 0 is "not yet".
    pub read_ms: i64,
    pub extra: Option<Box<Extra>>,
}

/// A row about to be written.
pub(crate) struct NewRow {
    pub chat: Arc<Chat>,
    pub service: &'static str,
    pub guid: Option<Uuid>,
    pub text: Arc<str>,
    pub from_me: bool,
    /// Who wrote it in a group; else its first member.
    pub author: Option<String>,
    pub error: i32,
    pub created_ms: i64,
    pub delivered_ms: i64,
    pub extra: Option<Box<Extra>>,
}

#[derive(Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    by_guid: HashMap<Uuid, u32>,
    chats: Vec<Arc<Chat>>,
    chat_rows: Vec<Vec<u32>>,
    chat_by_guid: HashMap<Arc<str>, u32>,
    handles: Vec<Arc<Handle>>,
    handle_by_key: HashMap<(&'static str, Arc<str>), u32>,
    files: Vec<Arc<File>>,
}

/// The name of a service as the wire spells it; anything unknown is none.
pub(crate) fn service_named(name: &str) -> Option<&'static str> {
    match name {
        "iMessage" => Some("iMessage"),
        "SMS" => Some("SMS"),
        "RCS" => Some("RCS"),
        _ => None,
    }
}

impl Rows {
    pub fn handle(&mut self, service: &'static str, address: &str) -> Arc<Handle> {
        let key = (service, Arc::<str>::from(address));
        if let Some(&index) = self.handle_by_key.get(&key) {
            return self.handles[index as usize].clone();
        }
        let index = self.handles.len() as u32;
        let handle = Arc::new(Handle { rowid: index + 1, address: key.1.clone(), service });
        self.handles.push(handle.clone());
        self.handle_by_key.insert(key, index);
        handle
    }

    pub fn chat(&self, guid: &str) -> Option<Arc<Chat>> {
        self.chat_by_guid.get(guid).map(|&index| self.chats[index as usize].clone())
    }

    /// The one-to-one chat with this address, made if it does not exist.
    pub fn direct_chat(&mut self, prefix: &str, service: &'static str, address: &str) -> Arc<Chat> {
        let guid = format!("{prefix};-;{address}");
        if let Some(chat) = self.chat(&guid) {
            return chat;
        }
        let handle = self.handle(service, address);
        self.add_chat(guid, handle.address.clone(), vec![handle], "")
    }

    /// The group of exactly these addresses, made if it does not exist.
    pub fn group_chat(&mut self, prefix: &str, service: &'static str, addresses: &[String], name: &str) -> Arc<Chat> {
        let mut wanted: Vec<&str> = addresses.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let same = self.chats.iter().find(|chat| {
            let mut members: Vec<&str> = chat.participants.iter().map(|handle| &*handle.address).collect();
            members.sort_unstable();
            chat.is_group() && members == wanted
        });
        if let Some(chat) = same {
            return chat.clone();
        }
        let participants = wanted.iter().map(|address| self.handle(service, address)).collect();
        let identifier: Arc<str> = format!("chat{}", 100_000_000_000_000_000 + self.chats.len() as u64).into();
        self.add_chat(format!("{prefix};+;{identifier}"), identifier, participants, name)
    }

    fn add_chat(
        &mut self,
        guid: String,
        identifier: Arc<str>,
        participants: Vec<Arc<Handle>>,
        name: &str,
    ) -> Arc<Chat> {
        let index = self.chats.len() as u32;
        let guid: Arc<str> = guid.into();
        let group_id = Uuid::new_v4();
        let name = name.into();
        let chat = Arc::new(Chat { rowid: index + 1, guid: guid.clone(), identifier, name, group_id, participants });
        self.chats.push(chat.clone());
        self.chat_rows.push(Vec::new());
        self.chat_by_guid.insert(guid, index);
        chat
    }

    /// Writes a message. A GUID that is taken gives none.
    pub fn add(&mut self, new: NewRow) -> Option<Row> {
        let guid = new.guid.unwrap_or_else(Uuid::new_v4);
        if self.by_guid.contains_key(&guid) {
            return None;
        }
        let index = self.rows.len() as u32;
        // A from-me row of a group has no handle; in a direct chat it is the other party, whoever wrote.
        let handle = match (new.chat.is_group(), new.from_me) {
            (true, true) => None,
            (true, false) => match &new.author {
                Some(author) => Some(self.handle(new.service, author)),
                None => new.chat.participants.first().cloned(),
            },
            (false, _) => match new.chat.participants.first() {
                Some(handle) if handle.service == new.service => Some(handle.clone()),
                _ => Some(self.handle(new.service, &new.chat.identifier)),
            },
        };
        self.chat_rows[new.chat.rowid as usize - 1].push(index);
        let row = Row {
            rowid: index + 1,
            guid,
            chat: new.chat,
            handle,
            text: new.text,
            from_me: new.from_me,
            is_delivered: new.delivered_ms != 0,
            error: new.error,
            created_ms: new.created_ms,
            delivered_ms: new.delivered_ms,
            read_ms: 0,
            extra: new.extra,
        };
        self.rows.push(row.clone());
        self.by_guid.insert(guid, index);
        Some(row)
    }

    pub fn find(&self, guid: Uuid) -> Option<&Row> {
        self.by_guid.get(&guid).map(|&index| &self.rows[index as usize])
    }

    /// Changes a row and gives back how it looks now.
    pub fn change(&mut self, guid: Uuid, change: impl FnOnce(&mut Row)) -> Option<Row> {
        let &index = self.by_guid.get(&guid)?;
        let row = &mut self.rows[index as usize];
        change(row);
        Some(row.clone())
    }

    /// Keeps a file under the next row id.
    pub fn add_file(&mut self, make: impl FnOnce(u32) -> File) -> Arc<File> {
        let file = Arc::new(make(self.files.len() as u32 + 1));
        self.files.push(file.clone());
        file
    }

    /// The file with this GUID, or with this end of it.
    pub fn file(&self, guid: &str) -> Option<Arc<File>> {
        let tail = |guid: &str| guid.get(guid.len().saturating_sub(36)..).unwrap_or(guid).to_owned();
        self.files.iter().rev().find(|file| file.guid == guid || tail(&file.guid) == tail(guid)).cloned()
    }

    /// Changes a file and the messages that carry it.
    pub fn change_file(&mut self, guid: &str, change: impl FnOnce(&mut File)) -> bool {
        let Some(at) = self.files.iter().position(|file| file.guid == guid) else { return false };
        let mut file = (*self.files[at]).clone();
        change(&mut file);
        self.files[at] = Arc::new(file);
        for row in &mut self.rows {
            for carried in
                row.extra.iter_mut().flat_map(|extra| &mut extra.files).filter(|carried| carried.guid == guid)
            {
                *carried = self.files[at].clone();
            }
        }
        true
    }

    /// All rows, oldest ROWID first.
    pub fn all(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of one chat, oldest ROWID first.
    pub fn of_chat<'a>(&'a self, chat: &Chat) -> impl DoubleEndedIterator<Item = &'a Row> {
        self.chat_rows[chat.rowid as usize - 1].iter().map(|&index| &self.rows[index as usize])
    }

    /// All chats, oldest ROWID first.
    pub fn chats(&self) -> &[Arc<Chat>] {
        &self.chats
    }
}
