//! What operators do to jobs, and to whom it may not be done.

use db::{Actor, PageOf, Why};
use futures::future::join;
use jobs::{
    Enqueue,
    admin::{By, Filter, Refused, State},
};

use super::{
    kinds::{Act, Do, Keyed},
    world::{End, EngineWorld, rows_read},
};

pub fn by(reason: &str) -> By {
    By::new(Actor::Operator, reason).unwrap()
}
async fn retry(world: &EngineWorld, id: i64) -> Result<(), Refused> {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::retry(&mut tx, id, &by("fixed")).await?;
    Ok(tx.commit().await?)
}
async fn cancel(world: &EngineWorld, id: i64) -> Result<(), Refused> {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::cancel(&mut tx, id, &by("asked to")).await?;
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn a_discarded_job_runs_again_with_a_new_fence_and_all_its_attempts() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let first = hand.claim_some(1).await;
    hand.settle(&first, End::Discarded).await;
    retry(&world, id).await.unwrap();
    assert!(matches!(retry(&world, id).await, Err(Refused::JobNotFailed)), "once");
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
    assert!(matches!(retry(&world, id).await, Err(Refused::LaneCancelled)));
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
    assert!(matches!(retry(&world, old).await, Err(Refused::JobKeyHeld)));
    assert_eq!(world.state(old).await, "discarded", "and it is still there");
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    retry(&world, old).await.unwrap();
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
            Ok(()) => assert!(leased.iter().all(|job| job.id != id)),
            Err(Refused::JobRunning) => assert_eq!(hand.settle(&leased, End::Completed).await, 1),
            Err(other) => panic!("{other}"),
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
    assert!(matches!(cancel(&world, id).await, Err(Refused::JobRunning)));
    hand.settle(&leased, End::Completed).await;
    assert!(matches!(cancel(&world, id).await, Err(Refused::JobEnded)));
    assert_eq!(world.state(id).await, "completed");
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_job_frees_its_key_and_can_be_run_again() {
    let world = EngineWorld::new().await;
    let later = Enqueue::new().wait(std::time::Duration::from_secs(600));
    let id = world.enqueue(later, &Keyed::<2>::new("k")).await;
    cancel(&world, id).await.unwrap();
    assert_eq!(world.job(id).await.errors.unwrap().0[0]["error"], "cancelled by operator: asked to");
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
        let page = jobs::admin::list(&mut tx, &Filter::default(), &of).await.unwrap();
        seen.extend(page.items.into_iter().map(|job| job.tenant_number));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [world.acme.number; 7]);
    let mut hand = world.hand().await;
    let leased = hand.claim_some(100).await;
    let of_state = Filter { state: Some(State::Running), ..Filter::default() };
    let all = PageOf::parse(None, None).unwrap();
    let running = jobs::admin::list(&mut world.tx().await, &of_state, &all).await.unwrap();
    drop(tx);
    assert_eq!(running.items.len(), leased.iter().filter(|job| job.tenant_number == world.acme.number).count());
    world.finish().await;
}

#[tokio::test]
async fn what_is_done_is_in_the_audit_of_its_tenant_and_what_is_refused_is_not() {
    let world = EngineWorld::new().await;
    let other = world.tenant("other").await;
    let id = world.enqueue(Enqueue::new().lane("campaign"), &Do::nothing("x")).await;
    cancel(&world, id).await.unwrap();
    assert!(cancel(&world, id).await.is_err());
    assert!(matches!(By::new(Actor::Operator, " "), Err(Refused::Reason)));
    assert!(matches!(By::new(Actor::Operator, &"x".repeat(501)), Err(Refused::Reason)));
    let page = PageOf::parse(None, None).unwrap();
    let own = jobs::admin::audit(&mut world.tx().await, Some("job"), None, &page).await.unwrap().items;
    assert_eq!(own.len(), 1);
    assert_eq!(
        (own[0].act.as_str(), own[0].actor.as_str(), own[0].reason.as_str(), own[0].subject_id.parse()),
        ("cancel", "operator", "asked to", Ok(id))
    );
    let theirs = jobs::admin::audit(&mut world.tx_of(other).await, None, None, &page).await.unwrap();
    assert!(theirs.items.is_empty());
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let forged = sqlx::query("update jobs.audit set reason = 'another'").execute(db::Scope::conn(&mut tx)).await;
    assert!(forged.is_err(), "not even the platform changes what was written");
    drop(tx);
    world.finish().await;
}

