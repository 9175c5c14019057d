//! Search over everything that was ever said, and over who said it: names whatever their accents, numbers however they are written, words of
//! messages. One list, newest first. Looking behind the wall is done by functions of the schema (0093), which answer ids of the tenant.

mod query;
mod snippet;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::seen;
use crate::{
    Error,
    access::{Permission, Permissions},
    contacts::home_region,
    tenancy::tenants,
};
use query::{From, Query};

/// The key of the list.
pub type Key = (DateTime<Utc>, Uuid);

/// Contacts of one search that are looked at.
const MOST_CONTACTS: i32 = 200;
/// Conversations by whose contact messages are looked for.
const MOST_SENDERS: i64 = 200;
/// Conversations of somebody who sees some only in which messages are looked for: those in which something was said last.
const MOST_SEEN: i64 = 5_000;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FoundKind)]
pub enum Kind {
    /// A message: its text has the words.
    Message,
    /// A conversation: its contact's name or its number fits.
    Conversation,
    /// A contact with whom there is no conversation yet.
    Contact,
}

/// Something that was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its conversation, but for a contact without one.
    pub conversation_id: Option<Uuid>,
    /// The message to open at.
    pub message_id: Option<Uuid>,
    /// The contact, where there is one.
    pub contact_id: Option<Uuid>,
    /// The contact's name.
    pub name: Option<String>,
    /// The other side.
    pub address: Option<String>,
    /// The text around the first word that was looked for.
    pub snippet: Option<String>,
    /// When it was said, or when something was said last.
    pub at: DateTime<Utc>,
    #[serde(skip)]
    id: Uuid,
}

/// What fits, newest first; of one kind only, if one is named. Contacts with whom there is no conversation that the transaction sees are for whoever
/// may see contacts.
pub async fn search(
    tx: &mut TenantTx,
    permissions: Permissions,
    text: &str,
    kind: Option<Kind>,
    page: &PageOf<Key>,
) -> Result<Page<Found>, Error> {
    let zone = tenants::own(tx).await?.time_zone.parse().unwrap_or(chrono_tz::UTC);
    let query = Query::parse(text, zone)?;
    let mut found = Vec::new();
    let wants = |wanted: Kind| kind.is_none_or(|kind| kind == wanted);
    if wants(Kind::Message) {
        found.extend(messages(tx, &query, page).await?);
    }
    if query.is_plain() && (wants(Kind::Conversation) || wants(Kind::Contact)) {
        let sees_contacts = permissions.contains(Permission::ContactsView);
        found.extend(people(tx, &query, (kind, sees_contacts), page).await?);
    }
    found.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.id)));
    found.truncate(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
    Ok(page.finish(found, |row| (row.at, row.id)))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: DateTime<Utc>,
    conversation_id: Option<Uuid>,
    contact_id: Option<Uuid>,
    first_name: Option<String>,
    last_name: Option<String>,
    address: Option<String>,
    body: Option<String>,
}

impl Row {
    fn found(self, query: &Query) -> Found {
        let name = [self.first_name, self.last_name].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let kind = match (&self.body, self.conversation_id) {
            (Some(_), _) => Kind::Message,
            (None, Some(_)) => Kind::Conversation,
            (None, None) => Kind::Contact,
        };
        Found {
            kind,
            conversation_id: self.conversation_id,
            message_id: self.body.is_some().then_some(self.id),
            contact_id: self.contact_id,
            name: (!name.is_empty()).then_some(name),
            address: self.address,
            snippet: self.body.map(|body| snippet::around(&body, &query.words)),
            at: self.at,
            id: self.id,
        }
    }
}

async fn messages(tx: &mut TenantTx, query: &Query, page: &PageOf<Key>) -> Result<Vec<Found>, Error> {
    let (direction, senders) = match &query.from {
        None => (None, None),
        Some(From::Us) => (Some("outbound"), None),
        Some(From::Them) => (Some("inbound"), None),
        Some(From::Named(who)) => (Some("inbound"), Some(senders(tx, who).await?)),
    };
    // what looks behind the wall looks at all of the tenant: it is told where
    let conversations = match senders {
        None => within_sight(tx).await?,
        senders => senders,
    };
    let (mut at, mut id) = page.after.unzip();
    if let Some(before) = query.before.filter(|before| at.is_none_or(|at| *before <= at)) {
        (at, id) = (Some(before), Some(Uuid::nil()));
    }
    let (words, prefix) = query.text();
    let rows: Vec<Row> = sqlx::query_as(
        "select m.id, m.created_at as at, m.conversation_id, k.id as contact_id, k.first_name, k.last_name, m.address, concat_ws(' ', nullif(m.body, ''), m.transcript) as body
           from crm.find_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) f
           join crm.messages m on m.tenant_id = app.tenant_id() and m.id = f.id
           join crm.conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
           left join crm.contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id",
    )
    .bind(words)
    .bind(prefix)
    .bind(direction)
    .bind(query.has_link)
    .bind(query.file)
    .bind(conversations)
    .bind(query.after)
    .bind(at)
    .bind(id)
    .bind(i32::try_from(page.fetch()).unwrap_or(i32::MAX))
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.found(query)).collect())
}

