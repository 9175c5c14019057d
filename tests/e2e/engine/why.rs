//! Why a job does not run: each cause by its name, and the time it is expected to end where that can be told.

use std::time::Duration;

use chrono::{DateTime, Utc};
use db::{Actor, PageOf, Why};
use jobs::{
    Enqueue,
    admin::{self, By, Cause, Explanation},
    gate::Limits,
};

use super::{
    kinds::{Do, Keyed, Newer, WORK, registry},
    world::{End, EngineWorld, LEASE, rows_read},
};

const OPEN: Limits = Limits { rate: None, burst: 1.0, cap: None };

async fn why(world: &EngineWorld, id: i64) -> Explanation {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::explain(&mut tx, id).await.unwrap().unwrap()
}
async fn causes(world: &EngineWorld, id: i64) -> Vec<Cause> {
    why(world, id).await.causes.into_iter().map(|told| told.cause).collect()
}
/// Whether a time is so many seconds after the answer was made, give or take what the test itself took.
fn is_in(told: &Explanation, at: Option<DateTime<Utc>>, seconds: f64) -> bool {
    // what the test itself took is gone by then; times that are told apart are ten seconds apart
    at.is_some_and(|at| (-8.0..1.0).contains(&((at - told.at).as_seconds_f64() - seconds)))
}
fn by() -> By {
    By::new(Actor::Operator, "looked into").unwrap()
}
/// A lane `sends` behind a gate `line`.
async fn line(world: &EngineWorld, limits: Limits) -> i64 {
    let mut tx = world.tx().await;
    let gate = jobs::gate::configure(&mut tx, "line", limits).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "sends", 1, &[gate]).await.unwrap();
    tx.commit().await.unwrap();
    gate
}
async fn send(world: &EngineWorld) -> i64 {
    world.enqueue(Enqueue::new().lane("sends"), &Do::nothing("x")).await
}

#[tokio::test]
async fn a_job_that_nothing_keeps_says_so_until_it_runs_and_is_done() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    assert_eq!(causes(&world, id).await, [Cause::NoWorkerForQueue { queue: "work".to_owned() }]);
    assert_eq!(why(&world, id).await.expected_at, None);
    let mut hand = world.hand().await;
    let told = why(&world, id).await;
    assert_eq!(told.causes[0].cause, Cause::Ready);
    assert!(is_in(&told, told.expected_at, 0.0));
    let leased = hand.claim_some(1).await;
    let told = why(&world, id).await;
    let Cause::Running { process, worker, is_lease_over: false, .. } = &told.causes[0].cause else {
        panic!("{told:?}")
    };
    assert_eq!((*process, worker.as_deref()), (hand.process, Some("hand@here:1")));
    let own = admin::explain(&mut world.tx().await, id).await.unwrap().unwrap();
    assert!(matches!(own.causes[0].cause, Cause::Running { worker: None, .. }), "a tenant is not told of hosts");
    world.advance(LEASE + Duration::from_secs(1)).await;
    assert!(matches!(causes(&world, id).await[0], Cause::Running { is_lease_over: true, .. }));
    hand.settle(&leased, End::Completed).await;
    let told = why(&world, id).await;
    assert_eq!(told.state.name(), "completed");
    assert!(matches!(told.causes[..], [admin::Explained { cause: Cause::Completed { at: Some(_) }, .. }]));
    world.finish().await;
}

#[tokio::test]
async fn a_job_of_later_and_one_of_a_paused_lane_say_until_when() {
    let world = EngineWorld::new().await;
    let _hand = world.hand().await;
    let id = world.enqueue(Enqueue::new().lane("a").wait(Duration::from_secs(600)), &Do::nothing("x")).await;
    let told = why(&world, id).await;
    assert!(matches!(told.causes[..], [admin::Explained { cause: Cause::NotDue { .. }, .. }]), "{told:?}");
    assert!(is_in(&told, told.expected_at, 600.0));
    world.execute("update jobs.lanes set paused_at = app.now()").await;
    let told = why(&world, id).await;
    assert!(matches!(told.causes[1].cause, Cause::LanePaused { .. }), "{told:?}");
    assert_eq!(told.expected_at, None, "nobody knows when a person resumes it");
    world.execute("update jobs.lanes set cancelled_at = app.now()").await;
    assert!(matches!(causes(&world, id).await[..], [Cause::LaneCancelled { .. }]));
    world.finish().await;
}

