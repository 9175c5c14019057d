//! The tries of a message that was tried over a second service. The message is one of them at any time; what a gateway says of the other one is
//! kept on its row, and where that proves more than is known of the message, the message becomes that one.

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use serde::Serialize;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Error,
    events::{self, Event, MessageStatus},
    messaging::lines::LineId,
};

/// One try of a message.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = MessageAttempt)]
pub struct Attempt {
    /// 1, and 2 for the one that followed.
    pub number: i16,
    /// Why it was made: first, fallback, person.
    pub cause: String,
    /// imessage, sms, rcs, unknown.
    pub service: String,
    /// Where it stands, as a message does.
    pub status: String,
    /// Why, where there is a reason: a stable code.
    pub reason: Option<String>,
    /// What the decision to make it rested on; none of the first.
    #[schema(value_type = Option<serde_json::Value>)]
    pub evidence: Option<Json<serde_json::Value>>,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// The tries of a message, first to last. One that was tried once is its own try.
pub async fn list(tx: &mut TenantTx, message_id: Uuid) -> Result<Vec<Attempt>, Error> {
    let only: Attempt = sqlx::query_as(
        "select 1::int2 as number, 'first' as cause, m.service, m.status, m.reason, null::jsonb as evidence, m.created_at as at
           from crm.messages m where m.tenant_id = app.tenant_id() and m.id = $1",
    )
    .bind(message_id)
    .fetch_one(tx.conn())
    .await?;
    let rows: Vec<Attempt> = sqlx::query_as(
        "select a.number, a.cause, a.service, a.status, a.reason, a.evidence, a.created_at as at
           from crm.message_attempts a where a.tenant_id = app.tenant_id() and a.message_id = $1 order by a.number",
    )
    .bind(message_id)
    .fetch_all(tx.conn())
    .await?;
    Ok(if rows.is_empty() { vec![only] } else { rows })
}

/// The tries of those messages that were tried twice, first to last.
pub(crate) async fn of_messages(tx: &mut TenantTx, messages: &[Uuid]) -> Result<Vec<(Uuid, Attempt)>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        message_id: Uuid,
        #[sqlx(flatten)]
        attempt: Attempt,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select a.message_id, a.number, a.cause, a.service, a.status, a.reason, a.evidence, a.created_at as at
           from crm.message_attempts a where a.tenant_id = app.tenant_id() and a.message_id = any($1) order by a.message_id, a.number",
    )
    .bind(messages)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.message_id, row.attempt)).collect())
}

/// A message that stands elsewhere now.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Moved {
    /// The message.
    pub id: Uuid,
    /// Its conversation.
    pub conversation_id: Uuid,
    /// Where it stands.
    pub status: String,
    /// Why, where there is a reason.
    pub reason: Option<String>,
}

/// What a gateway reports, as far as it matters to a try that its message is not any more.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// The gateway's id.
    pub guid: &'a str,
    /// Ours.
    pub temp_guid: Option<&'a str>,
    /// What it proves.
    pub status: &'static str,
}

