//! Works what a gateway says about messages into ours, whether it came by webhook or was read back: the same message any number of times,
//! in any order, ends as one row with one status.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clients::gateway::{GatewayMessage, Service};
use db::{Scope, TenantTx};
use uuid::Uuid;

use crate::{
    Error,
    events::{self, Event, MessageStatus},
    messaging::{
        arrivals, attempts,
        changes::{self, Change},
        fallback,
        lines::LineId,
        media::{self, Noted},
        tapbacks::{self, Tapback},
    },
    reactions,
};

/// A message of ours that the gateway reports is matched to a send in flight for this long; after it, it counts as sent from the device.
const IN_FLIGHT: &str = "15 minutes";
/// A row that tells of a group's new name.
const RENAMED: i64 = 2;

/// What became of a batch of events.
#[derive(Debug, Default)]
pub struct Applied {
    /// Events that are worked in, or of no use.
    pub done: Vec<i64>,
    /// Events about a message that a send in flight may turn out to be.
    pub waiting: usize,
    /// When the messages were made that are new to us, from whoever.
    pub stored: Vec<DateTime<Utc>>,
}

/// What the gateway says about one message of ours, from all events of a batch.
#[derive(Debug)]
struct Evidence {
    events: Vec<i64>,
    guid: String,
    temp_guid: Option<String>,
    status: &'static str,
    error: Option<i64>,
    address: Option<String>,
    text: Option<String>,
    service: Service,
    chat_guid: Option<String>,
    created_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
    is_new: bool,
    /// What is needed where it turns out to be from the device.
    told: GatewayMessage,
}

impl Evidence {
    fn of(event: i64, is_update: bool, message: GatewayMessage) -> Self {
        Self {
            events: vec![event],
            status: status(&message),
            guid: message.guid.clone(),
            temp_guid: message.temp_guid.clone(),
            error: message.error,
            // in a group nobody is the other side
            address: message.address.clone().or_else(|| message.group_id.clone()).or_else(|| message.sender.clone()),
            text: message.text.clone(),
            service: message.service,
            chat_guid: message.chat_guid.clone(),
            created_at: message.created_at,
            delivered_at: message.delivered_at,
            read_at: message.read_at,
            is_new: !is_update,
            told: message,
        }
    }
    fn join(&mut self, other: Self) {
        if rank(other.status) > rank(self.status) {
            self.status = other.status;
        }
        self.events.extend(other.events);
        self.temp_guid = self.temp_guid.take().or(other.temp_guid);
        self.error = self.error.or(other.error);
        self.address = self.address.take().or(other.address);
        self.text = self.text.take().or(other.text);
        self.chat_guid = self.chat_guid.take().or(other.chat_guid);
        self.created_at = self.created_at.or(other.created_at);
        self.delivered_at = self.delivered_at.or(other.delivered_at);
        self.read_at = self.read_at.or(other.read_at);
        if self.told.chat_guid.is_none() {
            self.told = other.told;
        }
        self.is_new |= other.is_new;
        if self.service == Service::Unknown {
            self.service = other.service;
        }
    }
}

/// What one report proves.
fn status(message: &GatewayMessage) -> &'static str {
    if message.read_at.is_some() {
        "read"
    } else if message.is_delivered || message.delivered_at.is_some() {
        "delivered"
    } else if message.error.is_some_and(|error| error != 0) {
        "failed"
    } else {
        "sent"
    }
}

/// The stronger evidence of one batch: proof of delivery beats an error row, an error row beats "it left".
const fn rank(status: &str) -> u8 {
    match status.as_bytes() {
        b"read" => 3,
        b"delivered" => 2,
        b"failed" => 1,
        _ => 0,
    }
}

/// Applies reports about messages of one line: `(event, is_update, message)`.
pub async fn apply(
    tx: &mut TenantTx,
    line_id: LineId,
    reports: Vec<(i64, bool, GatewayMessage)>,
) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    let mut ours: HashMap<String, Evidence> = HashMap::new();
    let (mut theirs, mut changes, mut tapbacks, mut files) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (event, is_update, message) in reports {
        if message.item_type != 0 || message.associated_guid.is_some() || message.is_preview {
            // changes of a group, reactions, and what draws a link are no messages
            applied.done.push(event);
            tapbacks.extend(Tapback::of(&message));
            if let (RENAMED, Some(group), Some(name)) = (message.item_type, &message.group_id, &message.group_name) {
                arrivals::rename_group(tx, line_id, group, name).await?;
            }
            continue;
        }
        changes.extend(Change::of(&message));
        files.extend(Noted::of(&message));
        if message.from_me {
            let evidence = Evidence::of(event, is_update, message);
            match ours.get_mut(&evidence.guid) {
                Some(known) => known.join(evidence),
                None => {
                    ours.insert(evidence.guid.clone(), evidence);
                }
            }
        } else {
            applied.done.push(event);
            // an update of a message we do not know is a message all the same, unless it says too little to be filed
            theirs.push(message);
        }
    }
    applied.stored = arrivals::store(tx, line_id, theirs).await?;
    let unmatched = match_ours(tx, line_id, ours.into_values().collect(), &mut applied).await?;
    settle_unmatched(tx, line_id, unmatched, &mut applied).await?;
    changes::apply(tx, line_id, &changes).await?;
    tapbacks::apply(tx, line_id, &tapbacks).await?;
    media::note(tx, line_id, &files).await?;
    Ok(applied)
}