#[tokio::test]
async fn the_jobs_before_it_in_its_lane_are_counted_in_the_order_of_the_claim() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    let id = world.enqueue(Enqueue::new().priority(5), &Do::nothing("last")).await;
    let jobs: Vec<Do> = (0..4).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    assert_eq!(causes(&world, id).await, [Cause::BehindOthers { before: 4, is_more: false }]);
    hand.claim_some(3).await;
    assert_eq!(causes(&world, id).await, [Cause::BehindOthers { before: 1, is_more: false }], "running ones are past");
    world.finish().await;
}

#[tokio::test]
async fn a_long_lane_is_not_counted_to_its_end_nor_read_for_the_others() {
    let world = EngineWorld::new().await;
    let gate = line(&world, Limits { rate: Some(10.0), burst: 1.0, cap: None }).await;
    let mut tx = world.tx().await;
    jobs::lane::configure(&mut tx, WORK, "short", 1, &[gate]).await.unwrap();
    tx.commit().await.unwrap();
    let _hand = world.hand().await;
    let first = send(&world).await;
    world
        .execute(
            "insert into jobs.jobs (tenant_number, lane_id, queue, kind, max_attempts, run_at, payload)
               select tenant_number, lane_id, queue, kind, max_attempts, run_at, payload from jobs.jobs, generate_series(1, 60000)",
        )
        .await;
    let last = world.enqueue(Enqueue::new().lane("sends").priority(1), &Do::nothing("last")).await;
    let alone = world.enqueue(Enqueue::new().lane("short"), &Do::nothing("alone")).await;
    sqlx::query("analyze jobs.jobs").execute(&mut world.database.superuser().await).await.unwrap();

    let told = why(&world, last).await;
    assert!(matches!(told.causes[0].cause, Cause::GateWithoutTokens { before: 10_000, is_more: true, .. }), "{told:?}");
    assert_eq!(told.causes[1].cause, Cause::BehindOthers { before: 10_000, is_more: true });
    assert!(told.causes[1].sentence.contains("more than 10000"), "{}", told.causes[1].sentence);
    assert_eq!(told.expected_at, None);
    for (id, most) in [(first, 100), (alone, 100), (last, 25_000)] {
        let mut tx = world.db.platform(Why::Operator).await.unwrap();
        let before = rows_read(&mut tx).await;
        admin::explain(&mut tx, id).await.unwrap().unwrap();
        let after = rows_read(&mut tx).await;
        assert!(after.0 == before.0 && after.1 - before.1 < most, "job {id}: {before:?} {after:?}");
    }
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let before = rows_read(&mut tx).await;
    let lanes = admin::lanes(&mut tx, &PageOf::parse(None, None).unwrap()).await.unwrap().items;
    let counts: Vec<i64> = lanes.iter().map(|lane| lane.jobs).collect();
    assert_eq!(counts, [1, 10_001], "newest first");
    let after = rows_read(&mut tx).await;
    assert!(after.0 == before.0 && after.1 - before.1 < 25_000, "{before:?} {after:?}");
    drop(tx);
    world.finish().await;
}

#[tokio::test]
async fn a_gate_without_tokens_says_when_the_job_s_own_comes() {
    let world = EngineWorld::new().await;
    let gate = line(&world, Limits { rate: Some(0.1), burst: 1.0, cap: None }).await;
    let mut hand = world.hand().await;
    let first = send(&world).await;
    assert_eq!(causes(&world, first).await, [Cause::Ready], "the bucket is full");
    assert_eq!(hand.claim_some(10).await.len(), 1);
    let second = send(&world).await;
    let third = send(&world).await;
    let told = why(&world, second).await;
    assert!(
        matches!(told.causes[0].cause, Cause::GateWithoutTokens { before: 0, is_more: false, gate_id, .. } if gate_id == gate)
    );
    assert!(is_in(&told, told.expected_at, 10.0), "{told:?}");
    let told = why(&world, third).await;
    assert!(is_in(&told, told.expected_at, 20.0), "{told:?}");
    assert_eq!(told.causes[1].cause, Cause::BehindOthers { before: 1, is_more: false });
    let own = admin::explain(&mut world.tx().await, third).await.unwrap().unwrap();
    assert!(is_in(&own, own.expected_at, 20.0), "the tenant is told the same: {own:?}");
    world.advance(Duration::from_secs(10)).await;
    assert_eq!(hand.claim_some(10).await[0].id, second, "and so it comes");
    world.finish().await;
}

