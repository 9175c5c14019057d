//! What gateways report: a webhook's body is stored once, raw and in groups, and answered at once; the line's job then works the
//! events in, up to 500 at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use clients::gateway::{GatewayEvent, bluebubbles::parse_event};
use db::{PlatformTx, Scope, Why};
use jobs::{Cx, Done, Enqueue, GroupError, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    messaging::{apply, health, lines::LineId, typing},
    queue, secrets,
};

/// Events worked in by one transaction.
const BATCH: i64 = 500;
/// An event larger than this is refused; real ones have a few kilobytes.
pub const MAX_EVENT: usize = 1024 * 1024;

/// Whose line a webhook's secret belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HookLine {
    tenant_id: Uuid,
    tenant_number: i32,
    line_id: LineId,
}

/// Secrets that this process has looked up; a wrong one is never kept. Cheap to clone.
#[derive(Clone, Default)]
pub struct HookCache(Arc<Mutex<HooksRead>>);

/// By the secret's hash: when it was read, and whose it is.
type HooksRead = HashMap<Vec<u8>, (Instant, HookLine)>;

/// Stores a webhook's body if the path's secret is that of the line. Wrong ones are [`Error::NotFound`], and nothing is stored.
pub async fn receive(app: &App, line_id: LineId, token: &str, body: bytes::Bytes) -> Result<(), Error> {
    let line = resolve(app, token).await?.filter(|line| line.line_id == line_id).ok_or(Error::NotFound)?;
    if body.len() > MAX_EVENT {
        return Err(Error::TooLarge(format!("an event may have {MAX_EVENT} bytes")));
    }
    app.groups.hooks.submit((line, body)).await.map_err(|_| Error::Unavailable)
}

async fn resolve(app: &App, token: &str) -> Result<Option<HookLine>, Error> {
    let hash = secrets::token_hash(token);
    {
        let cache = app.groups.hook_cache.0.lock().expect("nothing panics while it is held");
        if let Some((read, line)) = cache.get(&hash)
            && read.elapsed() < Duration::from_secs(30)
        {
            return Ok(Some(*line));
        }
    }
    let mut tx = app.db.platform(Why::Hook).await?;
    let found: Option<(Uuid, i32, LineId)> = sqlx::query_as(
        "select l.tenant_id, t.number, l.id from crm.lines l join crm.tenants t on t.id = l.tenant_id where l.hook_token_hash = $1 and t.state <> 'closed'",
    )
    .bind(&hash)
    .fetch_optional(tx.conn())
    .await?;
    let line = found.map(|(tenant_id, tenant_number, line_id)| HookLine { tenant_id, tenant_number, line_id });
    if let Some(line) = line {
        app.groups.hook_cache.0.lock().expect("nothing panics while it is held").insert(hash, (Instant::now(), line));
    }
    Ok(line)
}

/// Writes a group of events and sees to it that each line's job will run.
pub(crate) async fn store(mut tx: PlatformTx, events: Vec<(HookLine, bytes::Bytes)>) -> Result<Vec<()>, GroupError> {
    let tenants: Vec<Uuid> = events.iter().map(|(line, _)| line.tenant_id).collect();
    let lines: Vec<Uuid> = events.iter().map(|(line, _)| line.line_id.uuid()).collect();
    let bodies: Vec<&[u8]> = events.iter().map(|(_, body)| body.as_ref()).collect();
    sqlx::query("insert into crm.hook_events (tenant_id, line_id, body) select * from unnest($1::uuid[], $2::uuid[], $3::bytea[])")
        .bind(&tenants)
        .bind(&lines)
        .bind(&bodies)
        .execute(tx.conn())
        .await?;
    let mut distinct: Vec<HookLine> =
        events.iter().map(|(line, _)| *line).collect::<HashSet<_>>().into_iter().collect();
    distinct.sort_by_key(|line| line.line_id);
    for line in distinct {
        let job = Ingest { line_id: line.line_id };
        Enqueue::<App, Ingest>::new()
            .lane(lane(line.line_id))
            .many_for(&mut tx, line.tenant_number, std::slice::from_ref(&job))
            .await?;
    }
    let count = events.len();
    tx.commit().await?;
    Ok(vec![(); count])
}

fn lane(line: LineId) -> String {
    format!("line/{line}/inbound")
}

/// How often a line's events are worked in, a second: what comes meanwhile is worked in together, which is several times cheaper.
const PACE: f64 = 20.0;

