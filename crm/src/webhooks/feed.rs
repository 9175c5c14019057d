//! Feeds webhooks from the numbered events: a delivery and its job for each event that a webhook is told of, and how far it has come, in one
//! commit. Any number of processes may do it; each takes webhooks that nobody else holds.

use chrono::{DateTime, Utc};
use db::{Db, PlatformTx, Scope, TenantTx};
use jobs::Enqueue;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    deliver::Deliver,
    deliveries::{DeliveryId, KEEPS_TRYING},
    kinds, webhook,
};
use crate::{
    App, Error,
    access::{Granted, Sight, Within, users::UserId},
    events::{
        self,
        audience::{self, Holders},
    },
    queue,
};

/// Webhooks that one turn looks after.
const WEBHOOKS: i64 = 20;
/// Events that one turn reads for each.
const EVENTS: i64 = 250;

/// What a turn has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// No webhook is enabled, in any tenant.
    Nobody,
    /// Every webhook has what it is told of, or somebody else is at it.
    CaughtUp,
    /// There is more to do.
    Behind,
}

#[derive(sqlx::FromRow)]
struct Hungry {
    tenant_id: Uuid,
    webhook_id: Uuid,
    tenant_number: i32,
    kinds: Vec<String>,
    #[sqlx(flatten)]
    of_owner: Granted,
    owner_id: UserId,
    owner_works: bool,
    seq: i64,
    last: i64,
    is_called_off: bool,
}

#[derive(sqlx::FromRow)]
struct Told {
    seq: i64,
    kind: String,
    data: Json<Value>,
    at: DateTime<Utc>,
    former_assignee_id: Option<Uuid>,
}

/// What a receiver reads.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    data: &'a Value,
}

