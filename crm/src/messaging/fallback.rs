//! When a message goes out over SMS after all (rules.md D17): the gateway said that the other side has no iMessage, before the send or by the
//! error of the send; or a person decided it for one that failed or that nobody can confirm. A receipt that is missing is never a reason. The
//! decision, its evidence and the job of the second try are one commit with the end of the first, so a worker that dies between the two loses
//! and repeats nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Error,
    messaging::{
        attempts,
        lines::{LineGateway, LineId},
        send,
    },
};

/// The error of a row whose other side can't be reached over iMessage. No other one says so.
pub const NOT_REACHABLE: &str = "gateway_error_22";
/// The most questions about addresses an hour and line: asked in bulk they look like spam.
const QUESTIONS_AN_HOUR: i64 = 30;

/// Who has decided for the second try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Fallback,
    Person,
}

/// Messages that have just failed: those whose error proves that there is no iMessage at the other side go out over SMS. A campaign's own message
/// is left to a person, since its audience was chosen for what the line costs.
pub(crate) async fn consider(tx: &mut TenantTx, failed: &[Uuid]) -> Result<(), Error> {
    if failed.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select m.id from crm.messages m join crm.lines l on l.tenant_id = m.tenant_id and l.id = m.line_id
          where m.tenant_id = app.tenant_id() and m.id = any($1) and m.status = 'failed' and m.reason = $2 and m.attempt = 0 and m.via is null
            and m.service not in ('sms', 'rcs') and m.direction = 'outbound' and m.source in ('user', 'system') and m.address ~ '^\\+[1-9][0-9]{6,14}$'
            and l.falls_back and l.sms_relay is distinct from false
            and not exists (select from crm.attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id)
          order by m.id for update of m",
    )
    .bind(failed)
    .bind(NOT_REACHABLE)
    .fetch_all(tx.conn())
    .await?;
    let evidence = json!({ "kind": "error", "code": 22, "at": tx.now() });
    second_try(tx, &ids, Cause::Fallback, &evidence).await
}

/// A person has a message sent as SMS that failed, or whose outcome nobody can find out.
pub async fn by_person(tx: &mut TenantTx, message_id: Uuid) -> Result<(), Error> {
    let refuse = |code, message: &str| Err(Error::conflict(code, message));
    #[derive(sqlx::FromRow)]
    struct Row {
        direction: String,
        status: String,
        reason: Option<String>,
        service: String,
        attempt: i16,
        is_phone: bool,
        has_files: bool,
        suppressed: bool,
        sms_relay: Option<bool>,
    }
    // of two who press at once the second finds what the first has made
    let row: Row = sqlx::query_as(
        "select m.direction, m.status, m.reason, m.service, m.attempt, m.address ~ '^\\+[1-9][0-9]{6,14}$' as is_phone, l.sms_relay,
                exists (select from crm.attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id) as has_files,
                exists (select from crm.suppressions s where s.tenant_id = m.tenant_id and s.address = m.address) as suppressed
           from crm.messages m join crm.lines l on l.tenant_id = m.tenant_id and l.id = m.line_id
          where m.tenant_id = app.tenant_id() and m.id = $1 for update of m",
    )
    .bind(message_id)
    .fetch_one(tx.conn())
    .await?;
    if row.direction != "outbound" || !row.is_phone {
        return refuse("not_for_sms", "only a message to a phone number can go out as SMS");
    }
    if row.attempt != 0 {
        return refuse("already_sent_as_sms", "this message has been sent as SMS already");
    }
    if row.has_files {
        return refuse("not_for_sms", "a message with files does not go out as SMS: send a link");
    }
    if row.service == "sms" || row.service == "rcs" {
        return refuse("not_for_sms", "this message was no iMessage");
    }
    match (row.status.as_str(), row.reason.as_deref()) {
        ("failed", _) | ("unknown", Some("held")) => {}
        ("unknown", _) => {
            return refuse("outcome_pending", "it is being looked up whether this message went out; wait for that");
        }
        _ => {
            return refuse(
                "message_not_failed",
                "only a message that failed, or that nobody can confirm, goes out again",
            );
        }
    }
    if row.suppressed {
        return refuse("recipient_opted_out", "this address may not be written to");
    }
    if row.sms_relay == Some(false) {
        return refuse("no_sms_relay", "no phone relays SMS for this line");
    }
    let evidence = json!({ "kind": "person", "by": tx.actor().to_string(), "first_status": row.status, "first_reason": row.reason, "at": tx.now() });
    second_try(tx, &[message_id], Cause::Person, &evidence).await
}

/// The message, still queued, will not go out over iMessage, since the gateway has said that nobody is there.
pub(super) async fn instead(tx: &mut TenantTx, message_id: Uuid, checked_at: DateTime<Utc>) -> Result<(), Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "update crm.messages m set status = 'cancelled', reason = 'not_on_imessage', service = 'imessage'
          where m.tenant_id = app.tenant_id() and m.id = $1 and m.status = 'queued' and m.attempt = 0 returning m.id",
    )
    .bind(message_id)
    .fetch_all(tx.conn())
    .await?;
    let evidence = json!({ "kind": "availability", "available": false, "checked_at": checked_at });
    second_try(tx, &ids, Cause::Fallback, &evidence).await
}

