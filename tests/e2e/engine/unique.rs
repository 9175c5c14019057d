//! Unique keys: one authority, a duplicate is an answer, and no order of two transactions loses or doubles a job.

use std::time::Duration;

use futures::future::join;
use jobs::{Enqueue, Enqueued};

use super::{
    kinds::{Act, Keyed},
    world::{End, EngineWorld},
};

async fn enqueue<const SCOPE: u8>(world: &EngineWorld, key: &str) -> Enqueued {
    world.enqueue_many(Enqueue::new(), &[Keyed::<SCOPE>::new(key)]).await[0]
}

#[tokio::test]
async fn while_a_job_lives_its_key_keeps_others_away_and_names_it() {
    let world = EngineWorld::new().await;
    let first = enqueue::<2>(&world, "k").await;
    assert_eq!(enqueue::<2>(&world, "k").await, Enqueued::Duplicate(first.job_id()));
    assert!(matches!(enqueue::<2>(&world, "other").await, Enqueued::Created(_)), "another key is another job");
    assert!(matches!(enqueue::<4>(&world, "k").await, Enqueued::Created(_)), "so is another kind");

    let mut hand = world.hand().await;
    let leased = hand.claim_some(10).await;
    assert_eq!(enqueue::<2>(&world, "k").await, Enqueued::Duplicate(first.job_id()), "also while it runs");
    hand.settle(&leased, End::Completed).await;
    assert!(matches!(enqueue::<2>(&world, "k").await, Enqueued::Created(_)), "not once it has ended");
    world.finish().await;
}

#[tokio::test]
async fn another_tenant_may_use_the_same_key() {
    let world = EngineWorld::new().await;
    let other = world.tenant("other").await;
    enqueue::<4>(&world, "k").await;
    let mut tx = world.tx_of(other).await;
    let theirs = Enqueue::new().one(&mut tx, &Keyed::<4>::new("k")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(theirs, Enqueued::Created(_)));
    world.finish().await;
}

