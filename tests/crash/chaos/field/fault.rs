//! What befalls a fleet.

use rand::{Rng, rngs::StdRng, seq::SliceRandom};

use super::fleet::Fleet;
use crate::chaos::server::end_some_backends;

/// One blow.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    KillWorker,
    ReplaceWorker,
    EndBackends,
    RestartServer,
    KillServer,
}

const ALL: [Fault; 5] =
    [Fault::KillWorker, Fault::ReplaceWorker, Fault::EndBackends, Fault::RestartServer, Fault::KillServer];

/// Each of them once, in an order that the dice give.
pub fn shuffled(rng: &mut StdRng) -> [Fault; 5] {
    let mut order = ALL;
    order.shuffle(rng);
    order
}

impl Fault {
    pub async fn strikes(self, fleet: &mut Fleet) {
        println!("{self:?}, with {} to go", fleet.scene.waiting().await);
        match self {
            Self::KillWorker => {
                let victim = fleet.any_worker();
                fleet.kill(victim).await;
            }
            Self::ReplaceWorker => fleet.replace_oldest().await,
            Self::EndBackends => end_backends(fleet).await,
            Self::RestartServer => fleet.ground.restart().await,
            Self::KillServer => fleet.ground.kill_and_start().await,
        }
    }
}

/// Ends some of the backends that serve workers.
pub async fn end_backends(fleet: &mut Fleet) {
    let mut superuser = fleet.superuser().await;
    end_some_backends(&mut superuser, &mut fleet.rng).await;
}

impl Fleet {
    /// One of the workers, as the seed says.
    pub fn any_worker(&mut self) -> usize {
        self.rng.random_range(0..self.workers.len())
    }
}
