//! Faults of worker processes: killed, stopped, replaced one after another.

use nix::sys::signal::Signal;

use super::{LEASE, rounds, scene::Scene};

/// Kills one worker and starts another.
pub async fn kill_one(scene: &mut Scene) {
    let victim = scene.any_worker();
    scene.workers.swap_remove(victim).kill().await;
    let heir = scene.worker();
    scene.workers.push(heir);
}

/// Stops one worker for twice its lease, then lets it go.
pub async fn stop_one(scene: &mut Scene) {
    let victim = scene.any_worker();
    scene.workers[victim].signal(Signal::SIGSTOP);
    scene.lasts(LEASE * 2).await;
    scene.gets_on(30).await;
    scene.workers[victim].signal(Signal::SIGCONT);
}

/// Starts a worker in the place of the oldest, which is asked to end.
pub async fn replace_one(scene: &mut Scene) {
    let heir = scene.worker();
    scene.workers.push(heir);
    let status = scene.workers.remove(0).end().await;
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_killed() {
    let mut scene = Scene::start("SIGKILL", 20_261_101).await;
    for _ in 0..rounds(3) {
        scene.gets_on(60).await;
        kill_one(&mut scene).await;
    }
    let verdict = scene.concludes().await;
    assert!(verdict.jobs > 200, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stands_still_for_twice_its_lease() {
    let mut scene = Scene::start("SIGSTOP", 20_261_102).await;
    for _ in 0..rounds(1) {
        scene.gets_on(60).await;
        stop_one(&mut scene).await;
    }
    scene.concludes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_replaced_one_after_another_and_burn_no_attempt() {
    let mut scene = Scene::start("rolling restart", 20_261_103).await;
    for _ in 0..rounds(1) {
        for _ in 0..scene.workers.len() {
            scene.gets_on(40).await;
            replace_one(&mut scene).await;
        }
    }
    let verdict = scene.concludes().await;
    assert_eq!((verdict.repeated, verdict.burnt), (0, 0), "{verdict:?}");
}
