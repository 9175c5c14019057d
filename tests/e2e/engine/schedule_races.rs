//! Schedulers against each other: two on one tick, one of them cut off in the middle, one of another version.

use std::time::{Duration, Instant};

use chrono_tz::UTC;
use db::Scope;
use futures::future::{join, join_all};
use jobs::schedule::{CatchUp, Overlap, Schedule, declare, fire_due, fire_in, fire_now};

use super::{
    kinds::{App, Stamp, Tick},
    schedules::{HOUR, TICKS, between_hours, by, hourly},
    world::EngineWorld,
};

const CUT_OFF: &str = "scheduler that is cut off";

#[tokio::test]
async fn two_schedulers_fire_one_tick_once() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    join(async { declare(&world.db, &hourly()).await.unwrap() }, async {
        declare(&world.db, &hourly()).await.unwrap()
    })
    .await;
    fire_due(&world.db, &hourly()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0, "nothing is due yet");
    for tick in 1..=3 {
        world.advance(HOUR).await;
        join_all((0..6).map(|_| async { fire_due(&world.db, &hourly()).await.unwrap() })).await;
        assert_eq!(world.number(TICKS).await, tick);
    }
    world.finish().await;
}

#[tokio::test]
async fn six_schedulers_make_up_each_missed_fire_once() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let stamps = || {
        let stamps = Schedule::made_by::<App, _>("stamp", "*/10 * * * *", UTC, |at| Stamp { at });
        vec![stamps.catch_up(CatchUp::All(100)).overlap(Overlap::Allow)]
    };
    declare(&world.db, &stamps()).await.unwrap();
    for round in 1..=3 {
        world.advance(HOUR).await;
        join_all((0..6).map(|_| async { fire_due(&world.db, &stamps()).await.unwrap() })).await;
        assert_eq!(world.number("select count(*) from jobs.jobs").await, round * 6);
        assert_eq!(world.number("select count(distinct payload ->> 'at') from jobs.jobs").await, round * 6);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_scheduler_cut_off_before_its_commit_has_made_nothing_and_another_fires() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let all = || {
        // waits in the lane's table for the one that is cut off: both would make the first job of the kind
        let alike = Schedule::new::<App, Tick>("alike", "0 * * * *", UTC, Tick {}).overlap(Overlap::Allow);
        let other = Schedule::made_by::<App, _>("other", "0 * * * *", UTC, |at| Stamp { at });
        hourly().into_iter().chain([alike, other]).collect::<Vec<_>>()
    };
    declare(&world.db, &all()).await.unwrap();
    world.advance(HOUR).await;
    let far = world.database.connect(CUT_OFF, 1).await;
    let mut stalled = far.platform(db::Why::Upkeep).await.unwrap();
    fire_in(&mut stalled, &all()[0]).await.unwrap().expect("it has the tick");
    // the others step over what it holds, and do not wait for long behind it
    let before = Instant::now();
    fire_due(&world.db, &all()).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(10), "not until the server ends it");
    assert_eq!(world.number(TICKS).await, 0);
    assert_eq!(world.number("select count(*) from jobs.schedules where last_job_id is not null").await, 1, "the other");
    world.database.cut(CUT_OFF).await;
    fire_due(&world.db, &all()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 2);
    stalled.commit().await.expect_err("its transaction is gone");
    fire_due(&world.db, &all()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 2);
    far.close();
    world.finish().await;
}

#[tokio::test]
async fn a_scheduler_that_comes_back_in_time_commits_and_the_others_find_the_tick_fired() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    declare(&world.db, &hourly()).await.unwrap();
    world.advance(HOUR).await;
    let far = world.database.connect(CUT_OFF, 1).await;
    let mut stalled = far.platform(db::Why::Upkeep).await.unwrap();
    fire_in(&mut stalled, &hourly()[0]).await.unwrap().expect("it has the tick");
    fire_due(&world.db, &hourly()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0);
    stalled.commit().await.unwrap();
    fire_due(&world.db, &hourly()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 1);
    far.close();
    world.finish().await;
}

#[tokio::test]
async fn what_a_scheduler_holds_that_stands_still_is_freed_by_the_server_itself() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    declare(&world.db, &hourly()).await.unwrap();
    world.advance(HOUR).await;
    let far = world.database.connect(CUT_OFF, 1).await;
    let mut stalled = far.platform(db::Why::Upkeep).await.unwrap();
    // every connection has this with 20 s
    let timeout = sqlx::query_scalar::<_, String>("show idle_in_transaction_session_timeout");
    assert_eq!(timeout.fetch_one(stalled.conn()).await.unwrap(), "20s");
    fire_in(&mut stalled, &hourly()[0]).await.unwrap().expect("it has the tick");
    // only from here on does it stand still
    sqlx::query("set local idle_in_transaction_session_timeout = '200ms'").execute(stalled.conn()).await.unwrap();
    e2e::eventually("another fires", || async {
        fire_due(&world.db, &hourly()).await.unwrap();
        world.number(TICKS).await == 1
    })
    .await;
    stalled.commit().await.expect_err("its transaction is gone");
    assert_eq!(world.number(TICKS).await, 1);
    far.close();
    world.finish().await;
}

#[tokio::test]
async fn an_operator_and_a_scheduler_at_the_same_moment_make_one_job_where_fires_may_not_overlap() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let skip = || vec![Schedule::new::<App, Tick>("tick", "0 * * * *", UTC, Tick {}).overlap(Overlap::Skip)];
    declare(&world.db, &skip()).await.unwrap();
    for _ in 0..10 {
        world.advance(HOUR).await;
        let by_hand = async {
            let mut tx = world.db.platform(db::Why::Operator).await.unwrap();
            fire_now(&mut tx, &skip()[0], &by("now")).await.unwrap();
            tx.commit().await.unwrap();
        };
        join(by_hand, async { fire_due(&world.db, &skip()).await.unwrap() }).await;
        // the scheduler steps over what the operator holds
        fire_due(&world.db, &skip()).await.unwrap();
        assert_eq!(world.number(TICKS).await, 1);
        assert_eq!(world.number("select count(*) from jobs.schedules where next_fire_at > app.now()").await, 1);
        world.execute("delete from jobs.jobs").await;
    }
    world.finish().await;
}

#[tokio::test]
async fn schedulers_of_two_versions_keep_what_either_declares_while_it_runs() {
    let world = EngineWorld::new().await;
    between_hours(&world).await;
    let of = |name| vec![Schedule::new::<App, Tick>(name, "0 * * * *", UTC, Tick {})];
    declare(&world.db, &of("old")).await.unwrap();
    declare(&world.db, &of("new")).await.unwrap();
    let live = "select count(*) from jobs.schedules where retired_at is null";
    assert_eq!(world.number(live).await, 2, "the old version may still run");
    world.advance(Duration::from_secs(121)).await;
    declare(&world.db, &of("new")).await.unwrap();
    assert_eq!(world.number(live).await, 1, "nobody has declared it for two minutes");
    world.advance(HOUR).await;
    fire_due(&world.db, &of("old")).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0, "a retired schedule makes nothing");
    declare(&world.db, &of("old")).await.unwrap();
    fire_due(&world.db, &of("old")).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0, "declared again it goes on from now");
    assert_eq!(world.number(live).await, 1, "the new version has not been heard of for an hour");
    world.advance(Duration::from_secs(31 * 86_400)).await;
    declare(&world.db, &of("old")).await.unwrap();
    assert_eq!(
        world.number("select count(*) from jobs.schedules").await,
        1,
        "what was retired a month ago is forgotten"
    );
    world.finish().await;
}
