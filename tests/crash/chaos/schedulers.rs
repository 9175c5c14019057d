//! Replicas of the scheduler, killed and stopped: each second fires once, whoever is left, and none is left out.

use nix::sys::signal::Signal;
use rand::Rng;

use super::{rounds, scene::Scene, worker::Process};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedulers_are_killed() {
    let mut scene = Scene::start("scheduler replicas killed", 20_261_111).await;
    let mut schedulers: Vec<Process> = (0..3).map(|_| Process::scheduler(&scene.reach())).collect();
    for round in 0..rounds(3) {
        scene.more("select count(*) from public.ticks", 1).await;
        let victim = scene.rng.random_range(0..schedulers.len());
        let victim = schedulers.swap_remove(victim);
        if round % 3 == 2 {
            // one that stands still first, perhaps in the middle of firing
            victim.signal(Signal::SIGSTOP);
            scene.more("select count(*) from public.ticks", 1).await;
        }
        victim.kill().await;
        schedulers.push(Process::scheduler(&scene.reach()));
    }
    // nobody is left for a while, and what was missed is made up
    for scheduler in schedulers.drain(..) {
        scheduler.kill().await;
    }
    scene.gets_on(100).await;
    let last = Process::scheduler(&scene.reach());
    scene.more("select count(*) from public.ticks", 2).await;
    last.kill().await;
    scene.drained().await;
    let fires = scene.number("select count(*) from public.ticks").await;
    let seconds = scene.number("select count(distinct second) from public.ticks").await;
    let span = scene.number("select max(second) - min(second) + 1 from public.ticks").await;
    assert_eq!((fires, seconds), (span, span), "each second of the span fires once");
    scene.concludes().await;
}
