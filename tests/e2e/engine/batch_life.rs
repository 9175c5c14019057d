//! A batch as one object: pause, resume, cancel, retry of its failures, batches that follow one another.

use std::time::Duration;

use db::{Actor, Scope, Why};
use jobs::{
    Enqueue, EnqueueError,
    batch::{self, Acted, Batch},
};

use super::{
    kinds::{Do, Keyed, WORK},
    world::{End, EngineWorld},
};

pub(super) async fn open(world: &EngineWorld, callback: &str) -> i64 {
    let mut tx = world.tx().await;
    let id = batch::open(&mut tx, "test", &Do::nothing(callback)).await.unwrap();
    tx.commit().await.unwrap();
    id
}
async fn open_after(world: &EngineWorld, after: i64, callback: &str) -> i64 {
    let mut tx = world.tx().await;
    let id = batch::open_after(&mut tx, "test", after, Some(&Do::nothing(callback))).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    id
}
async fn seal(world: &EngineWorld, id: i64) {
    let mut tx = world.tx().await;
    batch::seal(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
}
pub(super) async fn look(world: &EngineWorld, id: i64) -> Batch {
    batch::find(&mut world.tx().await, id).await.unwrap().unwrap()
}
fn counts(batch: &Batch) -> [i64; 4] {
    [batch.enqueued_count, batch.completed_count, batch.discarded_count, batch.cancelled_count]
}
macro_rules! act {
    ($world:expr, $act:ident, $id:expr) => {{
        let mut tx = $world.tx().await;
        let acted = batch::$act(&mut tx, $id).await.unwrap();
        tx.commit().await.unwrap();
        acted
    }};
}
async fn fill(world: &EngineWorld, id: i64, count: usize) {
    let jobs: Vec<Do> = (0..count).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new().batch(id), &jobs).await;
}
async fn upkeep(world: &EngineWorld) {
    world.execute("select jobs.retry_batches(3)").await;
    world.execute("select jobs.sweep_cancelled(7)").await;
    world.execute("select jobs.fold_batches()").await;
}

#[tokio::test]
async fn a_paused_batch_starts_nothing_in_any_of_its_lanes_old_or_new() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    fill(&world, id, 10).await;
    world.enqueue_many(Enqueue::new().lane("of the batch").batch(id), &[Do::nothing("x")]).await;
    assert_eq!(act!(world, pause, id), Acted::Done);
    world.enqueue_many(Enqueue::new().lane("another of the batch").batch(id), &[Do::nothing("y")]).await;
    let beside = world.work(Do::nothing("beside")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(50).await;
    assert_eq!(leased.iter().map(|job| job.id).collect::<Vec<_>>(), [beside]);
    hand.settle(&leased, End::Completed).await;
    assert!(hand.claim(50).await.is_empty());
    assert_eq!(act!(world, resume, id), Acted::Done);
    let mut left = 12;
    while left > 0 {
        let leased = hand.claim_some(50).await;
        left -= hand.settle(&leased, End::Completed).await;
    }
    assert_eq!(counts(&look(&world, id).await), [12, 12, 0, 0]);
    world.finish().await;
}

