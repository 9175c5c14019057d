//! One message of a conversation, sent by a job of its own: marked under the lease, called once, recorded with the job's completion.
//! Campaigns send by their own outbox; this is for what a person or the system writes.

use std::time::Duration;

use clients::gateway::SendText;
use db::{Id, Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, OnFate, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    events::{self, Event, MessageStatus},
    messaging::{
        call::{self, Ending},
        lines::{self, LineId},
        lost::FollowJobs,
        sweep,
    },
    queue,
};

/// Sends one message through its line.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendMessage {
    /// The message, queued.
    pub message_id: Uuid,
}

#[derive(sqlx::FromRow)]
struct Marked {
    line_id: LineId,
    address: String,
    body: String,
    client_guid: String,
    chat_guid: Option<String>,
}

impl Job<App> for SendMessage {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.send";
    const QUEUE: Queue = queue::OUTBOUND;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = call::RETRY;
    const TIMEOUT: Duration = call::TIMEOUT;
    const ON_FATE: Option<OnFate> = Some(OnFate::tell::<App, FollowJobs>());

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.message_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        if !jobs::hold(&mut tx, cx.lease).await? {
            return Ok(Done::Settled);
        }
        if self.withhold(&mut tx).await? {
            return Ok(Done::with(tx));
        }
        let Some(message) = self.mark(&mut tx, cx.lease.fence).await? else {
            // a worker died between the mark and the result: nobody knows whether the call was made
            self.doubt(&mut tx).await?;
            return Ok(Done::with(tx));
        };
        let line = lines::open(&cx.app, &mut tx, message.line_id).await?;
        tx.commit().await?;
        let text = SendText {
            client_guid: message.client_guid,
            chat_guid: Some(message.chat_guid.unwrap_or_else(|| format!("{};-;{}", line.chat_prefix, message.address))),
            address: message.address,
            text: message.body,
            method: None,
        };
        let ending = call::send(&cx, &line, message.line_id, text, std::future::pending()).await;
        let mut tx = cx.tx().await?;
        self.record(&mut tx, &ending).await?;
        match ending {
            Ending::Again { after_s, reason } => {
                tx.commit().await?;
                Err(JobError::Retry { error: reason, after: Some(Duration::from_secs_f64(after_s)) })
            }
            Ending::Later { after_s } => {
                tx.commit().await?;
                Err(JobError::Snooze { wait: Duration::from_secs_f64(after_s) })
            }
            Ending::Unknown { .. } => {
                sweep::enqueue(&mut tx, message.line_id, line.resolve_after).await?;
                Ok(Done::with(tx))
            }
            Ending::Sent { .. } | Ending::Failed { .. } => Ok(Done::with(tx)),
        }
    }
}

impl SendMessage {
    /// A job that was given up and runs again may start before its message has been told so: it takes the message as it finds it.
    async fn mark(&self, tx: &mut TenantTx, fence: i64) -> Result<Option<Marked>, Error> {
        Ok(sqlx::query_as(
            "update crm.messages x set status = 'sending', reason = null, sending_at = app.now(), sending_fence = $2
               from crm.conversations c
              where x.tenant_id = app.tenant_id() and x.id = $1 and c.tenant_id = x.tenant_id and c.id = x.conversation_id
                and (x.status = 'queued' or crm.has_lost_its_job(x.status, x.reason) or x.status = 'sending' and x.sending_fence = $2)
             returning x.line_id, x.address, x.body, x.client_guid, c.chat_guid",
        )
        .bind(self.message_id)
        .bind(fence)
        .fetch_optional(tx.conn())
        .await?)
    }

    /// Whoever has said stop since the message was queued does not get it. What the system writes goes out all the same: it confirms the stop.
    async fn withhold(&self, tx: &mut TenantTx) -> Result<bool, Error> {
        let withheld: Option<(Uuid, String)> = sqlx::query_as(
            "update crm.messages x set status = 'cancelled', reason = s.reason
               from (select l.address, max(l.reason) as reason from crm.suppressions l where l.tenant_id = app.tenant_id()
                        and l.address = (select y.address from crm.messages y where y.tenant_id = app.tenant_id() and y.id = $1) group by 1) s
              where x.tenant_id = app.tenant_id() and x.id = $1 and (x.status = 'queued' or crm.has_lost_its_job(x.status, x.reason)) and x.source = 'user' and s.address = x.address
             returning x.conversation_id, x.reason",
        )
        .bind(self.message_id)
        .fetch_optional(tx.conn())
        .await?;
        let Some((conversation_id, reason)) = withheld else { return Ok(false) };
        let item = MessageStatus {
            message_id: self.message_id,
            conversation_id,
            status: "cancelled".to_owned(),
            reason: Some(reason),
        };
        let tenant_id = tx.tenant_id();
        events::emit(tx, tenant_id, &Event::MessageStatus(vec![item])).await?;
        Ok(true)
    }

