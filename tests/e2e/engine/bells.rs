//! What tells a claim that there is work: each session goes on where it has heard everything, which must never be too far.

use db::Actor;
use jobs::{Enqueue, Leased};
use serde_json::Value;
use sqlx::types::Json;

use super::{
    kinds::Do,
    world::{End, EngineWorld, Hand},
};

#[tokio::test]
async fn a_bell_of_a_transaction_that_had_begun_before_others_were_heard_is_heard() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    let mut slow = world.db.tenant(world.acme.id, Actor::Operator).await.unwrap();
    let first = Enqueue::new().lane("slow").one(&mut slow, &Do::nothing("first")).await.unwrap().job_id();
    // rung later and heard before
    for name in ["a", "b", "c"] {
        let id = world.enqueue(Enqueue::new().lane("quick"), &Do::nothing(name)).await;
        let leased = hand.claim(10).await;
        assert_eq!(ids(&leased), [id]);
        hand.settle(&leased, End::Completed).await;
    }
    slow.commit().await.unwrap();
    assert!(is_told(&mut hand).await);
    let leased = hand.claim(10).await;
    assert_eq!(ids(&leased), [first]);
    hand.settle(&leased, End::Completed).await;
    world.finish().await;
}

#[tokio::test]
async fn a_bell_that_was_heard_by_a_claim_that_is_rolled_back_is_heard_again() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    let id = world.work(Do::nothing("x")).await;
    sqlx::raw_sql("begin").execute(hand.conn.conn()).await.unwrap();
    assert_eq!(hand.claim(10).await.len(), 1);
    sqlx::raw_sql("rollback").execute(hand.conn.conn()).await.unwrap();
    assert!(is_told(&mut hand).await);
    assert_eq!(hand.claim(10).await[0].id, id);
    world.abandon().await;
}

#[tokio::test]
async fn a_job_that_comes_late_into_a_lane_is_found_before_those_that_were_claimed() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    world.enqueue(Enqueue::new().lane("a"), &Do::nothing("makes the lane")).await;
    let leased = hand.claim(10).await;
    hand.settle(&leased, End::Completed).await;
    let mut late = Vec::new();
    for name in ["first", "second"] {
        let mut slow = world.db.tenant(world.acme.id, Actor::Operator).await.unwrap();
        let id = Enqueue::new().lane("a").one(&mut slow, &Do::nothing(name)).await.unwrap().job_id();
        late.push((slow, id));
    }
    // these run meanwhile, and are not leased again
    let others = world.enqueue_many(Enqueue::new().lane("a"), &[Do::nothing("x"), Do::nothing("y")]).await;
    let running = hand.claim(10).await;
    assert_eq!(ids(&running), [others[0].job_id(), others[1].job_id()]);
    // the second first: the place that is told moves back once more
    late.reverse();
    let mut expected = Vec::new();
    for (slow, id) in late {
        slow.commit().await.unwrap();
        expected.insert(0, id);
        sqlx::query("select jobs.hear_wakes((select id from jobs.queues where name = 'work'))")
            .execute(hand.conn.conn())
            .await
            .unwrap();
    }
    let found = hand.claim(10).await;
    assert_eq!(ids(&found), expected);
    hand.settle(&[running, found].concat(), End::Completed).await;
    world.finish().await;
}

#[tokio::test]
async fn a_place_that_a_program_without_it_has_left_behind_is_not_believed() {
    let world = EngineWorld::new().await;
    let (mut hand, mut superuser) = (world.hand().await, world.database.superuser().await);
    let early = world.enqueue_many(Enqueue::new().lane("a"), &[Do::nothing("x"), Do::nothing("y")]).await;
    let leased = hand.claim(10).await;
    assert_eq!(leased.len(), 2);
    // told of the second alone, it would look back no farther
    let second = early[1].job_id();
    sqlx::query("insert into jobs.wakes (tenant_number, queue, lane_id, priority, run_at) select tenant_number, queue, lane_id, priority, run_at from jobs.jobs where id = $1")
        .bind(second)
        .execute(&mut superuser)
        .await
        .unwrap();
    sqlx::query("select jobs.hear_wakes((select id from jobs.queues where name = 'work'))")
        .execute(hand.conn.conn())
        .await
        .unwrap();
    assert_eq!(world.number("select count(*) from jobs.turns where looks_back and back_run_at is not null").await, 1);
    // both come back, and what tells of them writes what it knows
    sqlx::raw_sql("delete from jobs.leases; update jobs.turns set looks_back = true")
        .execute(&mut superuser)
        .await
        .unwrap();
    assert_eq!(ids(&hand.claim(10).await), ids(&leased));
    world.abandon().await;
}

