//! Messages that we did not send: from contacts, and from the device itself. One row a gateway's guid, whatever comes how often; words of
//! opt-out act at once.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use clients::gateway::GatewayMessage;
use db::{Id, Scope, TenantTx};
use uuid::Uuid;

use crate::{
    Error,
    events::{self, Event},
    messaging::{
        changes,
        keywords::{self, Keyword},
        lines::LineId,
        send,
    },
    privacy,
};

/// What somebody who leaves is told, once.
const CONFIRMATION_EN: &str =
    "You are unsubscribed and will get no more messages from us. Reply START to get them again.";
/// The same in Spanish.
const CONFIRMATION_ES: &str =
    "Te diste de baja y ya no recibirás más mensajes nuestros. Responde ALTA para volver a recibirlos.";

/// One row to be stored, of either kind.
struct Arrival {
    id: Uuid,
    address: String,
    status: &'static str,
    told: GatewayMessage,
}

impl Arrival {
    /// None of a message whose chat is not told: a row of a group would be filed under its sender. Such an update is left to the sweep.
    fn of(told: GatewayMessage, status: &'static str) -> Option<Self> {
        let from_us = if told.from_me && !told.is_group { told.sender.clone() } else { None };
        let address = told.address.clone().or_else(|| told.group_id.clone()).or(from_us)?;
        Some(Self { id: Id::<Arrival>::new().uuid(), address, status, told })
    }
    fn is_direct(&self) -> bool {
        !self.told.is_group
    }
}

#[derive(sqlx::FromRow)]
struct Stored {
    message_id: Uuid,
    conversation_id: Uuid,
    address: String,
    body: String,
    created_at: DateTime<Utc>,
    guid: String,
    reply_to_guid: Option<String>,
}

/// Stores what contacts wrote. A guid that is known already is passed over. Answers when those were made that are new.
pub async fn store(
    tx: &mut TenantTx,
    line_id: LineId,
    messages: Vec<GatewayMessage>,
) -> Result<Vec<DateTime<Utc>>, Error> {
    let arrivals: Vec<Arrival> = messages.into_iter().filter_map(|message| Arrival::of(message, "received")).collect();
    let direct: HashSet<String> =
        arrivals.iter().filter(|arrival| arrival.is_direct()).map(|arrival| arrival.address.clone()).collect();
    make_contacts(tx, line_id, &arrivals).await?;
    let mut stored = insert(tx, line_id, ("inbound", "contact"), &arrivals).await?;
    // somebody who changes their mind means the last word
    stored.sort_by_key(|row| row.created_at);
    for row in &stored {
        // opt-out words act in direct chats only (D22)
        if direct.contains(&row.address) {
            obey(tx, row).await?;
        }
    }
    tell(tx, "inbound", &stored).await?;
    Ok(stored.into_iter().map(|row| row.created_at).collect())
}

