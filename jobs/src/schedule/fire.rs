//! Fires what is due. The row of a schedule is locked by whoever fires it; job and time move in one commit. A scheduler that stands
//! still in the middle holds that one row, which the others step over, until the server ends its transaction (20 s); then nothing of
//! it was made, and another fires.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, Utc};
use db::{Db, PlatformTx, Scope, Why};
use tokio_util::sync::CancellationToken;

use super::{
    CalendarError, Occasion, Overlap, Plan, Schedule,
    declare::{declare, keep},
};
use crate::{
    admin::{self, By, Refused, ScheduleRow},
    enqueue::{EnqueueError, Enqueued},
};

/// The longest wait between two looks: what an operator resumes, and a fire whose turn it is to run, wait no longer.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A pass that is not answered in time is given up, and the next takes another connection.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// How often a scheduler says that it still declares its schedules.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// Why a schedule could not be fired or changed.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Its times can't be told.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// Its job can't be made.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// It is not stored, or nobody said why.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The database refused.
    #[error(transparent)]
    Db(#[from] db::Error),
}
impl From<sqlx::Error> for ScheduleError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// What became of a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fired {
    /// It made this job.
    Made(i64),
    /// This job was there already, with the same key.
    Duplicate(i64),
    /// It waits until this job, the last one, has ended.
    Queued(i64),
    /// It made nothing: this job, the last one, is still live.
    Skipped(i64),
}

impl Fired {
    const fn word(self) -> &'static str {
        match self {
            Self::Made(_) => "made",
            Self::Duplicate(_) => "duplicate",
            Self::Queued(_) => "queued",
            Self::Skipped(_) => "skipped",
        }
    }
}

/// Stores what is declared and fires what is due, until `stop`.
pub async fn run(db: &Db, schedules: &[Schedule], stop: CancellationToken) -> Result<(), db::Error> {
    declare(db, schedules).await?;
    let mut kept = Instant::now();
    loop {
        let wait = match db::within(ANSWERED_WITHIN, pass(db, schedules, &mut kept)).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "schedules could not be fired; they are tried again");
                LOOK_EVERY
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn pass(db: &Db, schedules: &[Schedule], kept: &mut Instant) -> Result<Duration, db::Error> {
    if kept.elapsed() >= KEEP_EVERY {
        keep(db, schedules).await?;
        *kept = Instant::now();
    }
    fire_due(db, schedules).await
}

/// Fires each due schedule and answers how long to wait before the next look. One that can't be fired does not keep the others from it.
pub async fn fire_due(db: &Db, schedules: &[Schedule]) -> Result<Duration, db::Error> {
    let names: Vec<&str> = schedules.iter().map(Schedule::name).collect();
    let started = Instant::now();
    let mut tx = db.platform(Why::Upkeep).await?;
    let now = tx.now();
    let stored: Vec<(String, DateTime<Utc>, bool)> = sqlx::query_as(
        "select name, next_fire_at, queued_fire_at is not null from jobs.schedules where name = any($1) and paused_at is null and retired_at is null",
    )
    .bind(names)
    .fetch_all(tx.conn())
    .await?;
    drop(tx);
    let stored: HashMap<String, (DateTime<Utc>, bool)> =
        stored.into_iter().map(|(name, next, is_queued)| (name, (next, is_queued))).collect();
    let mut wait = LOOK_EVERY;
    for schedule in schedules {
        let Some((mut next, is_queued)) = stored.get(schedule.name).copied() else { continue };
        if next <= now || is_queued {
            match fire_one(db, schedule).await {
                Ok(Some(moved)) => next = moved,
                // paused meanwhile, or another scheduler is at it
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(schedule = schedule.name, %error, "a schedule could not be fired; it is tried again");
                    continue;
                }
            }
        }
        wait = wait.min((next - now).to_std().unwrap_or(Duration::ZERO));
    }
    Ok(wait.saturating_sub(started.elapsed()).max(Duration::from_millis(10)))
}

async fn fire_one(db: &Db, schedule: &Schedule) -> Result<Option<DateTime<Utc>>, ScheduleError> {
    let mut tx = db.platform(Why::Upkeep).await?;
    // a scheduler that stands still may also hold what making a job waits for, a lane's first row or a unique key: the schedules that
    // come after this one do not wait for that
    sqlx::query("set local lock_timeout = '1s'").execute(tx.conn()).await?;
    let next = fire_in(&mut tx, schedule).await?;
    if next.is_some() {
        tx.commit().await?;
    }
    Ok(next)
}