#[tokio::test]
async fn the_gate_s_other_lanes_take_turns_and_a_direct_reply_goes_first() {
    let world = EngineWorld::new().await;
    let gate = line(&world, Limits { rate: Some(0.1), burst: 1.0, cap: None }).await;
    let mut tx = world.tx().await;
    jobs::lane::configure(&mut tx, WORK, "other campaign", 1, &[gate]).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "direct", 0, &[gate]).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "elsewhere", 1, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let mut hand = world.hand().await;
    send(&world).await;
    assert_eq!(hand.claim_some(10).await.len(), 1);
    send(&world).await;
    let id = send(&world).await;
    for (lane, count) in [("other campaign", 50), ("direct", 3), ("elsewhere", 50)] {
        let jobs: Vec<Do> = (0..count).map(|n| Do::nothing(n.to_string())).collect();
        world.enqueue_many(Enqueue::new().lane(lane), &jobs).await;
    }
    let told = why(&world, id).await;
    // one of its own lane, two of the other campaign meanwhile, all three replies
    assert!(matches!(told.causes[0].cause, Cause::GateWithoutTokens { before: 6, .. }), "{told:?}");
    assert!(is_in(&told, told.expected_at, 70.0), "{told:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_gate_that_is_paused_broken_full_or_gone_is_named() {
    let world = EngineWorld::new().await;
    let gate = line(&world, Limits { cap: Some(1), ..OPEN }).await;
    let mut hand = world.hand().await;
    send(&world).await;
    let leased = hand.claim_some(10).await;
    assert_eq!(leased.len(), 1);
    let id = send(&world).await;
    let full = Cause::CapReached { gate_id: gate, gate: "line".to_owned(), running: 1, cap: 1 };
    let own = admin::explain(&mut world.tx().await, id).await.unwrap().unwrap();
    assert_eq!(own.causes[0].cause, full, "a tenant is told of its own gate");
    assert_eq!(causes(&world, id).await, [full]);
    hand.settle(&leased, End::Completed).await;
    world.execute("update jobs.gate_slots set running = 0").await;

    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::pause_gate(&mut tx, gate, &by()).await.unwrap();
    tx.commit().await.unwrap();
    let told = why(&world, id).await;
    assert!(told.causes[0].sentence.contains("paused by operator: looked into"), "{told:?}");
    assert!(matches!(told.causes[..], [admin::Explained { cause: Cause::GatePaused { .. }, .. }]));
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::resume_gate(&mut tx, gate, &by()).await.unwrap();
    tx.commit().await.unwrap();

    world.execute("select jobs.open_breaker(id, 15, 'no answer') from jobs.gates").await;
    let told = why(&world, id).await;
    assert!(matches!(&told.causes[0].cause, Cause::BreakerOpen { reason: Some(reason), .. } if reason == "no answer"));
    assert!(is_in(&told, told.expected_at, 15.0), "{told:?}");
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::close_gate(&mut tx, gate, &by()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(causes(&world, id).await, [Cause::Ready]);

    world.execute("delete from jobs.gates").await;
    assert_eq!(causes(&world, id).await, [Cause::GateMissing { gate_id: gate }]);
    world.finish().await;
}

#[tokio::test]
async fn what_was_given_up_comes_with_its_evidence_and_names_who_holds_its_key() {
    let world = EngineWorld::new().await;
    let old = world.enqueue(Enqueue::new(), &Keyed::<2>::new("k")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    let told = why(&world, old).await;
    let Cause::Discarded { evidence: Some(evidence), .. } = &told.causes[0].cause else { panic!("{told:?}") };
    assert_eq!(evidence[0]["error"], "given up");
    assert!(told.causes[0].sentence.ends_with(": given up"));
    let new = world.enqueue(Enqueue::new(), &Keyed::<2>::new("k")).await;
    assert_eq!(causes(&world, old).await[1], Cause::KeyHeld { job_id: new });

    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    admin::cancel(&mut tx, new, &by()).await.unwrap();
    tx.commit().await.unwrap();
    let told = why(&world, new).await;
    assert!(told.causes[0].sentence.ends_with("cancelled by operator: looked into"), "{told:?}");
    assert_eq!(told.causes.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_kind_that_the_workers_do_not_know_is_said_to_be_it() {
    let world = EngineWorld::new().await;
    registry().add::<Newer>().register(&world.db).await.unwrap();
    let worker = world.worker().await;
    let id = world.enqueue(Enqueue::new(), &Newer {}).await;
    e2e::eventually("it was given back", || async { world.job(id).await.errors.is_some() }).await;
    let causes = causes(&world, id).await;
    assert!(matches!(causes[0], Cause::NotDue { .. }), "{causes:?}");
    assert_eq!(causes[1], Cause::NoWorkerForKind { kind: "test.newer".to_owned() });
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn another_tenant_s_job_is_not_explained() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let other = world.tenant("other").await;
    assert!(admin::explain(&mut world.tx_of(other).await, id).await.unwrap().is_none());
    assert!(admin::explain(&mut world.tx().await, id).await.unwrap().is_some());
    world.finish().await;
}