/// The bytes that are sent: the same at each attempt.
pub(super) fn body(kind: &str, timestamp: DateTime<Utc>, seq: Option<i64>, data: &Value) -> Result<String, Error> {
    Ok(serde_json::to_string(&Body { r#type: kind, timestamp, seq, data }).map_err(anyhow::Error::from)?)
}

/// Whether somebody of that sight sees what a body tells of, as things stand.
pub(super) async fn is_seen(tx: &mut TenantTx, body: &str, sight: &Sight) -> Result<bool, Error> {
    let told: Value = serde_json::from_str(body).map_err(anyhow::Error::from)?;
    audience::sees(tx, &told["data"], sight).await
}

/// Takes one turn.
pub async fn feed(db: &Db) -> Result<Fed, Error> {
    let mut tx = events::feed(db).await?;
    let hungry: Vec<Hungry> = sqlx::query_as(
        "select f.tenant_id, f.webhook_id, t.number as tenant_number, w.kinds, coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions) as mates, w.owner_id, u.disabled_at is null as owner_works, f.seq, c.seq as last,
                exists (select from jobs.lanes l join jobs.queues q on q.id = l.queue
                         where l.tenant_number = t.number and q.name = $2 and l.key = 'webhook/' || f.webhook_id and l.cancelled_at is not null) as is_called_off
           from crm.webhook_feeds f
           join crm.event_counters c on c.tenant_id = f.tenant_id and c.seq > f.seq
           join crm.tenants t on t.id = f.tenant_id
           join crm.webhooks w on w.tenant_id = f.tenant_id and w.id = f.webhook_id
           join crm.users u on u.tenant_id = w.tenant_id and u.id = w.owner_id
           left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
          order by f.fed_at, f.tenant_id, f.webhook_id limit $1 for update of f skip locked",
    )
    .bind(WEBHOOKS)
    .bind(queue::WEBHOOKS.0)
    .fetch_all(tx.conn())
    .await?;
    if hungry.is_empty() {
        let is_anybody: bool =
            sqlx::query_scalar("select exists (select from crm.webhook_feeds)").fetch_one(tx.conn()).await?;
        return Ok(if is_anybody { Fed::CaughtUp } else { Fed::Nobody });
    }
    let mut is_behind = i64::try_from(hungry.len()).is_ok_and(|count| count == WEBHOOKS);
    for webhook in &hungry {
        is_behind |= webhook.last > webhook.seq + EVENTS;
        if webhook.is_called_off {
            call_off(&mut tx, webhook).await?;
        } else {
            feed_one(&mut tx, webhook).await?;
        }
    }
    tx.commit().await?;
    Ok(if is_behind { Fed::Behind } else { Fed::CaughtUp })
}

/// Its lane was cancelled and takes no more jobs: without this, it would be tried again and again, and all others with it.
async fn call_off(tx: &mut PlatformTx, webhook: &Hungry) -> Result<(), Error> {
    sqlx::query(
        "with f as (delete from crm.webhook_feeds f where f.tenant_id = $1 and f.webhook_id = $2)
         update crm.webhooks w set disabled_at = app.now(), disabled_reason = 'by_hand' where w.tenant_id = $1 and w.id = $2 and w.disabled_at is null",
    )
    .bind(webhook.tenant_id)
    .bind(webhook.webhook_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn feed_one(tx: &mut PlatformTx, webhook: &Hungry) -> Result<(), Error> {
    // numbers have no gaps, so this many are read at the most
    let until = webhook.last.min(webhook.seq + EVENTS);
    let permissions = webhook.of_owner.permissions();
    let sees = |kind: &&String| webhook.owner_works && kinds::may_see(permissions, kind);
    let kinds: Vec<&String> = webhook.kinds.iter().filter(sees).collect();
    let mut told: Vec<Told> = sqlx::query_as(
        "select e.seq, e.kind, e.data, e.at, e.former_assignee_id from crm.events e
          where e.tenant_id = $1 and e.seq > $2 and e.seq <= $3 and e.kind = any($4) and e.user_id is null order by e.seq",
    )
    .bind(webhook.tenant_id)
    .bind(webhook.seq)
    .bind(until)
    .bind(kinds)
    .fetch_all(tx.conn())
    .await?;
    if let Sight::Within(within) = webhook.of_owner.sight(webhook.owner_id) {
        told = seen(tx, webhook.tenant_id, told, &within).await?;
    }
    if !told.is_empty() {
        deliveries(tx, webhook, &told).await?;
    }
    sqlx::query("update crm.webhook_feeds set seq = $3, fed_at = app.now() where tenant_id = $1 and webhook_id = $2")
        .bind(webhook.tenant_id)
        .bind(webhook.webhook_id)
        .bind(until)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What of it the owner sees now, who sees some conversations only.
async fn seen(tx: &mut PlatformTx, tenant_id: Uuid, told: Vec<Told>, within: &Within) -> Result<Vec<Told>, Error> {
    let about: Vec<Uuid> = told.iter().flat_map(|event| audience::conversations(&event.data)).collect();
    let holders = Holders::read(tx, tenant_id, &about).await?;
    let part = |event: Told| match audience::told(&event.data, event.former_assignee_id, &holders, within) {
        audience::Told::Whole => Some(event),
        audience::Told::Part(data) => Some(Told { data: Json(data), ..event }),
        audience::Told::Nothing => None,
    };
    Ok(told.into_iter().filter_map(part).collect())
}

/// The deliveries with their jobs. One that is there already has its job.
async fn deliveries(tx: &mut PlatformTx, webhook: &Hungry, told: &[Told]) -> Result<(), Error> {
    let ids: Vec<Uuid> = told.iter().map(|_| DeliveryId::new().uuid()).collect();
    let bodies: Result<Vec<String>, Error> =
        told.iter().map(|event| body(&event.kind, event.at, Some(event.seq), &event.data)).collect();
    let give_up_at = tx.now() + KEEPS_TRYING;
    let made: Vec<DeliveryId> = sqlx::query_scalar(
        "insert into crm.webhook_deliveries (tenant_id, webhook_id, id, seq, kind, body, next_attempt_at, give_up_at)
           select $1, $2, z.id, z.seq, z.kind, z.body, app.now(), $7 from unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[]) z(id, seq, kind, body)
         on conflict on constraint webhook_deliveries_event do nothing
         returning id",
    )
    .bind(webhook.tenant_id)
    .bind(webhook.webhook_id)
    .bind(ids)
    .bind(told.iter().map(|event| event.seq).collect::<Vec<_>>())
    .bind(told.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>())
    .bind(bodies?)
    .bind(give_up_at)
    .fetch_all(tx.conn())
    .await?;
    let jobs: Vec<Deliver> = made.into_iter().map(|delivery_id| Deliver { delivery_id, turn: 0 }).collect();
    Enqueue::<App, Deliver>::new()
        .lane(webhook::lane_key(webhook.webhook_id.into()))
        .many_for(tx, webhook.tenant_number, &jobs)
        .await?;
    Ok(())
}
