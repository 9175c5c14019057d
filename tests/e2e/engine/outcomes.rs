//! Every way a start can end, and what is left of the job then.

use std::time::Duration;

use jobs::Enqueue;

use super::{
    kinds::{Act, Do, Newer, Slow, registry},
    world::EngineWorld,
};

#[tokio::test]
async fn a_failure_is_tried_again_on_the_curve_until_it_works() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    let id = world.work(Do::new("flaky", Act::FailUntil(3))).await;
    for (attempt, at_most) in [(1, 10.0), (2, 20.0)] {
        e2e::eventually("it waits for its next start", || async {
            world.number("select coalesce(max(attempt), 0)::bigint from jobs.scheduled").await == attempt
        })
        .await;
        let wait = world
            .number("select (extract(epoch from run_at - app.clock()) * 1000)::bigint from jobs.scheduled")
            .await as f64
            / 1000.0;
        // drawn from the upper half of the step; what has passed since may be a second or two
        assert!(wait <= at_most && wait >= at_most / 2.0 - 3.0, "attempt {attempt} waits {wait} s");
        world.advance(Duration::from_secs(25)).await;
    }
    world.reaches(id, "completed").await;
    let attempts: Vec<i16> = world.runs().iter().map(|run| run.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn the_last_attempt_discards_with_what_happened() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    let id = world.work(Do::new("broken", Act::Fail)).await;
    for start in 1..=2 {
        e2e::eventually("it waits", || async {
            world.runs().len() == start && world.number("select count(*) from jobs.scheduled").await == 1
        })
        .await;
        world.advance(Duration::from_secs(25)).await;
    }
    world.reaches(id, "discarded").await;
    let row = world.job(id).await;
    assert_eq!((row.attempt, world.runs().len()), (3, 3));
    let errors = row.errors.unwrap().0;
    assert_eq!(errors.as_array().unwrap().len(), 3);
    assert_eq!(errors[2]["error"], "it does not work");
    assert_eq!(row.payload.unwrap().0["name"], "broken");
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_handler_may_say_when_it_wants_to_be_tried_again() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    world.work(Do::new("limited", Act::FailAfterSecs(5000))).await;
    e2e::eventually("it waits", || async {
        world.number("select count(*) from jobs.scheduled where run_at between app.clock() + interval '4900 s' and app.clock() + interval '5000 s'").await == 1
    })
    .await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_snooze_gives_the_attempt_back() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    let id = world.work(Do::new("not now", Act::SnoozeTwice)).await;
    for start in 1..=2 {
        e2e::eventually("it sleeps", || async {
            world.runs().len() == start && world.number("select count(*) from jobs.scheduled").await == 1
        })
        .await;
        assert_eq!(world.job(id).await.attempt, 0);
        world.advance(Duration::from_secs(101)).await;
    }
    world.reaches(id, "completed").await;
    assert!(world.runs().iter().all(|run| run.attempt == 1), "{:?}", world.runs());
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn discard_and_cancel_end_at_once_and_are_kept() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    let useless = world.work(Do::new("useless", Act::Discard)).await;
    let unwanted = world.work(Do::new("unwanted", Act::Cancel)).await;
    world.reaches(useless, "discarded").await;
    world.reaches(unwanted, "cancelled").await;
    let errors = world.job(useless).await.errors.unwrap().0;
    assert_eq!(errors[0]["error"], "of no use\u{fffd}", "a NUL in an error does not stop the outcome");
    assert_eq!(world.number("select count(*) from jobs.failures").await, 2);
    assert_eq!(world.runs().len(), 2);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_panic_fails_one_job_and_nothing_else() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    let broken = world.work(Do::new("broken", Act::Panic)).await;
    let sound = world.work(Do::nothing("sound")).await;
    world.reaches(sound, "completed").await;
    e2e::eventually("it waits for its next start", || async { world.job(broken).await.errors.is_some() }).await;
    assert_eq!(world.job(broken).await.errors.unwrap().0[0]["error"], "the handler panicked");
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_handler_past_its_time_out_is_cancelled_and_has_failed() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    let id = world.enqueue(Enqueue::new(), &Slow {}).await;
    e2e::eventually("it has failed", || async { world.job(id).await.errors.is_some() }).await;
    let row = world.job(id).await;
    assert_eq!((row.state.name(), row.attempt), ("available", 1));
    assert!(row.errors.unwrap().0[0]["error"].as_str().unwrap().starts_with("no end after"));
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_poison_payload_ends_its_own_job_only() {
    let world = EngineWorld::new().await;
    let poison = world.work(Do::nothing("x")).await;
    world.execute("update jobs.jobs set payload = '{\"name\": 7}'").await;
    let sound = world.work(Do::nothing("sound")).await;
    let worker = world.worker().await;
    world.reaches(sound, "completed").await;
    world.reaches(poison, "discarded").await;
    assert_eq!(world.runs_of("x"), 0);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_kind_of_a_newer_version_waits_for_a_worker_that_knows_it() {
    let world = EngineWorld::new().await;
    registry().add::<Newer>().register(&world.db).await.unwrap();
    let old = world.worker().await;
    let id = world.enqueue(Enqueue::new(), &Newer {}).await;
    e2e::eventually("the old worker has put it back", || async { world.job(id).await.errors.is_some() }).await;
    assert_eq!(world.job(id).await.attempt, 0);
    old.stop().await;
    let new = world.worker_with(registry().add::<Newer>(), world.settings(4)).await;
    world.advance(Duration::from_secs(31)).await;
    world.reaches(id, "completed").await;
    new.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_retired_kind_completes_without_work() {
    let world = EngineWorld::new().await;
    registry().add::<Newer>().register(&world.db).await.unwrap();
    let id = world.enqueue(Enqueue::new(), &Newer {}).await;
    let worker = world.worker_with(registry().retired("test.newer", super::kinds::WORK), world.settings(4)).await;
    world.reaches(id, "completed").await;
    assert!(world.runs().is_empty());
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn an_effect_and_its_completion_are_one_commit() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    let id = world.work(Do::new("row", Act::Effect)).await;
    world.reaches(id, "completed").await;
    assert_eq!(world.effects().await, 1);
    e2e::eventually("its slot is free again", || async { world.number("select count(*) from jobs.leases").await == 0 })
        .await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn only_the_last_ten_errors_are_kept() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let mut hand = world.hand().await;
    for _ in 0..13 {
        let leased = hand.claim_some(1).await;
        let ended: i32 = sqlx::query_scalar(
            "select jobs.settle($1, array[$2], array[$3], array[2::smallint], array[0::float8], array['error ' || $4])",
        )
        .bind(hand.process)
        .bind(leased[0].id)
        .bind(leased[0].fence)
        .bind(leased[0].attempt.to_string())
        .fetch_one(hand.conn.conn())
        .await
        .unwrap();
        assert_eq!(ended, 1);
    }
    let errors = world.job(id).await.errors.unwrap().0;
    let errors = errors.as_array().unwrap();
    assert_eq!((errors.len(), errors[9]["error"].as_str()), (10, Some("error 13")));
    world.finish().await;
}
