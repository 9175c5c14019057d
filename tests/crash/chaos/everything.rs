//! One fault after another, in an order that the seed gives.

use std::time::Duration;

use rand::seq::SliceRandom;

use super::{
    processes::{kill_one, replace_one, stop_one},
    rounds,
    scene::Scene,
    server::end_backends,
};

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillWorker,
    StopWorker,
    ReplaceWorker,
    EndBackends,
    RestartServer,
    StopServerAtOnce,
    KillServer,
    SwallowBytes,
    CutConnections,
    SlowConnections,
}

const FAULTS: [Fault; 10] = [
    Fault::KillWorker,
    Fault::StopWorker,
    Fault::ReplaceWorker,
    Fault::EndBackends,
    Fault::RestartServer,
    Fault::StopServerAtOnce,
    Fault::KillServer,
    Fault::SwallowBytes,
    Fault::CutConnections,
    Fault::SlowConnections,
];

impl Fault {
    async fn strikes(self, scene: &mut Scene) {
        match self {
            Self::KillWorker => kill_one(scene).await,
            Self::StopWorker => stop_one(scene).await,
            Self::ReplaceWorker => replace_one(scene).await,
            Self::EndBackends => end_backends(scene).await,
            Self::RestartServer => scene.ground.restart().await,
            Self::StopServerAtOnce => scene.ground.stop_at_once_and_start().await,
            Self::KillServer => scene.ground.kill_and_start().await,
            Self::SwallowBytes => scene.way.swallow(),
            Self::CutConnections => scene.way.cut(),
            Self::SlowConnections => {
                scene.way.delay(Duration::from_millis(10));
                scene.gets_on(30).await;
                scene.way.delay(Duration::ZERO);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_breaks_in_turn() {
    let mut scene = Scene::start("one fault after another", 20_261_116).await;
    for _ in 0..rounds(1) {
        let mut order = FAULTS;
        order.shuffle(&mut scene.rng);
        for fault in order {
            println!("{fault:?}");
            // the next one strikes while this one is still being got over
            fault.strikes(&mut scene).await;
            scene.gets_on(20).await;
        }
    }
    scene.each_worker_gets_on().await;
    scene.concludes().await;
}