/// Fires what is due of one schedule in a transaction of the caller, whose commit makes the jobs and moves the time, both or neither.
/// Answers when it fires next; none where it is not stored, is paused, or another scheduler has it.
pub async fn fire_in(tx: &mut PlatformTx, schedule: &Schedule) -> Result<Option<DateTime<Utc>>, ScheduleError> {
    let Some(row) = admin::lock_due_schedule(tx, schedule.name).await? else { return Ok(None) };
    let plan = Plan::of(&row)?;
    let due = plan.due(row.next_fire_at, tx.now())?;
    let mut made = Making::after(tx, &row).await?;
    if let Some(at) = made.queued_at.filter(|_| made.live.is_none()) {
        made.queued_at = None;
        let fired = made.fire(tx, schedule, Occasion { at, run_at: plan.run_at(at) }).await?;
        crate::metrics::fired(schedule.name, fired.word(), (tx.now() - at).as_seconds_f64());
    }
    for &at in &due.fires {
        let fired = made.fire(tx, schedule, Occasion { at, run_at: plan.run_at(at) }).await?;
        crate::metrics::fired(schedule.name, fired.word(), (tx.now() - at).as_seconds_f64());
    }
    if let Some(missed) = due.left_out {
        tracing::warn!(schedule = schedule.name, newest = %missed, "fires were missed while no scheduler ran; these are not made up");
    }
    made.store(tx, &row, due.next, due.left_out).await?;
    Ok(Some(due.next))
}

/// Fires a schedule at once, for an operator; also a paused one. Its times stay as they are and its rule for overlaps holds.
pub async fn fire_now(tx: &mut PlatformTx, schedule: &Schedule, by: &By) -> Result<Fired, ScheduleError> {
    let row = admin::lock_schedule(tx, schedule.name).await?.ok_or(Refused::NotFound)?;
    let at = tx.now().trunc_subsecs(0);
    let mut made = Making::after(tx, &row).await?;
    if row.paused_at.is_some() && made.overlap == Overlap::Queue {
        // what waits for its turn is made by the schedulers, and they leave a paused schedule alone
        made.overlap = Overlap::Skip;
    }
    let fired = made.fire(tx, schedule, Occasion { at, run_at: at }).await?;
    // an operator's fire that is refused is answered, not counted
    made.skipped_count = 0;
    made.store(tx, &row, row.next_fire_at, None).await?;
    admin::record_schedule(tx, schedule.name, by, "fire").await?;
    Ok(fired)
}

/// A schedule while its fires are made: what the next one overlaps with, and what is to be stored.
struct Making {
    overlap: Overlap,
    /// The last job, while it is live.
    live: Option<i64>,
    queued_at: Option<DateTime<Utc>>,
    last: Option<(DateTime<Utc>, i64)>,
    skipped_count: i64,
}

impl Making {
    async fn after(tx: &mut PlatformTx, row: &ScheduleRow) -> Result<Self, ScheduleError> {
        let overlap = row.overlap.parse().map_err(|_| CalendarError::Words(row.name.clone()))?;
        // one statement, so that a job on its way between the two tables is seen in one of them
        let live = sqlx::query_scalar(
            "select x.id from (select id from jobs.jobs where id = $1 union all select id from jobs.scheduled where id = $1) x limit 1",
        )
        .bind(row.last_job_id)
        .fetch_optional(tx.conn())
        .await?;
        Ok(Self { overlap, live, queued_at: row.queued_fire_at, last: None, skipped_count: 0 })
    }

    async fn fire(
        &mut self,
        tx: &mut PlatformTx,
        schedule: &Schedule,
        occasion: Occasion,
    ) -> Result<Fired, ScheduleError> {
        match (self.overlap, self.live) {
            (Overlap::Queue, Some(live)) if self.queued_at.is_none() => {
                self.queued_at = Some(occasion.at);
                return Ok(Fired::Queued(live));
            }
            (Overlap::Skip | Overlap::Queue, Some(live)) => {
                self.skipped_count += 1;
                return Ok(Fired::Skipped(live));
            }
            (Overlap::Allow, _) | (_, None) => {}
        }
        let enqueued = (schedule.make)(tx, occasion).await?;
        self.live = Some(enqueued.job_id());
        self.last = Some((occasion.at, enqueued.job_id()));
        Ok(match enqueued {
            Enqueued::Created(id) => Fired::Made(id),
            Enqueued::Duplicate(id) => Fired::Duplicate(id),
        })
    }

    async fn store(
        self,
        tx: &mut PlatformTx,
        row: &ScheduleRow,
        next: DateTime<Utc>,
        missed: Option<DateTime<Utc>>,
    ) -> Result<(), ScheduleError> {
        // the row is locked since it was read; that its time is still the one that was fired is said all the same
        let stored = sqlx::query(
            "update jobs.schedules set next_fire_at = $3, queued_fire_at = $4, last_fired_at = coalesce($5, last_fired_at), last_job_id = coalesce($6, last_job_id),
                skipped_count = skipped_count + $7, missed_at = coalesce($8, missed_at)
              where name = $1 and next_fire_at = $2",
        )
        .bind(&row.name)
        .bind(row.next_fire_at)
        .bind(next)
        .bind(self.queued_at)
        .bind(self.last.map(|(at, _)| at))
        .bind(self.last.map(|(_, id)| id))
        .bind(self.skipped_count)
        .bind(missed)
        .execute(tx.conn())
        .await?;
        if stored.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound.into()) }
    }
}