/// The conversations that this transaction sees, where it does not see all.
async fn within_sight(tx: &mut TenantTx) -> Result<Option<Vec<Uuid>>, Error> {
    let Some(narrow) = tx.narrow().cloned() else { return Ok(None) };
    let keys = seen::newest(tx, &narrow, None, (None, MOST_SEEN)).await?;
    Ok(Some(keys.into_iter().map(|(_, id)| id.uuid()).collect()))
}

/// Contacts of that name or number.
async fn contacts(tx: &mut TenantTx, query: &Query) -> Result<Vec<Uuid>, Error> {
    let words: Vec<&str> = query.words.iter().map(String::as_str).filter(|word| word.chars().count() > 1).collect();
    if query.digits.is_none() && (words.is_empty() || words.len() < query.words.len()) {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_scalar("select f.id from crm.search_contacts($1, $2, $3) f")
        .bind(words)
        .bind(&query.digits)
        .bind(MOST_CONTACTS)
        .fetch_all(tx.conn())
        .await?)
}

/// The conversations with whoever is meant.
async fn senders(tx: &mut TenantTx, who: &Query) -> Result<Vec<Uuid>, Error> {
    let contacts = contacts(tx, who).await?;
    let exact = who.number(home_region(tx).await?);
    Ok(sqlx::query_scalar(
        "select c.id from crm.conversations c where c.tenant_id = app.tenant_id() and c.contact_id = any($1)
         union
         select c.id from crm.lines l join crm.conversations c on c.tenant_id = l.tenant_id and c.line_id = l.id and c.address = $2 where l.tenant_id = app.tenant_id()
         limit $3",
    )
    .bind(contacts)
    .bind(exact)
    .bind(MOST_SENDERS)
    .fetch_all(tx.conn())
    .await?)
}

/// Conversations and contacts by name or number; a contact with whom there is a conversation is shown as that.
async fn people(
    tx: &mut TenantTx,
    query: &Query,
    (kind, sees_contacts): (Option<Kind>, bool),
    page: &PageOf<Key>,
) -> Result<Vec<Found>, Error> {
    let contacts = contacts(tx, query).await?;
    let exact = query.number(home_region(tx).await?);
    let (at, id) = page.after.unzip();
    let rows: Vec<Row> = sqlx::query_as(
        "select z.id, z.at, z.conversation_id, z.contact_id, z.first_name, z.last_name, z.address, null as body from (
           select coalesce(c.id, k.id) as id, coalesce(c.last_message_at, k.created_at) as at, c.id as conversation_id, k.id as contact_id, k.first_name, k.last_name,
                  coalesce(c.address, k.phone, k.email) as address
             from crm.contacts k left join crm.conversations c on c.tenant_id = k.tenant_id and c.contact_id = k.id
            where k.tenant_id = app.tenant_id() and k.id = any($1)
           union all
           select c.id, c.last_message_at, c.id, null, null, null, c.address
             from crm.lines l join crm.conversations c on c.tenant_id = l.tenant_id and c.line_id = l.id and c.address = $2 and c.contact_id is null
            where l.tenant_id = app.tenant_id()) z
          where ($3::timestamptz is null or (z.at, z.id) < ($3, $4)) and ($6::boolean is null or (z.conversation_id is null) = $6)
            and ($7 or z.conversation_id is not null)
          order by z.at desc, z.id desc limit $5",
    )
    .bind(contacts)
    .bind(exact)
    .bind(at)
    .bind(id)
    .bind(page.fetch())
    .bind(kind.map(|kind| kind == Kind::Contact))
    .bind(sees_contacts)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let mut seen = HashMap::new();
    Ok(rows.into_iter().filter(|row| seen.insert(row.id, ()).is_none()).map(|row| row.found(query)).collect())
}