#[tokio::test]
async fn a_pause_waits_for_a_lane_that_is_being_made_and_shuts_it_too() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    let mut making = world.tx().await;
    Enqueue::new().batch(id).one(&mut making, &Do::nothing("x")).await.unwrap();
    let (db, acme) = (world.db.clone(), world.acme);
    let pausing = tokio::spawn(async move {
        let mut tx = db.tenant(acme.id, Actor::Operator).await.unwrap();
        batch::pause(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
    });
    e2e::eventually("the pause waits", || async {
        world.seen("select count(*) from pg_locks where locktype = 'advisory' and classid = 7236 and not granted").await
            == 1
    })
    .await;
    making.commit().await.unwrap();
    pausing.await.unwrap();
    let mut hand = world.hand().await;
    assert!(hand.claim(10).await.is_empty());
    assert_eq!(world.number("select count(*) from jobs.lanes where paused_at is not null").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_seal_waits_for_those_who_are_adding_jobs_so_that_the_batch_completes_behind_them() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    fill(&world, id, 1).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    let mut adding = world.tx().await;
    batch::share(&mut adding, id).await.unwrap();
    assert!(!batch::find(&mut adding, id).await.unwrap().unwrap().is_sealed);
    Enqueue::new().batch(id).one(&mut adding, &Do::nothing("x")).await.unwrap();
    let (db, acme) = (world.db.clone(), world.acme);
    let sealing = tokio::spawn(async move {
        let mut tx = db.tenant(acme.id, Actor::Operator).await.unwrap();
        batch::seal(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
    });
    e2e::eventually("the seal waits", || async {
        world.seen("select count(*) from pg_locks where locktype = 'advisory' and classid = 7236 and not granted").await
            == 1
    })
    .await;
    upkeep(&world).await;
    adding.commit().await.unwrap();
    sealing.await.unwrap();
    upkeep(&world).await;
    assert_eq!(look(&world, id).await.completed_at, None);
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    upkeep(&world).await;
    assert!(look(&world, id).await.completed_at.is_some());
    world.finish().await;
}

#[tokio::test]
async fn a_batch_s_jobs_do_not_go_into_lanes_of_others() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    world.enqueue(Enqueue::new().lane("shared"), &Do::nothing("x")).await;
    let mut tx = world.tx().await;
    let refused = Enqueue::new().lane("shared").batch(id).one(&mut tx, &Do::nothing("y")).await;
    assert!(matches!(refused, Err(EnqueueError::LaneOfOthers)), "{refused:?}");
    drop(tx);
    let mut tx = world.tx().await;
    assert!(batch::own_lane(&mut tx, id, WORK, "shared").await.unwrap());
    Enqueue::new().lane("shared").batch(id).one(&mut tx, &Do::nothing("y")).await.unwrap();
    tx.commit().await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_batch_empties_completes_once_and_takes_no_more() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    fill(&world, id, 30).await;
    world.enqueue(Enqueue::new().batch(id).wait(Duration::from_secs(3600)), &Do::nothing("later")).await;
    let mut hand = world.hand().await;
    let running = hand.claim_some(4).await;
    assert_eq!(act!(world, cancel, id), Acted::Cancelled);
    assert_eq!(act!(world, cancel, id), Acted::Cancelled, "a second time changes nothing");
    let mut tx = world.tx().await;
    let refused = Enqueue::new().batch(id).one(&mut tx, &Do::nothing("after")).await;
    assert!(matches!(refused, Err(EnqueueError::LaneCancelled)), "{refused:?}");
    drop(tx);
    for _ in 0..6 {
        upkeep(&world).await;
    }
    assert_eq!(look(&world, id).await.completed_at, None, "four still run");
    hand.settle(&running, End::Completed).await;
    upkeep(&world).await;
    upkeep(&world).await;
    let end = look(&world, id).await;
    assert_eq!(counts(&end), [31, 4, 0, 27]);
    assert!(end.completed_at.is_some());
    assert_eq!(world.number("select count(*) from jobs.jobs where payload ->> 'name' = 'all done'").await, 1);
    assert_eq!(act!(world, retry_failures, id), Acted::Cancelled);
    world.finish().await;
}

#[tokio::test]
async fn an_empty_cancelled_batch_completes_too() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    act!(world, cancel, id);
    upkeep(&world).await;
    assert!(look(&world, id).await.completed_at.is_some());
    world.finish().await;
}

