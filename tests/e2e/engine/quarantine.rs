//! A job over which too many workers died: out of the way, with what is known of each death, until an operator lets it run again.

use std::time::Duration;

use db::{PageOf, Why};
use jobs::{
    Enqueue,
    admin::{Cause, Death, Filter, State},
    batch::{self, Acted},
};
use uuid::Uuid;

use super::{
    kinds::Do,
    operators::by,
    world::{End, EngineWorld, LEASE},
};

const PAST: Duration = Duration::from_secs(LEASE.as_secs() + 1);

/// Claims the job in a worker that dies, so many times; answers the dead.
async fn kill_workers(world: &EngineWorld, times: usize) -> Vec<Uuid> {
    let (mut rescuer, mut dead) = (world.hand().await, Vec::new());
    for crash in 0..times {
        let mut doomed = world.hand().await;
        assert_eq!(usize::try_from(doomed.claim_some(1).await[0].crashes), Ok(crash));
        dead.push(doomed.process);
        world.advance(PAST).await;
        rescuer.renew(&[]).await;
        assert_eq!(rescuer.rescue().await, 1);
    }
    dead
}
async fn deaths(world: &EngineWorld, id: i64) -> Vec<Death> {
    let told = jobs::admin::explain(&mut world.tx().await, id).await.unwrap().unwrap();
    assert_eq!(told.state, State::Quarantined);
    match &told.causes[0].cause {
        Cause::Quarantined { at: Some(_), deaths } => deaths.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_job_over_which_five_workers_died_is_quarantined_with_the_evidence_of_each_death() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("killer")).await;
    let dead = kill_workers(&world, 4).await;
    assert_eq!(world.state(id).await, "available");
    world.execute("update jobs.jobs set crashes = 0").await;
    let dead = [dead, kill_workers(&world, 5).await].concat();
    assert_eq!(world.state(id).await, "quarantined");
    let evidence = deaths(&world, id).await;
    assert_eq!(evidence.iter().map(|death| death.process).collect::<Vec<_>>(), dead[4..], "those that count");
    assert_eq!(evidence.iter().map(|death| death.attempt).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    assert!(evidence.iter().all(|death| death.host == "here") && evidence.is_sorted_by_key(|death| death.at));
    let history = "select count(*) from jobs.history where state = 'quarantined'";
    assert_eq!(world.number(history).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn an_operator_runs_a_quarantined_job_again_and_no_death_counts_then() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("killer")).await;
    kill_workers(&world, 5).await;
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::retry(&mut tx, id, &by("the leak is mended")).await.unwrap();
    tx.commit().await.unwrap();
    let audit =
        "select count(*) from jobs.audit where act = 'retry' and subject = 'job' and reason = 'the leak is mended'";
    assert_eq!(world.number(audit).await, 1);
    kill_workers(&world, 4).await;
    assert_eq!(world.state(id).await, "available", "four deaths are not five");
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    assert_eq!((leased[0].id, hand.settle(&leased, End::Completed).await), (id, 1));
    world.finish().await;
}

#[tokio::test]
async fn a_batch_counts_a_quarantined_job_as_discarded_and_its_retry_leaves_it() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let batch = jobs::batch::open_silent(&mut tx, "mailing").await.unwrap();
    let killer = Enqueue::new().batch(batch).one(&mut tx, &Do::nothing("killer")).await.unwrap().job_id();
    tx.commit().await.unwrap();
    kill_workers(&world, 5).await;
    let mut tx = world.tx().await;
    let failed = Enqueue::new().batch(batch).one(&mut tx, &Do::nothing("failed")).await.unwrap().job_id();
    jobs::batch::seal(&mut tx, batch).await.unwrap();
    tx.commit().await.unwrap();
    let mut hand = world.hand().await;
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Discarded).await;
    world.execute("select jobs.fold_batches()").await;
    let found = async || jobs::batch::find(&mut world.tx().await, batch).await.unwrap().unwrap();
    let ended = found().await;
    assert_eq!((ended.state, ended.discarded_count, ended.live_count()), (batch::State::Completed, 2, 0));
    let mut tx = world.tx().await;
    assert_eq!(jobs::batch::retry_failures(&mut tx, batch).await.unwrap(), Acted::Done);
    tx.commit().await.unwrap();
    world.execute("select jobs.retry_batches(100)").await;
    assert_eq!((world.state(killer).await, world.state(failed).await), ("quarantined".into(), "available".into()));
    assert_eq!(found().await.discarded_count, 1);
    let leased = hand.claim_some(1).await;
    hand.settle(&leased, End::Completed).await;
    for _ in 0..2 {
        world.execute("select jobs.retry_batches(100)").await;
        world.execute("select jobs.fold_batches()").await;
    }
    assert_eq!(found().await.state, batch::State::Completed);
    let mut tx = world.tx().await;
    assert_eq!(jobs::batch::retry_failures(&mut tx, batch).await.unwrap(), Acted::Unchanged, "only that one is left");
    drop(tx);
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    jobs::admin::retry(&mut tx, killer, &by("mended")).await.unwrap();
    tx.commit().await.unwrap();
    let again = found().await;
    assert_eq!((again.discarded_count, again.live_count()), (0, 1));
    world.finish().await;
}

#[tokio::test]
async fn quarantined_jobs_are_listed_by_their_state() {
    let world = EngineWorld::new().await;
    let id = world.work(Do::nothing("killer")).await;
    kill_workers(&world, 5).await;
    let listed = async |state: Option<State>| {
        let filter = Filter { state, ..Filter::default() };
        let page = PageOf::parse(None, None).unwrap();
        let rows = jobs::admin::list(&mut world.tx().await, &filter, &page).await.unwrap().items;
        rows.into_iter().map(|job| (job.id, job.state)).collect::<Vec<_>>()
    };
    assert_eq!(listed(Some(State::Quarantined)).await, [(id, State::Quarantined)]);
    assert_eq!(listed(None).await, [(id, State::Quarantined)], "among the failed ones too");
    assert_eq!(listed(Some(State::Discarded)).await, []);
    world.finish().await;
}