#[derive(sqlx::FromRow)]
struct Moved {
    ord: i64,
    message_id: Uuid,
    conversation_id: Uuid,
    status: String,
    reason: Option<String>,
    has_moved: bool,
    campaign_id: Option<Uuid>,
}

/// Moves the messages that the evidence is about, and their recipients; answers the evidence about no message we know.
async fn match_ours(
    tx: &mut TenantTx,
    line_id: LineId,
    evidence: Vec<Evidence>,
    applied: &mut Applied,
) -> Result<Vec<Evidence>, Error> {
    if evidence.is_empty() {
        return Ok(evidence);
    }
    let column = |pick: fn(&Evidence) -> Option<DateTime<Utc>>| -> Vec<Option<DateTime<Utc>>> {
        evidence.iter().map(pick).collect()
    };
    let moved: Vec<Moved> = sqlx::query_as(
        "with e as materialized (
           select u.* from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
             with ordinality u(guid, temp_guid, status, error, service, chat_guid, delivered_at, read_at, ord)),
         m as materialized (
           select e.*, x.id from e cross join lateral (
             select x.id from crm.messages x where x.tenant_id = app.tenant_id() and x.line_id = $1 and x.guid = e.guid
             union
             select x.id from crm.messages x where x.tenant_id = app.tenant_id() and x.client_guid = e.temp_guid
             limit 1) x),
         -- rows are locked in one order by everybody: recipients by id, then messages by id
         lr as materialized (
           select r.id from crm.recipients r where r.tenant_id = app.tenant_id() and r.id in (select m.id from m) order by r.id for update),
         lm as materialized (
           select x.id from crm.messages x where x.tenant_id = app.tenant_id() and x.id in (select m.id from m) and (select count(*) from lr) >= 0
            order by x.id for update),
         best as materialized (select distinct on (m.id) m.* from m join lm on lm.id = m.id order by m.id, m.ord),
         before as materialized (
           select x.id, x.conversation_id, x.status, x.reason from crm.messages x join best on best.id = x.id where x.tenant_id = app.tenant_id()),
         up as (
           update crm.messages x set
               status = crm.next_status(x.status, b.status),
               reason = case when crm.next_status(x.status, b.status) = 'failed' then case when x.status = 'failed' then x.reason else coalesce('gateway_error_' || b.error, x.reason) end
                             when crm.next_status(x.status, b.status) in ('sent', 'delivered', 'read') then null else x.reason end,
               -- another row may have taken the guid: it keeps it
               guid = case when x.guid is null and not exists (select from crm.messages o where o.tenant_id = x.tenant_id and o.line_id = $1 and o.guid = b.guid)
                           then b.guid else x.guid end,
               service = case when b.service = 'unknown' then x.service else b.service end,
               sent_at = case when b.status = 'failed' then x.sent_at else coalesce(x.sent_at, app.now()) end,
               delivered_at = coalesce(x.delivered_at, b.delivered_at, case when b.status in ('delivered', 'read') then app.now() end),
               read_at = coalesce(x.read_at, b.read_at)
             from best b where x.tenant_id = app.tenant_id() and x.id = b.id
              -- most reports say what is known already: they write nothing
              and (crm.next_status(x.status, b.status) <> x.status or x.guid is null or b.service not in ('unknown', x.service))
           returning x.id, x.conversation_id, x.status, x.reason, b.chat_guid, b.service),
         rec as (
           update crm.recipients r set
               state = crm.next_status(r.state, b.status),
               reason = case when crm.next_status(r.state, b.status) = 'failed' then case when r.state = 'failed' then r.reason else coalesce('gateway_error_' || b.error, r.reason) end
                             when crm.next_status(r.state, b.status) in ('sent', 'delivered', 'read') then null else r.reason end,
               sent_at = case when b.status = 'failed' then r.sent_at else coalesce(r.sent_at, app.now()) end
             from best b where r.tenant_id = app.tenant_id() and r.id = b.id and crm.next_status(r.state, b.status) <> r.state
           returning r.id, r.campaign_id),
         conv as (
           update crm.conversations c set chat_guid = coalesce(z.chat_guid, c.chat_guid), service = case when z.service = 'unknown' then c.service else z.service end
             from (select distinct on (up.conversation_id) up.conversation_id, up.chat_guid, up.service from up order by up.conversation_id) z
            where c.tenant_id = app.tenant_id() and c.id = z.conversation_id
              and (c.chat_guid is null and z.chat_guid is not null or z.service not in ('unknown', c.service)))
         select m.ord, b.id as message_id, b.conversation_id, coalesce(up.status, b.status) as status, case when up.id is null then b.reason else up.reason end as reason,
                coalesce(up.status <> b.status, false) as has_moved, rec.campaign_id
           from m join before b on b.id = m.id left join up on up.id = m.id left join rec on rec.id = m.id",
    )
    .bind(line_id)
    .bind(evidence.iter().map(|row| row.guid.as_str()).collect::<Vec<_>>())
    .bind(evidence.iter().map(|row| row.temp_guid.as_deref()).collect::<Vec<_>>())
    .bind(evidence.iter().map(|row| row.status).collect::<Vec<_>>())
    .bind(evidence.iter().map(|row| row.error).collect::<Vec<_>>())
    .bind(evidence.iter().map(|row| row.service.as_str()).collect::<Vec<_>>())
    .bind(evidence.iter().map(|row| row.chat_guid.as_deref()).collect::<Vec<_>>())
    .bind(column(|row| row.delivered_at))
    .bind(column(|row| row.read_at))
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    tell(tx, &moved).await?;
    let failed = moved.iter().filter(|row| row.has_moved && row.status == "failed").map(|row| row.message_id);
    fallback::consider(tx, &failed.collect::<Vec<_>>()).await?;
    let mut left: Vec<Option<Evidence>> = evidence.into_iter().map(Some).collect();
    for row in &moved {
        let place = usize::try_from(row.ord - 1).unwrap_or(usize::MAX);
        if let Some(matched) = left.get_mut(place).and_then(Option::take) {
            applied.done.extend(matched.events);
        }
    }
    Ok(left.into_iter().flatten().collect())
}

