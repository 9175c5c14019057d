//! Messages that we did not send: from contacts, and from the device itself. One row a gateway's guid, whatever comes how often; words of
//! opt-out act at once.

use chrono::{DateTime, Utc};
use clients::gateway::{GatewayMessage, Service};
use db::{Id, Scope, TenantTx};
use uuid::Uuid;

use crate::{
    Error,
    events::{self, Event},
    messaging::{
        keywords::{self, Keyword},
        lines::LineId,
        send,
    },
};

/// What somebody who leaves is told, once.
const CONFIRMATION_EN: &str =
    "You are unsubscribed and will get no more messages from us. Reply START to get them again.";
/// The same in Spanish.
const CONFIRMATION_ES: &str =
    "Te diste de baja y ya no recibirás más mensajes nuestros. Responde ALTA para volver a recibirlos.";

/// A message sent from the line's own device.
#[derive(Debug)]
pub struct FromDevice {
    /// The other side.
    pub address: String,
    /// What it says.
    pub text: String,
    /// The gateway's id.
    pub guid: String,
    /// What carried it.
    pub service: Service,
    /// What is known of it.
    pub status: &'static str,
    /// The chat as the gateway spells it.
    pub chat_guid: Option<String>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
}

/// One row to be stored, of either kind.
struct Arrival {
    id: Uuid,
    address: String,
    text: String,
    guid: String,
    service: Service,
    status: &'static str,
    chat_guid: Option<String>,
    created_at: Option<DateTime<Utc>>,
    is_direct: bool,
}

#[derive(sqlx::FromRow)]
struct Stored {
    message_id: Uuid,
    conversation_id: Uuid,
    address: String,
    body: String,
    created_at: DateTime<Utc>,
}

/// Stores what contacts wrote. A guid that is known already is passed over.
pub async fn store(tx: &mut TenantTx, line_id: LineId, messages: Vec<GatewayMessage>) -> Result<(), Error> {
    let mut direct = std::collections::HashSet::new();
    let arrivals: Vec<Arrival> = messages
        .into_iter()
        .filter_map(|message| {
            // without its chat a row of a group would be filed under its sender: such an update is left to the sweep
            let address = message.address.clone().or_else(|| message.chat_guid.clone())?;
            let is_direct = message.address.is_some() && !message.is_group;
            Some(Arrival {
                id: Id::<Arrival>::new().uuid(),
                address,
                text: message.text.unwrap_or_default(),
                guid: message.guid,
                service: message.service,
                status: "received",
                chat_guid: message.chat_guid,
                created_at: message.created_at,
                is_direct,
            })
        })
        .inspect(|arrival| {
            if arrival.is_direct {
                direct.insert(arrival.address.clone());
            }
        })
        .collect();
    let mut stored = insert(tx, line_id, ("inbound", "contact"), arrivals).await?;
    // somebody who changes their mind means the last word
    stored.sort_by_key(|row| row.created_at);
    let tenant_id = tx.tenant_id();
    for row in stored {
        // opt-out words act in direct chats only (D22)
        if direct.contains(&row.address) {
            obey(tx, &row).await?;
        }
        let event = Event::MessageNew { message_id: row.message_id, conversation_id: row.conversation_id };
        events::emit(tx, tenant_id, &event).await?;
    }
    Ok(())
}

/// Stores what was sent from the device.
pub async fn store_from_device(tx: &mut TenantTx, line_id: LineId, messages: Vec<FromDevice>) -> Result<(), Error> {
    let arrivals = messages
        .into_iter()
        .map(|message| Arrival {
            id: Id::<Arrival>::new().uuid(),
            address: message.address,
            text: message.text,
            guid: message.guid,
            service: message.service,
            status: message.status,
            chat_guid: message.chat_guid,
            created_at: message.created_at,
            is_direct: true,
        })
        .collect();
    insert(tx, line_id, ("outbound", "device"), arrivals).await?;
    Ok(())
}

async fn insert(
    tx: &mut TenantTx,
    line_id: LineId,
    (direction, source): (&str, &str),
    arrivals: Vec<Arrival>,
) -> Result<Vec<Stored>, Error> {
    if arrivals.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as(
        "with a as materialized (
           select u.*, coalesce(u.made_at, app.now()) as at from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::uuid[])
             u(id, address, body, guid, service, status, chat_guid, made_at, conversation_id)
            where not exists (select from crm.messages x where x.tenant_id = app.tenant_id() and x.line_id = $1 and x.guid = u.guid)),
         c as (
           insert into crm.conversations (id, line_id, address, contact_id, chat_guid, service, last_message_at)
             select distinct on (a.address) a.conversation_id, $1, a.address,
                    (select k.id from crm.contacts k where k.tenant_id = app.tenant_id() and k.phone = a.address order by k.id limit 1), a.chat_guid, a.service, a.at
               from a order by a.address, a.at desc
           on conflict (tenant_id, line_id, address) do update set
             last_message_at = greatest(crm.conversations.last_message_at, excluded.last_message_at), chat_guid = coalesce(excluded.chat_guid, crm.conversations.chat_guid),
             service = case when excluded.service = 'unknown' then crm.conversations.service else excluded.service end,
             contact_id = coalesce(crm.conversations.contact_id, excluded.contact_id)
           returning id, address)
         insert into crm.messages (id, conversation_id, line_id, direction, source, address, body, service, status, guid, created_at, sent_at)
           select a.id, c.id, $1, $2, $3, a.address, a.body, a.service, a.status, a.guid, a.at, a.at from a join c on c.address = a.address
         on conflict (tenant_id, line_id, guid) where guid is not null do nothing
         returning id as message_id, conversation_id, address, body, created_at",
    )
    .bind(line_id)
    .bind(direction)
    .bind(source)
    .bind(arrivals.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.address.as_str()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.text.as_str()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.guid.as_str()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.service.as_str()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.status).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.chat_guid.as_deref()).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|row| row.created_at).collect::<Vec<_>>())
    .bind(arrivals.iter().map(|_| Id::<Arrival>::new().uuid()).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?)
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
