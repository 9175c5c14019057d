//! Costs: each job that has ended is in exactly one hour, once, however late its end is seen.

use std::time::Duration;

use db::{Scope, Why};
use jobs::Enqueue;

use super::{
    kinds::Do,
    world::{End, EngineWorld},
};

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Sum {
    jobs: i64,
    wait_s: f64,
    run_s: f64,
    retries: i64,
    discarded: i64,
}

/// Rolls up until there is no more to do; answers what all hours of acme come to.
async fn rolled_up(world: &EngineWorld) -> Sum {
    let mut tx = world.db.platform(Why::Upkeep).await.unwrap();
    while sqlx::query_scalar("select jobs.roll_up_costs()").fetch_one(tx.conn()).await.unwrap() {}
    let sum = sqlx::query_as(
        "select coalesce(sum(jobs), 0)::bigint as jobs, coalesce(sum(wait_s), 0) as wait_s, coalesce(sum(run_s), 0) as run_s,
                coalesce(sum(retries), 0)::bigint as retries, coalesce(sum(discarded), 0)::bigint as discarded
           from jobs.costs where tenant_number = $1",
    )
    .bind(world.acme.number)
    .fetch_one(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    sum
}

async fn fill(world: &EngineWorld, count: usize) {
    let jobs: Vec<Do> = (0..count).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
}

#[tokio::test]
async fn waits_runs_retries_and_discards_are_added_up_once() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    fill(&world, 3).await;
    world.advance(Duration::from_secs(10)).await;
    let leased = hand.claim_some(3).await;
    world.advance(Duration::from_secs(5)).await;
    assert_eq!(hand.settle(&leased[..1], End::Completed).await, 1);
    assert_eq!(hand.settle(&leased[1..2], End::Discarded).await, 1);
    assert_eq!(hand.settle(&leased[2..], End::Retry).await, 1);
    let again = hand.claim_some(1).await;
    assert_eq!(hand.settle(&again, End::Completed).await, 1);
    assert_eq!(rolled_up(&world).await.jobs, 0, "the last minute may not be all there yet");
    world.advance(Duration::from_secs(90)).await;
    let sum = rolled_up(&world).await;
    assert_eq!((sum.jobs, sum.retries, sum.discarded), (3, 1, 1));
    // the one that was run again waited and ran for nothing the second time
    // a third wait would make it 30, a third run 15
    assert!((20.0..29.0).contains(&sum.wait_s) && (10.0..14.5).contains(&sum.run_s), "{sum:?}");
    world.advance(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(rolled_up(&world).await, sum, "nothing is added twice, and empty hours are passed");
    fill(&world, 1).await;
    let late = hand.claim_some(1).await;
    hand.settle(&late, End::Completed).await;
    world.advance(Duration::from_secs(90)).await;
    assert_eq!(rolled_up(&world).await.jobs, 4);
    let hours = world.number("select count(*) from jobs.costs where date_trunc('hour', hour, 'UTC') = hour").await;
    assert_eq!(hours, 2);
    world.finish().await;
}

#[tokio::test]
async fn a_job_whose_completion_commits_late_is_not_missed() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    fill(&world, 2).await;
    let leased = hand.claim_some(2).await;
    let mut slow = world.tx().await;
    assert!(hand.complete(&mut slow, &leased[0]).await);
    assert_eq!(hand.settle(&leased[1..], End::Completed).await, 1);
    world.advance(Duration::from_secs(300)).await;
    assert_eq!(rolled_up(&world).await.jobs, 0, "what ended beside it waits for it");
    slow.commit().await.unwrap();
    assert_eq!(rolled_up(&world).await.jobs, 2);
    world.finish().await;
}

#[tokio::test]
async fn of_two_that_roll_up_at_once_one_does_it() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    fill(&world, 50).await;
    let leased = hand.claim_some(50).await;
    hand.settle(&leased, End::Completed).await;
    world.advance(Duration::from_secs(90)).await;
    let sums = tokio::join!(rolled_up(&world), rolled_up(&world), rolled_up(&world));
    assert!([sums.0, sums.1, sums.2].iter().all(|sum| sum.jobs == 0 || sum.jobs == leased.len() as i64));
    assert_eq!(rolled_up(&world).await.jobs, leased.len() as i64);
    world.finish().await;
}