/// Keeps the message as it is as its first try and makes it the second, with the job that sends it. The rows are locked by the caller.
async fn second_try(tx: &mut TenantTx, ids: &[Uuid], cause: Cause, evidence: &Value) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "with m as materialized (select m.* from crm.messages m where m.tenant_id = app.tenant_id() and m.id = any($1) and m.attempt = 0)
         insert into crm.message_attempts (message_id, number, line_id, cause, evidence, service, status, reason, client_guid, guid, created_at, sent_at)
           select m.id, 1, m.line_id, 'first', null::jsonb, case when m.service = 'unknown' then 'imessage' else m.service end, m.status, m.reason, m.client_guid, m.guid, m.created_at, m.sent_at from m
           union all
           select m.id, 2, m.line_id, $2, $3, 'sms', 'queued', null, m.client_guid || '-sms', null, app.now(), null from m",
    )
    .bind(ids)
    .bind(match cause {
        Cause::Fallback => "fallback",
        Cause::Person => "person",
    })
    .bind(Json(evidence))
    .execute(tx.conn())
    .await?;
    let moved: Vec<(Uuid, Uuid, LineId)> = sqlx::query_as(
        "update crm.messages m set attempt = 2, via = 'sms', status = 'queued', reason = null, service = 'sms', guid = null,
             client_guid = m.client_guid || '-sms', sending_at = null, sending_fence = null, sent_at = null
          where m.tenant_id = app.tenant_id() and m.id = any($1) and m.attempt = 0
         returning m.id, m.conversation_id, m.line_id",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    for (message_id, _, line_id) in &moved {
        send::enqueue_as_sms(tx, *line_id, *message_id).await?;
    }
    let told = moved.into_iter().map(|(id, conversation_id, _)| {
        let (status, reason) = ("queued".to_owned(), None);
        attempts::Moved { id, conversation_id, status, reason }
    });
    attempts::tell(tx, told.collect()).await
}

/// What is known of an address before the first message to it, and whether it may be asked for.
#[derive(Debug)]
pub(super) enum Known {
    /// The gateway has been asked lately: nobody is there over iMessage.
    Absent(DateTime<Utc>),
    /// It has not, and may be.
    Ask,
    /// It is there, or is not to be asked for: iMessage is tried.
    Try,
}

/// What is known of the other side of a queued message. A conversation that has gone over some service has shown what works, which a question
/// would only put in doubt: its no is often wrong.
pub(super) async fn known(tx: &mut TenantTx, message_id: Uuid) -> Result<Known, Error> {
    let row: Option<(Option<bool>, Option<DateTime<Utc>>, bool)> = sqlx::query_as(
        "select h.is_imessage, h.checked_at,
                (select count(*) from (select from crm.handle_capabilities q where q.tenant_id = m.tenant_id and q.line_id = m.line_id
                     and q.checked_at > app.now() - interval '1 hour' limit $2) q) < $2
           from crm.messages m
           join crm.lines l on l.tenant_id = m.tenant_id and l.id = m.line_id
           join crm.conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
           left join crm.handle_capabilities h on h.tenant_id = m.tenant_id and h.line_id = m.line_id and h.address = m.address
                and h.checked_at > app.now() - case when h.is_imessage then interval '12 hours' else interval '10 minutes' end
          where m.tenant_id = app.tenant_id() and m.id = $1 and m.status = 'queued' and m.attempt = 0 and m.via is null
            and not exists (select from crm.attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id)
            and l.method = 'private_api' and l.falls_back and l.sms_relay is distinct from false and c.service = 'unknown'
            and m.address ~ '^\\+[1-9][0-9]{6,14}$'",
    )
    .bind(message_id)
    .bind(QUESTIONS_AN_HOUR)
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        Some((Some(false), Some(at), _)) => Known::Absent(at),
        Some((None, _, true)) => Known::Ask,
        _ => Known::Try,
    })
}

/// Asks the gateway whether the address is on iMessage; None where it does not say, which is no evidence of anything.
pub(super) async fn ask(line: &LineGateway, address: &str) -> Option<bool> {
    tokio::time::timeout(Duration::from_secs(10), line.gateway.availability(address)).await.ok()?.ok()
}

/// Keeps what the gateway has answered.
pub(super) async fn keep(tx: &mut TenantTx, line_id: LineId, address: &str, is_imessage: bool) -> Result<(), Error> {
    sqlx::query(
        "insert into crm.handle_capabilities (line_id, address, is_imessage) values ($1, $2, $3)
         on conflict (tenant_id, line_id, address) do update set is_imessage = excluded.is_imessage, checked_at = excluded.checked_at",
    )
    .bind(line_id)
    .bind(address)
    .bind(is_imessage)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps whether the line's gateway can send SMS at all.
pub(super) async fn keep_relay(tx: &mut TenantTx, line_id: LineId, said: Option<bool>) -> Result<(), Error> {
    sqlx::query("update crm.lines set sms_relay = $2 where tenant_id = app.tenant_id() and id = $1 and sms_relay is distinct from $2")
        .bind(line_id)
        .bind(said)
        .execute(tx.conn())
        .await?;
    Ok(())
}