/// Notes reports about tries that their messages are not any more; answers which of the reports were such.
pub(super) async fn note(tx: &mut TenantTx, line_id: LineId, reports: &[Report<'_>]) -> Result<Vec<usize>, Error> {
    if reports.is_empty() {
        return Ok(Vec::new());
    }
    let noted: Vec<(i64, Uuid)> = sqlx::query_as(
        "with e as materialized (
           select u.* from unnest($2::text[], $3::text[], $4::text[]) with ordinality u(guid, temp_guid, status, ord)),
         p as materialized (
           select e.*, a.message_id, a.number from e cross join lateral (
             select a.message_id, a.number from crm.message_attempts a where a.tenant_id = app.tenant_id() and a.line_id = $1 and a.guid = e.guid
             union
             select a.message_id, a.number from crm.message_attempts a where a.tenant_id = app.tenant_id() and a.client_guid = e.temp_guid
             limit 1) a),
         -- the message first: whoever moves it moves its try
         m as materialized (
           select m.id, m.attempt from crm.messages m where m.tenant_id = app.tenant_id() and m.id in (select p.message_id from p) order by m.id for update),
         best as materialized (
           select distinct on (p.message_id, p.number) p.* from p join m on m.id = p.message_id and m.attempt <> p.number
            order by p.message_id, p.number, array_position(array['read', 'delivered', 'failed', 'sent'], p.status)),
         up as (
           update crm.message_attempts a set status = crm.next_status(a.status, b.status), guid = coalesce(a.guid, b.guid),
               reason = case when crm.next_status(a.status, b.status) in ('sent', 'delivered', 'read') then null else a.reason end,
               sent_at = case when b.status = 'failed' then a.sent_at else coalesce(a.sent_at, app.now()) end
             from best b where a.tenant_id = app.tenant_id() and a.message_id = b.message_id and a.number = b.number)
         select p.ord, p.message_id from p join m on m.id = p.message_id and m.attempt <> p.number order by p.ord",
    )
    .bind(line_id)
    .bind(reports.iter().map(|row| row.guid).collect::<Vec<_>>())
    .bind(reports.iter().map(|row| row.temp_guid).collect::<Vec<_>>())
    .bind(reports.iter().map(|row| row.status).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let messages: Vec<Uuid> = noted.iter().map(|(_, message)| *message).collect();
    prefer_proven(tx, &messages).await?;
    Ok(noted.into_iter().filter_map(|(ord, _)| usize::try_from(ord - 1).ok()).collect())
}

/// A message whose other try has proven to be further is that one from here on; a second try that still waits is not made any more.
pub(super) async fn prefer_proven(tx: &mut TenantTx, messages: &[Uuid]) -> Result<(), Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let moved: Vec<Moved> = sqlx::query_as(
        "with x as materialized (
           select m.id, m.attempt as given_up, a.number, a.status, a.service, a.client_guid,
                  case when not exists (select from crm.messages o where o.tenant_id = m.tenant_id and o.line_id = m.line_id and o.guid = a.guid and o.id <> m.id) then a.guid end as guid,
                  a.sent_at
             from crm.messages m join crm.message_attempts a on a.tenant_id = m.tenant_id and a.message_id = m.id and a.number <> m.attempt
            where m.tenant_id = app.tenant_id() and m.id = any($1) and a.status in ('sent', 'delivered', 'read')
              and (m.status in ('failed', 'cancelled') or crm.next_status(m.status, a.status) <> m.status)
            order by m.id for update of m),
         off as (
           update crm.message_attempts a set status = 'cancelled', reason = 'first_arrived'
             from x where a.tenant_id = app.tenant_id() and a.message_id = x.id and a.number = x.given_up and a.status = 'queued')
         update crm.messages m set attempt = x.number, status = x.status, reason = null, service = x.service, guid = x.guid, client_guid = x.client_guid,
             via = null, sent_at = coalesce(x.sent_at, app.now()),
             delivered_at = coalesce(m.delivered_at, case when x.status in ('delivered', 'read') then app.now() end),
             read_at = coalesce(m.read_at, case when x.status = 'read' then app.now() end)
           from x where m.tenant_id = app.tenant_id() and m.id = x.id
         returning m.id, m.conversation_id, m.status, m.reason",
    )
    .bind(messages)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    tell(tx, moved).await
}

/// Tells live clients where messages stand.
pub(super) async fn tell(tx: &mut TenantTx, moved: Vec<Moved>) -> Result<(), Error> {
    if moved.is_empty() {
        return Ok(());
    }
    let items = moved.into_iter().map(|Moved { id: message_id, conversation_id, status, reason }| MessageStatus {
        message_id,
        conversation_id,
        status,
        reason,
    });
    let (tenant_id, event) = (tx.tenant_id(), Event::MessageStatus(items.collect()));
    events::emit(tx, tenant_id, &event).await?;
    Ok(())
}
