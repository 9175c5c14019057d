//! Enqueue against claim: whichever comes first, no job is left that nobody knows of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use db::Actor;
use jobs::Enqueue;

use super::{
    kinds::Do,
    world::{End, EngineWorld},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_and_four_claimers_over_the_same_lanes_leave_nothing_behind() {
    let world = EngineWorld::new().await;
    let finished = Arc::new(AtomicBool::new(false));
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let (mut hand, finished) = (world.hand().await, Arc::clone(&finished));
        claimers.push(tokio::spawn(async move {
            let (mut done, mut empty) = (0, 0);
            while !finished.load(Ordering::Relaxed) || empty < 100 {
                let leased = hand.claim(50).await;
                if leased.is_empty() {
                    empty += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                } else {
                    empty = 0;
                    done += hand.settle(&leased, End::Completed).await;
                }
            }
            done
        }));
    }
    let mut writers = Vec::new();
    for writer in 0..8_u32 {
        let (db, acme) = (world.db.clone(), world.acme);
        writers.push(tokio::spawn(async move {
            for n in 0..60_u32 {
                let mut tx = db.tenant(acme.id, Actor::Operator).await.unwrap();
                let lane = format!("lane/{}", (writer * 7 + n) % 5);
                Enqueue::new().lane(lane).one(&mut tx, &Do::nothing("x")).await.unwrap();
                // held open for a moment, so that claims come between the insert and the commit
                tokio::time::sleep(Duration::from_millis(u64::from(n % 4))).await;
                tx.commit().await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    finished.store(true, Ordering::Relaxed);
    let mut done = 0;
    for claimer in claimers {
        done += claimer.await.unwrap();
    }
    assert_eq!(done, 8 * 60);
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_job_that_becomes_visible_while_its_lane_is_being_found_empty_is_found_by_its_wake() {
    let world = EngineWorld::new().await;
    let (mut one, mut two) = (world.hand().await, world.hand().await);
    world.work(Do::nothing("first")).await;
    // one claims in a transaction that stays open: it holds the turn and has not seen what comes next
    sqlx::raw_sql("begin").execute(one.conn.conn()).await.unwrap();
    let first = one.claim(10).await;
    assert_eq!(first.len(), 1);
    let second = world.work(Do::nothing("second")).await;
    assert!(two.claim(10).await.is_empty(), "the turn is held");
    sqlx::raw_sql("commit").execute(one.conn.conn()).await.unwrap();
    assert_eq!(world.number("select count(*) from jobs.wakes").await, 1, "and so the wake has stayed");
    assert_eq!(two.claim_some(10).await[0].id, second);
    world.finish().await;
}

#[tokio::test]
async fn a_rolled_back_claim_is_as_if_it_had_not_been() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let (mut one, mut two) = (world.hand().await, world.hand().await);
    sqlx::raw_sql("begin").execute(one.conn.conn()).await.unwrap();
    one.claim(10).await;
    sqlx::raw_sql("rollback").execute(one.conn.conn()).await.unwrap();
    let leased = two.claim_some(10).await;
    assert_eq!((leased[0].id, leased[0].attempt), (id, 1));
    world.finish().await;
}

#[tokio::test]
async fn what_was_enqueued_before_the_worker_listened_is_found_by_its_first_look() {
    let world = EngineWorld::new().await;
    for round in 0..5 {
        world.work(Do::nothing("before")).await;
        let worker = world.worker().await;
        world.work(Do::nothing("just after")).await;
        e2e::eventually("both ran", || async { world.runs().len() == 2 * (round + 1) }).await;
        worker.stop().await;
    }
    world.finish().await;
}

#[tokio::test]
async fn an_idle_lane_is_forgotten_and_remembered() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    for _ in 0..3 {
        world.work(Do::nothing("x")).await;
        let leased = hand.claim_some(10).await;
        hand.settle(&leased, End::Completed).await;
        assert!(hand.claim(10).await.is_empty());
        world.advance(Duration::from_secs(31)).await;
        assert!(hand.claim(10).await.is_empty());
        assert_eq!(world.number("select count(*) from jobs.turns").await, 0);
    }
    world.finish().await;
}