/// Makes the lane of a line's events.
pub(crate) async fn configure(tx: &mut db::TenantTx, line: LineId) -> Result<(), Error> {
    let pace = jobs::gate::Limits { rate: Some(PACE), burst: 2.0, cap: None };
    let gate = jobs::gate::configure(tx, &lane(line), pace).await?;
    jobs::lane::configure(tx, queue::INBOUND, &lane(line), 1, &[gate]).await?;
    Ok(())
}

/// Works in what a line's gateway has reported.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ingest {
    /// The line.
    pub line_id: LineId,
}

impl Job<App> for Ingest {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.ingest";
    const QUEUE: Queue = queue::INBOUND;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(20).from_secs(1).up_to_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(120);
    const UNIQUE: KeyScope = KeyScope::UntilStarted;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.line_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut after = 0_i64;
        loop {
            let mut tx = cx.keyed_tx().await?;
            let events: Vec<Raw> = sqlx::query_as(
                "select id, body, received_at from crm.hook_events where tenant_id = app.tenant_id() and line_id = $1 and error is null and id > $2
                  order by id limit $3 for update skip locked",
            )
            .bind(self.line_id)
            .bind(after)
            .bind(BATCH)
            .fetch_all(tx.conn())
            .await?;
            let more = i64::try_from(events.len()).is_ok_and(|count| count == BATCH);
            after = events.last().map_or(after, |(id, _, _)| *id);
            let waiting = work_in(&mut tx, self.line_id, events).await?;
            if waiting > 0 && !more {
                // a send to that address is in flight: its answer tells which message the event is about
                Enqueue::<App, Self>::new()
                    .lane(lane(self.line_id))
                    .wait(Duration::from_millis(500))
                    .one(&mut tx, &self)
                    .await?;
            }
            if !more {
                return Ok(Done::with(tx));
            }
            if !jobs::hold(&mut tx, cx.lease).await? || cx.cancel.is_cancelled() {
                return Err(JobError::Release);
            }
            tx.commit().await?;
        }
    }
}

/// An event as it came: its number, its body, when.
type Raw = (i64, Vec<u8>, DateTime<Utc>);

/// Works a batch in; answers how many events have to wait.
async fn work_in(tx: &mut db::TenantTx, line_id: LineId, events: Vec<Raw>) -> Result<usize, Error> {
    if !events.is_empty() {
        health::note_event(tx, line_id).await?;
    }
    let (mut done, mut messages, mut faulty) = (Vec::new(), Vec::new(), Vec::new());
    let mut restarted = false;
    for (id, body, received_at) in events {
        match parse_event(&body) {
            Ok(GatewayEvent::MessageNew(message)) => messages.push((id, false, *message)),
            Ok(GatewayEvent::MessageUpdated(message) | GatewayEvent::SendError(message)) => {
                messages.push((id, true, *message))
            }
            Ok(GatewayEvent::Typing { chat_guid, address, typing }) => {
                // of a backlog nobody types any more
                if tx.now() - received_at < typing::STALE {
                    typing::tell(tx, line_id, &chat_guid, address.as_deref(), typing).await?;
                }
                done.push(id);
            }
            Ok(GatewayEvent::HelloWorld) => {
                restarted = true;
                done.push(id);
            }
            Ok(GatewayEvent::AliasRemoved { aliases }) => {
                tracing::error!(line.id = %line_id, count = aliases.len(), "the gateway lost addresses: people can't be reached from them");
                done.push(id);
            }
            Ok(GatewayEvent::ReadByUs { .. } | GatewayEvent::ServerMoved { .. } | GatewayEvent::Other { .. }) => {
                done.push(id)
            }
            Err(error) => faulty.push((id, error.code())),
        }
    }
    let outcome = apply::apply(tx, line_id, messages).await?;
    done.extend(outcome.done);
    sqlx::query("delete from crm.hook_events where tenant_id = app.tenant_id() and line_id = $1 and id = any($2)")
        .bind(line_id)
        .bind(&done)
        .execute(tx.conn())
        .await?;
    if !faulty.is_empty() {
        let (ids, codes): (Vec<i64>, Vec<&str>) = faulty.into_iter().unzip();
        sqlx::query(
            "update crm.hook_events h set error = u.code from unnest($2::bigint[], $3::text[]) u(id, code)
              where h.tenant_id = app.tenant_id() and h.line_id = $1 and h.id = u.id",
        )
        .bind(line_id)
        .bind(&ids)
        .bind(&codes)
        .execute(tx.conn())
        .await?;
    }
    if restarted {
        // what happened while the gateway was away was not reported
        crate::messaging::sweep::enqueue(tx, line_id, Duration::ZERO).await?;
    }
    Ok(outcome.waiting)
}
