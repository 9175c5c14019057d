//! Lanes as operators see and turn them, by id and across tenants.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::audit::{By, Refused, Subject, record};
use crate::enqueue::CHANNEL;

/// A lane.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Lane)]
pub struct LaneRow {
    /// Its id.
    pub id: i64,
    /// Whose; 0 is the platform. Absent in a tenant's own view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_number: Option<i32>,
    /// Its queue.
    pub queue: String,
    /// Its key, `campaign/{id}`.
    pub key: String,
    /// 0 goes before 1, strictly.
    pub class: i16,
    /// Its share beside the tenant's other lanes, 1 to 100.
    pub weight: i16,
    /// The gates its jobs must pass, by id.
    pub gates: Vec<i64>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Since when it is cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Jobs due or running; not counted past 10001, which stands for more than 10000.
    pub jobs: i64,
    /// Jobs due later; counted as far.
    pub scheduled: i64,
}

/// Lanes by id, newest first.
pub async fn lanes<S: Scope>(tx: &mut S, page: &PageOf<i64>) -> Result<Page<LaneRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select l.id, case when $3 then l.tenant_number end as tenant_number, q.name as queue, l.key, l.class, l.weight, l.gates, l.paused_at, l.cancelled_at,
                (select count(*) from (select from jobs.jobs j where j.lane_id = l.id order by j.priority, j.run_at, j.id limit 10001) x) as jobs,
                (select count(*) from (select from jobs.scheduled s where s.lane_id = l.id order by s.id limit 10001) x) as scheduled
           from (select id, tenant_number, queue, key, class, weight, gates, paused_at, cancelled_at
                   from jobs.lanes where $1::bigint is null or id < $1 order by id desc limit $2) l
           join jobs.queues q on q.id = l.queue
          order by l.id desc",
    )
    .bind(page.after)
    .bind(page.fetch())
    .bind(S::SEES_ALL)
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &LaneRow| row.id))
}

/// One lane.
pub async fn find_lane<S: Scope>(tx: &mut S, id: i64) -> Result<Option<LaneRow>, sqlx::Error> {
    sqlx::query_as(
        "select l.id, case when $2 then l.tenant_number end as tenant_number, q.name as queue, l.key, l.class, l.weight, l.gates, l.paused_at, l.cancelled_at,
                (select count(*) from (select from jobs.jobs j where j.lane_id = l.id order by j.priority, j.run_at, j.id limit 10001) x) as jobs,
                (select count(*) from (select from jobs.scheduled s where s.lane_id = l.id order by s.id limit 10001) x) as scheduled
           from jobs.lanes l join jobs.queues q on q.id = l.queue where l.id = $1",
    )
    .bind(id)
    .bind(S::SEES_ALL)
    .fetch_optional(tx.conn())
    .await
}

/// Nothing of the lane is leased by a claim that begins after this has committed.
pub async fn pause_lane(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = sqlx::query_scalar(
        "update jobs.lanes set paused_at = coalesce(paused_at, app.now()) where id = $1 and cancelled_at is null returning tenant_number",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    done(tx, id, by, "pause", tenant).await
}

/// The lane goes on; its jobs are where they were.
pub async fn resume_lane(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = sqlx::query_scalar(
        "with l as (update jobs.lanes set paused_at = null where id = $1 and cancelled_at is null returning tenant_number, queue, id)
         insert into jobs.wakes (tenant_number, queue, lane_id) select l.tenant_number, l.queue, l.id from l returning tenant_number",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    done(tx, id, by, "resume", tenant).await
}

/// Its share beside the tenant's other lanes from the next claim on: twice the weight, twice as many starts.
pub async fn weigh_lane(tx: &mut PlatformTx, id: i64, weight: i16, by: &By) -> Result<(), Refused> {
    if !(1..=100).contains(&weight) {
        return Err(Refused::Limit { field: "weight", must: "1 to 100" });
    }
    let tenant = sqlx::query_scalar(
        "update jobs.lanes set weight = $2 where id = $1 and cancelled_at is null returning tenant_number",
    )
    .bind(id)
    .bind(weight)
    .fetch_optional(tx.conn())
    .await?;
    done(tx, id, by, "weigh", tenant).await
}

/// The lane takes no more jobs and starts none; those it holds leave in chunks. There is no way back.
pub async fn cancel_lane(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = sqlx::query_scalar(
        "update jobs.lanes set cancelled_at = app.now() where id = $1 and cancelled_at is null returning tenant_number",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    done(tx, id, by, "cancel", tenant).await
}

/// Records the act, or says why no row allowed it: every act needs a lane that is not cancelled.
async fn done(tx: &mut PlatformTx, id: i64, by: &By, act: &str, tenant: Option<i32>) -> Result<(), Refused> {
    if let Some(tenant) = tenant {
        return Ok(record(tx, by, act, Subject::Lane(id), tenant).await?);
    }
    match find_lane(tx, id).await? {
        Some(_) => Err(Refused::LaneCancelled),
        None => Err(Refused::NotFound),
    }
}
