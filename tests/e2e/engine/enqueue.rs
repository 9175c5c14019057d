//! Enqueue: in the caller's transaction, one or many, now or later.

use std::time::Duration;

use db::Scope;
use jobs::{Enqueue, EnqueueError};

use super::{
    kinds::{Do, Newer, WORK},
    world::EngineWorld,
};

#[tokio::test]
async fn a_job_is_there_when_its_transaction_has_committed_and_not_before() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    Enqueue::new().one(&mut tx, &Do::nothing("seen")).await.unwrap();
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 0);
    tx.commit().await.unwrap();
    let mut rolled_back = world.tx().await;
    Enqueue::new().one(&mut rolled_back, &Do::nothing("unseen")).await.unwrap();
    drop(rolled_back);

    let worker = world.worker().await;
    e2e::eventually("the job ran", || async { world.runs_of("seen") == 1 }).await;
    world.drained().await;
    assert_eq!(world.runs().len(), 1);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn many_jobs_are_answered_in_their_order_and_each_runs_once() {
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..2_000).map(|n| Do::nothing(n.to_string())).collect();
    let enqueued = world.enqueue_many(Enqueue::new().lane("campaign/1"), &jobs).await;
    let ids: Vec<i64> = enqueued.iter().map(|one| one.job_id()).collect();
    assert_eq!(ids.len(), 2_000);
    assert!(ids.is_sorted());
    let (first, worker) = (world.job(ids[0]).await, world.worker().await);
    assert_eq!(first.payload.unwrap().0["name"], "0");
    world.drained().await;
    let mut names: Vec<String> = world.runs().into_iter().map(|run| run.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 2_000, "each ran");
    assert_eq!(world.runs().len(), 2_000, "and none twice");
    worker.stop().await;
    assert_eq!(world.number("select count(*) from jobs.history where state = 'completed'").await, 2_000);
    assert_eq!(world.number("select count(*) from jobs.leases").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn no_jobs_are_no_work_and_not_an_error() {
    let world = EngineWorld::new().await;
    assert!(world.enqueue_many::<Do>(Enqueue::new(), &[]).await.is_empty());
    assert_eq!(world.number("select count(*) from jobs.wakes").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_later_job_waits_for_its_time_and_is_promoted_by_the_claim_itself() {
    let world = EngineWorld::new().await;
    let id = world.enqueue(Enqueue::new().wait(Duration::from_secs(3600)), &Do::nothing("later")).await;
    let worker = world.worker().await;
    world.work(Do::nothing("now")).await;
    e2e::eventually("the one that is due ran", || async { world.runs_of("now") == 1 }).await;
    assert_eq!(world.runs_of("later"), 0);
    assert_eq!(world.number("select count(*) from jobs.scheduled").await, 1);
    assert_eq!(world.state(id).await, "available");

    world.advance(Duration::from_secs(3601)).await;
    world.reaches(id, "completed").await;
    assert_eq!(world.runs_of("later"), 1);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_time_in_the_past_means_at_once() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let at = tx.now() - Duration::from_secs(60);
    Enqueue::new().run_at(at).one(&mut tx, &Do::nothing("late")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 1);
    let mut hand = world.hand().await;
    assert_eq!(hand.claim_some(1).await[0].run_at, at);
    world.finish().await;
}

#[tokio::test]
async fn smaller_priorities_go_first_inside_a_lane() {
    let world = EngineWorld::new().await;
    let bulk = world.enqueue(Enqueue::new().lane("a").priority(5), &Do::nothing("bulk")).await;
    let urgent = world.enqueue(Enqueue::new().lane("a").priority(-5), &Do::nothing("urgent")).await;
    let mut hand = world.hand().await;
    let order: Vec<i64> =
        [hand.claim_some(1).await, hand.claim_some(1).await].concat().iter().map(|job| job.id).collect();
    assert_eq!(order, [urgent, bulk]);
    world.finish().await;
}

#[tokio::test]
async fn what_postgres_can_not_hold_is_refused_before_it_gets_there() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let nul = Enqueue::new().one(&mut tx, &Do::nothing("a\0b")).await;
    assert!(matches!(nul, Err(EnqueueError::Payload(_))), "{nul:?}");
    let huge = Enqueue::new().one(&mut tx, &Do::nothing("x".repeat(70_000))).await;
    assert!(matches!(huge, Err(EnqueueError::Payload(_))));
    // a text that only looks like one is fine, and the transaction is not broken
    Enqueue::new().one(&mut tx, &Do::nothing("\\u0000")).await.unwrap();
    tx.commit().await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_kind_nobody_has_registered_can_not_be_enqueued() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let error = Enqueue::new().one(&mut tx, &Newer {}).await.unwrap_err();
    assert!(error.to_string().contains("test.newer"), "{error}");
    drop(tx);
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_lane_takes_no_more_jobs() {
    let world = EngineWorld::new().await;
    world.enqueue(Enqueue::new().lane("campaign/1"), &Do::nothing("before")).await;
    let mut tx = world.tx().await;
    jobs::lane::cancel(&mut tx, WORK, "campaign/1").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.tx().await;
    let refused = Enqueue::new().lane("campaign/1").one(&mut tx, &Do::nothing("after")).await;
    assert!(matches!(refused, Err(EnqueueError::LaneCancelled)));
    drop(tx);
    world.finish().await;
}
