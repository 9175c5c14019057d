//! Schedules: one firing for each time, however many schedulers there are.

use std::time::Duration;

use futures::future::{join, join_all};
use jobs::schedule::{Schedule, declare, fire_due};

use super::{
    kinds::{App, Tick},
    world::EngineWorld,
};

fn hourly() -> Vec<Schedule> {
    vec![Schedule::new::<App, Tick>("tick", "0 * * * *", chrono_tz::UTC, Tick {})]
}
const TICKS: &str = "select count(*) from jobs.jobs j join jobs.kinds k on k.id = j.kind where k.name = 'test.tick'";

#[tokio::test]
async fn two_schedulers_fire_one_tick_once() {
    let world = EngineWorld::new().await;
    join(async { declare(&world.db, &hourly()).await.unwrap() }, async {
        declare(&world.db, &hourly()).await.unwrap()
    })
    .await;
    fire_due(&world.db, &hourly()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0, "nothing is due yet");
    for tick in 1..=3 {
        world.advance(Duration::from_secs(3600)).await;
        join_all((0..6).map(|_| async { fire_due(&world.db, &hourly()).await.unwrap() })).await;
        assert_eq!(world.number(TICKS).await, tick);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_scheduler_that_was_away_for_a_day_fires_once_and_goes_on() {
    let world = EngineWorld::new().await;
    declare(&world.db, &hourly()).await.unwrap();
    world.advance(Duration::from_secs(86_400)).await;
    for _ in 0..5 {
        fire_due(&world.db, &hourly()).await.unwrap();
    }
    assert_eq!(world.number(TICKS).await, 1);
    assert_eq!(
        world.number("select count(*) from jobs.schedules where next_fire_at between app.now() and app.now() + interval '1 hour'").await,
        1
    );
    world.finish().await;
}

#[tokio::test]
async fn declaring_again_keeps_the_stored_time_and_a_changed_line_takes_a_new_one() {
    let world = EngineWorld::new().await;
    declare(&world.db, &hourly()).await.unwrap();
    world.advance(Duration::from_secs(3600)).await;
    declare(&world.db, &hourly()).await.unwrap();
    fire_due(&world.db, &hourly()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 1, "a restart at the moment of firing does not swallow it");
    let daily = vec![Schedule::new::<App, Tick>("tick", "0 9 * * *", chrono_tz::America::New_York, Tick {})];
    declare(&world.db, &daily).await.unwrap();
    assert_eq!(
        world
            .number(
                "select extract(hour from next_fire_at at time zone 'America/New_York')::bigint from jobs.schedules"
            )
            .await,
        9
    );
    declare(&world.db, &[]).await.unwrap();
    assert_eq!(world.number("select count(*) from jobs.schedules").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn what_a_schedule_makes_runs_in_the_platform() {
    let world = EngineWorld::new().await;
    declare(&world.db, &hourly()).await.unwrap();
    world.advance(Duration::from_secs(3600)).await;
    fire_due(&world.db, &hourly()).await.unwrap();
    let worker = world.worker().await;
    e2e::eventually("it ran", || async { world.runs_of("tick") == 1 }).await;
    world.drained().await;
    assert_eq!(
        world.number("select count(*) from jobs.history where tenant_number = 0 and state = 'completed'").await,
        1
    );
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_paused_schedule_makes_nothing() {
    let world = EngineWorld::new().await;
    declare(&world.db, &hourly()).await.unwrap();
    world.execute("update jobs.schedules set paused_at = app.now()").await;
    world.advance(Duration::from_secs(7200)).await;
    fire_due(&world.db, &hourly()).await.unwrap();
    assert_eq!(world.number(TICKS).await, 0);
    world.finish().await;
}