    async fn doubt(&self, tx: &mut TenantTx) -> Result<(), Error> {
        let line: Option<(LineId, i32)> = sqlx::query_as(
            "update crm.messages x set status = 'unknown', reason = 'worker_died' from crm.lines l
              where x.tenant_id = app.tenant_id() and x.id = $1 and x.status = 'sending' and l.tenant_id = x.tenant_id and l.id = x.line_id
             returning l.id, l.resolve_after_s",
        )
        .bind(self.message_id)
        .fetch_optional(tx.conn())
        .await?;
        if let Some((line_id, seconds)) = line {
            sweep::enqueue(tx, line_id, Duration::from_secs(u64::try_from(seconds).unwrap_or(200))).await?;
        }
        Ok(())
    }

    async fn record(&self, tx: &mut TenantTx, ending: &Ending) -> Result<(), Error> {
        let (guid, service) = match ending {
            Ending::Sent { guid, service } => (guid.as_deref(), *service),
            Ending::Failed { .. } | Ending::Unknown { .. } | Ending::Again { .. } | Ending::Later { .. } => {
                (None, "unknown")
            }
        };
        let (conversation_id, status, reason): (Uuid, String, Option<String>) = sqlx::query_as(
            "update crm.messages x set
                 status = case when $2 = 'again' then case when x.status = 'sending' then 'queued' else x.status end else crm.next_status(x.status, $2) end,
                 reason = case when $2 = 'sent' then null else $3 end,
                 guid = case when x.guid is null and $4::text is not null
                                  and not exists (select from crm.messages o where o.tenant_id = x.tenant_id and o.line_id = x.line_id and o.guid = $4)
                             then $4 else x.guid end,
                 service = case when $5 = 'unknown' then x.service else $5 end,
                 sent_at = case when $2 = 'sent' then coalesce(x.sent_at, app.now()) else x.sent_at end
              where x.tenant_id = app.tenant_id() and x.id = $1
             returning x.conversation_id, x.status, x.reason",
        )
        .bind(self.message_id)
        .bind(ending.word())
        .bind(ending.reason())
        .bind(guid)
        .bind(service)
        .fetch_one(tx.conn())
        .await?;
        let tenant_id = tx.tenant_id();
        let item = MessageStatus { message_id: self.message_id, conversation_id, status, reason };
        events::emit(tx, tenant_id, &Event::MessageStatus(vec![item])).await?;
        Ok(())
    }
}

/// A message that a program writes to an address, with the job that will send it.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The message, and so its job.
    pub message_id: Uuid,
    /// The line it goes out by.
    pub line_id: Uuid,
    /// To whom, as messages carry it.
    pub address: String,
    /// What.
    pub text: String,
}

/// Stores messages whose jobs have been enqueued in this transaction, with their conversations where there are none yet.
pub(crate) async fn store(tx: &mut TenantTx, drafts: &[Draft]) -> Result<(), Error> {
    sqlx::query(
        "with a as materialized (
           select u.message_id, u.conversation_id, u.line_id, u.address, u.text
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) u(message_id, conversation_id, line_id, address, text)),
         c as (
           insert into crm.conversations (id, line_id, address, contact_id)
             select distinct on (a.line_id, a.address) a.conversation_id, a.line_id, a.address,
                    (select k.id from crm.contacts k where k.tenant_id = app.tenant_id() and k.phone = a.address order by k.id limit 1)
               from a order by a.line_id, a.address
           on conflict (tenant_id, line_id, address) do update set address = excluded.address
           returning id, line_id, address)
         insert into crm.messages (id, conversation_id, line_id, direction, source, address, body, status, client_guid)
           select a.message_id, c.id, a.line_id, 'outbound', 'user', a.address, a.text, 'queued', 'paloma-' || a.message_id
             from a join c on c.line_id = a.line_id and c.address = a.address order by a.message_id",
    )
    .bind(drafts.iter().map(|draft| draft.message_id).collect::<Vec<_>>())
    .bind(drafts.iter().map(|_| Id::<Draft>::new().uuid()).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.line_id).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.address.as_str()).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.text.as_str()).collect::<Vec<_>>())
    .persistent(false)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Queues a message that the system writes into a conversation, before all bulk work of the line.
pub(crate) async fn queue_system(tx: &mut TenantTx, conversation_id: Uuid, text: &str) -> Result<(), Error> {
    let message_id = Id::<SendMessage>::new().uuid();
    let line_id: LineId = sqlx::query_scalar(
        "insert into crm.messages (id, conversation_id, line_id, direction, source, address, body, status, client_guid)
           select $1, c.id, c.line_id, 'outbound', 'system', c.address, $3, 'queued', 'paloma-' || $1::uuid
             from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $2
         returning line_id",
    )
    .bind(message_id)
    .bind(conversation_id)
    .bind(text)
    .fetch_one(tx.conn())
    .await?;
    let lane = format!("line/{line_id}/direct");
    if let Some(gate) = jobs::gate::find(tx, &lines::gate_key(line_id)).await? {
        jobs::lane::configure(tx, queue::OUTBOUND, &lane, 0, &[gate.id]).await?;
    }
    Enqueue::<App, SendMessage>::new().lane(lane).class(0).one(tx, &SendMessage { message_id }).await?;
    Ok(())
}