#[tokio::test]
async fn an_act_that_is_rolled_back_leaves_no_trace_in_the_audit() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::cancel(&mut tx, id, &by("asked to")).await.unwrap();
    drop(tx);
    assert_eq!(world.state(id).await, "available");
    assert_eq!(world.number("select count(*) from jobs.audit").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn completed_jobs_are_listed_where_they_are_asked_for_and_lists_are_narrowed() {
    let world = EngineWorld::new().await;
    let done = world.enqueue(Enqueue::new().lane("a"), &Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    let waiting = world.enqueue(Enqueue::new().lane("b"), &Do::nothing("x")).await;
    let lane = world.job(waiting).await.lane_id;
    let list = async |filter: Filter<'static>| {
        let page =
            jobs::admin::list(&mut world.tx().await, &filter, &PageOf::parse(None, None).unwrap()).await.unwrap();
        page.items.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Filter { state: Some(State::Completed), ..Filter::default() }).await, [done]);
    assert_eq!(list(Filter::default()).await, [waiting]);
    assert_eq!(list(Filter { lane_id: Some(lane), ..Filter::default() }).await, [waiting]);
    assert_eq!(list(Filter { kind: Some("test.do"), queue: Some("work"), ..Filter::default() }).await, [waiting]);
    assert!(list(Filter { kind: Some("test.keyed"), ..Filter::default() }).await.is_empty());
    assert!(list(Filter { queue: Some("no such queue"), ..Filter::default() }).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_batch_is_listed_with_what_has_not_been_folded_yet() {
    let world = EngineWorld::new().await;
    let other = world.tenant("other").await;
    let mut tx = world.tx().await;
    let batch = jobs::batch::open(&mut tx, "mailing", &Do::nothing("done")).await.unwrap();
    Enqueue::new().batch(batch).many(&mut tx, &[Do::nothing("a"), Do::nothing("b")]).await.unwrap();
    tx.commit().await.unwrap();
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    let page = PageOf::parse(None, None).unwrap();
    let listed = jobs::admin::batches(&mut world.tx().await, None, &page).await.unwrap().items;
    assert_eq!((listed.len(), listed[0].enqueued_count), (1, 2));
    assert_eq!(listed[0].completed_count, i64::try_from(leased.len()).unwrap());
    assert!(!listed[0].is_sealed && listed[0].tenant_number.is_none());
    assert!(jobs::admin::find_batch(&mut world.tx_of(other).await, batch).await.unwrap().is_none());
    world.finish().await;
}

#[tokio::test]
async fn two_operators_who_run_one_job_again_make_one_run_and_one_entry() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    let (one, other) = join(retry(&world, id), retry(&world, id)).await;
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
    assert!([one, other].into_iter().any(|acted| matches!(acted, Err(Refused::JobNotFailed))));
    assert_eq!(world.number("select count(*) from jobs.audit").await, 1);
    assert_eq!(hand.claim_some(10).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn failed_and_running_jobs_are_found_without_reading_what_waits() {
    let world = EngineWorld::new().await;
    let ids = [world.work(Do::nothing("a")).await, world.work(Do::nothing("b")).await];
    let mut hand = world.hand().await;
    let leased = hand.claim_some(2).await;
    hand.settle(&leased[..1], End::Discarded).await;
    world
        .execute(
            "insert into jobs.jobs (tenant_number, lane_id, queue, kind, max_attempts, run_at, payload)
               select tenant_number, lane_id, queue, kind, max_attempts, run_at, payload from jobs.jobs, generate_series(1, 20000)",
        )
        .await;
    sqlx::query("analyze jobs.jobs").execute(&mut world.database.superuser().await).await.unwrap();
    for (state, id) in [(State::Discarded, ids[0]), (State::Running, ids[1])] {
        let mut tx = world.db.platform(Why::Operator).await.unwrap();
        let before = rows_read(&mut tx).await;
        let filter = Filter { state: Some(state), ..Filter::default() };
        let page = jobs::admin::list(&mut tx, &filter, &PageOf::parse(None, None).unwrap()).await.unwrap();
        let after = rows_read(&mut tx).await;
        assert_eq!(page.items.iter().map(|job| (job.id, job.state)).collect::<Vec<_>>(), [(id, state)]);
        assert!(after.0 == before.0 && after.1 - before.1 < 100, "{state:?}: {before:?} {after:?}");
    }
    world.finish().await;
}
