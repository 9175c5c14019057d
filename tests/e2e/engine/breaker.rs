//! The breaker of a gate: opens for the fleet, lets one probe through, closes or opens for longer.

use std::time::Duration;

use jobs::{
    Enqueue,
    gate::{Gate, Limits},
};

use super::{
    kinds::{Act, Do, WORK, registry},
    world::EngineWorld,
};

async fn gate(world: &EngineWorld) -> Gate {
    jobs::gate::find(&mut world.tx().await, "line").await.unwrap().unwrap()
}

async fn world_with_a_line() -> EngineWorld {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let line = jobs::gate::configure(&mut tx, "line", Limits { rate: None, burst: 1.0, cap: None }).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "sends", 1, &[line]).await.unwrap();
    tx.commit().await.unwrap();
    world
}

async fn send(world: &EngineWorld, name: &str, answered: bool) -> i64 {
    world.enqueue(Enqueue::new().lane("sends"), &Do::new(name, Act::Answered(answered))).await
}

#[tokio::test]
async fn failures_in_a_row_open_the_breaker_and_a_probe_that_is_answered_closes_it() {
    let world = world_with_a_line().await;
    let worker = world.worker_with(registry(), world.settings(1)).await;
    for n in 0..5 {
        send(&world, &format!("fails {n}"), false).await;
    }
    e2e::eventually("it is open", || async { gate(&world).await.breaker == "open" }).await;
    assert_eq!(gate(&world).await.reason.as_deref(), Some("no answer"));
    // all five wait for their retry by now, and are taken out of the way
    e2e::eventually("the failed ones wait", || async {
        world.number("select count(*) from jobs.scheduled").await == 5
    })
    .await;
    world.execute("delete from jobs.scheduled").await;

    let waiting = send(&world, "waits", true).await;
    let beside = world.work(Do::nothing("beside")).await;
    world.reaches(beside, "completed").await;
    assert_eq!(world.runs_of("waits"), 0, "nothing goes through while it is open");

    world.advance(Duration::from_secs(16)).await;
    world.reaches(waiting, "completed").await;
    assert!(world.runs().iter().any(|run| run.name == "waits" && run.is_probe));
    e2e::eventually("it is closed", || async { gate(&world).await.breaker == "closed" }).await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn of_many_claimers_that_see_it_half_open_one_gets_the_probe() {
    let world = world_with_a_line().await;
    for n in 0..50 {
        send(&world, &n.to_string(), true).await;
    }
    world
        .execute("update jobs.gates set breaker = 'open', open_until = app.clock() - interval '1 s', open_s = 15")
        .await;
    let mut hands = Vec::new();
    for _ in 0..4 {
        let mut hand = world.hand().await;
        hands.push(tokio::spawn(async move {
            let mut leased = Vec::new();
            for _ in 0..50 {
                leased.extend(hand.claim(20).await);
                tokio::task::yield_now().await;
            }
            leased
        }));
    }
    let mut probes = Vec::new();
    for hand in hands {
        probes.extend(hand.await.unwrap());
    }
    assert_eq!(probes.len(), 1);
    assert!(probes[0].is_probe);
    assert_eq!(gate(&world).await.breaker, "half_open");

    // its owner dies and is never heard of: another probe goes after a minute
    let mut heir = world.hand().await;
    world.advance(Duration::from_secs(61)).await;
    let next = heir.claim_some(20).await;
    assert_eq!((next.len(), next[0].is_probe), (1, true));
    world.finish().await;
}

#[tokio::test]
async fn each_failed_probe_doubles_the_wait_up_to_ten_minutes() {
    let world = world_with_a_line().await;
    let id = gate(&world).await.id;
    let mut hand = world.hand().await;
    let mut waits = Vec::new();
    for _ in 0..8 {
        let opened: bool = sqlx::query_scalar("select jobs.open_breaker($1, 15, 'down')")
            .bind(id)
            .fetch_one(hand.conn.conn())
            .await
            .unwrap();
        assert!(opened);
        waits.push(world.number("select open_s::bigint from jobs.gates").await);
        let again: bool = sqlx::query_scalar("select jobs.open_breaker($1, 15, 'down')")
            .bind(id)
            .fetch_one(hand.conn.conn())
            .await
            .unwrap();
        assert!(!again, "an open one is not opened");
        world.execute("update jobs.gates set breaker = 'half_open'").await;
    }
    assert_eq!(waits, [15, 30, 60, 120, 240, 480, 600, 600]);
    world.finish().await;
}

#[tokio::test]
async fn an_answer_from_before_the_opening_closes_nothing() {
    let world = world_with_a_line().await;
    let id = gate(&world).await.id;
    let mut hand = world.hand().await;
    sqlx::query("select jobs.open_breaker($1, 15, 'down')").bind(id).execute(hand.conn.conn()).await.unwrap();
    let closed: bool =
        sqlx::query_scalar("select jobs.close_breaker($1)").bind(id).fetch_one(hand.conn.conn()).await.unwrap();
    assert!(!closed);
    assert_eq!(gate(&world).await.breaker, "open");
    world.finish().await;
}

#[tokio::test]
async fn one_of_two_workers_does_not_open_it_and_the_second_does() {
    let world = world_with_a_line().await;
    let (mut a, mut b) = (world.hand().await, world.hand().await);
    let id = gate(&world).await.id;
    assert!(!a.reports_failures(id).await);
    assert!(!a.reports_failures(id).await, "however often it says so");
    assert_eq!(gate(&world).await.breaker, "closed");
    assert!(b.reports_failures(id).await);
    assert_eq!(gate(&world).await.breaker, "open");
    assert_eq!(world.number("select count(*) from jobs.gate_evidence").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn evidence_that_is_old_or_taken_back_does_not_count() {
    let world = world_with_a_line().await;
    let (mut a, mut b) = (world.hand().await, world.hand().await);
    let id = gate(&world).await.id;
    assert!(!a.reports_failures(id).await);
    sqlx::query("select jobs.retract_failures($1, $2)").bind(id).bind(a.process).execute(a.conn.conn()).await.unwrap();
    assert!(!b.reports_failures(id).await, "the first has had an answer since");
    world.advance(Duration::from_secs(50)).await;
    a.renew(&[]).await;
    b.renew(&[]).await;
    world.advance(Duration::from_secs(15)).await;
    assert!(!a.reports_failures(id).await, "the second's was a minute ago");
    world.finish().await;
}

#[tokio::test]
async fn a_probe_that_has_seen_nothing_leaves_its_place_to_the_next() {
    let world = world_with_a_line().await;
    let mut hand = world.hand().await;
    sqlx::query("select jobs.open_breaker($1, 15, 'down')")
        .bind(gate(&world).await.id)
        .execute(hand.conn.conn())
        .await
        .unwrap();
    world.enqueue(Enqueue::new().lane("sends"), &Do::nothing("looks elsewhere")).await;
    let answers = send(&world, "answers", true).await;
    world.advance(Duration::from_secs(16)).await;
    let worker = world.worker_with(registry(), world.settings(1)).await;
    // without this the second would wait for a minute
    world.reaches(answers, "completed").await;
    e2e::eventually("it is closed", || async { gate(&world).await.breaker == "closed" }).await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_service_that_asks_to_be_left_alone_is_and_no_attempt_is_burnt() {
    let world = world_with_a_line().await;
    let worker = world.worker_with(registry(), world.settings(1)).await;
    let asked = world.enqueue(Enqueue::new().lane("sends"), &Do::new("asked", Act::RestOnce(100))).await;
    e2e::eventually("the gate rests", || async {
        world.number("select count(*) from jobs.gates where rests_until > app.clock() + interval '90s'").await == 1
    })
    .await;
    let other = send(&world, "other", true).await;
    let beside = world.work(Do::nothing("beside")).await;
    world.reaches(beside, "completed").await;
    assert_eq!(world.runs_of("other"), 0, "nothing goes through while it rests");
    assert_eq!(world.job(asked).await.attempt, 0);
    world.advance(Duration::from_secs(126)).await;
    world.reaches(other, "completed").await;
    world.reaches(asked, "completed").await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_lane_without_a_job_takes_no_probe_from_one_that_has() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let line = jobs::gate::configure(&mut tx, "line", Limits { rate: None, burst: 1.0, cap: None }).await.unwrap();
    for lane in ["empty", "full"] {
        jobs::lane::configure(&mut tx, WORK, lane, 1, &[line]).await.unwrap();
    }
    tx.commit().await.unwrap();
    world.enqueue_many(Enqueue::new().lane("full"), &[Do::nothing("a")]).await;
    // told of work that is not there, and first in turn
    world.execute("insert into jobs.wakes (tenant_number, queue, lane_id) select tenant_number, queue, id from jobs.lanes where key = 'empty'").await;
    world
        .execute("update jobs.gates set breaker = 'open', open_until = app.clock() - interval '1 s', open_s = 15")
        .await;
    let mut hand = world.hand().await;
    let mut looks = 0;
    while hand.claim(10).await.is_empty() {
        looks += 1;
        assert!(looks < 5, "the probe is with nobody");
        world.advance(Duration::from_millis(25)).await;
    }
    world.finish().await;
}