#[tokio::test]
async fn until_started_an_enqueue_after_the_start_makes_a_new_job() {
    let world = EngineWorld::new().await;
    let mut job = Keyed::<1>::new("sweep");
    job.act = Act::Wait;
    let first = world.enqueue(Enqueue::new(), &job).await;
    assert_eq!(enqueue::<1>(&world, "sweep").await, Enqueued::Duplicate(first));
    let worker = world.worker().await;
    e2e::eventually("it has started", || async { world.runs_of("sweep") == 1 }).await;
    let second = enqueue::<1>(&world, "sweep").await;
    assert!(matches!(second, Enqueued::Created(_)), "what it has read may be out of date");
    world.open_latch();
    world.drained().await;
    assert_eq!(world.runs_of("sweep"), 2);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn until_started_a_job_does_not_start_before_the_enqueue_that_it_swallowed_has_committed() {
    let world = EngineWorld::new().await;
    let first = enqueue::<1>(&world, "sweep").await;
    let mut tx = world.tx().await;
    let swallowed = Enqueue::new().one(&mut tx, &Keyed::<1>::new("sweep")).await.unwrap();
    assert_eq!(swallowed, Enqueued::Duplicate(first.job_id()));
    let worker = world.worker().await;
    // leased, but it must wait for us before it reads anything
    world.reaches(first.job_id(), "running").await;
    assert_eq!(world.runs_of("sweep"), 0);
    tx.commit().await.unwrap();
    e2e::eventually("it started after the commit", || async { world.runs_of("sweep") == 1 }).await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn for_a_window_the_key_outlives_its_job_and_then_ends() {
    let world = EngineWorld::new().await;
    let first = enqueue::<3>(&world, "k").await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    world.advance(Duration::from_secs(45)).await;
    assert_eq!(enqueue::<3>(&world, "k").await, Enqueued::Duplicate(first.job_id()));
    world.advance(Duration::from_secs(16)).await;
    assert!(matches!(enqueue::<3>(&world, "k").await, Enqueued::Created(_)));
    world.finish().await;
}

#[tokio::test]
async fn for_ever_is_for_ever() {
    let world = EngineWorld::new().await;
    let first = enqueue::<4>(&world, "k").await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    world.advance(Duration::from_secs(86_400 * 400)).await;
    hand.run("select jobs.prune(1000)::bigint where $1::uuid is not null").await;
    assert_eq!(enqueue::<4>(&world, "k").await, Enqueued::Duplicate(first.job_id()));
    world.finish().await;
}

#[tokio::test]
async fn in_one_batch_the_first_of_a_key_is_made_and_the_others_name_it() {
    let world = EngineWorld::new().await;
    let held = enqueue::<2>(&world, "held").await.job_id();
    let jobs = ["b", "held", "a", "b", "a"].map(Keyed::<2>::new);
    let answers = world.enqueue_many(Enqueue::new(), &jobs).await;
    assert!(
        matches!(answers[..], [
        Enqueued::Created(b),
        Enqueued::Duplicate(old),
        Enqueued::Created(a),
        Enqueued::Duplicate(b2),
        Enqueued::Duplicate(a2)
    ] if old == held && b == b2 && a == a2),
        "{answers:?}"
    );
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 3);
    world.finish().await;
}

#[tokio::test]
async fn two_uncommitted_enqueues_of_one_key_make_one_job_whoever_commits() {
    for first_commits in [true, false] {
        let world = EngineWorld::new().await;
        let mut one = world.tx().await;
        let made = Enqueue::new().one(&mut one, &Keyed::<2>::new("k")).await.unwrap();
        let mut two = world.tx().await;
        let job = Keyed::<2>::new("k");
        let second = async {
            let answer = Enqueue::new().one(&mut two, &job).await.unwrap();
            two.commit().await.unwrap();
            answer
        };
        let first = async {
            e2e::eventually("the second waits for the first", || async {
                world.seen("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()").await > 0
            })
            .await;
            if first_commits { one.commit().await.unwrap() } else { drop(one) }
        };
        let (answer, ()) = join(second, first).await;
        if first_commits {
            assert_eq!(answer, Enqueued::Duplicate(made.job_id()));
        } else {
            assert!(matches!(answer, Enqueued::Created(id) if id != made.job_id()));
        }
        assert_eq!(world.number("select count(*) from jobs.jobs").await, 1);
        world.finish().await;
    }
}

#[tokio::test]
async fn batches_with_the_same_keys_in_opposite_order_do_not_deadlock() {
    let world = EngineWorld::new().await;
    let up: Vec<Keyed<2>> = (0..300).map(|n| Keyed::new(format!("{n:03}"))).collect();
    let down: Vec<Keyed<2>> = up.iter().rev().cloned().collect();
    for _ in 0..5 {
        let (a, b) = join(world.enqueue_many(Enqueue::new(), &up), world.enqueue_many(Enqueue::new(), &down)).await;
        let made = |answers: &[Enqueued]| answers.iter().filter(|one| matches!(one, Enqueued::Created(_))).count();
        assert_eq!(made(&a) + made(&b), 300, "each key made one job");
        let mut hand = world.hand().await;
        let mut done = 0;
        while done < 300 {
            let leased = hand.claim_some(500).await;
            done += hand.settle(&leased, End::Completed).await;
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn an_enqueue_against_the_completion_of_its_holder_loses_nothing() {
    let world = EngineWorld::new().await;
    for _ in 0..50 {
        let first = enqueue::<2>(&world, "k").await.job_id();
        let mut hand = world.hand().await;
        let leased = hand.claim_some(10).await;
        let (ended, again) = join(hand.settle(&leased, End::Completed), enqueue::<2>(&world, "k")).await;
        assert_eq!(ended, 1);
        match again {
            // before the completion: the work was still to be seen by the holder
            Enqueued::Duplicate(id) => assert_eq!(id, first),
            // after it: a job of its own
            Enqueued::Created(id) => {
                assert_eq!(world.state(id).await, "available");
                let leased = hand.claim_some(10).await;
                assert_eq!(hand.settle(&leased, End::Completed).await, 1);
            }
        }
    }
    world.finish().await;
}
