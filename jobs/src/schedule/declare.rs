//! What is declared in code and what is stored: made one at the start of each scheduler, also while those of another version run.

use db::{Db, PlatformTx, Scope, Why};

use super::{MAX_JITTER, Schedule, contract::CatchUp};

/// Stores the schedules. One whose times change, or that nobody declared any more, goes on from now; others keep their stored time, so
/// that a restart at the moment of firing swallows nothing.
pub async fn declare(db: &Db, schedules: &[Schedule]) -> Result<(), db::Error> {
    let mut tx = db.platform(Why::Upkeep).await?;
    let mut schedules: Vec<&Schedule> = schedules.iter().collect();
    // by name: schedulers that start together take the rows in one order
    schedules.sort_by_key(|schedule| schedule.name);
    for schedule in schedules {
        store(&mut tx, schedule).await?;
    }
    retire(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

async fn store(tx: &mut PlatformTx, schedule: &Schedule) -> Result<(), db::Error> {
    let calendar = schedule.calendar().map_err(|error| db::Error::Schema(format!("{}: {error}", schedule.name)))?;
    let next = calendar.next_after(tx.now()).map_err(|error| db::Error::Schema(error.to_string()))?;
    let catch_up_limit = schedule.catch_up.limit().map(|limit| i32::from(limit.clamp(1, CatchUp::LIMIT)));
    sqlx::query(
        "insert into jobs.schedules as s (name, cron, time_zone, nonexistent, ambiguous, catch_up, catch_up_limit, overlap, jitter_ms, kind, queue, next_fire_at, seen_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, app.now())
         on conflict (name) do update set cron = excluded.cron, time_zone = excluded.time_zone, nonexistent = excluded.nonexistent, ambiguous = excluded.ambiguous,
           catch_up = excluded.catch_up, catch_up_limit = excluded.catch_up_limit, overlap = excluded.overlap, jitter_ms = excluded.jitter_ms,
           kind = excluded.kind, queue = excluded.queue, seen_at = excluded.seen_at, retired_at = null,
           queued_fire_at = case when excluded.overlap = 'queue' then s.queued_fire_at end,
           next_fire_at = case when s.retired_at is null
                                and (s.cron, s.time_zone, s.nonexistent, s.ambiguous) = (excluded.cron, excluded.time_zone, excluded.nonexistent, excluded.ambiguous)
                               then s.next_fire_at else excluded.next_fire_at end",
    )
    .bind(schedule.name)
    .bind(schedule.cron)
    .bind(schedule.time_zone.name())
    .bind(calendar.nonexistent().word())
    .bind(calendar.ambiguous().word())
    .bind(schedule.catch_up.word())
    .bind(catch_up_limit)
    .bind(schedule.overlap.word())
    .bind(i32::try_from(schedule.jitter.min(MAX_JITTER).as_millis()).unwrap_or(i32::MAX))
    .bind(schedule.kind)
    .bind(schedule.queue)
    .bind(next)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says that somebody still declares these. During a change of versions both declare: what only one of them knows lives as long as it
/// runs. Rows that another scheduler holds are left for the next time.
pub(super) async fn keep(db: &Db, schedules: &[Schedule]) -> Result<(), db::Error> {
    let names: Vec<&str> = schedules.iter().map(Schedule::name).collect();
    let mut tx = db.platform(Why::Upkeep).await?;
    sqlx::query(
        "update jobs.schedules s set seen_at = app.now(), retired_at = null
          where s.name in (select x.name from jobs.schedules x where x.name = any($1) order by x.name for update skip locked)",
    )
    .bind(names)
    .execute(tx.conn())
    .await?;
    retire(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Retires what nobody has declared for two minutes, which is longer than a restart; a month later it is forgotten.
async fn retire(tx: &mut PlatformTx) -> Result<(), db::Error> {
    sqlx::query(
        "update jobs.schedules s set retired_at = app.now(), queued_fire_at = null
          where s.name in (select x.name from jobs.schedules x where x.retired_at is null and x.seen_at < app.now() - interval '2 minutes'
                            order by x.name for update skip locked)",
    )
    .execute(tx.conn())
    .await?;
    sqlx::query("delete from jobs.schedules where retired_at < app.now() - interval '30 days'")
        .execute(tx.conn())
        .await?;
    Ok(())
}
