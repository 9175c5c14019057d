//! Lost connections: a restart, a failover, a cut. Outcomes are kept and sent again; nothing is lost and nothing done twice.

use jobs::Enqueue;

use super::{
    kinds::{Act, Do, registry},
    world::{EngineWorld, WORKER},
};

#[tokio::test]
async fn cut_connections_lose_nothing_and_repeat_nothing() {
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..3_000).map(|n| Do::nothing(n.to_string())).collect();
    world.enqueue_many(Enqueue::new().lane("a"), &jobs[..1_500]).await;
    world.enqueue_many(Enqueue::new().lane("b"), &jobs[1_500..]).await;
    let worker = world.worker_with(registry(), world.settings(20)).await;
    for cut in 1..=6 {
        e2e::eventually("some more have run", || async { world.runs().len() >= cut * 300 }).await;
        world.database.cut(WORKER).await;
    }
    world.drained().await;
    worker.stop().await;
    assert_eq!(world.number("select count(*) from jobs.history where state = 'completed'").await, 3_000);
    let mut names: Vec<String> = world.runs().into_iter().map(|run| run.name).collect();
    assert_eq!(names.len(), 3_000, "a claim whose answer was lost was never started");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3_000);
    world.finish().await;
}

#[tokio::test]
async fn effects_cut_in_the_middle_happen_once() {
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..600).map(|n| Do::new(n.to_string(), Act::Effect)).collect();
    world.enqueue_many(Enqueue::new(), &jobs).await;
    let worker = world.worker_with(registry(), world.settings(8)).await;
    for cut in 1..=4 {
        e2e::eventually("some more rows are there", || async { world.effects().await >= cut * 60 }).await;
        world.database.cut(WORKER).await;
    }
    e2e::eventually("all are done", || async {
        // those that were cut wait for their next start
        world.database.advance(std::time::Duration::from_secs(1)).await;
        world.effects().await == 600
    })
    .await;
    world.drained().await;
    assert_eq!(world.number("select count(distinct name) from public.effects").await, 600);
    assert_eq!(world.number("select count(*) from public.effects").await, 600);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_worker_without_its_listener_goes_on_by_polling() {
    let world = EngineWorld::new().await;
    let worker = world.worker().await;
    world.database.cut(WORKER).await;
    // enqueued by a connection that notifies nobody
    world.work(Do::nothing("first")).await;
    world
        .execute("with l as (insert into jobs.jobs (tenant_number, lane_id, queue, kind, max_attempts, run_at, payload) select l.tenant_number, l.id, l.queue, k.id, 1, app.clock(), '{\"name\": \"silent\", \"act\": \"Nothing\"}' from jobs.lanes l, jobs.kinds k where k.name = 'test.do' returning tenant_number, queue, lane_id) insert into jobs.wakes (tenant_number, queue, lane_id) select tenant_number, queue, lane_id from l")
        .await;
    e2e::eventually("both ran", || async { world.runs().len() == 2 }).await;
    world.drained().await;
    worker.stop().await;
    world.finish().await;
}
