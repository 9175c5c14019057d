//! One message of a conversation, sent by a job of its own: marked under the lease, called once, recorded with the job's completion.
//! Campaigns send by their own outbox; this is for what a person or the system writes, and for the second try over SMS.

use std::time::Duration;

use clients::gateway::{SendFile, SendText};
use db::{Id, Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, OnFate, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    messaging::{
        attempts::{self, Moved},
        call::{self, Ending},
        fallback::{self, Known},
        lines::{self, LineGateway, LineId},
        lost::FollowJobs,
        media::{
            self,
            upload::{Brought, ToSend},
        },
        sweep,
    },
    queue, reactions,
    tenancy::tenants,
};

/// Sends one message through its line.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendMessage {
    /// The message, queued.
    pub message_id: Uuid,
}

/// Sends one message over SMS that could not go out over iMessage. A kind of its own: a worker that knows only the other one would send it
/// over iMessage once more.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendAsSms {
    /// The message, queued, by now its second try.
    pub message_id: Uuid,
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
        Try { message_id: self.message_id, attempt: 0 }.run(cx).await
    }
}

impl Job<App> for SendAsSms {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.send_as_sms";
    const QUEUE: Queue = queue::OUTBOUND;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = call::RETRY;
    const TIMEOUT: Duration = call::TIMEOUT;
    const ON_FATE: Option<OnFate> = Some(OnFate::tell::<App, FollowJobs>());

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.message_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        Try { message_id: self.message_id, attempt: 2 }.run(cx).await
    }
}

/// One try of a message: 0 is the only one so far, 2 the one over SMS.
#[derive(Debug, Clone, Copy)]
struct Try {
    message_id: Uuid,
    attempt: i16,
}

#[derive(sqlx::FromRow)]
struct Marked {
    line_id: LineId,
    address: String,
    body: String,
    client_guid: String,
    chat_guid: Option<String>,
    service: String,
    reply_to: Option<String>,
}

impl Marked {
    /// What worked last time goes over SMS at once, where the chat that is known is not the one it worked in.
    fn is_for_sms(&self) -> bool {
        let is_elsewhere = self.chat_guid.as_deref().is_none_or(|guid| guid.starts_with("iMessage;-;"));
        self.service == "sms" && is_elsewhere && self.address.starts_with('+')
    }
}

