//! Faults of the network between workers and the server: connections that are cut, slow, or open with nobody at the other end.

use std::time::Duration;

use super::{rounds, scene::Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_half_open() {
    let scene = Scene::start("half-open sockets", 20_261_106).await;
    for _ in 0..rounds(1) {
        scene.gets_on(60).await;
        scene.way.swallow();
        scene.each_worker_gets_on().await;
        scene.gets_on(100).await;
    }
    scene.concludes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_slow_and_then_cut() {
    let scene = Scene::start("slow and cut connections", 20_261_107).await;
    for _ in 0..rounds(2) {
        scene.way.delay(Duration::from_millis(15));
        scene.gets_on(40).await;
        scene.way.cut();
        scene.way.delay(Duration::ZERO);
        scene.gets_on(40).await;
    }
    scene.concludes().await;
}
