//! The list of conversations: a page is found by one index, whatever the filter, and then read whole in one more statement, so that its
//! cost does not grow with what is listed.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::keys;
use crate::{Error, access::users::UserId};

/// The id of a conversation.
pub type ConversationId = Id<Conversation>;
/// The key of the list: when the last message came or went, and the conversation.
pub type Key = (DateTime<Utc>, ConversationId);

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = ConversationState)]
pub enum State {
    /// It is worked on.
    Active,
    /// Out of the way.
    Archived,
    /// Done. What comes in opens it again.
    Closed,
}

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = MessageService)]
pub enum Service {
    /// iMessage.
    Imessage,
    /// SMS.
    Sms,
    /// RCS.
    Rcs,
    /// Not known yet.
    Unknown,
}

/// Everything said between one line and one address, and who has it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Conversation {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: ConversationId,
    /// Our side.
    pub line_id: Uuid,
    /// Its name.
    pub line_name: String,
    /// The other side: a phone in E.164, an e-mail, a short code, or a group as the gateway names it.
    pub address: String,
    /// direct or group.
    pub kind: String,
    /// The contact's name, or what a group is called, where there is one.
    pub name: Option<String>,
    /// The contact of that address, if there is one.
    pub contact: Option<ContactName>,
    /// What carried the last message.
    pub service: Service,
    /// Where it stands.
    pub state: State,
    /// Out of sight until then.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// Who has it.
    pub assignee_id: Option<Uuid>,
    /// Its labels.
    pub label_ids: Vec<Uuid>,
    /// Kept at hand, for everybody.
    pub is_pinned: bool,
    /// What came in and whoever asks has not read.
    pub unread_count: i64,
    /// What was said last.
    pub last_message: Option<LastMessage>,
    /// When something was said last.
    pub last_message_at: DateTime<Utc>,
    /// Why nobody may write to the address, if so: opted_out, opt_out_review, blacklisted.
    pub suppression: Option<String>,
    /// When it began.
    pub created_at: DateTime<Utc>,
}

/// Who somebody is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContactName {
    /// The contact.
    pub id: Uuid,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
}

/// What was said last in a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastMessage {
    /// The message or note.
    pub id: Uuid,
    /// message or note.
    pub kind: String,
    /// inbound or outbound.
    pub direction: String,
    /// Who made it: campaign, user, device, contact, system.
    pub source: String,
    /// How it begins.
    pub preview: String,
    /// How many files it has.
    pub media_count: i64,
    /// Of what kind the first of them is: image, video, audio, file.
    pub media_kind: Option<String>,
    /// Where a message stands.
    pub status: Option<String>,
    /// What carried it.
    pub service: Option<Service>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Whose conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignee {
    /// Nobody's.
    Nobody,
    /// A user's.
    User(UserId),
}

/// Which conversations are wanted; what is not said does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that stand there. Active ones that are snoozed are left out until their time.
    pub state: Option<State>,
    /// Whose.
    pub assignee: Option<Assignee>,
    /// Those with that label.
    pub label_id: Option<Uuid>,
    /// Those with something unread.
    pub is_unread: bool,
    /// Those that are pinned.
    pub is_pinned: bool,
    /// Those that are snoozed now.
    pub is_snoozed: bool,
    /// Those of that line.
    pub line_id: Option<Uuid>,
    /// Those whose last message that service carried.
    pub service: Option<Service>,
}

/// The conversations, the one with the latest message first, as that user sees them.
pub async fn list(
    tx: &mut TenantTx,
    reader: UserId,
    filter: &Filter,
    page: &PageOf<Key>,
) -> Result<Page<Conversation>, Error> {
    let filter = &filter.within(tx, reader);
    let keys = keys::find(tx, reader, filter, page).await?;
    let Page { items: keys, next_cursor } = page.finish(keys, |key| *key);
    let items = rows(tx, reader, &keys.into_iter().map(|(_, id)| id).collect::<Vec<_>>()).await?;
    Ok(Page { items, next_cursor })
}

