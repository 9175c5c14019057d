//! The counters of a batch are exact at every look, whatever races.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use db::{Actor, Scope, Why};
use futures::future::join_all;
use jobs::{Enqueue, batch};

use super::{
    batch_life::{look, open},
    kinds::Do,
    world::{End, EngineWorld},
};

/// Live jobs of the batch and its counters in one snapshot.
const LAW: &str = "select e.live - (b.enqueued_count + coalesce(d.enqueued, 0) - b.completed_count - coalesce(d.completed, 0) - b.discarded_count
                             - coalesce(d.discarded, 0) - b.cancelled_count - coalesce(d.cancelled, 0))
   from jobs.batches b
   cross join lateral (select (select count(*) from jobs.jobs j where j.batch_id = b.id) + (select count(*) from jobs.scheduled s where s.batch_id = b.id) as live) e
   cross join lateral (select sum(x.enqueued) as enqueued, sum(x.completed) as completed, sum(x.discarded) as discarded, sum(x.cancelled) as cancelled
                         from jobs.batch_deltas x where x.batch_id = b.id) d
  where b.id = 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counters_are_exact_at_every_look_while_everything_races() {
    let world = EngineWorld::new().await;
    let id = open(&world, "all done").await;
    assert_eq!(id, 1);
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for n in 0..2_i16 {
        let (mut hand, over) = (world.hand().await, Arc::clone(&over));
        tasks.push(tokio::spawn(async move {
            let mut empty = 0;
            while empty < 50 {
                let leased = hand.claim(7).await;
                empty = if leased.is_empty() && over.load(Ordering::Relaxed) { empty + 1 } else { 0 };
                for (at, some) in leased.chunks(3).enumerate() {
                    let end = match (at + n as usize) % 3 {
                        0 => End::Completed,
                        1 => End::Discarded,
                        _ => End::Retry,
                    };
                    hand.settle(some, end).await;
                }
            }
        }));
    }
    for statement in ["select jobs.fold_batches()", "select jobs.retry_batches(5)", "select jobs.sweep_cancelled(5)"] {
        let (db, over) = (world.db.clone(), Arc::clone(&over));
        tasks.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let mut tx = db.platform(Why::Upkeep).await.unwrap();
                sqlx::query(statement).execute(tx.conn()).await.unwrap();
                tx.commit().await.unwrap();
            }
        }));
    }
    {
        // an operator who cancels single jobs and runs failures again, and a tenant who pauses, resumes and asks for retries
        let (db, acme, over) = (world.db.clone(), world.acme, Arc::clone(&over));
        tasks.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let mut tx = db.platform(Why::Operator).await.unwrap();
                sqlx::query("select jobs.cancel(min(id), 'not wanted') from jobs.scheduled")
                    .execute(tx.conn())
                    .await
                    .unwrap();
                sqlx::query("select jobs.retry(max(id)) from jobs.failures").execute(tx.conn()).await.unwrap();
                tx.commit().await.unwrap();
                let mut tx = db.tenant(acme.id, Actor::Operator).await.unwrap();
                batch::retry_failures(&mut tx, 1).await.unwrap();
                batch::pause(&mut tx, 1).await.unwrap();
                tx.commit().await.unwrap();
                let mut tx = db.tenant(acme.id, Actor::Operator).await.unwrap();
                batch::resume(&mut tx, 1).await.unwrap();
                tx.commit().await.unwrap();
            }
        }));
    }
    for round in 0..60 {
        let jobs: Vec<Do> = (0..10).map(|n| Do::nothing(format!("{round}/{n}"))).collect();
        let mut occasion = Enqueue::new().batch(id).lane(format!("batch/{id}/{}", round % 4));
        if round % 5 == 0 {
            occasion = occasion.wait(Duration::from_secs(3600));
        }
        world.enqueue_many(occasion, &jobs).await;
        let looks = join_all((0..3).map(|_| world.number(LAW))).await;
        assert_eq!(looks, [0, 0, 0]);
    }
    let mut tx = world.tx().await;
    assert_eq!(batch::cancel(&mut tx, id).await.unwrap(), batch::Acted::Cancelled);
    tx.commit().await.unwrap();
    e2e::eventually("the batch has emptied", || async {
        assert_eq!(world.number(LAW).await, 0);
        let now = look(&world, id).await;
        now.live_count() == 0 && now.completed_at.is_some()
    })
    .await;
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let end = look(&world, id).await;
    assert_eq!(end.enqueued_count, 600);
    let callbacks = "select count(distinct x.id) from (
        select id, batch_id from jobs.jobs union all select id, batch_id from jobs.scheduled union all select id, batch_id from jobs.failures
        union all select id, batch_id from jobs.history) x where x.batch_id is null";
    assert_eq!(world.number(callbacks).await, 1);
    world.finish().await;
}
