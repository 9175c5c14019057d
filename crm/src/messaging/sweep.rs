//! One sweep a line asks the gateway for what its webhooks may have lost: new rows, receipts, error rows found later, and the sends whose
//! outcome is unknown. Never one request a message.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use clients::gateway::{GatewayMessage, Service, text_key};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    messaging::{
        apply, attempts, fallback, health,
        lines::{self, LineGateway, LineId},
    },
    queue, reactions,
};

/// Rows asked for at once.
const PAGE: u32 = 1000;
/// Pages read in one run: far more than a Mac can send while an outcome is unknown.
const PAGES: u32 = 500;
/// Receipts are looked for this long after a message was sent; SMS has none.
const RECEIPTS_FOR: &str = "1 hour";
/// A gateway has told of a message by then: one that is found later was missed.
const TOLD_WITHIN: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// Rows that are read again after a sweep of several pages.
const OVERLAP: i64 = 500;
/// The gateway's clock may differ by so much.
const SLACK_MS: i64 = 15_000;

/// Why an outcome is unknown that can be read at once: the gateway has said that the row of the message is there, in error.
pub(super) const ROW_IN_ERROR: &str = "row_in_error";

/// Sweeps one line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sweep {
    /// The line.
    pub line_id: LineId,
}

/// Has a line swept, after `wait`.
pub async fn enqueue(tx: &mut TenantTx, line_id: LineId, wait: Duration) -> Result<(), Error> {
    Enqueue::<App, Sweep>::new().wait(wait).one(tx, &Sweep { line_id }).await?;
    Ok(())
}

impl Job<App> for Sweep {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.sweep";
    const QUEUE: Queue = queue::INBOUND;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(30).from_secs(2).up_to_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(300);
    const UNIQUE: KeyScope = KeyScope::UntilStarted;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.line_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let line = lines::open(&cx.app, &mut tx, self.line_id).await?;
        doubt_abandoned(&mut tx, self.line_id).await?;
        let unknown = ripe(&mut tx, self.line_id, line.resolve_after).await?;
        let oldest = oldest_undelivered(&mut tx, self.line_id).await?;
        let now = tx.now();
        tx.commit().await?;
        match self.read_all(&cx, &line, &unknown, oldest, now).await {
            Ok((missed, found)) => {
                let mut tx = cx.keyed_tx().await?;
                health::keep(&mut tx, self.line_id, health::Found::Read { missed }).await?;
                resolve(&mut tx, self.line_id, unknown, found).await?;
                if let Some(next) = next_ripe(&mut tx, self.line_id, line.resolve_after).await? {
                    enqueue(&mut tx, self.line_id, next).await?;
                }
                Ok(Done::with(tx))
            }
            Err(Unread::Gateway(reason)) => {
                let mut tx = cx.tx().await?;
                health::keep(&mut tx, self.line_id, health::Found::Unreachable { reason }).await?;
                tx.commit().await?;
                Err(JobError::retry(format!("the gateway could not be read: {reason}")))
            }
            Err(Unread::Job(error)) => Err(error),
        }
    }
}