#[tokio::test]
async fn what_is_kept_by_an_open_transaction_is_not_passed_again() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    let mut pin = world.database.superuser().await;
    sqlx::raw_sql("begin isolation level repeatable read; select count(*) from jobs.queues")
        .execute(&mut pin)
        .await
        .unwrap();
    let mut pages = Vec::new();
    for times in [2, 40] {
        for _ in 0..times {
            let jobs: Vec<Do> = (0..50).map(|_| Do::nothing("x")).collect();
            world.enqueue_many(Enqueue::new().lane("a"), &jobs).await;
            let leased = hand.claim_some(100).await;
            hand.settle(&leased, End::Completed).await;
        }
        // one that comes late, and before what has gone
        let mut slow = world.db.tenant(world.acme.id, Actor::Operator).await.unwrap();
        Enqueue::new().lane("a").one(&mut slow, &Do::nothing("late")).await.unwrap();
        world.enqueue(Enqueue::new().lane("a"), &Do::nothing("x")).await;
        let leased = hand.claim_some(100).await;
        hand.settle(&leased, End::Completed).await;
        slow.commit().await.unwrap();
        pages.push(pages_of_a_claim(&mut hand).await);
        let leased = hand.claim_some(100).await;
        hand.settle(&leased, End::Completed).await;
    }
    // a lane's turn is one row, whose past is passed for each time it was written
    assert!(pages[1] <= pages[0] + 400, "{pages:?}");
    world.finish().await;
}

#[tokio::test]
async fn bells_that_are_kept_by_an_open_transaction_are_not_passed_again() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    let mut pin = world.database.superuser().await;
    sqlx::raw_sql("begin isolation level repeatable read; select count(*) from jobs.queues")
        .execute(&mut pin)
        .await
        .unwrap();
    ring_and_hear(&world, &mut hand, 20).await;
    let few = pages_of_a_look(&mut hand).await;
    ring_and_hear(&world, &mut hand, 2_000).await;
    // those are passed that were rung since the oldest transaction that still writes, in any database of the server, and other tests write
    for _ in 0..1_000 {
        let many = pages_of_a_look(&mut hand).await;
        if many <= few + 5 {
            return world.abandon().await;
        }
        ring_and_hear(&world, &mut hand, 1).await;
    }
    panic!("more than {few} pages are still passed");
}

/// Whether a look at the queue says that there is something at once.
async fn is_told(hand: &mut Hand) -> bool {
    let wake = "select jobs.next_wake((select id from jobs.queues where name = 'work')) from (select $1::uuid) x";
    let seconds: f64 = sqlx::query_scalar(wake).bind(hand.process).fetch_one(hand.conn.conn()).await.unwrap();
    seconds == 0.0
}

/// One lane that exists already is told so often of work that is not there.
async fn ring_and_hear(world: &EngineWorld, hand: &mut Hand, times: i32) {
    if world.number("select count(*) from jobs.lanes").await == 0 {
        world.work(Do::nothing("makes the lane")).await;
        hand.claim(10).await;
    }
    let mut superuser = world.database.superuser().await;
    for _ in 0..times {
        sqlx::query(
            "insert into jobs.wakes (tenant_number, queue, lane_id) select tenant_number, queue, id from jobs.lanes",
        )
        .execute(&mut superuser)
        .await
        .unwrap();
        sqlx::query("select jobs.hear_wakes((select id from jobs.queues where name = 'work'))")
            .execute(hand.conn.conn())
            .await
            .unwrap();
    }
    assert_eq!(world.number("select count(*) from jobs.wakes").await, 0);
}

async fn pages_of_a_look(hand: &mut Hand) -> i64 {
    pages(
        hand,
        "explain (analyze, buffers, timing off, summary off, format json)
         select jobs.hear_wakes((select id from jobs.queues where name = 'work'))",
    )
    .await
}

/// Of one that is undone.
async fn pages_of_a_claim(hand: &mut Hand) -> i64 {
    sqlx::raw_sql("begin").execute(hand.conn.conn()).await.unwrap();
    let pages = pages(
        hand,
        "explain (analyze, buffers, timing off, summary off, format json)
         select jobs.claim((select id from jobs.processes limit 1), (select id from jobs.queues where name = 'work'), 100, interval '30 s')",
    )
    .await;
    sqlx::raw_sql("rollback").execute(hand.conn.conn()).await.unwrap();
    pages
}

fn ids(leased: &[Leased]) -> Vec<i64> {
    leased.iter().map(|job| job.id).collect()
}

async fn pages(hand: &mut Hand, explain: &'static str) -> i64 {
    let plan: Json<Value> = sqlx::query_scalar(explain).fetch_one(hand.conn.conn()).await.unwrap();
    let root = &plan[0]["Plan"];
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|kind| root[kind].as_i64()).sum()
}
