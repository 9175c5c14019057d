//! Dead processes: what they held goes back with one crash more, what they reserved is free, and none of it needs them.

use std::time::Duration;

use jobs::Enqueue;

use super::{
    kinds::{Act, Do, WORK, registry},
    world::{End, EngineWorld, LEASE},
};

const PAST: Duration = Duration::from_secs(LEASE.as_secs() + 1);

#[tokio::test]
async fn the_jobs_of_a_killed_worker_run_again_with_one_crash_more() {
    let world = EngineWorld::new().await;
    let doomed = world.worker().await;
    let id = world.work(Do::new("long", Act::Wait)).await;
    e2e::eventually("it runs", || async { world.runs_of("long") == 1 }).await;
    doomed.kill();
    let heir = world.worker().await;
    world.open_latch();
    world.advance(PAST).await;
    world.reaches(id, "completed").await;
    let last = world.runs().pop().unwrap();
    assert_eq!((last.attempt, last.crashes), (2, 1));
    heir.stop().await;
    assert_eq!(world.number("select count(*) from jobs.processes").await, 0, "nothing of the dead is left");
    assert_eq!(world.number("select count(*) from jobs.leases").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_living_worker_is_not_rescued_from_however_long_its_jobs_take() {
    let world = EngineWorld::new().await;
    let mut settings = world.settings(2);
    settings.lease = Duration::from_secs(3); // renewed every second
    let worker = world.worker_with(registry(), settings).await;
    let id = world.work(Do::new("long", Act::Wait)).await;
    e2e::eventually("it runs", || async { world.runs_of("long") == 1 }).await;
    let renewed =
        world.number("select (extract(epoch from max(lease_until)) * 1000)::bigint from jobs.processes").await;
    e2e::eventually("its lease was renewed, and the first one has ended", || async {
        world.number("select (extract(epoch from max(lease_until)) * 1000)::bigint from jobs.processes").await
            > renewed + 4_000
    })
    .await;
    assert_eq!(world.runs_of("long"), 1);
    world.open_latch();
    world.reaches(id, "completed").await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_process_that_died_after_it_was_forgotten_is_rescued_from_all_the_same() {
    let world = EngineWorld::new().await;
    let (mut stalled, mut rescuer) = (world.hand().await, world.hand().await);
    world.advance(PAST).await;
    rescuer.renew(&[]).await;
    assert_eq!(rescuer.rescue().await, 0);
    assert_eq!(world.number("select count(*) from jobs.processes").await, 1, "the stalled one is forgotten");
    // it wakes, claims before it has renewed, and dies
    let id = world.work(Do::nothing("x")).await;
    assert_eq!(stalled.claim_some(1).await.len(), 1);
    drop(stalled);
    assert_eq!(rescuer.rescue().await, 0, "it may still live, and is given a lease's time");
    world.advance(PAST).await;
    rescuer.renew(&[]).await;
    assert_eq!(rescuer.rescue().await, 1, "nobody else would ever free it");
    assert_eq!(world.state(id).await, "available");
    world.finish().await;
}

#[tokio::test]
async fn the_slots_of_a_dead_process_are_free_again() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let limits = jobs::gate::Limits { rate: None, burst: 1.0, cap: Some(2) };
    let gate = jobs::gate::configure(&mut tx, "line", limits).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "sends", 1, &[gate]).await.unwrap();
    let jobs: Vec<Do> = (0..6).map(|n| Do::nothing(n.to_string())).collect();
    Enqueue::new().lane("sends").many(&mut tx, &jobs).await.unwrap();
    tx.commit().await.unwrap();
    let (mut doomed, mut heir) = (world.hand().await, world.hand().await);
    assert_eq!(doomed.claim_some(10).await.len(), 2);
    assert!(heir.claim(10).await.is_empty(), "the cap is the fleet's");
    drop(doomed);
    world.advance(PAST).await;
    heir.renew(&[]).await;
    assert!(heir.claim(10).await.is_empty(), "not before it is known to be dead");
    assert_eq!(heir.rescue().await, 2);
    world.advance(Duration::from_secs(1)).await;
    assert_eq!(heir.claim_some(10).await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_goes_back_with_its_attempts() {
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..5).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    let mut hand = world.hand().await;
    let known = hand.claim_some(2).await;
    let lost = hand.claim_some(3).await;
    assert_eq!((known.len(), lost.len()), (2, 3));
    let freed: i32 = sqlx::query_scalar("select jobs.release_unknown($1, $2, 0)")
        .bind(hand.process)
        .bind(vec![known[0].fence])
        .fetch_one(hand.conn.conn())
        .await
        .unwrap();
    assert_eq!(freed, 3);
    assert_eq!(world.number("select count(*) from jobs.live where state = 'available' and attempt = 0").await, 3);
    assert_eq!(hand.settle(&known, End::Completed).await, 2, "what it knows of is still its own");
    let again = hand.claim_some(5).await;
    assert!(again.iter().all(|job| job.attempt == 1));
    assert_eq!(hand.settle(&lost, End::Completed).await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_fence_never_comes_twice_to_a_process_though_a_crash_took_the_sequence_back() {
    let world = EngineWorld::new().await;
    world.work(Do::nothing("a")).await;
    world.work(Do::nothing("b")).await;
    let mut hand = world.hand().await;
    let before = hand.claim_some(1).await;
    // what a crash does to a sequence whose last numbers had not reached the disk
    sqlx::query("select setval('jobs.fences', 1)").execute(&mut world.database.superuser().await).await.unwrap();
    sqlx::query("select jobs.release_unknown($1, '{}', $2)")
        .bind(hand.process)
        .bind(before[0].fence + 7)
        .execute(hand.conn.conn())
        .await
        .unwrap();
    let after = hand.claim_some(1).await;
    assert!(after[0].fence > before[0].fence + 7, "{} after {}", after[0].fence, before[0].fence + 7);
    world.finish().await;
}

#[tokio::test]
async fn what_a_living_process_holds_without_knowing_goes_back_too() {
    let world = EngineWorld::new().await;
    let mut settings = world.settings(1);
    settings.lease = Duration::from_secs(3); // how often it asks what it does not know of
    let worker = world.worker_with(registry(), settings).await;
    world.work(Do::new("busy", Act::Wait)).await;
    e2e::eventually("its only slot is taken", || async { world.runs_of("busy") == 1 }).await;
    let id = world.work(Do::nothing("orphan")).await;
    // the server process of a connection that broke commits its claim after all
    let mut orphan = world.hand().await;
    let own = std::mem::replace(&mut orphan.process, world.process_of_worker().await);
    assert_eq!(orphan.claim_some(1).await[0].id, id);
    world.reaches(id, "available").await;
    world.open_latch();
    world.reaches(id, "completed").await;
    assert_eq!(world.runs().pop().unwrap().attempt, 1, "no attempt was used up");
    worker.stop().await;
    orphan.process = own;
    world.finish().await;
}

#[tokio::test]
async fn tokens_reserved_by_a_claimer_that_dies_before_its_commit_are_not_lost() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let limits = jobs::gate::Limits { rate: Some(0.001), burst: 3.0, cap: None };
    let gate = jobs::gate::configure(&mut tx, "line", limits).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "sends", 1, &[gate]).await.unwrap();
    let jobs: Vec<Do> = (0..10).map(|n| Do::nothing(n.to_string())).collect();
    Enqueue::new().lane("sends").many(&mut tx, &jobs).await.unwrap();
    tx.commit().await.unwrap();

    let mut doomed = world.hand().await;
    sqlx::raw_sql("begin").execute(doomed.conn.conn()).await.unwrap();
    assert_eq!(doomed.claim_some(10).await.len(), 3);
    drop(doomed); // the connection goes, and with it the transaction
    let mut heir = world.hand().await;
    let leased = heir.claim_some(10).await;
    assert_eq!(leased.len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn what_a_process_claims_after_a_stand_still_is_its_own_though_it_has_not_renewed_yet() {
    let world = EngineWorld::new().await;
    let mut settings = world.settings(2);
    settings.lease = Duration::from_secs(3600); // it does not renew within this test
    let worker = world.worker_with(registry(), settings).await;
    e2e::eventually("it is known", || async { world.number("select count(*) from jobs.processes").await == 1 }).await;
    // as after an outage of the database that lasted longer than a lease
    let mut rescuer = world.hand().await;
    world.advance(Duration::from_secs(7200)).await;
    rescuer.renew(&[]).await;
    let id = world.work(Do::new("after", Act::Wait)).await;
    e2e::eventually("it runs", || async { world.runs_of("after") == 1 }).await;
    assert_eq!(rescuer.rescue().await, 0);
    world.open_latch();
    world.reaches(id, "completed").await;
    assert_eq!(world.runs_of("after"), 1);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn the_slots_of_what_was_leased_without_its_knowledge_are_free_and_those_of_the_rest_are_not() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let limits = jobs::gate::Limits { rate: None, burst: 1.0, cap: Some(10) };
    let gate = jobs::gate::configure(&mut tx, "line", limits).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "sends", 1, &[gate]).await.unwrap();
    let jobs: Vec<Do> = (0..20).map(|n| Do::nothing(n.to_string())).collect();
    Enqueue::new().lane("sends").many(&mut tx, &jobs).await.unwrap();
    tx.commit().await.unwrap();
    let mut hand = world.hand().await;
    let known = hand.claim_some(4).await;
    assert_eq!(hand.claim_some(3).await.len(), 3);
    // as where the count was written after a late commit of the unknown claim: it may say anything
    world.execute("update jobs.gate_slots set running = 1").await;
    let freed: i32 = sqlx::query_scalar("select jobs.release_unknown($1, $2, 0, $3, $4)")
        .bind(hand.process)
        .bind(vec![known[0].fence])
        .bind(vec![gate])
        .bind(vec![4])
        .fetch_one(hand.conn.conn())
        .await
        .unwrap();
    assert_eq!(freed, 3);
    assert_eq!(hand.claim_some(20).await.len(), 6, "four of ten run");
    world.finish().await;
}