impl Try {
    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        if !jobs::hold(&mut tx, cx.lease).await? {
            return Ok(Done::Settled);
        }
        if tenants::is_still(&mut tx).await? {
            return Err(JobError::Snooze { wait: call::STILL });
        }
        if self.withhold(&mut tx).await? {
            return Ok(Done::with(tx));
        }
        match self.ask_first(&cx, tx).await? {
            Some(decided) => return Ok(Done::with(decided)),
            None => tx = cx.tx().await?,
        }
        let files = match media::upload::to_send(&mut tx, self.message_id).await? {
            ToSend::Files(files) if files.is_empty() => Ok(Brought::default()),
            ToSend::Files(files) => {
                // a file may be long, and the bucket slow: nothing is marked or held meanwhile
                drop(tx);
                let brought = media::upload::bring(&cx.app, files).await;
                tx = cx.tx().await?;
                if !jobs::hold(&mut tx, cx.lease).await? {
                    return Ok(Done::Settled);
                }
                brought.map_err(|error| call::without_files(&cx, &error))
            }
            ToSend::NotYet => Err(Ending::Later { after_s: 1.0, reason: "file_not_ready" }),
            ToSend::Never(reason) => Err(Ending::Failed { reason: reason.to_owned(), guid: None }),
        };
        let Some(message) = self.mark(&mut tx, cx.lease.fence).await? else {
            // a worker died between the mark and the result: nobody knows whether the call was made
            self.doubt(&mut tx).await?;
            return Ok(Done::with(tx));
        };
        let line = lines::open(&cx.app, &mut tx, message.line_id).await?;
        tx.commit().await?;
        let line_id = message.line_id;
        let ending = match files {
            Ok(brought) => self.call(&cx, &line, message, &brought.files).await,
            Err(ending) => ending,
        };
        let mut tx = cx.tx().await?;
        self.record(&mut tx, &ending).await?;
        match ending {
            Ending::Again { after_s, reason } => {
                tx.commit().await?;
                Err(JobError::Retry { error: reason, after: Some(Duration::from_secs_f64(after_s)) })
            }
            Ending::Later { after_s, .. } => {
                tx.commit().await?;
                Err(JobError::Snooze { wait: Duration::from_secs_f64(after_s) })
            }
            Ending::Unknown { reason } => {
                // a row that is there already can be read at once
                let wait = if reason == sweep::ROW_IN_ERROR { Duration::ZERO } else { line.resolve_after };
                sweep::enqueue(&mut tx, line_id, wait).await?;
                Ok(Done::with(tx))
            }
            Ending::Sent { .. } | Ending::Failed { .. } => Ok(Done::with(tx)),
        }
    }

    async fn call(self, cx: &Cx<App, Tenant>, line: &LineGateway, message: Marked, files: &[SendFile]) -> Ending {
        let is_for_sms = self.attempt == 2 || message.is_for_sms();
        let text = SendText {
            client_guid: message.client_guid,
            chat_guid: Some(message.chat_guid.unwrap_or_else(|| format!("{};-;{}", line.chat_prefix, message.address))),
            address: message.address,
            text: message.body,
            reply_to: message.reply_to,
            method: None,
        };
        if !files.is_empty() {
            call::send_files(cx, line, message.line_id, text, files).await
        } else if is_for_sms {
            call::send_as_sms(cx, line, message.line_id, text).await
        } else {
            call::send(cx, line, message.line_id, text, std::future::pending()).await
        }
    }

    /// Before the first message to somebody the gateway may be asked whether they are on iMessage. Answers the transaction in which it was decided
    /// that they are not.
    async fn ask_first(self, cx: &Cx<App, Tenant>, mut tx: TenantTx) -> Result<Option<TenantTx>, Error> {
        if self.attempt != 0 {
            return Ok(None);
        }
        let at = match fallback::known(&mut tx, self.message_id).await? {
            Known::Try => return Ok(None),
            Known::Absent(at) => at,
            Known::Ask => {
                let (line_id, address): (LineId, String) = sqlx::query_as(
                    "select line_id, address from crm.messages where tenant_id = app.tenant_id() and id = $1",
                )
                .bind(self.message_id)
                .fetch_one(tx.conn())
                .await?;
                let line = lines::open(&cx.app, &mut tx, line_id).await?;
                drop(tx);
                let Some(is_there) = fallback::ask(&line, &address).await else { return Ok(None) };
                tx = cx.tx().await?;
                fallback::keep(&mut tx, line_id, &address, is_there).await?;
                if is_there {
                    tx.commit().await?;
                    return Ok(None);
                }
                tx.now()
            }
        };
        if !jobs::hold(&mut tx, cx.lease).await? {
            return Ok(Some(tx));
        }
        fallback::instead(&mut tx, self.message_id, at).await?;
        Ok(Some(tx))
    }

    /// A job that was given up and runs again may start before its message has been told so: it takes the message as it finds it.
    async fn mark(self, tx: &mut TenantTx, fence: i64) -> Result<Option<Marked>, Error> {
        Ok(sqlx::query_as(
            "update crm.messages x set status = 'sending', reason = null, sending_at = app.now(), sending_fence = $2
               from crm.conversations c
              where x.tenant_id = app.tenant_id() and x.id = $1 and c.tenant_id = x.tenant_id and c.id = x.conversation_id and x.attempt = $3
                and (x.status = 'queued' or crm.has_lost_its_job(x.status, x.reason) or x.status = 'sending' and x.sending_fence = $2)
             returning x.line_id, x.address, x.body, x.client_guid, c.chat_guid, c.service,
                 (select t.guid from crm.messages t where t.tenant_id = x.tenant_id and t.id = x.reply_to_id and t.line_id = x.line_id) as reply_to",
        )
        .bind(self.message_id)
        .bind(fence)
        .bind(self.attempt)
        .fetch_optional(tx.conn())
        .await?)
    }

    /// Whoever has said stop since the message was queued does not get it. What the system writes goes out all the same: it confirms the stop.
    async fn withhold(self, tx: &mut TenantTx) -> Result<bool, Error> {
        let withheld: Option<(Uuid, String)> = sqlx::query_as(
            "update crm.messages x set status = 'cancelled', reason = s.reason
               from (select l.address, max(l.reason) as reason from crm.suppressions l where l.tenant_id = app.tenant_id()
                        and l.address = (select y.address from crm.messages y where y.tenant_id = app.tenant_id() and y.id = $1) group by 1) s
              where x.tenant_id = app.tenant_id() and x.id = $1 and (x.status = 'queued' or crm.has_lost_its_job(x.status, x.reason)) and x.source <> 'system' and s.address = x.address
                and (not x.despite_opt_out or exists (select from crm.suppressions b where b.tenant_id = x.tenant_id and b.address = x.address and b.reason = 'blacklisted'))
             returning x.conversation_id, x.reason",
        )
        .bind(self.message_id)
        .fetch_optional(tx.conn())
        .await?;
        let Some((conversation_id, reason)) = withheld else { return Ok(false) };
        let (status, reason) = ("cancelled".to_owned(), Some(reason));
        attempts::tell(tx, vec![Moved { id: self.message_id, conversation_id, status, reason }]).await?;
        Ok(true)
    }

    async fn doubt(self, tx: &mut TenantTx) -> Result<(), Error> {
        let line: Option<(LineId, i32)> = sqlx::query_as(
            "update crm.messages x set status = 'unknown', reason = 'worker_died' from crm.lines l
              where x.tenant_id = app.tenant_id() and x.id = $1 and x.status = 'sending' and x.attempt = $2 and l.tenant_id = x.tenant_id and l.id = x.line_id
             returning l.id, l.resolve_after_s",
        )
        .bind(self.message_id)
        .bind(self.attempt)
        .fetch_optional(tx.conn())
        .await?;
        if let Some((line_id, seconds)) = line {
            sweep::enqueue(tx, line_id, Duration::from_secs(u64::try_from(seconds).unwrap_or(200))).await?;
        }
        Ok(())
    }

    async fn record(self, tx: &mut TenantTx, ending: &Ending) -> Result<(), Error> {
        let service = if let Ending::Sent { service, .. } = ending { *service } else { "unknown" };
        let moved: Option<(Uuid, String, Option<String>, String)> = sqlx::query_as(
            "update crm.messages x set
                 status = case when $2 = 'again' then case when x.status = 'sending' then 'queued' else x.status end else crm.next_status(x.status, $2) end,
                 reason = case when $2 = 'sent' then null else $3 end,
                 guid = case when x.guid is null and $4::text is not null
                                  and not exists (select from crm.messages o where o.tenant_id = x.tenant_id and o.line_id = x.line_id and o.guid = $4)
                             then $4 else x.guid end,
                 service = case when $5 = 'unknown' then x.service else $5 end,
                 sent_at = case when $2 = 'sent' then coalesce(x.sent_at, app.now()) else x.sent_at end
              where x.tenant_id = app.tenant_id() and x.id = $1 and x.attempt = $6
             returning x.conversation_id, x.status, x.reason, x.source",
        )
        .bind(self.message_id)
        .bind(ending.word())
        .bind(ending.reason())
        .bind(ending.guid())
        .bind(service)
        .bind(self.attempt)
        .fetch_optional(tx.conn())
        .await?;
        let Some((conversation_id, status, reason, source)) = moved else { return self.record_aside(tx, ending).await };
        if source == "campaign" {
            self.record_recipient(tx, &status).await?;
        }
        if service != "unknown" {
            // what has worked is how the next one goes
            sqlx::query("update crm.conversations set service = $2 where tenant_id = app.tenant_id() and id = $1 and service <> $2")
                .bind(conversation_id)
                .bind(service)
                .execute(tx.conn())
                .await?;
        }
        let has_failed = status == "failed";
        attempts::tell(tx, vec![Moved { id: self.message_id, conversation_id, status, reason }]).await?;
        if has_failed && self.attempt == 0 {
            fallback::consider(tx, &[self.message_id]).await?;
        } else if self.attempt != 0 {
            attempts::prefer_proven(tx, &[self.message_id]).await?;
        }
        Ok(())
    }

    /// While this try was under way the other one has proven to have arrived, and the message is that one.
    async fn record_aside(self, tx: &mut TenantTx, ending: &Ending) -> Result<(), Error> {
        sqlx::query(
            "update crm.message_attempts a set status = case when $3 = 'again' then 'cancelled' else crm.next_status(a.status, $3) end, reason = $4, guid = coalesce(a.guid, $5)
              where a.tenant_id = app.tenant_id() and a.message_id = $1 and a.number = $2",
        )
        .bind(self.message_id)
        .bind(self.attempt)
        .bind(ending.word())
        .bind(ending.reason())
        .bind(ending.guid())
        .execute(tx.conn())
        .await?;
        Ok(())
    }

    /// A campaign's message that a person has sent as SMS is out, and its recipient with it.
    async fn record_recipient(self, tx: &mut TenantTx, status: &str) -> Result<(), Error> {
        let campaign: Option<Uuid> = sqlx::query_scalar(
            "update crm.recipients r set state = $2, reason = null, sent_at = coalesce(r.sent_at, app.now())
              where r.tenant_id = app.tenant_id() and r.id = $1 and r.state in ('failed', 'held', 'unknown') and $2 = 'sent' returning r.campaign_id",
        )
        .bind(self.message_id)
        .bind(status)
        .fetch_optional(tx.conn())
        .await?;
        reactions::campaigns_moved(tx, campaign).await
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
    /// Files that go with it.
    pub media: Vec<Uuid>,
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
             from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $2 for no key update
         returning line_id",
    )
    .bind(message_id)
    .bind(conversation_id)
    .bind(text)
    .fetch_one(tx.conn())
    .await?;
    enqueue_direct(tx, line_id, message_id).await
}

/// Enqueues the job of a message that somebody waits for, before all bulk work of its line.
pub(crate) async fn enqueue_direct(tx: &mut TenantTx, line_id: LineId, message_id: Uuid) -> Result<(), Error> {
    enqueue_first(tx, line_id, &SendMessage { message_id }).await
}

/// The same of a message that goes out over SMS.
pub(super) async fn enqueue_as_sms(tx: &mut TenantTx, line_id: LineId, message_id: Uuid) -> Result<(), Error> {
    enqueue_first(tx, line_id, &SendAsSms { message_id }).await
}

async fn enqueue_first<J: Job<App, Scope = Tenant>>(tx: &mut TenantTx, line_id: LineId, job: &J) -> Result<(), Error> {
    let lane = format!("line/{line_id}/direct");
    if let Some(gate) = jobs::gate::find(tx, &lines::gate_key(line_id)).await? {
        jobs::lane::configure(tx, queue::OUTBOUND, &lane, 0, &[gate.id]).await?;
    }
    Enqueue::<App, J>::new().lane(lane).class(0).one(tx, job).await?;
    Ok(())
}