async fn tell(tx: &mut TenantTx, moved: &[Moved]) -> Result<(), Error> {
    let items: Vec<MessageStatus> = moved
        .iter()
        .filter(|row| row.has_moved)
        .map(|row| MessageStatus {
            message_id: row.message_id,
            conversation_id: row.conversation_id,
            status: row.status.clone(),
            reason: row.reason.clone(),
        })
        .collect();
    if !items.is_empty() {
        let tenant_id = tx.tenant_id();
        events::emit(tx, tenant_id, &Event::MessageStatus(items)).await?;
    }
    reactions::campaigns_moved(tx, moved.iter().filter_map(|row| row.campaign_id)).await
}

/// What is left after evidence about tries that were followed by another one.
async fn note_past(
    tx: &mut TenantTx,
    line_id: LineId,
    mut evidence: Vec<Evidence>,
    applied: &mut Applied,
) -> Result<Vec<Evidence>, Error> {
    let reports: Vec<attempts::Report<'_>> = evidence
        .iter()
        .map(|row| attempts::Report { guid: &row.guid, temp_guid: row.temp_guid.as_deref(), status: row.status })
        .collect();
    for place in attempts::note(tx, line_id, &reports).await?.into_iter().rev() {
        applied.done.extend(evidence.remove(place).events);
    }
    Ok(evidence)
}

/// Evidence about no message we know: a send in flight to that address may be it, so it waits; else it was sent from the device.
async fn settle_unmatched(
    tx: &mut TenantTx,
    line_id: LineId,
    unmatched: Vec<Evidence>,
    applied: &mut Applied,
) -> Result<(), Error> {
    let unmatched = note_past(tx, line_id, unmatched, applied).await?;
    if unmatched.is_empty() {
        return Ok(());
    }
    let addresses: Vec<&str> = unmatched.iter().filter_map(|row| row.address.as_deref()).collect();
    let in_flight: Vec<String> = sqlx::query_scalar(
        "select distinct x.address from crm.messages x
          where x.tenant_id = app.tenant_id() and x.line_id = $1 and x.address = any($2) and x.status in ('sending', 'unknown')
            and x.sending_at > app.now() - $3::text::interval",
    )
    .bind(line_id)
    .bind(&addresses)
    .bind(IN_FLIGHT)
    .fetch_all(tx.conn())
    .await?;
    let mut landed = Vec::new();
    for evidence in unmatched {
        match &evidence.address {
            Some(address) if in_flight.contains(address) => applied.waiting += evidence.events.len(),
            _ => landed.push(evidence),
        }
    }
    // a send may have been recorded after the first look and before the second: not in flight any more, and known by its guid now
    let foreign = match_ours(tx, line_id, landed, applied).await?;
    let mut from_device = Vec::new();
    for evidence in foreign {
        applied.done.extend(&evidence.events);
        if evidence.is_new && (evidence.text.is_some() || !evidence.told.attachments.is_empty()) {
            from_device.push((evidence.told, evidence.status));
        }
    }
    applied.stored.extend(arrivals::store_from_device(tx, line_id, from_device).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proof_of_delivery_beats_an_error_row_and_an_error_row_beats_having_left() {
        assert!(rank("read") > rank("delivered"));
        assert!(rank("delivered") > rank("failed"));
        assert!(rank("failed") > rank("sent"));
    }
}
