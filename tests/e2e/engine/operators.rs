//! What operators do to jobs, and to whom it may not be done.

use db::{PageOf, Why};
use futures::future::join;
use jobs::{Enqueue, admin::Acted};

use super::{
    kinds::{Act, Do, Keyed},
    world::{End, EngineWorld},
};

async fn retry(world: &EngineWorld, id: i64) -> Acted {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let acted = jobs::admin::retry(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    acted
}
async fn cancel(world: &EngineWorld, id: i64) -> Acted {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let acted = jobs::admin::cancel(&mut tx, id, "asked to").await.unwrap();
    tx.commit().await.unwrap();
    acted
}

#[tokio::test]
async fn a_discarded_job_runs_again_with_a_new_fence_and_all_its_attempts() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let first = hand.claim_some(1).await;
    hand.settle(&first, End::Discarded).await;
    assert_eq!(retry(&world, id).await, Acted::Available);
    assert_eq!(retry(&world, id).await, Acted::NotFound, "once");
    let again = hand.claim_some(1).await;
    assert_eq!((again[0].id, again[0].attempt), (id, 1));
    assert!(again[0].fence > first[0].fence);
    assert_eq!(hand.settle(&first, End::Completed).await, 0);
    assert_eq!(hand.settle(&again, End::Completed).await, 1);
    assert_eq!(world.state(id).await, "completed");
    world.finish().await;
}

#[tokio::test]
async fn a_retry_into_a_cancelled_lane_is_refused_and_loses_nothing() {
    let world = EngineWorld::new().await;
    let id = world.enqueue(Enqueue::new().lane("campaign"), &Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    world.execute("update jobs.lanes set cancelled_at = app.now() where key = 'campaign'").await;
    assert_eq!(retry(&world, id).await, Acted::LaneCancelled);
    assert_eq!(world.state(id).await, "discarded");
    world.finish().await;
}

#[tokio::test]
async fn a_retry_is_refused_while_a_new_job_holds_the_key() {
    let world = EngineWorld::new().await;
    let old = world.enqueue(Enqueue::new(), &Keyed::<2>::new("k")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    let new = world.enqueue(Enqueue::new(), &Keyed::<2>::new("k")).await;
    assert_ne!(old, new);
    assert_eq!(retry(&world, old).await, Acted::KeyHeld);
    assert_eq!(world.state(old).await, "discarded", "and it is still there");
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    assert_eq!(retry(&world, old).await, Acted::Available);
    let duplicate = world.enqueue(Enqueue::new(), &Keyed::<2>::new("k")).await;
    assert_eq!(duplicate, old, "it holds its key again");
    world.finish().await;
}

#[tokio::test]
async fn cancel_and_claim_at_the_same_moment_agree_on_who_was_first() {
    let world = EngineWorld::new().await;
    for _ in 0..30 {
        let id = world.work(Do::nothing("x")).await;
        let mut hand = world.hand().await;
        let (leased, acted) = join(hand.claim(10), cancel(&world, id)).await;
        match acted {
            Acted::Cancelled => assert!(leased.iter().all(|job| job.id != id)),
            Acted::Running => assert_eq!(hand.settle(&leased, End::Completed).await, 1),
            other => panic!("{other:?}"),
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn a_job_that_has_ended_can_not_be_cancelled() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    assert_eq!(cancel(&world, id).await, Acted::Running);
    hand.settle(&leased, End::Completed).await;
    assert_eq!(cancel(&world, id).await, Acted::NotFound);
    assert_eq!(world.state(id).await, "completed");
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_job_frees_its_key_and_can_be_run_again() {
    let world = EngineWorld::new().await;
    let later = Enqueue::new().wait(std::time::Duration::from_secs(600));
    let id = world.enqueue(later, &Keyed::<2>::new("k")).await;
    assert_eq!(cancel(&world, id).await, Acted::Cancelled);
    assert_eq!(world.job(id).await.errors.unwrap().0[0]["error"], "asked to");
    let new = world.enqueue(Enqueue::new(), &Keyed::<2>::new("k")).await;
    assert_ne!(new, id);
    world.finish().await;
}

#[tokio::test]
async fn a_list_is_paged_and_shows_a_tenant_its_own_jobs_only() {
    let world = EngineWorld::new().await;
    let other = world.tenant("other").await;
    let jobs: Vec<Do> = (0..7).map(|n| Do::new(n.to_string(), Act::Nothing)).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    let mut theirs = world.tx_of(other).await;
    Enqueue::new().one(&mut theirs, &Do::nothing("theirs")).await.unwrap();
    theirs.commit().await.unwrap();
    let mut tx = world.tx().await;
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let of = PageOf::parse(Some(3), cursor.as_deref()).unwrap();
        let page = jobs::admin::list(&mut tx, None, &of).await.unwrap();
        seen.extend(page.items.into_iter().map(|job| job.tenant_number));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [world.acme.number; 7]);
    let mut hand = world.hand().await;
    let leased = hand.claim_some(100).await;
    let running =
        jobs::admin::list(&mut world.tx().await, Some("running"), &PageOf::parse(None, None).unwrap()).await.unwrap();
    drop(tx);
    assert_eq!(running.items.len(), leased.iter().filter(|job| job.tenant_number == world.acme.number).count());
    world.finish().await;
}
