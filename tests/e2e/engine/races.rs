//! Enqueue against claim: whichever comes first, no job is left that nobody knows of. And races that have no home elsewhere.
//!
//! Each race that the engine's design names, and the test that runs it:
//!
//! | Race | Test |
//! |---|---|
//! | late ack after rescue | `fences::a_late_ack_after_the_rescue_changes_nothing` |
//! | renew against rescue, both orders | `fences::a_renewal_before_the_rescue_…`, `fences::renewal_and_rescue_at_the_same_moment_…` |
//! | renew against `Done::with(tx)` | `fences::a_renewal_does_not_wait_for_a_job_that_is_being_completed` |
//! | settle against rescue | `fences::a_rescue_that_meets_a_settling_job_takes_it_once_or_not_at_all` |
//! | two claimers on the same rows | `fences::two_claimers_never_get_the_same_job` |
//! | key insert against completion | `unique::an_enqueue_against_the_completion_of_its_holder_loses_nothing` |
//! | key against key, uncommitted, both orders | `unique::two_uncommitted_enqueues_of_one_key_make_one_job_whoever_commits` |
//! | batches in opposite order | `unique::batches_with_the_same_keys_in_opposite_order_do_not_deadlock` |
//! | operator retry against a new job with the same key | here: `a_retry_and_a_new_job_of_one_key_…`; `operators::a_retry_is_refused_while_…` |
//! | cancel against claim | `operators::cancel_and_claim_at_the_same_moment_agree_on_who_was_first` |
//! | cancel against done | here: `a_cancel_does_not_wait_for_a_completion_…`; `operators::a_job_that_has_ended_can_not_be_cancelled` |
//! | shutdown between sending the cycle and receiving its rows | `rescue::a_claim_whose_answer_was_lost_goes_back_with_its_attempts`, `slots::what_waits_in_the_process_…` |
//! | shutdown with buffered outcomes and the database down | `drain::a_drain_while_the_database_is_being_cut_off_still_writes_every_outcome` |
//! | enqueue between an empty poll and LISTEN | here: `what_was_enqueued_before_the_worker_listened_…` |
//! | enqueue against the claim that finds the lane empty | here: `a_job_that_becomes_visible_while_…`, `eight_writers_and_four_claimers_…` |
//! | reserve tokens, then die | `rescue::tokens_reserved_by_a_claimer_that_dies_before_its_commit_are_not_lost` |
//! | eight claimers on one bucket | `gates::eight_claimers_on_one_bucket_take_what_it_gives_and_never_more` |
//! | many see half-open at once, the probe's owner dies | `breaker::of_many_claimers_that_see_it_half_open_one_gets_the_probe` |
//! | cap with a dead process | `rescue::the_slots_of_a_dead_process_are_free_again` |
//! | two schedulers on one tick, one of them partitioned | `schedule_races::two_schedulers_…`, `schedule_races::a_scheduler_cut_off_…`, `…_that_comes_back_…` |
//! | DST gap and overlap | `schedules::a_time_that_does_not_exist_…`, `schedules::a_time_that_exists_twice_…`, `jobs`' `calendar_tests` |
//! | clock of a worker ±10 minutes | none is read: `clippy.toml` forbids it, `architecture::sql` holds the SQL to `app.clock()`; what jumps is the database's: `gates::a_clock_that_goes_back_…` |
//! | pause against claim | here: `a_pause_and_a_claim_…`; `lanes::pausing_and_resuming_while_workers_run_loses_and_repeats_nothing` |
//! | history partition dropped against operator retry | here: `a_day_of_history_that_is_dropped_while_…` |
//! | SIGSTOP for twice the lease | `fences::a_stalled_process_finds_out_and_stops_its_handlers` |
//! | webhook before the answer of its send | `messaging::an_answer_that_is_lost_is_found_by_the_webhook_…`, `sending::a_lost_answer_is_made_good_by_the_webhook` |

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use db::{Actor, Why};
use futures::future::join;
use jobs::{Enqueue, Enqueued, admin::Refused};
use tokio::sync::watch;

use super::{
    kinds::{Do, Keyed},
    operators::by,
    world::{End, EngineWorld},
};