/// Stores what was sent from the device.
pub async fn store_from_device(
    tx: &mut TenantTx,
    line_id: LineId,
    messages: Vec<(GatewayMessage, &'static str)>,
) -> Result<Vec<DateTime<Utc>>, Error> {
    let arrivals: Vec<Arrival> =
        messages.into_iter().filter_map(|(message, status)| Arrival::of(message, status)).collect();
    let stored = insert(tx, line_id, ("outbound", "device"), &arrivals).await?;
    tell(tx, "outbound", &stored).await?;
    Ok(stored.into_iter().map(|row| row.created_at).collect())
}

async fn tell(tx: &mut TenantTx, direction: &'static str, stored: &[Stored]) -> Result<(), Error> {
    let tenant_id = tx.tenant_id();
    for row in stored {
        let (message_id, conversation_id) = (row.message_id, row.conversation_id);
        events::emit(tx, tenant_id, &Event::MessageNew { message_id, conversation_id, direction }).await?;
    }
    Ok(())
}

/// A group is called something else now.
pub async fn rename_group(tx: &mut TenantTx, line_id: LineId, group_id: &str, name: &str) -> Result<(), Error> {
    sqlx::query(
        "update crm.conversations c set name = $3
          where c.tenant_id = app.tenant_id() and c.line_id = $1 and c.address = $2 and c.kind = 'group' and c.name is distinct from $3",
    )
    .bind(line_id)
    .bind(group_id)
    .bind(name)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes the contacts of people who write for the first time, one an address. Two lines may hear of the same person at once: the key of the
/// address decides, and who comes second finds the contact of the first.
async fn make_contacts(tx: &mut TenantTx, line_id: LineId, arrivals: &[Arrival]) -> Result<(), Error> {
    let unknown: Vec<&Arrival> = arrivals.iter().filter(|row| row.is_direct() && is_person(&row.address)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into crm.contacts (id, phone, email, made_for)
           select distinct on (u.address) u.id, case when u.address like '+%' then u.address end, case when u.address like '%@%' then u.address end, u.address
             from unnest($2::uuid[], $3::text[], $4::text[]) u(id, address, guid)
            where not exists (select from crm.contacts k where k.tenant_id = app.tenant_id() and k.phone = u.address)
              and not exists (select from crm.contacts k where k.tenant_id = app.tenant_id() and k.email = u.address)
              -- a message that is only told again does not bring back a contact that somebody has deleted
              and not exists (select from crm.messages x where x.tenant_id = app.tenant_id() and x.line_id = $1 and x.guid = u.guid)
              and not exists (select from crm.erased_messages x where x.tenant_id = app.tenant_id() and x.line_id = $1 and x.guid_hash = sha256(convert_to(u.guid, 'UTF8')))
            order by u.address
         on conflict (tenant_id, made_for) where made_for is not null do nothing",
    )
    .bind(line_id)
    .bind(unknown.iter().map(|_| Id::<Arrival>::new().uuid()).collect::<Vec<_>>())
    .bind(unknown.iter().map(|row| row.address.as_str()).collect::<Vec<_>>())
    .bind(unknown.iter().map(|row| row.told.guid.as_str()).collect::<Vec<_>>())
    .persistent(false)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether an address is that of a person: a phone, or an e-mail handle. Short codes, businesses and masked numbers are nobody to keep.
fn is_person(address: &str) -> bool {
    let is_phone = address.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    });
    is_phone
        || (!address.contains(['*', ':', ' ', ';']) && address.split('@').filter(|part| !part.is_empty()).count() == 2)
}

async fn insert(
    tx: &mut TenantTx,
    line_id: LineId,
    (direction, source): (&str, &str),
    arrivals: &[Arrival],
) -> Result<Vec<Stored>, Error> {
    if arrivals.is_empty() {
        return Ok(Vec::new());
    }
    let text = |pick: fn(&GatewayMessage) -> Option<&str>| -> Vec<Option<&str>> {
        arrivals.iter().map(|row| pick(&row.told)).collect()
    };
    let stored: Vec<Stored> = sqlx::query_as(
        "with a as materialized (
           select u.*, coalesce(u.made_at, app.now()) as at
             from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::uuid[], $13::text[], $14::text[], $15::text[])
             u(id, address, body, guid, service, status, chat_guid, made_at, conversation_id, group_name, sender, reply_to_guid)
            where not exists (select from crm.messages x where x.tenant_id = app.tenant_id() and x.line_id = $1 and x.guid = u.guid)
              and not exists (select from crm.erased_messages x where x.tenant_id = app.tenant_id() and x.line_id = $1 and x.guid_hash = sha256(convert_to(u.guid, 'UTF8')))),
         c as (
           insert into crm.conversations (id, line_id, address, kind, name, contact_id, chat_guid, service, last_message_at)
             select distinct on (a.address) a.conversation_id, $1, a.address, case when a.sender is null then 'direct' else 'group' end, a.group_name,
                    coalesce((select k.id from crm.contacts k where k.tenant_id = app.tenant_id() and k.phone = a.address order by k.id limit 1),
                             (select k.id from crm.contacts k where k.tenant_id = app.tenant_id() and k.email = a.address order by k.id limit 1)), a.chat_guid, a.service, a.at
               from a order by a.address, a.at desc
           on conflict (tenant_id, line_id, address) do update set
             last_message_at = greatest(crm.conversations.last_message_at, excluded.last_message_at), chat_guid = coalesce(excluded.chat_guid, crm.conversations.chat_guid),
             service = case when excluded.service = 'unknown' then crm.conversations.service else excluded.service end,
             contact_id = coalesce(crm.conversations.contact_id, excluded.contact_id), name = coalesce(excluded.name, crm.conversations.name)
           returning id, address)
         insert into crm.messages (id, conversation_id, line_id, direction, source, address, body, service, status, guid, sender, reply_to_guid, created_at, sent_at)
           select a.id, c.id, $1, $2, $3, a.address, a.body, a.service, a.status, a.guid, nullif(a.sender, ''), a.reply_to_guid, a.at, a.at from a join c on c.address = a.address
            order by a.at, a.id
         on conflict (tenant_id, line_id, guid) where guid is not null do nothing
         returning id as message_id, conversation_id, address, body, created_at, guid, reply_to_guid",
    )
    .bind(line_id)
    .bind(direction)
    .bind(source)
    .bind(arrivals.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.address.as_str()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| privacy::mask(row.told.text.as_deref().unwrap_or_default())).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.told.guid.as_str()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.told.service.as_str()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.status).collect::<Vec<_>>())
    .bind(text(|row| row.chat_guid.as_deref()))
    .bind(arrivals.iter().map(|row| row.told.created_at).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|_| Id::<Arrival>::new().uuid()).collect::<Vec<_>>())
    .bind(text(|row| row.group_name.as_deref()))
    // of a group there is always something to say, if only that we wrote it
    .bind(text(|row| row.is_group.then(|| if row.from_me { "" } else { row.sender.as_deref().unwrap_or_default() })))
    .bind(text(|row| row.reply_to_guid.as_deref()))
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    link_replies(tx, line_id, &stored).await?;
    for row in stored.iter().filter(|row| row.body.trim().is_empty()) {
        let is_bare = |arrival: &&Arrival| arrival.told.guid == row.guid && arrival.told.attachments.is_empty();
        if arrivals.iter().any(|arrival| is_bare(&arrival)) {
            // its file comes later, and nothing tells of it
            changes::read_again(tx, line_id, &row.guid, 1, changes::ROUNDS[0]).await?;
        }
    }
    Ok(stored)
}

