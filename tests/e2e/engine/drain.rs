//! Shutdown in order: what runs ends, what has not started goes back unburnt, every outcome is written.

use std::time::Duration;

use jobs::Enqueue;

use super::{
    kinds::{Act, Do, registry},
    world::{EngineWorld, WORKER},
};

#[tokio::test]
async fn running_jobs_finish_and_nothing_new_starts() {
    let world = EngineWorld::new().await;
    let worker = world.worker_with(registry(), world.settings(3)).await;
    let jobs: Vec<Do> = (0..10).map(|n| Do::new(n.to_string(), Act::WaitDeaf)).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    e2e::eventually("three run", || async { world.runs().len() == 3 }).await;
    worker.ask_to_stop();
    world.open_latch();
    worker.stop().await;
    assert_eq!(world.number("select count(*) from jobs.history where state = 'completed'").await, 3);
    assert_eq!(world.number("select count(*) from jobs.live where attempt = 0 and state = 'available'").await, 7);
    assert_eq!(world.number("select count(*) from jobs.processes").await, 0, "it has left");
    world.finish().await;
}

#[tokio::test]
async fn past_the_grace_jobs_are_told_to_stop_and_go_back_without_a_burnt_attempt() {
    let world = EngineWorld::new().await;
    let mut settings = world.settings(4);
    settings.grace = Duration::from_millis(100);
    let worker = world.worker_with(registry(), settings).await;
    let id = world.work(Do::new("long", Act::Wait)).await;
    e2e::eventually("it runs", || async { world.runs_of("long") == 1 }).await;
    worker.stop().await;
    let row = world.job(id).await;
    assert_eq!((row.state.name(), row.attempt), ("available", 0));
    world.open_latch();
    let next = world.worker().await;
    world.reaches(id, "completed").await;
    next.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_job_that_does_not_hear_is_let_go_and_counted_as_a_start() {
    let world = EngineWorld::new().await;
    let mut settings = world.settings(4);
    settings.grace = Duration::from_millis(100);
    let worker = world.worker_with(registry(), settings).await;
    let id = world.work(Do::new("deaf", Act::WaitDeaf)).await;
    e2e::eventually("it runs", || async { world.runs_of("deaf") == 1 }).await;
    worker.stop().await;
    let row = world.job(id).await;
    assert_eq!((row.state.name(), row.attempt), ("available", 1), "it may have had effects");
    world.finish().await;
}

#[tokio::test]
async fn a_drain_while_the_database_is_being_cut_off_still_writes_every_outcome() {
    let world = EngineWorld::new().await;
    let worker = world.worker_with(registry(), world.settings(50)).await;
    let jobs: Vec<Do> = (0..50).map(|n| Do::new(n.to_string(), Act::WaitDeaf)).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    e2e::eventually("all run", || async { world.runs().len() == 50 }).await;
    worker.ask_to_stop();
    world.database.cut(WORKER).await;
    world.open_latch();
    world.database.cut(WORKER).await;
    worker.stop().await;
    assert_eq!(world.number("select count(*) from jobs.history where state = 'completed'").await, 50);
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 0);
    assert_eq!(world.runs().len(), 50);
    world.finish().await;
}

#[tokio::test]
async fn an_idle_worker_stops_and_leaves_nothing_behind() {
    let world = EngineWorld::new().await;
    world.worker().await.stop().await;
    assert_eq!(world.number("select count(*) from jobs.processes").await, 0);
    world.finish().await;
}
