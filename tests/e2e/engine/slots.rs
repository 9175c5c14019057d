//! Slots: how many jobs of a queue run at once in one process, however many are leased ahead or in two round trips.

use jobs::Enqueue;

use super::{
    kinds::{Act, Do, registry},
    world::EngineWorld,
};

#[tokio::test]
async fn no_more_jobs_run_at_once_than_there_are_slots_and_each_runs_once() {
    const JOBS: usize = 4000;
    let world = EngineWorld::new().await;
    let jobs: Vec<Do> = (0..JOBS).map(|n| Do::new(n.to_string(), Act::Together)).collect();
    for (lane, chunk) in jobs.chunks(500).enumerate() {
        world.enqueue_many(Enqueue::new().lane(format!("lane/{lane}")), chunk).await;
    }
    let worker = world.worker_with(registry(), world.settings(3)).await;
    world.drained().await;
    worker.stop().await;
    let most = world.app.together.lock().unwrap().1;
    assert!((1..=3).contains(&most), "{most} at once");
    let names: std::collections::HashSet<String> = world.runs().into_iter().map(|run| run.name).collect();
    assert_eq!((world.runs().len(), names.len()), (JOBS, JOBS));
    assert_eq!(world.number("select count(*) from jobs.leases").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn what_waits_in_the_process_for_a_slot_goes_back_unharmed_when_it_stops() {
    let world = EngineWorld::new().await;
    // many short jobs make the process lease ahead, then the slots are taken
    let short: Vec<Do> = (0..2000).map(|n| Do::nothing(n.to_string())).collect();
    let long: Vec<Do> = (0..50).map(|n| Do::new(format!("long/{n}"), Act::Wait)).collect();
    world.enqueue_many(Enqueue::new().lane("a"), &[short, long].concat()).await;
    let worker = world.worker_with(registry(), world.settings(2)).await;
    e2e::eventually("both slots are taken", || async {
        world.runs().iter().filter(|run| run.name.starts_with("long/")).count() == 2
    })
    .await;
    worker.ask_to_stop();
    e2e::eventually("only those that run are held", || async {
        world.number("select count(*) from jobs.running").await == 2
    })
    .await;
    world.open_latch();
    worker.stop().await;
    let unharmed = world.number("select count(*) from jobs.live where attempt = 0 and state = 'available'").await;
    assert_eq!(
        world.runs().len() + usize::try_from(unharmed).unwrap(),
        2050,
        "no attempt of those that waited was used up"
    );
    world.finish().await;
}
