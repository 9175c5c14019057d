//! Lanes: pause, resume and cancel touch one row and mean what they say.

use std::time::Duration;

use futures::future::join;
use jobs::Enqueue;

use super::{
    kinds::{Act, Do, Keyed, WORK, registry},
    world::{End, EngineWorld},
};

async fn fill(world: &EngineWorld, lane: &str, count: usize, act: Act) {
    let jobs: Vec<Do> = (0..count).map(|n| Do::new(format!("{lane}/{n}"), act.clone())).collect();
    world.enqueue_many(Enqueue::new().lane(lane), &jobs).await;
}
async fn pause(world: &EngineWorld, lane: &str) {
    let mut tx = world.tx().await;
    jobs::lane::pause(&mut tx, WORK, lane).await.unwrap();
    tx.commit().await.unwrap();
}
async fn resume(world: &EngineWorld, lane: &str) {
    let mut tx = world.tx().await;
    jobs::lane::resume(&mut tx, WORK, lane).await.unwrap();
    tx.commit().await.unwrap();
}
async fn cancel(world: &EngineWorld, lane: &str) {
    let mut tx = world.tx().await;
    jobs::lane::cancel(&mut tx, WORK, lane).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_paused_lane_starts_nothing_and_a_resumed_one_goes_on_where_it_was() {
    let world = EngineWorld::new().await;
    fill(&world, "campaign/1", 100, Act::Nothing).await;
    let mut hand = world.hand().await;
    let started = hand.claim_some(10).await;
    pause(&world, "campaign/1").await;
    for _ in 0..10 {
        assert!(hand.claim(10).await.is_empty());
    }
    assert_eq!(hand.settle(&started, End::Completed).await, 10, "what runs ends");
    fill(&world, "campaign/1", 5, Act::Nothing).await;
    assert!(hand.claim(10).await.is_empty(), "new jobs wait with the others");

    resume(&world, "campaign/1").await;
    let mut left = 95;
    while left > 0 {
        let leased = hand.claim_some(20).await;
        left -= hand.settle(&leased, End::Completed).await;
    }
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn pausing_and_resuming_while_workers_run_loses_and_repeats_nothing() {
    let world = EngineWorld::new().await;
    fill(&world, "campaign/1", 1_000, Act::Nothing).await;
    let (one, two) = (
        world.worker_with(registry(), world.settings(5)).await,
        world.worker_with(registry(), world.settings(5)).await,
    );
    let of_the_lane = || world.runs().iter().filter(|run| run.name != "beside").count();
    for _ in 0..10 {
        pause(&world, "campaign/1").await;
        // a claim that had begun before the pause may still end; after other work has come and gone there is none
        for _ in 0..3 {
            let other = world.work(Do::nothing("beside")).await;
            world.reaches(other, "completed").await;
        }
        e2e::eventually("what ran has ended", || async {
            world.number("select count(*) from jobs.running").await == 0
        })
        .await;
        let started = of_the_lane();
        let other = world.work(Do::nothing("beside")).await;
        world.reaches(other, "completed").await;
        assert_eq!(of_the_lane(), started);
        resume(&world, "campaign/1").await;
    }
    world.drained().await;
    let mut names: Vec<String> = world.runs().into_iter().map(|run| run.name).filter(|name| name != "beside").collect();
    assert_eq!(names.len(), 1_000);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 1_000);
    one.stop().await;
    two.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_lane_empties_into_history_and_its_keys_are_free() {
    let world = EngineWorld::new().await;
    fill(&world, "campaign/1", 100, Act::Nothing).await;
    fill(&world, "campaign/2", 3, Act::Nothing).await;
    world.enqueue(Enqueue::new().lane("campaign/1"), &Keyed::<2>::new("k")).await;
    world.enqueue(Enqueue::new().lane("campaign/1").wait(Duration::from_secs(3600)), &Do::nothing("later")).await;
    let mut hand = world.hand().await;
    cancel(&world, "campaign/1").await;
    let kept = hand.claim_some(200).await;
    assert_eq!(kept.len(), 3, "only the other lane starts");
    while hand.run("select jobs.sweep_cancelled(40)::bigint where $1::uuid is not null").await > 0 {}
    assert_eq!(world.number("select count(*) from jobs.history where state = 'cancelled'").await, 102);
    assert_eq!(world.number("select count(*) from jobs.scheduled").await, 0);
    assert_eq!(world.number("select count(*) from jobs.job_keys").await, 0);
    assert_eq!(hand.settle(&kept, End::Completed).await, 3);
    world.finish().await;
}

#[tokio::test]
async fn a_job_that_runs_when_its_lane_is_cancelled_ends_as_it_ends() {
    let world = EngineWorld::new().await;
    fill(&world, "campaign/1", 50, Act::Nothing).await;
    let mut hand = world.hand().await;
    let running = hand.claim_some(10).await;
    cancel(&world, "campaign/1").await;
    hand.run("select jobs.sweep_cancelled(1000)::bigint where $1::uuid is not null").await;
    assert_eq!(hand.settle(&running, End::Completed).await, 10);
    assert_eq!(world.number("select count(*) from jobs.history where state = 'cancelled'").await, 40);
    assert_eq!(world.number("select count(*) from jobs.history where state = 'completed'").await, 10);
    world.finish().await;
}

#[tokio::test]
async fn a_job_of_a_cancelled_lane_that_fails_is_not_tried_again() {
    let world = EngineWorld::new().await;
    let id = world.enqueue(Enqueue::new().lane("campaign/1"), &Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let running = hand.claim_some(10).await;
    cancel(&world, "campaign/1").await;
    hand.settle(&running, End::Retry).await;
    assert!(hand.claim(10).await.is_empty());
    hand.run("select jobs.sweep_cancelled(1000)::bigint where $1::uuid is not null").await;
    assert_eq!(world.state(id).await, "cancelled");
    world.finish().await;
}

#[tokio::test]
async fn sweep_and_claim_at_the_same_moment_take_each_job_once() {
    let world = EngineWorld::new().await;
    for round in 0..10 {
        let lane = format!("campaign/{round}");
        fill(&world, &lane, 100, Act::Nothing).await;
        let (mut one, mut two) = (world.hand().await, world.hand().await);
        let claims = async {
            let mut leased = one.claim(30).await;
            cancel(&world, &lane).await;
            leased.extend(one.claim(30).await);
            one.settle(&leased, End::Completed).await
        };
        let sweeps = async {
            for _ in 0..5 {
                two.run("select jobs.sweep_cancelled(15)::bigint where $1::uuid is not null").await;
            }
        };
        join(claims, sweeps).await;
    }
    let mut hand = world.hand().await;
    while hand.run("select jobs.sweep_cancelled(1000)::bigint where $1::uuid is not null").await > 0 {}
    assert_eq!(world.number("select count(*) from jobs.history").await, 1_000);
    assert_eq!(world.number("select count(distinct id) from jobs.history").await, 1_000);
    world.finish().await;
}
