//! Schedules: what each word of the contract does to rows, and what operators see and do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::{America::New_York, UTC};
use db::{Actor, Scope, Why};
use jobs::admin::{self, By, Refused, ScheduleRow};
use jobs::schedule::{
    Ambiguous, CatchUp, Dst, Fired, Nonexistent, Overlap, Schedule, ScheduleError, declare, fire_due, fire_now, run,
};
use tokio_util::sync::CancellationToken;

use super::{
    kinds::{App, Stamp, Tick},
    world::EngineWorld,
};

pub const HOUR: Duration = Duration::from_secs(3600);
pub const TICKS: &str =
    "select count(*) from jobs.jobs j join jobs.kinds k on k.id = j.kind where k.name = 'test.tick'";

/// Every hour, whatever became of the last one.
pub fn hourly() -> Vec<Schedule> {
    vec![tick().overlap(Overlap::Allow)]
}
fn tick() -> Schedule {
    Schedule::new::<App, Tick>("tick", "0 * * * *", UTC, Tick {})
}
fn stamps(cron: &'static str, zone: chrono_tz::Tz) -> Schedule {
    Schedule::made_by::<App, _>("stamp", cron, zone, |at| Stamp { at }).overlap(Overlap::Allow)
}

async fn now(world: &EngineWorld) -> DateTime<Utc> {
    world.db.platform(Why::Operator).await.unwrap().now()
}
/// Sets the world's clock, whatever the year is where this runs.
async fn advance_to(world: &EngineWorld, at: &str) {
    let at: DateTime<Utc> = at.parse().unwrap();
    sqlx::query("update app.test_clock set shift = $1 - clock_timestamp()")
        .bind(at)
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
}
/// Far enough from a full hour, on either side, that none turns while a test looks. Before any worker is there: it would lose its lease.
pub async fn between_hours(world: &EngineWorld) {
    advance_to(world, "2027-01-01T00:25:00Z").await;
}
async fn stored(world: &EngineWorld, name: &str) -> ScheduleRow {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::find_schedule(&mut tx, name).await.unwrap().expect("it is stored")
}
pub fn by(reason: &str) -> By {
    By::new(Actor::Operator, reason).unwrap()
}
async fn fire_by_hand(world: &EngineWorld, schedule: &Schedule, reason: &str) -> Option<Fired> {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let fired = match fire_now(&mut tx, schedule, &by(reason)).await {
        Ok(fired) => Some(fired),
        Err(ScheduleError::Refused(Refused::NotFound)) => None,
        Err(error) => panic!("{error}"),
    };
    tx.commit().await.unwrap();
    fired
}
/// The times that stamps were made for, oldest first.
async fn stamped(world: &EngineWorld) -> Vec<DateTime<Utc>> {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let times: Vec<String> = sqlx::query_scalar(
        "select x.payload ->> 'at' from (select payload from jobs.jobs union all select payload from jobs.scheduled) x
          where x.payload ? 'at' order by 1",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    times.into_iter().map(|at| at.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_scheduler_that_was_away_for_a_day_makes_up_none_or_one_or_all_up_to_a_limit() {
    let world = EngineWorld::new().await;
    // twenty past, so that no fire is on time
    advance_to(&world, "2027-01-01T00:20:00Z").await;
    for (catch_up, made) in [(CatchUp::None, 0), (CatchUp::One, 1), (CatchUp::All(7), 7), (CatchUp::All(1000), 24)] {
        let schedules = vec![stamps("0 * * * *", UTC).catch_up(catch_up)];
        declare(&world.db, &schedules).await.unwrap();
        let from = stored(&world, "stamp").await.next_fire_at;
        world.advance(24 * HOUR).await;
        for _ in 0..3 {
            fire_due(&world.db, &schedules).await.unwrap();
        }
        let newest: Vec<_> = (0..24).map(|hour| from + hour * HOUR).skip(24 - made).collect();
        assert_eq!(stamped(&world).await, newest, "{catch_up:?}");
        let row = stored(&world, "stamp").await;
        assert_eq!(row.next_fire_at, from + 24 * HOUR);
        assert_eq!(row.missed_at, (made < 24).then(|| from + HOUR * (23 - made as u32)).or(row.missed_at));
        assert_eq!(row.last_fired_at, newest.last().copied().or(row.last_fired_at));
        world.execute("delete from jobs.jobs").await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_fire_makes_no_job_while_the_last_one_is_live() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let skip = vec![tick().overlap(Overlap::Skip)];
    declare(&world.db, &skip).await.unwrap();
    for _ in 0..3 {
        world.advance(HOUR).await;
        fire_due(&world.db, &skip).await.unwrap();
    }
    assert_eq!(world.number(TICKS).await, 1);
    assert_eq!(stored(&world, "tick").await.skipped_count, 2);
    let worker = world.worker().await;
    e2e::eventually("it ran", || async { world.runs_of("tick") == 1 }).await;
    world.drained().await;
    world.advance(HOUR).await;
    fire_due(&world.db, &skip).await.unwrap();
    e2e::eventually("the next one ran", || async { world.runs_of("tick") == 2 }).await;
    world.drained().await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn one_fire_waits_for_the_last_job_to_end_and_keeps_its_time() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let queue = vec![stamps("0 * * * *", UTC).overlap(Overlap::Queue)];
    declare(&world.db, &queue).await.unwrap();
    let first = stored(&world, "stamp").await.next_fire_at;
    for _ in 0..4 {
        world.advance(HOUR).await;
        fire_due(&world.db, &queue).await.unwrap();
    }
    assert_eq!(stamped(&world).await, [first]);
    let row = stored(&world, "stamp").await;
    assert_eq!((row.queued_fire_at, row.skipped_count), (Some(first + HOUR), 2));
    let worker = world.worker().await;
    e2e::eventually("the second is made when the first has ended", || async {
        fire_due(&world.db, &queue).await.unwrap();
        world.runs().len() == 2
    })
    .await;
    world.drained().await;
    let names: Vec<String> = world.runs().into_iter().map(|run| run.name).collect();
    assert_eq!(names, [first.to_rfc3339(), (first + HOUR).to_rfc3339()]);
    assert_eq!(stored(&world, "stamp").await.queued_fire_at, None);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_fire_s_job_is_due_by_its_own_jitter_and_knows_its_time() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let spread = vec![stamps("0 * * * *", UTC).jitter(Duration::from_secs(1800))];
    declare(&world.db, &spread).await.unwrap();
    let row = stored(&world, "stamp").await;
    let preview = admin::preview(&row, now(&world).await, 2).unwrap();
    assert_eq!(preview[0].at, row.next_fire_at);
    assert!(preview.iter().all(|fire| fire.run_at >= fire.at && fire.run_at <= fire.at + HOUR / 2));
    assert_ne!(preview[0].run_at - preview[0].at, preview[1].run_at - preview[1].at);
    world.advance(HOUR).await;
    fire_due(&world.db, &spread).await.unwrap();
    assert_eq!(stamped(&world).await, [preview[0].at]);
    let id = stored(&world, "stamp").await.last_job_id.unwrap();
    assert_eq!(world.job(id).await.run_at, Some(preview[0].run_at));
    world.finish().await;
}

#[tokio::test]
async fn a_time_that_does_not_exist_is_skipped_or_moved_to_the_end_of_the_gap() {
    let world = EngineWorld::new().await;
    advance_to(&world, "2027-03-13T12:00:00Z").await;
    for (nonexistent, fires) in [
        (Nonexistent::Skip, vec!["2027-03-15T06:30:00Z"]),
        (Nonexistent::NextValid, vec!["2027-03-14T07:00:00Z", "2027-03-15T06:30:00Z"]),
    ] {
        let daily = || vec![stamps("30 2 * * *", New_York).nonexistent(nonexistent)];
        world.execute("delete from jobs.schedules").await;
        declare(&world.db, &daily()).await.unwrap();
        let row = stored(&world, "stamp").await;
        assert_eq!(row.next_fire_at.to_rfc3339(), fires[0].replace('Z', "+00:00"));
        let moved = admin::preview(&row, now(&world).await, 1).unwrap().remove(0);
        assert_eq!(moved.dst, (nonexistent == Nonexistent::NextValid).then_some(Dst::Moved));
    }
    for (at, made) in [("2027-03-14T06:59:00Z", 0), ("2027-03-14T07:00:00Z", 1), ("2027-03-15T06:30:00Z", 2)] {
        advance_to(&world, at).await;
        let daily = vec![stamps("30 2 * * *", New_York).nonexistent(Nonexistent::NextValid)];
        for _ in 0..2 {
            fire_due(&world.db, &daily).await.unwrap();
        }
        assert_eq!(stamped(&world).await.len(), made, "{at}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_time_that_exists_twice_fires_first_or_second_or_both() {
    let world = EngineWorld::new().await;
    let of = |name, ambiguous| {
        let daily = Schedule::made_by::<App, _>(name, "30 1 * * *", New_York, |at| Stamp { at });
        daily.overlap(Overlap::Allow).ambiguous(ambiguous)
    };
    let all = || {
        [("first", Ambiguous::First), ("second", Ambiguous::Second), ("both", Ambiguous::Both)]
            .map(|(name, ambiguous)| of(name, ambiguous))
    };
    advance_to(&world, "2027-11-06T12:00:00Z").await;
    declare(&world.db, &all()).await.unwrap();
    for (at, made) in [("2027-11-07T05:30:00Z", 2), ("2027-11-07T06:30:00Z", 4), ("2027-11-08T06:30:00Z", 7)] {
        advance_to(&world, at).await;
        for _ in 0..2 {
            fire_due(&world.db, &all()).await.unwrap();
        }
        assert_eq!(stamped(&world).await.len(), made, "{at}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_preview_of_fifty_fires_is_what_happens() {
    let world = EngineWorld::new().await;
    advance_to(&world, "2027-11-06T20:00:00Z").await;
    let often = || vec![stamps("7,37 * * * *", New_York).catch_up(CatchUp::All(1000))];
    declare(&world.db, &often()).await.unwrap();
    let preview = admin::preview(&stored(&world, "stamp").await, now(&world).await, 50).unwrap();
    let marked: Vec<_> = preview.iter().filter_map(|fire| fire.dst).collect();
    assert_eq!(marked, [Dst::First, Dst::First, Dst::Second, Dst::Second]);
    let last = preview[49].at;
    while now(&world).await < last {
        world.advance(4 * HOUR).await;
        fire_due(&world.db, &often()).await.unwrap();
    }
    let happened: Vec<_> = stamped(&world).await.into_iter().take(50).collect();
    assert_eq!(happened, preview.iter().map(|fire| fire.at).collect::<Vec<_>>());
    world.finish().await;
}

#[tokio::test]
async fn declaring_again_keeps_the_stored_time_and_a_changed_line_takes_a_new_one() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    declare(&world.db, &hourly()).await.unwrap();
    world.advance(HOUR).await;
    let changed = vec![tick().overlap(Overlap::Allow).catch_up(CatchUp::All(3)).jitter(Duration::from_millis(1))];
    declare(&world.db, &changed).await.unwrap();
    fire_due(&world.db, &changed).await.unwrap();
    assert!(stored(&world, "tick").await.last_fired_at.is_some(), "a restart at the moment of firing swallows nothing");
    let daily = vec![Schedule::new::<App, Tick>("tick", "0 9 * * *", New_York, Tick {})];
    declare(&world.db, &daily).await.unwrap();
    let row = stored(&world, "tick").await;
    assert_eq!(row.next_fire_at.with_timezone(&New_York).format("%H:%M").to_string(), "09:00");
    assert_eq!(
        (row.nonexistent.as_str(), row.ambiguous.as_str(), row.catch_up_limit, row.jitter_ms),
        ("next_valid", "first", None, 0)
    );
    world.finish().await;
}

#[tokio::test]
async fn what_a_schedule_makes_runs_in_the_platform() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
    let (db, until) = (world.db.clone(), stop.clone());
    let ended = stopped.clone();
    tokio::spawn(async move {
        run(&db, &hourly(), until).await.unwrap();
        ended.cancel();
    });
    e2e::eventually("it is declared", || async { world.number("select count(*) from jobs.schedules").await == 1 })
        .await;
    world.advance(HOUR).await;
    let worker = world.worker().await;
    e2e::eventually("it ran", || async { world.runs_of("tick") == 1 }).await;
    world.drained().await;
    assert_eq!(
        world.number("select count(*) from jobs.history where tenant_number = 0 and state = 'completed'").await,
        1
    );
    stop.cancel();
    stopped.cancelled().await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_paused_schedule_makes_nothing_and_goes_on_from_when_it_is_resumed() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let all = || vec![tick().overlap(Overlap::Allow).catch_up(CatchUp::All(100))];
    declare(&world.db, &all()).await.unwrap();
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::pause_schedule(&mut tx, "tick", &by("too loud")).await.unwrap();
    let none = admin::pause_schedule(&mut tx, "no such", &by("too loud")).await;
    assert!(matches!(none, Err(Refused::NotFound)));
    tx.commit().await.unwrap();
    assert_eq!(stored(&world, "tick").await.reason.as_deref(), Some("paused by operator: too loud"));
    world.advance(10 * HOUR).await;
    declare(&world.db, &all()).await.unwrap();
    fire_due(&world.db, &all()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0);
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::resume_schedule(&mut tx, "tick", &by("quiet again")).await.unwrap();
    assert!(admin::resume_schedule(&mut tx, "no such", &by("quiet again")).await.is_err());
    tx.commit().await.unwrap();
    fire_due(&world.db, &all()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0, "what came while it was paused is not made up");
    world.advance(HOUR).await;
    fire_due(&world.db, &all()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn an_operator_fires_one_at_once_with_a_reason() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let (allow, skip, queue) =
        (tick().overlap(Overlap::Allow), tick().overlap(Overlap::Skip), tick().overlap(Overlap::Queue));
    assert_eq!(fire_by_hand(&world, &allow, "to see").await, None, "it is not stored");
    declare(&world.db, std::slice::from_ref(&allow)).await.unwrap();
    let next = stored(&world, "tick").await.next_fire_at;
    let Some(Fired::Made(id)) = fire_by_hand(&world, &allow, "to see").await else { panic!("a job") };
    let told = "select count(*) from jobs.audit where act = 'fire' and subject = 'schedule' and subject_id = 'tick' and reason = 'to see'";
    assert_eq!(world.number(told).await, 1);
    let row = stored(&world, "tick").await;
    assert_eq!((row.next_fire_at, row.last_job_id), (next, Some(id)), "its own times stay");
    declare(&world.db, std::slice::from_ref(&skip)).await.unwrap();
    assert_eq!(fire_by_hand(&world, &skip, "again").await, Some(Fired::Skipped(id)));
    assert_eq!(stored(&world, "tick").await.skipped_count, 0);
    declare(&world.db, std::slice::from_ref(&queue)).await.unwrap();
    assert_eq!(fire_by_hand(&world, &queue, "again").await, Some(Fired::Queued(id)));
    assert_eq!(fire_by_hand(&world, &queue, "again").await, Some(Fired::Skipped(id)));
    assert_eq!(world.number(TICKS).await, 1);
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::pause_schedule(&mut tx, "tick", &by("quiet")).await.unwrap();
    tx.commit().await.unwrap();
    world.execute("delete from jobs.jobs").await;
    assert!(matches!(fire_by_hand(&world, &queue, "a trial").await, Some(Fired::Made(_))));
    assert_eq!(world.number(TICKS).await, 1, "also while it is paused");
    world.finish().await;
}

#[tokio::test]
async fn a_schedule_that_can_not_be_fired_keeps_no_other_from_it() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let both = || vec![stamps("0 * * * *", UTC), tick()];
    declare(&world.db, &both()).await.unwrap();
    world.execute("update jobs.schedules set cron = 'nonsense' where name = 'stamp'").await;
    world.advance(HOUR).await;
    fire_due(&world.db, &both()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 1);
    world.finish().await;
}
