//! The processes of the fleet, with what they hold and when they were last heard of. The platform's alone.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A process that has not been heard of for this long is taken for dead.
pub const SEEN_WITHIN_S: f64 = 30.0;

/// A process that runs jobs.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Worker)]
pub struct WorkerRow {
    /// New with each start.
    pub id: Uuid,
    /// What it calls itself, `worker`.
    pub name: String,
    /// Where it runs.
    pub host: String,
    /// Its process id there.
    pub pid: i32,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub seen_at: DateTime<Utc>,
    /// Whether that was within a lease.
    pub is_live: bool,
    /// Its claims that have not ended.
    pub claims: i64,
    /// The jobs it has leased by them and still holds.
    pub running: i64,
    /// Since when it has held the oldest of them.
    pub oldest_leased_at: Option<DateTime<Utc>>,
}

/// The processes that have not been given up, by id.
pub async fn workers(tx: &mut PlatformTx, page: &PageOf<Uuid>) -> Result<Page<WorkerRow>, sqlx::Error> {
    let rows = select(tx, None, page.after, page.fetch()).await?;
    Ok(page.finish(rows, |row: &WorkerRow| row.id))
}

/// One process.
pub async fn find_worker(tx: &mut PlatformTx, id: Uuid) -> Result<Option<WorkerRow>, sqlx::Error> {
    Ok(select(tx, Some(id), None, 1).await?.pop())
}

async fn select(
    tx: &mut PlatformTx,
    id: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<WorkerRow>, sqlx::Error> {
    sqlx::query_as(
        "select p.id, p.name, p.host, p.pid, p.queues, p.started_at, p.seen_at, p.seen_at >= app.clock() - make_interval(secs => $4) as is_live,
                (select count(distinct l.fence) from jobs.leases l where l.process = p.id) as claims, h.running, h.oldest_leased_at
           from jobs.processes p
          cross join lateral (
            select count(*) as running, min(r.leased_at) as oldest_leased_at from jobs.running r where r.leased_by = p.id) h
          where ($1::uuid is null or p.id = $1) and ($2::uuid is null or p.id > $2)
          order by p.id limit $3",
    )
    .bind(id)
    .bind(after)
    .bind(limit)
    .bind(SEEN_WITHIN_S)
    .fetch_all(tx.conn())
    .await
}
