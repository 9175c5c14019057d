//! Batches: exact counters whatever happens to the jobs, and one completion.

use std::time::Duration;

use db::PageOf;
use futures::future::join_all;
use jobs::{
    Enqueue,
    batch::{Batch, State},
};

use super::{
    kinds::{Act, Do},
    world::{End, EngineWorld},
};

async fn open(world: &EngineWorld) -> i64 {
    let mut tx = world.tx().await;
    let batch = jobs::batch::open(&mut tx, "import", &Do::nothing("all done")).await.unwrap();
    tx.commit().await.unwrap();
    batch
}
async fn seal(world: &EngineWorld, batch: i64) {
    let mut tx = world.tx().await;
    jobs::batch::seal(&mut tx, batch).await.unwrap();
    tx.commit().await.unwrap();
}
async fn look(world: &EngineWorld, batch: i64) -> Batch {
    jobs::batch::find(&mut world.tx().await, batch).await.unwrap().unwrap()
}
fn counts(batch: &Batch) -> [i64; 4] {
    [batch.enqueued_count, batch.completed_count, batch.discarded_count, batch.cancelled_count]
}

#[tokio::test]
async fn a_batch_counts_each_end_and_fires_once_when_the_last_job_has_ended() {
    let world = EngineWorld::new().await;
    let batch = open(&world).await;
    let mut jobs: Vec<Do> = (0..200).map(|n| Do::new(format!("effect {n}"), Act::Effect)).collect();
    jobs.extend((0..50).map(|n| Do::nothing(format!("plain {n}"))));
    jobs.extend((0..7).map(|n| Do::new(format!("useless {n}"), Act::Discard)));
    jobs.extend((0..3).map(|n| Do::new(format!("unwanted {n}"), Act::Cancel)));
    jobs.push(Do::new("flaky", Act::FailUntil(2)));
    world.enqueue_many(Enqueue::new().batch(batch), &jobs).await;
    assert_eq!(counts(&look(&world, batch).await), [261, 0, 0, 0]);
    seal(&world, batch).await;
    let (one, two) = (world.worker().await, world.worker().await);
    e2e::eventually("only the retry is left", || async { counts(&look(&world, batch).await) == [261, 250, 7, 3] })
        .await;
    assert_eq!(world.runs_of("all done"), 0);
    world.advance(Duration::from_secs(11)).await;
    e2e::eventually("the batch is complete", || async { world.runs_of("all done") == 1 }).await;
    world.drained().await;
    let end = look(&world, batch).await;
    assert_eq!(counts(&end), [261, 251, 7, 3]);
    assert!(end.completed_at.is_some());
    assert_eq!(world.runs_of("all done"), 1);
    one.stop().await;
    two.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn an_unsealed_batch_never_completes_and_an_empty_sealed_one_does() {
    let world = EngineWorld::new().await;
    let (growing, empty) = (open(&world).await, open(&world).await);
    world.enqueue(Enqueue::new().batch(growing), &Do::nothing("x")).await;
    let worker = world.worker().await;
    seal(&world, empty).await;
    e2e::eventually("the empty one is complete", || async { look(&world, empty).await.completed_at.is_some() }).await;
    e2e::eventually("its job has ended", || async { counts(&look(&world, growing).await) == [1, 1, 0, 0] }).await;
    assert!(look(&world, growing).await.completed_at.is_none());
    e2e::eventually("one completion", || async { world.runs_of("all done") == 1 }).await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn many_folders_at_once_fire_one_completion() {
    let world = EngineWorld::new().await;
    let batch = open(&world).await;
    let jobs: Vec<Do> = (0..20).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new().batch(batch), &jobs).await;
    seal(&world, batch).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(50).await;
    for half in leased.chunks(10) {
        hand.settle(half, End::Completed).await;
        let mut hands = Vec::new();
        for _ in 0..6 {
            hands.push(world.hand().await);
        }
        let folds =
            hands.iter_mut().map(|hand| hand.run("select jobs.fold_batches()::bigint where $1::uuid is not null"));
        join_all(folds).await;
    }
    hand.run("select jobs.fold_batches()::bigint where $1::uuid is not null").await;
    assert_eq!(counts(&look(&world, batch).await), [20, 20, 0, 0]);
    assert_eq!(world.number("select count(*) from jobs.jobs where payload ->> 'name' = 'all done'").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn duplicates_are_not_counted_and_a_rolled_back_enqueue_neither() {
    let world = EngineWorld::new().await;
    let batch = open(&world).await;
    let keyed = super::kinds::Keyed::<2>::new("k");
    world.enqueue_many(Enqueue::new().batch(batch), &[keyed.clone(), keyed.clone()]).await;
    let mut tx = world.tx().await;
    Enqueue::new().batch(batch).one(&mut tx, &Do::nothing("x")).await.unwrap();
    drop(tx);
    assert_eq!(counts(&look(&world, batch).await), [1, 0, 0, 0]);
    world.finish().await;
}

#[tokio::test]
async fn an_operator_s_retry_takes_the_failure_back() {
    let world = EngineWorld::new().await;
    let batch = open(&world).await;
    let id = world.enqueue(Enqueue::new().batch(batch), &Do::nothing("x")).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    assert_eq!(counts(&look(&world, batch).await), [1, 0, 1, 0]);
    let mut tx = world.db.platform(db::Why::Operator).await.unwrap();
    let by = jobs::admin::By::new(db::Actor::Operator, "fixed").unwrap();
    jobs::admin::retry(&mut tx, id, &by).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(counts(&look(&world, batch).await), [1, 0, 0, 0]);
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    assert_eq!(counts(&look(&world, batch).await), [1, 1, 0, 0]);
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_lane_s_jobs_count_as_cancelled() {
    let world = EngineWorld::new().await;
    let batch = open(&world).await;
    let jobs: Vec<Do> = (0..30).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new().lane("campaign/1").batch(batch), &jobs).await;
    seal(&world, batch).await;
    let mut tx = world.tx().await;
    jobs::lane::cancel(&mut tx, super::kinds::WORK, "campaign/1").await.unwrap();
    tx.commit().await.unwrap();
    let worker = world.worker().await;
    e2e::eventually("it is complete", || async { look(&world, batch).await.completed_at.is_some() }).await;
    assert_eq!(counts(&look(&world, batch).await), [30, 0, 0, 30]);
    e2e::eventually("one completion", || async { world.runs_of("all done") == 1 }).await;
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_list_of_one_feature_s_batches_in_one_state_reads_no_others() {
    let world = EngineWorld::new().await;
    world
        .execute(
            "insert into jobs.batches (tenant_number, name, completed_at)
               select t.number, case when i % 400 = 0 then 'api/x' else 'campaign/x' end, case when i % 800 = 0 then app.now() end
                 from crm.tenants t, generate_series(1, 20000) i",
        )
        .await;
    sqlx::query("analyze jobs.batches").execute(&mut world.database.superuser().await).await.unwrap();
    let page = PageOf { limit: 10, after: None };
    for state in [None, Some(State::Completed)] {
        let mut tx = world.tx().await;
        let found = jobs::batch::list(&mut tx, "api", state, &page).await.unwrap();
        assert_eq!(found.items.len(), 10);
        assert!(
            found.items.iter().all(|batch| batch.name == "api/x" && state.is_none_or(|state| batch.state == state))
        );
        let read: i64 = sqlx::query_scalar(
            "select (seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables where schemaname = 'jobs' and relname = 'batches'",
        )
        .fetch_one(db::Scope::conn(&mut tx))
        .await
        .unwrap();
        assert!(read <= 20, "{state:?}: {read} rows were read");
    }
    world.finish().await;
}
