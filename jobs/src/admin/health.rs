//! What `paloma doctor` and the operator's lists ask of the engine: what is stuck, when schedules fire.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;

/// What breaks the promise that due work runs.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Stuck {
    /// How long the oldest due job has waited that neither a pause nor a gate holds back, in seconds.
    pub oldest_open_s: f64,
    /// Running jobs whose lease was over five seconds ago.
    pub expired: i64,
}

/// Looks for jobs that should be running, or should have been rescued.
pub async fn stuck(tx: &mut PlatformTx) -> Result<Stuck, sqlx::Error> {
    sqlx::query_as(
        "select coalesce(extract(epoch from app.clock() - min(j.run_at) filter (
                  where j.leased_by is null and l.paused_at is null and l.cancelled_at is null and l.gates = '{}')), 0)::float8 as oldest_open_s,
                count(*) filter (where j.leased_by is not null and j.lease_until < app.clock() - interval '5 seconds') as expired
           from jobs.jobs j join jobs.lanes l on l.id = j.lane_id",
    )
    .fetch_one(tx.conn())
    .await
}

/// A schedule as it is stored.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// When, as a cron line.
    pub cron: String,
    /// In which zone.
    pub time_zone: String,
    /// The kind of job it makes.
    pub kind: String,
    /// When it fires next.
    pub next_fire_at: DateTime<Utc>,
    /// When it fired last.
    pub last_fired_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
}

/// Schedules by name.
pub async fn schedules(tx: &mut PlatformTx, page: &PageOf<String>) -> Result<Page<ScheduleRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select name, cron, time_zone, kind, next_fire_at, last_fired_at, paused_at
           from jobs.schedules where $1::text is null or name > $1 order by name limit $2",
    )
    .bind(page.after.as_deref())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &ScheduleRow| row.name.clone()))
}

/// The schedule of that name.
pub async fn find_schedule(tx: &mut PlatformTx, name: &str) -> Result<Option<ScheduleRow>, sqlx::Error> {
    sqlx::query_as(
        "select name, cron, time_zone, kind, next_fire_at, last_fired_at, paused_at from jobs.schedules where name = $1",
    )
    .bind(name)
    .fetch_optional(tx.conn())
    .await
}