/// Sessions that wait for a lock.
const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_and_four_claimers_over_the_same_lanes_leave_nothing_behind() {
    const ALL: i32 = 8 * 60;
    let world = EngineWorld::new().await;
    let done = Arc::new(AtomicI32::new(0));
    let looks = Arc::new(watch::Sender::new(0_u32));
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let (mut hand, done, looks) = (world.hand().await, Arc::clone(&done), Arc::clone(&looks));
        claimers.push(tokio::spawn(async move {
            while done.load(Ordering::Relaxed) < ALL {
                let leased = hand.claim(50).await;
                done.fetch_add(hand.settle(&leased, End::Completed).await, Ordering::Relaxed);
                looks.send_modify(|looks| *looks += 1);
            }
        }));
    }
    let mut writers = Vec::new();
    for writer in 0..8_u32 {
        let (db, acme, mut looks) = (world.db.clone(), world.acme, looks.subscribe());
        writers.push(tokio::spawn(async move {
            for n in 0..60_u32 {
                let mut tx = db.tenant(acme.id, Actor::Operator).await.unwrap();
                let lane = format!("lane/{}", (writer * 7 + n) % 5);
                Enqueue::new().lane(lane).one(&mut tx, &Do::nothing("x")).await.unwrap();
                // held open while claimers look: they come between the insert and the commit
                let until = *looks.borrow() + n % 4;
                looks.wait_for(|looks| *looks >= until).await.unwrap();
                tx.commit().await.unwrap();
            }
        }));
    }
    let all = futures::future::join_all(writers.into_iter().chain(claimers));
    for ended in tokio::time::timeout(Duration::from_secs(60), all).await.expect("every job is found") {
        ended.unwrap();
    }
    assert_eq!(done.load(Ordering::Relaxed), ALL);
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 0);
    world.finish().await;
}

