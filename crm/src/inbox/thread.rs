//! What was said in a conversation, messages and notes as one list: newest first, page by page in either direction, or around one of them.
//! The order is that of the time at which something was said, in whatever order it became known.

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx, page};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    conversations::{ConversationId, Service},
    extras::{self, Reaction},
};
use crate::{
    Error,
    messaging::{
        attempts::Attempt,
        media::{self, Media},
    },
    secrets::Keys,
};

/// The key of the list.
pub type Key = (DateTime<Utc>, Uuid);

/// A message or a note, as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Message {
    /// The id.
    pub id: Uuid,
    /// Its conversation.
    #[schema(value_type = Uuid)]
    pub conversation_id: ConversationId,
    /// message or note.
    pub kind: String,
    /// inbound or outbound.
    pub direction: String,
    /// Who made it: campaign, user, device, contact, system.
    pub source: String,
    /// The user who wrote it.
    pub author: Option<Author>,
    /// The text.
    pub body: String,
    /// What carried it.
    pub service: Service,
    /// Where it stands: queued, sending, sent, delivered, read, unknown, failed, cancelled, received; a note is stored.
    pub status: String,
    /// Why, where there is a reason: a stable code. Of a note of the system: what it tells.
    pub reason: Option<String>,
    /// What it answers.
    pub reply_to: Option<Quoted>,
    /// Who of a group wrote it.
    pub sender: Option<String>,
    /// When its text was changed last.
    pub edited_at: Option<DateTime<Utc>>,
    /// When whoever wrote it took it back; its text is gone.
    pub unsent_at: Option<DateTime<Utc>>,
    /// How people reacted to it.
    pub reactions: Vec<Reaction>,
    /// Both tries, of a message that was tried over a second service.
    pub attempts: Vec<Attempt>,
    /// Its files.
    pub media: Vec<Media>,
    /// Its place in the order in which messages became known: what a user reads up to.
    pub position: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the gateway took it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it reached the device.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
}

/// Who wrote something.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessageAuthor)]
pub struct Author {
    /// The user.
    pub id: Uuid,
    /// Their name.
    pub name: String,
}

/// A message that is answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = QuotedMessage)]
pub struct Quoted {
    /// The message.
    pub id: Uuid,
    /// How it begins.
    pub preview: String,
}

/// A part of a conversation, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Thread {
    /// What was said.
    pub items: Vec<Message>,
    /// Give this as `before` to get what is older; absent where nothing is.
    pub next_cursor: Option<String>,
    /// Give this as `after` to get what is newer; absent where there is nothing yet.
    pub prev_cursor: Option<String>,
}

/// Which part.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// The newest.
    Newest,
    /// What is older than that.
    Before(Key),
    /// What is newer than that, the oldest of it first to come.
    After(Key),
    /// As much on either side of that message or note.
    Around(Uuid),
}

/// A part of a conversation.
pub async fn thread(
    tx: &mut TenantTx,
    keys: &Keys,
    id: ConversationId,
    part: Part,
    limit: i64,
) -> Result<Thread, Error> {
    // without it an unknown conversation would answer as an empty one
    sqlx::query_scalar::<_, bool>(
        "select true from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    let limit = limit.clamp(1, page::MAX_LIMIT);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut places, has_older, has_newer) = match part {
        Part::Newest => {
            older(tx, id, None, limit).await.map(|keys| cut(keys, most)).map(|(keys, more)| (keys, more, false))?
        }
        Part::Before(key) => {
            let (keys, more) = cut(older(tx, id, Some(key), limit).await?, most);
            (keys, more, true)
        }
        Part::After(key) => {
            let (keys, more) = cut(newer(tx, id, key, limit).await?, most);
            (keys, true, more)
        }
        Part::Around(message) => {
            let key = key_of(tx, id, message).await?;
            let (newer, has_newer) = cut(newer(tx, id, key, limit / 2).await?, most / 2);
            let rest = most - 1 - newer.len().min(most - 1);
            let (older, has_older) = cut(older(tx, id, Some(key), i64::try_from(rest).unwrap_or(limit)).await?, rest);
            let keys = newer.into_iter().chain([key]).chain(older).collect();
            (keys, has_older, has_newer)
        }
    };
    places.sort_unstable_by(|a: &Key, b: &Key| b.cmp(a));
    let items = messages(tx, keys, &places.iter().map(|(_, id)| *id).collect::<Vec<_>>()).await?;
    // a page that came from a cursor and is empty stands where that cursor stood
    let at = match part {
        Part::Before(key) | Part::After(key) => Some(key),
        Part::Newest | Part::Around(_) => None,
    };
    let (first, last) = (places.first().copied().or(at), places.last().copied().or(at));
    Ok(Thread {
        items,
        next_cursor: last.filter(|_| has_older).map(|key| page::cursor(&key)),
        prev_cursor: first.filter(|_| has_newer).map(|key| page::cursor(&key)),
    })
}

/// Cuts the extra row off, which tells that there is more.
fn cut(mut keys: Vec<Key>, most: usize) -> (Vec<Key>, bool) {
    let more = keys.len() > most;
    keys.truncate(most);
    (keys, more)
}