/// Why a line was not read to the end.
enum Unread {
    /// Its gateway did not answer: a stable code.
    Gateway(&'static str),
    /// Something of ours.
    Job(JobError),
}

impl<E: Into<JobError>> From<E> for Unread {
    fn from(error: E) -> Self {
        Self::Job(error.into())
    }
}

fn gateway_failed(error: &clients::ClientError) -> Unread {
    Unread::Gateway(error.code())
}

impl Sweep {
    /// All that the gateway has to say: how many messages it had not told of, and what the unknown sends may be.
    async fn read_all(
        &self,
        cx: &Cx<App, Tenant>,
        line: &LineGateway,
        unknown: &[Unknown],
        oldest: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(i64, Found), Unread> {
        let missed = self.catch_up(cx, line, now).await?;
        self.catch_up_changes(cx, line).await?;
        // receipts and unknown outcomes are found among our own messages since the oldest of them
        let since = unknown.iter().map(|row| row.sending_at).chain(oldest).min();
        let found = match since {
            Some(since) => self.read_back(cx, line, since, now, unknown).await?,
            None => Found::default(),
        };
        Ok((missed, found))
    }

    /// Rows that the gateway stored after the last one we worked in. Answers how many of them are messages that it should have told of by now:
    /// before the first sweep nothing was promised.
    async fn catch_up(&self, cx: &Cx<App, Tenant>, line: &LineGateway, now: DateTime<Utc>) -> Result<i64, Unread> {
        let (mut greatest, mut missed, mut pages) = (line.row_cursor, 0, 0);
        for page in 0..PAGES {
            let rows = if line.row_cursor == 0 {
                let after = line.created_at.timestamp_millis() - SLACK_MS;
                line.gateway.messages_between(after, i64::MAX / 1_000_000, None, PAGE, page * PAGE).await
            } else {
                line.gateway.messages_since(line.row_cursor, PAGE, page * PAGE).await
            }
            .map_err(|error| gateway_failed(&error))?;
            let count = rows.len();
            greatest = rows.iter().filter_map(|row| row.row_id).max().unwrap_or(0).max(greatest);
            let stored = self.work_in(cx, rows).await?;
            missed += stored.into_iter().filter(|at| now - *at > TOLD_WITHIN).count();
            pages = page;
            if count < PAGE as usize {
                break;
            }
        }
        if pages > 0 {
            // rows that were stored while the pages were turned may have slipped in before the page that was read: they are read again
            greatest = (greatest - OVERLAP).max(line.row_cursor);
        }
        let mut tx = cx.tx().await?;
        sqlx::query(
            "update crm.lines set row_cursor = greatest(row_cursor, $2) where tenant_id = app.tenant_id() and id = $1",
        )
        .bind(self.line_id)
        .bind(greatest)
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        Ok(if line.was_swept { i64::try_from(missed).unwrap_or(i64::MAX) } else { 0 })
    }

    /// Edits and messages taken back since the last one we worked in, however old the messages are.
    async fn catch_up_changes(&self, cx: &Cx<App, Tenant>, line: &LineGateway) -> Result<(), Unread> {
        let mut latest = line.change_cursor;
        for page in 0..PAGES {
            let since = line.change_cursor.timestamp_millis();
            let rows = line.gateway.messages_edited_since(since, PAGE, page * PAGE).await;
            let rows = rows.map_err(|error| gateway_failed(&error))?;
            let count = rows.len();
            latest = rows.iter().filter_map(|row| row.edited_at).max().unwrap_or(latest).max(latest);
            self.work_in(cx, rows).await?;
            if count < PAGE as usize {
                break;
            }
        }
        if latest > line.change_cursor {
            let mut tx = cx.tx().await?;
            sqlx::query("update crm.lines set change_cursor = greatest(change_cursor, $2) where tenant_id = app.tenant_id() and id = $1")
                .bind(self.line_id)
                .bind(latest)
                .execute(tx.conn())
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Our own messages since then, worked in; those that may be one of the unknown sends are handed back.
    async fn read_back(
        &self,
        cx: &Cx<App, Tenant>,
        line: &LineGateway,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        unknown: &[Unknown],
    ) -> Result<Found, Unread> {
        let mut found: Found = unknown.iter().map(|row| (row.key(), Vec::new())).collect();
        for page in 0..PAGES {
            let rows = line
                .gateway
                .messages_between(
                    since.timestamp_millis() - SLACK_MS,
                    now.timestamp_millis() + SLACK_MS,
                    Some(true),
                    PAGE,
                    page * PAGE,
                )
                .await
                .map_err(|error| gateway_failed(&error))?;
            let count = rows.len();
            for row in &rows {
                let Some(address) = row.address.as_ref().or(row.group_id.as_ref()).or(row.sender.as_ref()) else {
                    continue;
                };
                let key = text_key(row.text.as_deref().unwrap_or_default());
                let file = row.attachments.first().and_then(|file| file.name.clone()).filter(|_| key.is_empty());
                if let Some(same) = found.get_mut(&(address.clone(), file.unwrap_or(key))) {
                    same.push(row.clone());
                }
            }
            self.work_in(cx, rows).await?;
            if count < PAGE as usize {
                return Ok(found);
            }
        }
        // not everything was seen: nothing may be called missing
        tracing::warn!(line.id = %self.line_id, "too many rows for one sweep: unknown outcomes wait");
        Err(Unread::Job(JobError::Snooze { wait: Duration::from_secs(30) }))
    }

    /// Answers when those were made that are new to us.
    async fn work_in(&self, cx: &Cx<App, Tenant>, rows: Vec<GatewayMessage>) -> Result<Vec<DateTime<Utc>>, Unread> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = cx.keyed_tx().await?;
        // read rows are no events: there is nothing to wait for, and the next sweep sees them again
        let rows = rows.into_iter().map(|row| (0, false, row)).collect();
        let applied = apply::apply(&mut tx, self.line_id, rows).await?;
        tx.commit().await?;
        Ok(applied.stored)
    }
}

/// Messages at the gateway by address and text.
type Found = HashMap<(String, String), Vec<GatewayMessage>>;

/// A send whose outcome is unknown.
#[derive(Debug, sqlx::FromRow)]
struct Unknown {
    id: Uuid,
    address: String,
    body: String,
    sending_at: DateTime<Utc>,
    via: Option<String>,
    file_name: Option<String>,
}

impl Unknown {
    /// By what it is found again: its address and words, or where it has none, the name of its file.
    fn key(&self) -> (String, String) {
        let words = text_key(&self.body);
        (self.address.clone(), if words.is_empty() { self.file_name.clone().unwrap_or(words) } else { words })
    }

    /// Whether that row of the gateway may be this send: made in its time, and what had to go out as SMS is no iMessage.
    fn may_be(&self, message: &GatewayMessage) -> bool {
        let earliest = self.sending_at - Duration::from_millis(SLACK_MS.unsigned_abs());
        message.created_at.is_none_or(|at| at >= earliest)
            && !(self.via.is_some() && message.service == Service::Imessage)
    }
}

/// A send that has been under way for longer than any call may take has lost its job (it was cancelled or given up after its worker
/// died): nobody will record it, so it is looked up.
async fn doubt_abandoned(tx: &mut TenantTx, line_id: LineId) -> Result<(), Error> {
    let campaigns: Vec<Uuid> = sqlx::query_scalar(
        "with x as materialized (
           select m.id from crm.messages m
            where m.tenant_id = app.tenant_id() and m.line_id = $1 and m.status = 'sending' and m.sending_at < app.now() - interval '15 minutes'
            order by m.sending_at limit 2000),
         r as (
           update crm.recipients r set state = 'unknown', reason = 'worker_died'
            where r.tenant_id = app.tenant_id() and r.id = any(array(select x.id from x)) and r.state = 'sending' returning r.campaign_id),
         m as (
           update crm.messages m set status = 'unknown', reason = 'worker_died'
            where m.tenant_id = app.tenant_id() and m.id = any(array(select x.id from x)) and m.status = 'sending' and (select count(*) from r) >= 0)
         select r.campaign_id from r",
    )
    .bind(line_id)
    .fetch_all(tx.conn())
    .await?;
    reactions::campaigns_moved(tx, campaigns).await
}

/// Unknown sends for which the gateway's own longest wait is over. `held` is said by [`hold`] alone: it marks what was looked up.
async fn ripe(tx: &mut TenantTx, line_id: LineId, after: Duration) -> Result<Vec<Unknown>, Error> {
    Ok(sqlx::query_as(
        "select id, address, body, sending_at, via,
                (select a.name from crm.attachments a where a.tenant_id = messages.tenant_id and a.message_id = messages.id order by a.ordinal, a.id limit 1) as file_name
           from crm.messages
          where tenant_id = app.tenant_id() and line_id = $1 and status = 'unknown' and reason is distinct from 'held'
            and sending_at <= app.now() - make_interval(secs => case when reason = $3 then 0 else $2 end)
          order by sending_at, id limit 2000",
    )
    .bind(line_id)
    .bind(after.as_secs_f64())
    .bind(ROW_IN_ERROR)
    .fetch_all(tx.conn())
    .await?)
}

async fn next_ripe(tx: &mut TenantTx, line_id: LineId, after: Duration) -> Result<Option<Duration>, Error> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from min(sending_at) + make_interval(secs => $2) - app.now())::float8 from crm.messages
          where tenant_id = app.tenant_id() and line_id = $1 and status = 'unknown' and reason is distinct from 'held'",
    )
    .bind(line_id)
    .bind(after.as_secs_f64())
    .fetch_one(tx.conn())
    .await?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.5))))
}