/// A job whose key is free since it was discarded.
async fn discarded(world: &EngineWorld) -> i64 {
    let id = world.enqueue(Enqueue::new(), &Keyed::<2>::new("k")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    id
}

#[tokio::test]
async fn a_retry_and_a_new_job_of_one_key_leave_one_holder_whichever_comes_first() {
    let world = EngineWorld::new().await;
    // the new job's transaction is open: the retry waits for it, and yields
    let old = discarded(&world).await;
    let mut newer = world.tx().await;
    let new = Enqueue::new().one(&mut newer, &Keyed::<2>::new("k")).await.unwrap().job_id();
    let mut operator = world.db.platform(Why::Operator).await.unwrap();
    let reason = by("fixed");
    let retry = jobs::admin::retry(&mut operator, old, &reason);
    let commit = async {
        e2e::eventually("the retry waits for the key", || async { world.seen(WAITING).await > 0 }).await;
        newer.commit().await.unwrap();
    };
    let (retried, ()) = join(retry, commit).await;
    assert!(matches!(retried, Err(Refused::JobKeyHeld)), "{retried:?}");
    drop(operator);
    assert_eq!((world.state(old).await, world.state(new).await), ("discarded".into(), "available".into()));

    // the retry's transaction is open: the new job waits for it, and is a duplicate
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    let mut operator = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::retry(&mut operator, old, &by("fixed")).await.unwrap();
    let mut newer = world.tx().await;
    let job = Keyed::<2>::new("k");
    let enqueue = Enqueue::new().one(&mut newer, &job);
    let commit = async {
        e2e::eventually("the enqueue waits for the key", || async { world.seen(WAITING).await > 0 }).await;
        operator.commit().await.unwrap();
    };
    let (enqueued, ()) = join(enqueue, commit).await;
    assert_eq!(enqueued.unwrap(), Enqueued::Duplicate(old));
    newer.commit().await.unwrap();
    assert_eq!(world.number("select count(*) from jobs.jobs").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_cancel_does_not_wait_for_a_completion_and_takes_nothing_from_it() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    let mut effect = world.tx().await;
    assert!(hand.complete(&mut effect, &leased[0]).await);
    let mut operator = world.db.platform(Why::Operator).await.unwrap();
    let refused = jobs::admin::cancel(&mut operator, id, &by("asked to")).await;
    assert!(matches!(refused, Err(Refused::JobRunning)), "{refused:?}");
    drop(operator);
    effect.commit().await.unwrap();
    assert_eq!(world.state(id).await, "completed");
    let mut operator = world.db.platform(Why::Operator).await.unwrap();
    let refused = jobs::admin::cancel(&mut operator, id, &by("asked to")).await;
    assert!(matches!(refused, Err(Refused::JobEnded)), "{refused:?}");
    drop(operator);
    world.finish().await;
}

#[tokio::test]
async fn a_pause_and_a_claim_agree_on_which_came_first() {
    let world = EngineWorld::new().await;
    world.enqueue_many(Enqueue::new().lane("a"), &[Do::nothing("one"), Do::nothing("two")]).await;
    let lane = world.number("select id from jobs.lanes where key = 'a'").await;
    let (mut one, mut two) = (world.hand().await, world.hand().await);
    // a pause that has not committed holds nobody up: what is claimed before its commit was claimed before it
    let mut operator = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::pause_lane(&mut operator, lane, &by("hold it")).await.unwrap();
    assert_eq!(one.claim_some(1).await.len(), 1);
    operator.commit().await.unwrap();
    assert!(two.claim(10).await.is_empty(), "after its commit nothing starts");
    let mut operator = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::resume_lane(&mut operator, lane, &by("go on")).await.unwrap();
    operator.commit().await.unwrap();
    assert_eq!(two.claim_some(10).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_day_of_history_that_is_dropped_while_its_job_is_run_again_takes_nothing_along() {
    let world = EngineWorld::new().await;
    let mut hand = world.hand().await;
    hand.run("select count(*) from (select jobs.partition_history(7)) x where $1::uuid is not null").await;
    let id = world.work(Do::nothing("x")).await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    world.advance(Duration::from_secs(9 * 86_400)).await;
    let mut operator = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::retry(&mut operator, id, &by("fixed")).await.unwrap();
    hand.run("select count(*) from (select jobs.partition_history(7)) x where $1::uuid is not null").await;
    assert_eq!(world.number("select count(*) from jobs.history").await, 0, "its day is gone");
    operator.commit().await.unwrap();
    let again = hand.claim_some(1).await;
    assert_eq!((again[0].id, hand.settle(&again, End::Completed).await), (id, 1));
    assert_eq!(world.state(id).await, "completed");
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

/// The other order: the bell is read just before the claim that found the lane empty commits.
#[tokio::test]
async fn a_wake_that_is_read_while_the_lane_s_claim_commits_is_not_lost() {
    let world = EngineWorld::new().await;
    let (mut one, mut two) = (world.hand().await, world.hand().await);
    let mut hold = world.database.superuser().await;
    // whoever reads the bell waits at the second look, in the statement that takes what it tells
    sqlx::raw_sql(
        "create sequence public.looks;
         grant usage on sequence public.looks to paloma_platform;
         create function public.look() returns boolean language plpgsql as
           'begin if nextval(''public.looks'') = 2 then perform pg_advisory_xact_lock(4711); end if; return true; end';
         create policy slow on jobs.wakes as restrictive for select to paloma_platform using (public.look())",
    )
    .execute(&mut hold)
    .await
    .unwrap();
    world.enqueue_many(Enqueue::new(), &[Do::nothing("first"), Do::nothing("next")]).await;
    assert_eq!(one.claim(1).await.len(), 1);
    // it has no bell to read any more, and finds the lane's end
    sqlx::raw_sql("begin").execute(one.conn.conn()).await.unwrap();
    assert_eq!(one.claim(10).await.len(), 1);
    let last = world.work(Do::nothing("last")).await;
    sqlx::raw_sql("select pg_advisory_lock(4711), setval('public.looks', 1, false)").execute(&mut hold).await.unwrap();
    let reading = tokio::spawn(async move {
        two.claim(10).await;
        two
    });
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and not granted";
    e2e::eventually("it reads the bell", || async { world.seen(waiting).await == 1 }).await;
    // the other has seen the turn as it was before this
    sqlx::raw_sql("commit").execute(one.conn.conn()).await.unwrap();
    sqlx::raw_sql("select pg_advisory_unlock(4711)").execute(&mut hold).await.unwrap();
    let mut two = reading.await.unwrap();
    assert_eq!(two.claim_some(10).await[0].id, last);
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