async fn older(tx: &mut TenantTx, id: ConversationId, before: Option<Key>, limit: i64) -> Result<Vec<Key>, Error> {
    let (at, before) = before.unzip();
    Ok(sqlx::query_as(
        "(select m.created_at, m.id from crm.messages m
           where m.tenant_id = app.tenant_id() and m.conversation_id = $1 and ($2::timestamptz is null or (m.created_at, m.id) < ($2, $3))
           order by m.created_at desc, m.id desc limit $4)
         union all
         (select n.created_at, n.id from crm.notes n
           where n.tenant_id = app.tenant_id() and n.conversation_id = $1 and ($2::timestamptz is null or (n.created_at, n.id) < ($2, $3))
           order by n.created_at desc, n.id desc limit $4)
         order by created_at desc, id desc limit $4",
    )
    .bind(id)
    .bind(at)
    .bind(before)
    .bind(limit + 1)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?)
}

async fn newer(tx: &mut TenantTx, id: ConversationId, (at, after): Key, limit: i64) -> Result<Vec<Key>, Error> {
    Ok(sqlx::query_as(
        "(select m.created_at, m.id from crm.messages m
           where m.tenant_id = app.tenant_id() and m.conversation_id = $1 and (m.created_at, m.id) > ($2, $3)
           order by m.created_at, m.id limit $4)
         union all
         (select n.created_at, n.id from crm.notes n
           where n.tenant_id = app.tenant_id() and n.conversation_id = $1 and (n.created_at, n.id) > ($2, $3)
           order by n.created_at, n.id limit $4)
         order by created_at, id limit $4",
    )
    .bind(id)
    .bind(at)
    .bind(after)
    .bind(limit + 1)
    .fetch_all(tx.conn())
    .await?)
}

async fn key_of(tx: &mut TenantTx, id: ConversationId, message: Uuid) -> Result<Key, Error> {
    Ok(sqlx::query_as(
        "select m.created_at, m.id from crm.messages m where m.tenant_id = app.tenant_id() and m.id = $2 and m.conversation_id = $1
         union all
         select n.created_at, n.id from crm.notes n where n.tenant_id = app.tenant_id() and n.id = $2 and n.conversation_id = $1",
    )
    .bind(id)
    .bind(message)
    .fetch_one(tx.conn())
    .await?)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    conversation_id: ConversationId,
    kind: String,
    direction: String,
    source: String,
    author_id: Option<Uuid>,
    author_name: Option<String>,
    body: String,
    service: Service,
    status: String,
    reason: Option<String>,
    quoted_id: Option<Uuid>,
    quoted_preview: Option<String>,
    sender: Option<String>,
    edited_at: Option<DateTime<Utc>>,
    unsent_at: Option<DateTime<Utc>>,
    position: i64,
    created_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
}

/// These messages and notes with what they have, newest first.
async fn messages(tx: &mut TenantTx, keys: &Keys, ids: &[Uuid]) -> Result<Vec<Message>, Error> {
    let mut messages = bare(tx, ids).await?;
    extras::add(tx, keys, &mut messages).await?;
    Ok(messages)
}

async fn bare(tx: &mut TenantTx, ids: &[Uuid]) -> Result<Vec<Message>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select m.id, m.conversation_id, 'message' as kind, m.direction, m.source, a.id as author_id, a.name as author_name, m.body, m.service, m.status,
                m.reason, q.id as quoted_id, left(q.body, 200) as quoted_preview,
                m.sender, m.edited_at, m.unsent_at, coalesce(m.position, 0) as position, m.created_at, m.sent_at, m.delivered_at, m.read_at
           from crm.messages m
           left join crm.users a on a.tenant_id = m.tenant_id and a.id = m.author_id
           left join crm.messages q on q.tenant_id = m.tenant_id and q.id = m.reply_to_id
          where m.tenant_id = app.tenant_id() and m.id = any($1)
         union all
         select n.id, n.conversation_id, 'note', 'outbound', case when n.author_id is null then 'system' else 'user' end, a.id, a.name, n.body, 'unknown', 'stored',
                n.reason, null, null, null, null, null, 0, n.created_at, null, null, null
           from crm.notes n
           left join crm.users a on a.tenant_id = n.tenant_id and a.id = n.author_id
          where n.tenant_id = app.tenant_id() and n.id = any($1)
          order by created_at desc, id desc",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Message::from).collect())
}

/// What has just been written: nobody can have reacted to it, it has had no second try, and its files are known.
pub async fn written(tx: &mut TenantTx, keys: &Keys, id: Uuid, has_files: bool) -> Result<Message, Error> {
    let mut message = bare(tx, &[id]).await?.pop().ok_or(Error::NotFound)?;
    if has_files {
        message.media = media::of_messages(tx, keys, &[id]).await?;
    }
    Ok(message)
}

impl From<Row> for Message {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            conversation_id: row.conversation_id,
            kind: row.kind,
            direction: row.direction,
            source: row.source,
            author: row.author_id.zip(row.author_name).map(|(id, name)| Author { id, name }),
            body: row.body,
            service: row.service,
            status: row.status,
            reason: row.reason,
            reply_to: row.quoted_id.zip(row.quoted_preview).map(|(id, preview)| Quoted { id, preview }),
            sender: row.sender,
            edited_at: row.edited_at,
            unsent_at: row.unsent_at,
            reactions: Vec::new(),
            attempts: Vec::new(),
            media: Vec::new(),
            position: row.position,
            created_at: row.created_at,
            sent_at: row.sent_at,
            delivered_at: row.delivered_at,
            read_at: row.read_at,
        }
    }
}
