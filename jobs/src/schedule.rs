//! Schedules: a cron line with a time zone that makes jobs of the platform. The next fire time is stored and claimed by compare-and-set,
//! so any number of schedulers may run.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use croner::Cron;
use db::{Db, Scope, Why};
use tokio_util::sync::CancellationToken;

use crate::{enqueue::Enqueue, job::Job};

type Fired = futures::future::BoxFuture<'static, Result<db::PlatformTx, crate::EnqueueError>>;
/// Makes the schedule's job in the transaction that moved its next fire time.
type Fire = Box<dyn Fn(db::PlatformTx) -> Fired + Send + Sync>;

/// A schedule as declared in code: name, cron line, zone and the job it makes.
pub struct Schedule {
    name: &'static str,
    cron: &'static str,
    time_zone: Tz,
    fire: Fire,
    kind: &'static str,
    queue: &'static str,
}

impl Schedule {
    /// Makes `job` for the platform at each time of `cron` (five fields, or six with seconds first) in `time_zone`.
    pub fn new<S: 'static, J: Job<S> + Clone + Sync>(
        name: &'static str,
        cron: &'static str,
        time_zone: Tz,
        job: J,
    ) -> Self {
        let fire = move |mut tx: db::PlatformTx| {
            let job = job.clone();
            let work = async move {
                Enqueue::<S, J>::new().many_for(&mut tx, 0, std::slice::from_ref(&job)).await?;
                Ok(tx)
            };
            let fired: Fired = Box::pin(work);
            fired
        };
        Self { name, cron, time_zone, fire: Box::new(fire), kind: J::KIND, queue: J::QUEUE.0 }
    }

    /// A line for the snapshot.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} cron=\"{}\" zone={} kind={}", self.name, self.cron, self.time_zone, self.kind)
    }

    /// The first fire time after `at`.
    pub fn next_after(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        next_fire(self.cron, self.time_zone, at)
    }
}

/// The first time after `at` at which the cron line fires in the zone.
pub fn next_fire(cron: &str, time_zone: Tz, at: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let cron = Cron::from_str(cron).map_err(|error| format!("the cron line {cron:?} can't be read: {error}"))?;
    // a cron line knows whole seconds; what is left of one in `at` would be carried into every fire
    cron.find_next_occurrence(&at.trunc_subsecs(0).with_timezone(&time_zone), false)
        .map(|next| next.with_timezone(&Utc))
        .map_err(|error| format!("no next time: {error}"))
}

/// Stores what is declared and fires what is due, until `stop`.
pub async fn run(db: &Db, schedules: &[Schedule], stop: CancellationToken) -> Result<(), db::Error> {
    declare(db, schedules).await?;
    loop {
        let wait = match fire_due(db, schedules).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "schedules could not be fired; they are tried again");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Stores the schedules; a changed line takes a new next time, an undeclared one is removed.
pub async fn declare(db: &Db, schedules: &[Schedule]) -> Result<(), db::Error> {
    let mut tx = db.platform(Why::Upkeep).await?;
    let names: Vec<&str> = schedules.iter().map(|schedule| schedule.name).collect();
    sqlx::query("delete from jobs.schedules where name <> all($1)").bind(&names).execute(tx.conn()).await?;
    for schedule in schedules {
        let next = schedule.next_after(tx.now()).map_err(db::Error::Schema)?;
        sqlx::query(
            "insert into jobs.schedules (name, cron, time_zone, kind, queue, next_fire_at) values ($1, $2, $3, $4, $5, $6)
             on conflict (name) do update set cron = excluded.cron, time_zone = excluded.time_zone, kind = excluded.kind, queue = excluded.queue,
               next_fire_at = case when jobs.schedules.cron = excluded.cron and jobs.schedules.time_zone = excluded.time_zone
                                   then jobs.schedules.next_fire_at else excluded.next_fire_at end",
        )
        .bind(schedule.name)
        .bind(schedule.cron)
        .bind(schedule.time_zone.name())
        .bind(schedule.kind)
        .bind(schedule.queue)
        .bind(next)
        .execute(tx.conn())
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Fires each due schedule once and answers how long to wait for the next.
pub async fn fire_due(db: &Db, schedules: &[Schedule]) -> Result<Duration, db::Error> {
    let mut soonest = Duration::from_secs(5);
    for schedule in schedules {
        let mut tx = db.platform(Why::Upkeep).await?;
        let now = tx.now();
        let stored: Option<DateTime<Utc>> =
            sqlx::query_scalar("select next_fire_at from jobs.schedules where name = $1 and paused_at is null")
                .bind(schedule.name)
                .fetch_optional(tx.conn())
                .await?;
        let Some(due) = stored else { continue };
        if due > now {
            soonest = soonest.min((due - now).to_std().unwrap_or(Duration::ZERO));
            continue;
        }
        let next = schedule.next_after(now).map_err(db::Error::Schema)?;
        // whoever moves the stored time forward fires: the others find it moved
        let claimed = sqlx::query(
            "update jobs.schedules set next_fire_at = $3, last_fired_at = $2 where name = $1 and next_fire_at = $2",
        )
        .bind(schedule.name)
        .bind(due)
        .bind(next)
        .execute(tx.conn())
        .await?;
        if claimed.rows_affected() == 1 {
            match (schedule.fire)(tx).await {
                Ok(tx) => tx.commit().await?,
                Err(error) => tracing::error!(schedule = schedule.name, %error, "a schedule could not make its job"),
            }
        }
        soonest = soonest.min((next - now).to_std().unwrap_or(Duration::ZERO));
    }
    Ok(soonest.max(Duration::from_millis(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daily_line_keeps_its_wall_clock_time_over_the_change_to_summer() {
        let at = DateTime::parse_from_rfc3339("2026-03-07T20:00:00Z").unwrap().with_timezone(&Utc);
        let zone = chrono_tz::America::New_York;
        let first = next_fire("0 9 * * *", zone, at).unwrap();
        let second = next_fire("0 9 * * *", zone, first).unwrap();
        assert_eq!(first.to_rfc3339(), "2026-03-08T13:00:00+00:00");
        assert_eq!(second.to_rfc3339(), "2026-03-09T13:00:00+00:00");
    }

    #[test]
    fn a_fire_time_is_a_whole_second() {
        let at = DateTime::parse_from_rfc3339("2026-03-07T20:00:00.608Z").unwrap().with_timezone(&Utc);
        let next = next_fire("*/15 * * * * *", chrono_tz::UTC, at).unwrap();
        assert_eq!(next.to_rfc3339(), "2026-03-07T20:00:15+00:00");
    }

    #[test]
    fn a_line_that_can_not_be_read_says_so() {
        assert!(next_fire("61 * * * *", chrono_tz::UTC, DateTime::UNIX_EPOCH).is_err());
    }
}
