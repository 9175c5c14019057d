//! Schedules for operators: what is stored, what it promises, when it fires next; pause and resume. To fire one by hand takes its
//! declaration: [`crate::schedule::fire_now`].

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::audit::{By, Refused, Subject, record};
use crate::schedule::{CalendarError, Fire, Plan, ScheduleError};

/// A schedule as it is stored.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Schedule)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// When, as a cron line.
    pub cron: String,
    /// On which zone's clock.
    pub time_zone: String,
    /// A time that the clock leaves out: skip, next_valid.
    pub nonexistent: String,
    /// A time that the clock shows twice: first, second, both.
    pub ambiguous: String,
    /// Fires missed while no scheduler ran: none, one, all.
    pub catch_up: String,
    /// How many of them at most, for all.
    pub catch_up_limit: Option<i32>,
    /// A fire while the last job is live: allow, skip, queue.
    pub overlap: String,
    /// Each job is due up to that much after its fire.
    pub jitter_ms: i32,
    /// The kind of job it makes.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// When it fires next.
    pub next_fire_at: DateTime<Utc>,
    /// The fire that waits until the last job has ended.
    pub queued_fire_at: Option<DateTime<Utc>>,
    /// The newest fire that made a job.
    pub last_fired_at: Option<DateTime<Utc>>,
    /// That job.
    pub last_job_id: Option<i64>,
    /// Fires that made no job because the last one was live.
    pub skipped_count: i64,
    /// The newest fire that was missed and not made up.
    pub missed_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Why it is paused.
    pub reason: Option<String>,
    /// Since when no scheduler declares it.
    pub retired_at: Option<DateTime<Utc>>,
}

/// Schedules by name.
pub async fn schedules(tx: &mut PlatformTx, page: &PageOf<String>) -> Result<Page<ScheduleRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select name, cron, time_zone, nonexistent, ambiguous, catch_up, catch_up_limit, overlap, jitter_ms, kind, queue, next_fire_at, queued_fire_at,
                last_fired_at, last_job_id, skipped_count, missed_at, paused_at, reason, retired_at
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
        "select name, cron, time_zone, nonexistent, ambiguous, catch_up, catch_up_limit, overlap, jitter_ms, kind, queue, next_fire_at, queued_fire_at,
                last_fired_at, last_job_id, skipped_count, missed_at, paused_at, reason, retired_at
           from jobs.schedules where name = $1",
    )
    .bind(name)
    .fetch_optional(tx.conn())
    .await
}

/// The next `count` fires of a stored schedule after `from`, as if it were neither paused nor retired.
pub fn preview(row: &ScheduleRow, from: DateTime<Utc>, count: usize) -> Result<Vec<Fire>, CalendarError> {
    Plan::of(row)?.preview(from, count)
}

/// It makes nothing once this has committed.
pub async fn pause_schedule(tx: &mut PlatformTx, name: &str, by: &By) -> Result<(), Refused> {
    let done = sqlx::query(
        "update jobs.schedules set paused_at = coalesce(paused_at, app.now()), reason = left($2, 500) where name = $1",
    )
    .bind(name)
    .bind(by.told("paused"))
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(Refused::NotFound);
    }
    Ok(record_schedule(tx, name, by, "pause").await?)
}

/// It fires again, from now on: what came while it was paused is not made up.
pub async fn resume_schedule(tx: &mut PlatformTx, name: &str, by: &By) -> Result<(), ScheduleError> {
    let row = lock_schedule(tx, name).await?.ok_or(Refused::NotFound)?;
    if row.paused_at.is_some() {
        let next = Plan::of(&row)?.next_after(tx.now())?;
        sqlx::query(
            "update jobs.schedules set paused_at = null, reason = null, queued_fire_at = null, next_fire_at = greatest(next_fire_at, $2) where name = $1",
        )
        .bind(name)
        .bind(next)
        .execute(tx.conn())
        .await?;
    }
    Ok(record_schedule(tx, name, by, "resume").await?)
}

/// Writes the row of an act on a schedule, which is the platform's.
pub(crate) async fn record_schedule(tx: &mut PlatformTx, name: &str, by: &By, act: &str) -> Result<(), sqlx::Error> {
    record(tx, by, act, Subject::Schedule(name), 0).await
}

/// Takes a stored schedule for this transaction, waiting for whoever has it.
pub(crate) async fn lock_schedule(tx: &mut PlatformTx, name: &str) -> Result<Option<ScheduleRow>, sqlx::Error> {
    sqlx::query_as(
        "select name, cron, time_zone, nonexistent, ambiguous, catch_up, catch_up_limit, overlap, jitter_ms, kind, queue, next_fire_at, queued_fire_at,
                last_fired_at, last_job_id, skipped_count, missed_at, paused_at, reason, retired_at
           from jobs.schedules where name = $1 and retired_at is null for no key update",
    )
    .bind(name)
    .fetch_optional(tx.conn())
    .await
}

/// Takes a schedule that may fire, unless somebody has it.
pub(crate) async fn lock_due_schedule(tx: &mut PlatformTx, name: &str) -> Result<Option<ScheduleRow>, sqlx::Error> {
    sqlx::query_as(
        "select name, cron, time_zone, nonexistent, ambiguous, catch_up, catch_up_limit, overlap, jitter_ms, kind, queue, next_fire_at, queued_fire_at,
                last_fired_at, last_job_id, skipped_count, missed_at, paused_at, reason, retired_at
           from jobs.schedules where name = $1 and paused_at is null and retired_at is null for no key update skip locked",
    )
    .bind(name)
    .fetch_optional(tx.conn())
    .await
}