#[tokio::test]
async fn a_tenant_s_open_transaction_delays_no_other_batch() {
    let world = EngineWorld::new().await;
    let (held, free) = (open(&world, "held done").await, open(&world, "free done").await);
    seal(&world, held).await;
    seal(&world, free).await;
    let mut tx = world.tx().await;
    batch::pause(&mut tx, held).await.unwrap();
    upkeep(&world).await;
    assert!(look(&world, free).await.completed_at.is_some());
    assert!(look(&world, held).await.completed_at.is_none());
    drop(tx);
    // it is rolled back in the background
    e2e::eventually("its delta was kept for a later round", || async {
        upkeep(&world).await;
        look(&world, held).await.completed_at.is_some()
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn only_the_discarded_run_again_and_the_batch_completes_once_more_because_it_was_asked() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    fill(&world, id, 5).await;
    let keyed: Vec<Keyed<2>> = (0..8).map(|n| Keyed::new(n.to_string())).collect();
    world.enqueue_many(Enqueue::new().lane("keyed").batch(id), &keyed).await;
    seal(&world, id).await;
    let mut hand = world.hand().await;
    let mut done = 0;
    while done < 13 {
        let leased = hand.claim_some(50).await;
        done += leased.len();
        let (good, bad): (Vec<_>, Vec<_>) = leased.into_iter().partition(|job| job.key_scope == 0);
        hand.settle(&good, End::Completed).await;
        hand.settle(&bad, End::Discarded).await;
    }
    upkeep(&world).await;
    let first = look(&world, id).await;
    assert_eq!((counts(&first), first.generation), ([13, 5, 8, 0], 1));
    assert!(first.completed_at.is_some());
    // one key has been taken meanwhile: its failure stays one
    let rival = world.enqueue(Enqueue::new(), &Keyed::<2>::new("3")).await;

    assert_eq!(act!(world, retry_failures, id), Acted::Done);
    assert_eq!(look(&world, id).await.completed_at, None);
    world.execute("select jobs.fold_batches()").await;
    assert_eq!(look(&world, id).await.completed_at, None, "it does not complete before its failures were taken up");
    let mut rounds = 0;
    while look(&world, id).await.is_retrying {
        upkeep(&world).await;
        rounds += 1;
        let now = look(&world, id).await;
        assert_eq!(now.enqueued_count, 13);
    }
    assert_eq!(rounds, 4, "three at a time");
    assert_eq!(counts(&look(&world, id).await), [13, 5, 1, 0]);
    let callbacks = "select count(*) from jobs.jobs where payload ->> 'name' = 'all done'";
    assert_eq!(world.number(callbacks).await, 1);
    let mut again = Vec::new();
    while again.len() < 9 {
        again.extend(hand.claim_some(50).await);
    }
    let (rest, others): (Vec<_>, Vec<_>) = again.into_iter().partition(|job| job.key_scope == 2 && job.id != rival);
    assert_eq!(rest.len(), 7);
    // one fails again: it is not taken up by the retry that is over
    hand.settle(&rest[..1], End::Discarded).await;
    hand.settle(&rest[1..], End::Completed).await;
    hand.settle(&others, End::Completed).await;
    upkeep(&world).await;
    let second = look(&world, id).await;
    assert_eq!((counts(&second), second.generation), ([13, 11, 2, 0], 2));
    assert!(second.completed_at.is_some());
    assert_eq!(world.number(callbacks).await, 1, "the second callback; the first has run");
    for _ in 0..3 {
        upkeep(&world).await;
    }
    assert_eq!(world.number(callbacks).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_retry_of_a_batch_without_failures_changes_nothing() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    fill(&world, id, 1).await;
    seal(&world, id).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    upkeep(&world).await;
    assert_eq!(act!(world, retry_failures, id), Acted::Unchanged);
    assert_eq!(act!(world, retry_failures, 4711), Acted::NotFound);
    assert_eq!(act!(world, pause, id), Acted::Completed);
    assert!(look(&world, id).await.completed_at.is_some());
    world.finish().await;
}

#[tokio::test]
async fn a_batch_starts_when_the_one_it_follows_has_completed() {
    let world = EngineWorld::new().await;
    let first = open(&world, "first done").await;
    let second = open_after(&world, first, "second done").await;
    let empty = open_after(&world, second, "third done").await;
    fill(&world, second, 3).await;
    fill(&world, first, 2).await;
    for id in [empty, second, first] {
        seal(&world, id).await;
    }
    // resuming what is held opens nothing
    act!(world, pause, second);
    act!(world, resume, second);
    let mut hand = world.hand().await;
    let leased = hand.claim_some(50).await;
    assert_eq!(leased.len(), 2, "only the first one's");
    upkeep(&world).await;
    assert_eq!(look(&world, empty).await.completed_at, None);
    assert!(hand.claim(50).await.is_empty());
    hand.settle(&leased, End::Completed).await;
    upkeep(&world).await;
    let mut next = Vec::new();
    while next.len() < 4 {
        next.extend(hand.claim_some(50).await);
    }
    hand.settle(&next, End::Completed).await;
    for _ in 0..3 {
        upkeep(&world).await;
    }
    for id in [first, second, empty] {
        assert!(look(&world, id).await.completed_at.is_some());
    }
    world.finish().await;
}

#[tokio::test]
async fn what_follows_a_cancelled_batch_is_cancelled_and_nothing_can_follow_it() {
    let world = EngineWorld::new().await;
    let first = open(&world, "first done").await;
    let second = open_after(&world, first, "second done").await;
    let third = open_after(&world, second, "third done").await;
    fill(&world, third, 3).await;
    act!(world, cancel, first);
    for _ in 0..3 {
        upkeep(&world).await;
    }
    for id in [first, second, third] {
        let batch = look(&world, id).await;
        assert!(batch.cancelled_at.is_some() && batch.completed_at.is_some(), "{batch:?}");
    }
    assert_eq!(counts(&look(&world, third).await), [3, 0, 0, 3]);
    let mut tx = world.tx().await;
    assert_eq!(batch::open_silent_after(&mut tx, "late", first).await.unwrap(), None);
    drop(tx);
    // a circle can't be written: a batch follows an older one, and that is never changed
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let circle = sqlx::query("update jobs.batches set after_id = $2 where id = $1").bind(first).bind(third);
    let refused = circle.execute(tx.conn()).await.unwrap_err();
    assert_eq!(db::constraint::violated(&refused), Some("batches_follow_an_older_one"));
    drop(tx);
    world.finish().await;
}

#[tokio::test]
async fn a_follower_that_is_opened_while_its_batch_completes_is_not_forgotten() {
    let world = EngineWorld::new().await;
    for _ in 0..5 {
        let first = open(&world, "first done").await;
        // opened, and not committed before the first one has completed
        let mut tx = world.tx().await;
        let second = batch::open_silent_after(&mut tx, "second", first).await.unwrap().unwrap();
        Enqueue::new().batch(second).one(&mut tx, &Do::nothing("x")).await.unwrap();
        seal(&world, first).await;
        upkeep(&world).await;
        assert!(look(&world, first).await.completed_at.is_some());
        tx.commit().await.unwrap();
        upkeep(&world).await;
        assert!(look(&world, second).await.opened_at.is_some());
    }
    let mut hand = world.hand().await;
    let mut found = 0;
    while found < 10 {
        found += hand.claim_some(50).await.len();
    }
    world.finish().await;
}