async fn oldest_undelivered(tx: &mut TenantTx, line_id: LineId) -> Result<Option<DateTime<Utc>>, Error> {
    Ok(sqlx::query_scalar(
        "select min(sent_at) from crm.messages
          where tenant_id = app.tenant_id() and line_id = $1 and status = 'sent' and service <> 'sms' and sent_at > app.now() - $2::text::interval",
    )
    .bind(line_id)
    .bind(RECEIPTS_FOR)
    .fetch_one(tx.conn())
    .await?)
}

/// What is still unknown after the read-back has been worked in: found by address and text it was sent, else nobody can confirm it.
async fn resolve(tx: &mut TenantTx, line_id: LineId, unknown: Vec<Unknown>, mut found: Found) -> Result<(), Error> {
    // a row that is one of our messages already is no proof of another with the same words
    let guids: Vec<&str> = found.values().flatten().map(|message| message.guid.as_str()).collect();
    let taken: HashSet<String> = sqlx::query_scalar(
        "select guid from crm.messages where tenant_id = app.tenant_id() and line_id = $1 and guid = any($2)
         union select guid from crm.message_attempts where tenant_id = app.tenant_id() and line_id = $1 and guid = any($2)",
    )
    .bind(line_id)
    .bind(&guids)
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .collect();
    for rows in found.values_mut() {
        rows.retain(|message| !taken.contains(&message.guid));
    }
    let (mut hits, mut lost) = (Vec::new(), Vec::new());
    for row in unknown {
        let hit = found.get_mut(&row.key()).and_then(|rows| {
            // one that is out is the better proof
            let place = rows.iter().position(|message| row.may_be(message) && message.error.is_none());
            Some(rows.remove(place.or_else(|| rows.iter().position(|message| row.may_be(message)))?))
        });
        match hit {
            Some(message) => hits.push((row.id, message)),
            None => lost.push(row.id),
        }
    }
    confirm(tx, &hits).await?;
    hold(tx, &lost).await
}

