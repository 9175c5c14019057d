//! The fleet's reading: depths at a price that does not grow, one reading a minute, the same for all.

use std::time::Duration;

use db::{Scope, Why};
use jobs::{Enqueue, admin};
use serde_json::Value;

use super::{
    kinds::{Act, Do, WORK},
    world::{EngineWorld, rows_read},
};

async fn fill(world: &EngineWorld, occasion: Enqueue<super::kinds::App, Do>, count: usize) {
    let jobs: Vec<Do> = (0..count).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(occasion, &jobs).await;
}

async fn depth(world: &EngineWorld) -> admin::Depth {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let depths = admin::depths(tx.conn()).await.unwrap();
    depths.into_iter().find(|depth| depth.queue == WORK.0).unwrap()
}

/// `due`, whether that is a guess, `scheduled`, whether that is.
async fn counted(world: &EngineWorld, most: i32) -> (i64, bool, i64, bool) {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    sqlx::query_as(
        "select due, is_due_estimated, scheduled, is_scheduled_estimated from jobs.depths($1) where queue = 'work'",
    )
    .bind(most)
    .fetch_one(tx.conn())
    .await
    .unwrap()
}

/// The fleet's reading, and whether this look has taken it.
async fn reading(world: &EngineWorld) -> (Value, bool) {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let read = sqlx::query_as("select reading, is_new from jobs.take_reading(60, 100)").fetch_one(tx.conn()).await;
    tx.commit().await.unwrap();
    read.unwrap()
}

#[tokio::test]
async fn a_queue_tells_what_is_due_runs_and_comes_later() {
    let world = EngineWorld::new().await;
    fill(&world, Enqueue::new().lane("open"), 5).await;
    fill(&world, Enqueue::new().lane("later").wait(Duration::from_secs(3_600)), 3).await;
    world.advance(Duration::from_secs(30)).await;
    fill(&world, Enqueue::new().lane("mixed").priority(7), 2).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(2).await;
    let told = depth(&world).await;
    assert_eq!((told.due, told.running, told.scheduled), (7 - leased.len() as i64, leased.len() as i64, 3));
    assert!(!told.is_due_estimated && !told.is_scheduled_estimated);
    assert!((30.0..60.0).contains(&told.oldest_due_s), "{told:?}");
    world.finish().await;
}

#[tokio::test]
async fn what_a_person_or_a_gate_holds_back_is_due_and_not_open() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let limits = jobs::gate::Limits { rate: Some(0.001), burst: 1.0, cap: None };
    let gate = jobs::gate::configure(&mut tx, "line", limits).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "gated", 1, &[gate]).await.unwrap();
    tx.commit().await.unwrap();
    fill(&world, Enqueue::new().lane("gated"), 1).await;
    fill(&world, Enqueue::new().lane("paused"), 1).await;
    let mut tx = world.tx().await;
    jobs::lane::pause(&mut tx, WORK, "paused").await.unwrap();
    tx.commit().await.unwrap();
    world.advance(Duration::from_secs(100)).await;
    fill(&world, Enqueue::new().lane("open"), 1).await;
    world.advance(Duration::from_secs(10)).await;
    let told = depth(&world).await;
    assert!(told.oldest_due_s >= 110.0, "{told:?}");
    assert!((10.0..60.0).contains(&told.oldest_open_s), "{told:?}");
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let stuck = admin::stuck(&mut tx).await.unwrap();
    assert!((10.0..60.0).contains(&stuck.oldest_open_s), "{stuck:?}");
    drop(tx);
    world.finish().await;
}

#[tokio::test]
async fn a_long_queue_is_guessed_and_says_so_and_costs_no_more() {
    let world = EngineWorld::new().await;
    for lane in 0..10 {
        fill(&world, Enqueue::new().lane(format!("lane/{lane}")), 1_000).await;
    }
    fill(&world, Enqueue::new().lane("later").wait(Duration::from_secs(3_600)), 2_000).await;
    assert_eq!(counted(&world, 20_000).await, (10_000, false, 2_000, false), "short enough, it is counted");
    sqlx::query("analyze jobs.jobs, jobs.scheduled").execute(&mut world.database.superuser().await).await.unwrap();
    let (due, is_guess, later, is_later_guess) = counted(&world, 100).await;
    assert!(is_guess && is_later_guess);
    assert!((9_000..=11_000).contains(&due) && (1_900..=2_100).contains(&later), "{due} {later}");
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    sqlx::query("select from jobs.depths(100)").execute(tx.conn()).await.unwrap();
    let (scanned, fetched) = rows_read(&mut tx).await;
    drop(tx);
    assert!(scanned == 0 && fetched < 1_000, "it read {scanned} and {fetched} rows of 12,000");
    world.finish().await;
}

#[tokio::test]
async fn one_reading_a_minute_is_the_same_for_all() {
    let world = EngineWorld::new().await;
    fill(&world, Enqueue::new(), 2).await;
    let (first, is_new) = reading(&world).await;
    assert!(is_new);
    assert_eq!(first["queues"].as_array().unwrap().iter().find(|queue| queue["queue"] == "work").unwrap()["due"], 2);
    fill(&world, Enqueue::new(), 2).await;
    assert_eq!(reading(&world).await, (first.clone(), false), "within the minute nobody counts again");
    world.advance(Duration::from_secs(61)).await;
    let (left, right) = tokio::join!(reading(&world), reading(&world));
    assert_ne!(left.1, right.1, "of two that look at once, one takes it");
    assert_ne!(reading(&world).await.0, first);
    world.finish().await;
}

#[tokio::test]
async fn a_worker_takes_the_reading_by_itself() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    world.work(Do::new("x", Act::Nothing)).await;
    e2e::eventually("it has read", || async {
        world.number("select count(*) from jobs.readings where reading ? 'queues'").await == 1
    })
    .await;
    worker.stop().await;
    world.finish().await;
}