/// Answers and what they answer find each other, whichever came first.
async fn link_replies(tx: &mut TenantTx, line_id: LineId, stored: &[Stored]) -> Result<(), Error> {
    if stored.is_empty() {
        return Ok(());
    }
    let guids = stored.iter().flat_map(|row| [Some(row.guid.as_str()), row.reply_to_guid.as_deref()]).flatten();
    sqlx::query(
        "update crm.messages m set reply_to_id = t.id from crm.messages t
          where m.tenant_id = app.tenant_id() and m.line_id = $1 and m.reply_to_guid = any($2) and m.reply_to_id is null
            and t.tenant_id = m.tenant_id and t.line_id = m.line_id and t.guid = m.reply_to_guid and t.conversation_id = m.conversation_id",
    )
    .bind(line_id)
    .bind(guids.collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Acts on a word of opt-out or opt-in (D8). Suppression is per tenant, across all lines.
async fn obey(tx: &mut TenantTx, message: &Stored) -> Result<(), Error> {
    let reason = match keywords::classify(&message.body) {
        Keyword::None => return Ok(()),
        word @ (Keyword::OptIn | Keyword::OptInIfOut) => {
            // "yes" means something only to somebody who is out; what waits for a person's review it does not end. One that is found late
            // does not undo what was said after it.
            sqlx::query(
                "delete from crm.suppressions s
                  where s.tenant_id = app.tenant_id() and s.address = $1 and (s.reason = 'opted_out' or $2 and s.reason = 'opt_out_review')
                    and coalesce((select m.created_at from crm.messages m where m.tenant_id = s.tenant_id and m.id = s.message_id), s.created_at) <= $3",
            )
            .bind(&message.address)
            .bind(word == Keyword::OptIn)
            .bind(message.created_at)
            .execute(tx.conn())
            .await?;
            return Ok(());
        }
        Keyword::OptOut => "opted_out",
        Keyword::Review => "opt_out_review",
    };
    if came_back_since(tx, message).await? {
        return Ok(());
    }
    let added = sqlx::query(
        "insert into crm.suppressions (address, reason, source, message_id) values ($1, $2, 'keyword', $3)
         on conflict (tenant_id, address, reason) do nothing",
    )
    .bind(&message.address)
    .bind(reason)
    .bind(message.message_id)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if added == 1 && reason == "opted_out" {
        // one confirmation, then nothing: a second STOP adds no row
        let text = if keywords::is_spanish(&message.body) { CONFIRMATION_ES } else { CONFIRMATION_EN };
        send::queue_system(tx, message.conversation_id, text).await?;
    }
    Ok(())
}

/// Whether the sender has opted in again after this message, which was found late.
async fn came_back_since(tx: &mut TenantTx, message: &Stored) -> Result<bool, Error> {
    let later: Vec<String> = sqlx::query_scalar(
        "select m.body from crm.messages m
          where m.tenant_id = app.tenant_id() and m.conversation_id = $1 and m.direction = 'inbound' and m.created_at > $2
          order by m.created_at desc, m.id desc limit 50",
    )
    .bind(message.conversation_id)
    .bind(message.created_at)
    .fetch_all(tx.conn())
    .await?;
    Ok(later.iter().any(|body| keywords::classify(body) == Keyword::OptIn))
}