impl Filter {
    /// Says of whoever sees their own only what is so anyhow, so that the list is theirs by its index.
    fn within(&self, tx: &TenantTx, reader: UserId) -> Self {
        let is_own = tx.narrow().is_some_and(|narrow| *narrow.users == [reader.uuid()] && !narrow.with_unassigned);
        match self.assignee {
            None if is_own => Self { assignee: Some(Assignee::User(reader)), ..*self },
            Some(_) | None => *self,
        }
    }
    /// Whether it asks for nothing but where they stand.
    pub(super) fn is_by_state(&self) -> bool {
        *self == Self { state: self.state, ..Self::default() }
    }
    /// Whose they have to be.
    pub(super) fn assignee_id(&self) -> Option<UserId> {
        match self.assignee {
            Some(Assignee::User(id)) => Some(id),
            Some(Assignee::Nobody) | None => None,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ConversationId,
    line_id: Uuid,
    line_name: String,
    address: String,
    kind: String,
    group_name: Option<String>,
    service: Service,
    state: State,
    snoozed_until: Option<DateTime<Utc>>,
    assignee_id: Option<Uuid>,
    label_ids: Vec<Uuid>,
    is_pinned: bool,
    last_message_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    contact_id: Option<Uuid>,
    first_name: Option<String>,
    last_name: Option<String>,
    unread_count: i64,
    suppression: Option<String>,
    said_id: Option<Uuid>,
    said_kind: Option<String>,
    said_direction: Option<String>,
    said_source: Option<String>,
    said_preview: Option<String>,
    said_media_count: i64,
    said_media_kind: Option<String>,
    said_status: Option<String>,
    said_service: Option<Service>,
    said_at: Option<DateTime<Utc>>,
}

/// These conversations, in the order of the ids.
async fn rows(tx: &mut TenantTx, reader: UserId, ids: &[ConversationId]) -> Result<Vec<Conversation>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select c.id, c.line_id, l.name as line_name, c.address, c.kind, c.name as group_name, c.service, c.state,
                case when c.snoozed_until > app.now() then c.snoozed_until end as snoozed_until, c.assignee_id,
                array(select b.label_id from crm.conversation_labels b where b.tenant_id = c.tenant_id and b.conversation_id = c.id order by b.label_id) as label_ids,
                c.is_pinned, c.last_message_at, c.created_at, k.id as contact_id, k.first_name, k.last_name,
                coalesce(n.count, 0) as unread_count, s.reason as suppression,
                m.id as said_id, m.kind as said_kind, m.direction as said_direction, m.source as said_source, m.preview as said_preview,
                f.count as said_media_count, f.kind as said_media_kind, m.status as said_status, m.service as said_service, m.at as said_at
           from unnest($1::uuid[]) with ordinality w(id, ord)
           join crm.conversations c on c.tenant_id = app.tenant_id() and c.id = w.id
           join crm.lines l on l.tenant_id = c.tenant_id and l.id = c.line_id
           left join crm.contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
           left join lateral (
             select count(*) as count from crm.messages x
              where x.tenant_id = c.tenant_id and x.conversation_id = c.id and x.direction = 'inbound'
                and x.position > coalesce((select r.position from crm.reads r where r.tenant_id = c.tenant_id and r.user_id = $2 and r.conversation_id = c.id),
                                          (select u.read_from from crm.users u where u.tenant_id = c.tenant_id and u.id = $2), 0)
                and exists (select from crm.unreads u where u.tenant_id = c.tenant_id and u.user_id = $2 and u.conversation_id = c.id)) n on true
           left join lateral (
             select x.reason from crm.suppressions x where x.tenant_id = c.tenant_id and x.address = c.address
              order by array_position(array['opted_out', 'blacklisted', 'opt_out_review'], x.reason) limit 1) s on true
           left join lateral (
             select z.* from (
               (select x.id, 'message' as kind, x.direction, x.source, left(x.body, 200) as preview, x.status, x.service, x.created_at as at
                  from crm.messages x where x.tenant_id = c.tenant_id and x.conversation_id = c.id order by x.created_at desc, x.id desc limit 1)
               union all
               (select x.id, 'note', 'outbound', case when x.author_id is null then 'system' else 'user' end, left(x.body, 200), null, null, x.created_at
                  from crm.notes x where x.tenant_id = c.tenant_id and x.conversation_id = c.id order by x.created_at desc, x.id desc limit 1)) z
              order by z.at desc, z.id desc limit 1) m on true
           left join lateral (
             select count(*) as count, (array_agg(x.kind order by x.ordinal, x.id))[1] as kind
               from crm.attachments x where x.tenant_id = c.tenant_id and x.message_id = m.id) f on true
          order by w.ord",
    )
    .bind(ids)
    .bind(reader)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Conversation::from).collect())
}

impl From<Row> for Conversation {
    fn from(row: Row) -> Self {
        let last_message = LastMessage::of(&row);
        let parts = [row.first_name.as_deref(), row.last_name.as_deref()];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        Self {
            id: row.id,
            line_id: row.line_id,
            line_name: row.line_name,
            kind: row.kind,
            address: row.address,
            name: Some(name).filter(|name| !name.is_empty()).or(row.group_name),
            contact: row.contact_id.map(|id| ContactName { id, first_name: row.first_name, last_name: row.last_name }),
            service: row.service,
            state: row.state,
            snoozed_until: row.snoozed_until,
            assignee_id: row.assignee_id,
            label_ids: row.label_ids,
            is_pinned: row.is_pinned,
            unread_count: row.unread_count,
            last_message,
            last_message_at: row.last_message_at,
            suppression: row.suppression,
            created_at: row.created_at,
        }
    }
}

impl LastMessage {
    fn of(row: &Row) -> Option<Self> {
        Some(Self {
            id: row.said_id?,
            kind: row.said_kind.clone()?,
            direction: row.said_direction.clone()?,
            source: row.said_source.clone()?,
            preview: row.said_preview.clone()?,
            media_count: row.said_media_count,
            media_kind: row.said_media_kind.clone(),
            status: row.said_status.clone(),
            service: row.said_service,
            at: row.said_at?,
        })
    }
}

/// One conversation, as that user sees it.
pub async fn get(tx: &mut TenantTx, reader: UserId, id: ConversationId) -> Result<Conversation, Error> {
    rows(tx, reader, &[id]).await?.pop().ok_or(Error::NotFound)
}