#[derive(sqlx::FromRow)]
struct Confirmed {
    #[sqlx(flatten)]
    message: attempts::Moved,
    campaign_id: Option<Uuid>,
}

async fn confirm(tx: &mut TenantTx, hits: &[(Uuid, GatewayMessage)]) -> Result<(), Error> {
    let moved: Vec<Confirmed> = sqlx::query_as(
        "with u as materialized (select u.* from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) u(id, guid, service, error)),
         lr as materialized (select r.id from crm.recipients r where r.tenant_id = app.tenant_id() and r.id in (select u.id from u) order by r.id for update),
         m as (
           update crm.messages x set status = crm.next_status(x.status, case when u.error is null then 'sent' else 'failed' end),
               reason = 'gateway_error_' || u.error, sent_at = case when u.error is null then coalesce(x.sent_at, app.now()) else x.sent_at end,
               service = case when u.service = 'unknown' then x.service else u.service end,
               guid = case when x.guid is null and not exists (select from crm.messages o where o.tenant_id = x.tenant_id and o.line_id = x.line_id and o.guid = u.guid) then u.guid else x.guid end
             from u where x.tenant_id = app.tenant_id() and x.id = u.id and x.status = 'unknown' and (select count(*) from lr) >= 0
           returning x.id, x.conversation_id, x.status, x.reason),
         r as (
           update crm.recipients r set state = crm.next_status(r.state, m.status), reason = m.reason,
               sent_at = case when m.status = 'sent' then coalesce(r.sent_at, app.now()) else r.sent_at end
             from m where r.tenant_id = app.tenant_id() and r.id = m.id
           returning r.id, r.campaign_id)
         select m.id, m.conversation_id, m.status, m.reason, r.campaign_id from m left join r on r.id = m.id",
    )
    .bind(hits.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(hits.iter().map(|(_, message)| message.guid.as_str()).collect::<Vec<_>>())
    .bind(hits.iter().map(|(_, message)| message.service.as_str()).collect::<Vec<_>>())
    .bind(hits.iter().map(|(_, message)| message.error).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    reactions::campaigns_moved(tx, moved.iter().filter_map(|row| row.campaign_id)).await?;
    let failed =
        moved.iter().filter(|row| row.message.status == "failed").map(|row| row.message.id).collect::<Vec<_>>();
    attempts::tell(tx, moved.into_iter().map(|row| row.message).collect()).await?;
    fallback::consider(tx, &failed).await
}

/// Not found past every wait. A campaign holds it for a person, or sends it once more where its setting says so.
async fn hold(tx: &mut TenantTx, ids: &[Uuid]) -> Result<(), Error> {
    let rows: Vec<(Uuid, Uuid, bool)> = sqlx::query_as(
        "with lr as materialized (
           select r.id, c.on_unknown = 'resend_once' and r.resent_count = 0 and c.state in ('active', 'paused')
                    and (c.ends_at is null or c.ends_at > app.now()) as again
             from crm.recipients r join crm.campaigns c on c.tenant_id = r.tenant_id and c.id = r.campaign_id
            where r.tenant_id = app.tenant_id() and r.id = any($1) and r.state = 'unknown' order by r.id for update of r),
         m as (
           update crm.messages x set reason = 'held'
            where x.tenant_id = app.tenant_id() and x.id = any($1) and x.status = 'unknown' and (select count(*) from lr) >= 0)
         update crm.recipients r set state = case when lr.again then 'pending' else 'held' end, reason = case when lr.again then null else 'not_confirmed' end,
             resent_count = r.resent_count + case when lr.again then 1 else 0 end
           from lr where r.tenant_id = app.tenant_id() and r.id = lr.id
         returning r.id, r.campaign_id, lr.again",
    )
    .bind(ids)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    reactions::campaigns_moved(tx, rows.iter().map(|row| row.1)).await?;
    reactions::send_again(
        tx,
        rows.into_iter().filter(|row| row.2).map(|(recipient, campaign, _)| (recipient, campaign)),
    )
    .await
}

/// Has every line swept; made by the schedule. Also those whose webhook can't be registered: they are the ones that hear nothing by themselves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SweepLines {}

impl Job<App> for SweepLines {
    type Scope = jobs::Platform;
    const KIND: &'static str = "messaging.sweep_lines";
    const QUEUE: Queue = queue::DEFAULT;
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, jobs::Platform>) -> JobResult {
        let mut tx = cx.tx().await?;
        let lines: Vec<(i32, Uuid)> = sqlx::query_as(
            "select t.number, l.id from crm.lines l join crm.tenants t on t.id = l.tenant_id
              where l.hook_state <> 'pending' and t.state <> 'closed' order by t.number, l.id",
        )
        .fetch_all(tx.conn())
        .await?;
        for (tenant_number, line_id) in lines {
            let job = Sweep { line_id: line_id.into() };
            Enqueue::<App, Sweep>::new().many_for(&mut tx, tenant_number, std::slice::from_ref(&job)).await?;
        }
        Ok(Done::with(tx))
    }
}
