//! Fences: whoever has lost a lease can write nothing to its job any more, in whatever order things happen.

use std::time::Duration;

use futures::future::join;
use jobs::Enqueue;

use super::{
    kinds::{Act, Do},
    world::{End, EngineWorld, LEASE},
};

const PAST: Duration = Duration::from_secs(LEASE.as_secs() + 1);

#[tokio::test]
async fn a_late_ack_after_the_rescue_changes_nothing() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let (mut late, mut rescuer) = (world.hand().await, world.hand().await);
    let lost = late.claim_some(1).await;
    world.advance(PAST).await;
    assert_eq!(rescuer.rescue().await, 1);
    rescuer.renew(&[]).await;

    assert_eq!(late.settle(&lost, End::Completed).await, 0);
    assert_eq!(late.settle(&lost, End::Retry).await, 0);
    assert_eq!(late.settle(&lost, End::Discarded).await, 0);
    assert_eq!(world.state(id).await, "available");

    // leased again, by the same process even: the old fence still opens nothing
    let again = late.claim_some(1).await;
    assert!(again[0].fence > lost[0].fence);
    assert_eq!(late.settle(&lost, End::Completed).await, 0);
    assert_eq!(late.settle(&again, End::Completed).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_renewal_before_the_rescue_keeps_the_lease_and_after_it_learns_of_the_loss() {
    let world = EngineWorld::new().await;
    world.work(Do::nothing("x")).await;
    let (mut worker, mut rescuer) = (world.hand().await, world.hand().await);
    let leased = worker.claim_some(1).await;
    world.advance(PAST).await;
    assert!(worker.renew(&leased).await.is_empty());
    assert_eq!(rescuer.rescue().await, 0, "it lives");

    world.advance(PAST).await;
    rescuer.renew(&[]).await;
    assert_eq!(rescuer.rescue().await, 1);
    assert_eq!(worker.renew(&leased).await, [leased[0].id]);
    let again = rescuer.claim_some(1).await;
    assert_eq!(worker.renew(&leased).await, [leased[0].id], "also when somebody else holds it now");
    assert!(rescuer.renew(&again).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn renewal_and_rescue_at_the_same_moment_leave_one_owner() {
    let world = EngineWorld::new().await;
    for _ in 0..20 {
        let id = world.work(Do::nothing("x")).await;
        let (mut worker, mut rescuer) = (world.hand().await, world.hand().await);
        let leased = worker.claim_some(1).await;
        world.advance(PAST).await;
        let (lost, _) = join(worker.renew(&leased), rescuer.rescue()).await;
        let ended = worker.settle(&leased, End::Completed).await;
        match world.state(id).await.as_str() {
            "completed" => assert_eq!((ended, lost.len()), (1, 0)),
            "available" => {
                assert_eq!(ended, 0, "it was rescued");
                rescuer.renew(&[]).await;
                let again = rescuer.claim_some(1).await;
                assert_eq!(rescuer.settle(&again, End::Completed).await, 1);
            }
            other => panic!("the job is {other}"),
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn a_renewal_does_not_wait_for_a_job_that_is_being_completed() {
    let world = EngineWorld::new().await;
    world.enqueue_many(Enqueue::new(), &[Do::nothing("a"), Do::nothing("b")]).await;
    let mut worker = world.hand().await;
    let leased = worker.claim_some(2).await;
    let mut tx = world.tx().await;
    assert!(worker.complete(&mut tx, &leased[0]).await);
    assert!(worker.renew(&leased).await.is_empty());
    tx.commit().await.unwrap();
    assert!(worker.renew(&leased).await.is_empty(), "the claim is held until its last job has ended");
    assert_eq!(worker.settle(&leased[1..], End::Completed).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_rolled_back_completion_leaves_the_lease_as_it_was() {
    let world = EngineWorld::new().await;
    world.work(Do::nothing("x")).await;
    let mut worker = world.hand().await;
    let leased = worker.claim_some(1).await;
    let mut tx = world.tx().await;
    assert!(worker.complete(&mut tx, &leased[0]).await);
    drop(tx);
    e2e::eventually("the transaction is over", || async {
        world
            .seen("select count(*) from pg_stat_activity where state like 'idle in%' and datname = current_database()")
            .await
            == 0
    })
    .await;
    assert!(worker.renew(&leased).await.is_empty());
    assert_eq!(worker.settle(&leased, End::Completed).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_rescue_that_meets_a_settling_job_takes_it_once_or_not_at_all() {
    let world = EngineWorld::new().await;
    for _ in 0..20 {
        let id = world.work(Do::nothing("x")).await;
        let (mut worker, mut rescuer) = (world.hand().await, world.hand().await);
        let leased = worker.claim_some(1).await;
        world.advance(PAST).await;
        let (ended, freed) = join(worker.settle(&leased, End::Completed), rescuer.rescue()).await;
        let state = world.state(id).await;
        match ended {
            1 => assert_eq!(state, "completed"),
            _ => assert_eq!((state.as_str(), freed), ("available", 1)),
        }
        if state == "available" {
            rescuer.renew(&[]).await;
            let again = rescuer.claim_some(1).await;
            assert_eq!(rescuer.settle(&again, End::Completed).await, 1);
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn an_effect_is_rolled_back_when_the_lease_was_lost_under_its_handler() {
    let world = EngineWorld::new().await;
    let mut settings = world.settings(1);
    settings.lease = Duration::from_secs(3600); // it does not renew within this test
    let worker = world.worker_with(super::kinds::registry(), settings).await;
    let id = world.work(Do::new("row", Act::EffectThenWait)).await;
    e2e::eventually("the handler has written its row", || async { world.runs_of("row") == 1 }).await;
    world.reaches(id, "running").await;
    // as a process that was stopped for longer than its lease finds things: somebody has freed the job meanwhile
    world
        .execute("with l as (delete from jobs.leases) update jobs.jobs set fence = nextval('jobs.fences'), crashes = 1")
        .await;
    world.execute("insert into jobs.wakes (tenant_number, queue, lane_id) select tenant_number, queue, lane_id from jobs.jobs").await;
    world.open_latch();
    world.reaches(id, "completed").await;
    e2e::eventually("both starts are over", || async { world.runs_of("row") == 2 }).await;
    assert_eq!(world.effects().await, 1, "the row of the start that had lost its lease is not there");
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn what_runs_behind_a_job_that_came_back_is_not_leased_again() {
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..5).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(5).await;
    assert_eq!(leased.len(), 5);
    let mut first = leased[..1].to_vec();
    for _ in 0..3 {
        assert_eq!(hand.settle(&first, End::Release).await, 1);
        let again = hand.claim_some(1).await;
        assert_eq!(again[0].id, first[0].id);
        assert!(hand.claim(10).await.is_empty(), "the four behind it run");
        assert_eq!(hand.settle(&first, End::Completed).await, 0, "its old lease is void");
        first = again;
    }
    world.finish().await;
}

#[tokio::test]
async fn two_claimers_never_get_the_same_job() {
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..1_000).map(|n| Do::nothing(n.to_string())).collect();
    for lane in ["a", "b", "c"] {
        world.enqueue_many(Enqueue::new().lane(lane), &jobs).await;
    }
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let mut hand = world.hand().await;
        claimers.push(tokio::spawn(async move {
            let (mut mine, mut empty) = (Vec::new(), 0);
            while empty < 200 {
                let leased = hand.claim(37).await;
                if leased.is_empty() {
                    empty += 1
                } else {
                    empty = 0
                }
                mine.extend(leased.into_iter().map(|job| (job.id, job.fence)));
                tokio::task::yield_now().await;
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), 3_000);
    all.sort_unstable();
    all.dedup_by_key(|(id, _)| *id);
    assert_eq!(all.len(), 3_000);
    assert_eq!(world.number("select count(*) from jobs.running where attempt = 1").await, 3_000);
    world.finish().await;
}

#[tokio::test]
async fn a_process_never_holds_more_jobs_than_it_has_slots() {
    let world = EngineWorld::new().await;
    for lane in 0..30 {
        let jobs: Vec<Do> = (0..5).map(|n| Do::new(format!("{lane}/{n}"), Act::Wait)).collect();
        world.enqueue_many(Enqueue::new().lane(format!("lane/{lane}")), &jobs).await;
    }
    let mut hand = world.hand().await;
    assert!(hand.claim_some(3).await.len() <= 3);

    let worker = world.worker_with(super::kinds::registry(), world.settings(7)).await;
    e2e::eventually("all slots are used", || async { world.runs().len() >= 7 }).await;
    assert_eq!(world.runs().len(), 7);
    world.open_latch();
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_stalled_process_finds_out_and_stops_its_handlers() {
    let world = EngineWorld::new().await;
    let mut settings = world.settings(1);
    settings.lease = Duration::from_secs(3); // renewed every second
    let worker = world.worker_with(super::kinds::registry(), settings).await;
    let id = world.work(Do::new("long", Act::Wait)).await;
    e2e::eventually("it runs", || async { world.runs_of("long") == 1 }).await;
    // twice the lease passes at once, as for a process that was stopped: its own upkeep or its renewal comes first
    world.advance(Duration::from_secs(6)).await;
    world.open_latch();
    world.reaches(id, "completed").await;
    world.drained().await;
    assert_eq!(world.number("select count(*) from jobs.history where state = 'completed'").await, 1);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_at_the_end_of_a_process_is_found_again_at_once() {
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..30).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    let (mut leaving, mut heir) = (world.hand().await, world.hand().await);
    let lost = leaving.claim_some(10).await;
    heir.claim_some(10).await;
    sqlx::query("select jobs.leave($1)").bind(leaving.process).execute(leaving.conn.conn()).await.unwrap();
    let found = heir.claim_some(10).await;
    assert_eq!(found.iter().map(|job| job.id).collect::<Vec<_>>(), lost.iter().map(|job| job.id).collect::<Vec<_>>());
    assert!(found.iter().all(|job| job.attempt == 1));
    world.finish().await;
}

#[tokio::test]
async fn a_wake_that_names_another_queue_makes_no_second_turn() {
    let world = EngineWorld::new().await;
    world.enqueue_many(Enqueue::new(), &[Do::nothing("a")]).await;
    world.execute("insert into jobs.queues (name) values ('elsewhere')").await;
    world.execute("insert into jobs.wakes (tenant_number, queue, lane_id) select w.tenant_number, q.id, w.lane_id from jobs.wakes w, jobs.queues q where q.name = 'elsewhere'").await;
    world.execute("select jobs.hear_wakes(id) from jobs.queues").await;
    assert_eq!(world.number("select count(*) from jobs.turns").await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_holds_from_the_start_also_of_a_job_that_has_just_come_back() {
    let world = EngineWorld::new().await;
    for lane in ["a", "b"] {
        let jobs: Vec<Do> = (0..4).map(|n| Do::nothing(format!("{lane}/{n}"))).collect();
        world.enqueue_many(Enqueue::new().lane(lane), &jobs).await;
    }
    let mut hands = Vec::new();
    for _ in 0..6 {
        let mut hand = world.hand().await;
        hands.push(tokio::spawn(async move {
            for _ in 0..400 {
                let leased = hand.claim(3).await;
                let ended = hand.settle(&leased, End::Retry).await;
                assert_eq!(ended, i32::try_from(leased.len()).unwrap(), "nobody else has taken them");
            }
        }));
    }
    for hand in hands {
        hand.await.unwrap();
    }
    world.finish().await;
}
