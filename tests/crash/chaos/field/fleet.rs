//! Four `paloma-worker`s on a cluster of their own with a campaign to send, and the verdict when it is over.

use std::{collections::BTreeMap, collections::BTreeSet, time::Duration};

use e2e::{Database, World, cluster::Cluster, eventually};
use nix::sys::signal::Signal;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::witness;
use crate::{
    chaos::{
        LEASE,
        ground::{Ground, options},
        seed,
    },
    process::Process,
    scene::Scene,
};

/// Workers of a fleet.
pub const WORKERS: usize = 4;
/// A worker that is asked to end does so within its grace and a few last words.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// What a fleet has before it.
pub struct Plan {
    pub recipients: usize,
    /// Calls at once of each worker.
    pub slots: usize,
    /// Of the workers.
    pub lease: Duration,
    /// Fields of the line.
    pub line: Value,
}

impl Plan {
    /// Few calls at once, so that a campaign lasts; an unknown outcome is looked up well after every call has ended.
    pub fn to(recipients: usize) -> Self {
        Self { recipients, slots: 6, lease: LEASE, line: json!({ "send_timeout_s": 20, "resolve_after_s": 25 }) }
    }
}

/// A campaign drafted and its workers ready.
pub struct Fleet {
    pub scene: Scene,
    pub workers: Vec<Process>,
    pub rng: StdRng,
    slots: String,
    lease: String,
    name: &'static str,
    seed: u64,
    // goes last: the others stand on it
    pub ground: Ground,
}

impl Fleet {
    /// Starts everything; the campaign is launched by the test.
    pub async fn start(name: &'static str, published: u64, plan: Plan) -> Self {
        let ground = Ground::bare(options()).await;
        let database = Database::in_cluster(Cluster::of(&ground.cluster).await).await;
        witness::begins(&mut database.superuser().await).await;
        let world = World::over(database).await;
        let (slots, lease) = (plan.slots.to_string(), plan.lease.as_secs().to_string());
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            workers.push(worker(&world, &slots, &lease).await);
        }
        let scene = Scene::drafted_in(world, plan.recipients, plan.line).await;
        let seed = seed(published);
        Self { scene, workers, rng: StdRng::seed_from_u64(seed), slots, lease, name, seed, ground }
    }

    /// A connection that no wall binds.
    pub async fn superuser(&self) -> PgConnection {
        self.scene.world.database.superuser().await
    }

    /// Launches the campaigns and waits until their recipients are there.
    pub async fn launches(&self) {
        self.scene.launch().await;
        for campaign in self.scene.campaigns() {
            eventually("the audience is frozen", || async {
                self.scene.acme.progress(campaign).await["is_frozen"] == true
            })
            .await;
        }
    }

    /// Waits until so many more messages have left, so that what comes next hits in the middle of work; or until nobody waits for one.
    pub async fn gets_on(&self, more: u64) {
        let sim = &self.scene.world.sim;
        let wanted = sim.summary().total + more;
        eventually(&format!("{wanted} messages left"), || async {
            sim.summary().total >= wanted || self.scene.is_over().await
        })
        .await;
    }

    /// Starts a worker more.
    pub async fn add_worker(&mut self) {
        let heir = worker(&self.scene.world, &self.slots, &self.lease).await;
        self.workers.push(heir);
    }

    /// The same of one that does everything but calls to gateways.
    pub async fn add_worker_without_calls(&mut self) {
        let short = worker(&self.scene.world, "0", &self.lease).await;
        self.workers.push(short);
    }

    /// Kills a worker and starts another. Answers the number of the dead one.
    pub async fn kill(&mut self, victim: usize) -> i32 {
        let victim = self.workers.swap_remove(victim);
        let pid = victim.pid;
        victim.kill().await;
        self.add_worker().await;
        pid
    }

    /// Starts a worker in the place of the oldest, which is asked to end.
    pub async fn replace_oldest(&mut self) {
        self.add_worker().await;
        let oldest = self.workers.remove(0);
        oldest.signal(Signal::SIGTERM);
        let status = oldest.ended(ENDS_WITHIN).await;
        assert!(status.success(), "{status}");
    }

    /// Asks all workers to end; `meanwhile` happens while they do.
    pub async fn all_end(&mut self, meanwhile: impl AsyncFnOnce(&mut Self)) {
        let ending = std::mem::take(&mut self.workers);
        for worker in &ending {
            worker.signal(Signal::SIGTERM);
        }
        meanwhile(self).await;
        for worker in ending {
            let status = worker.ended(ENDS_WITHIN).await;
            assert!(status.success(), "{status}");
        }
    }

    /// The numbers of the workers that live.
    pub fn pids(&self) -> Vec<i32> {
        self.workers.iter().map(|worker| worker.pid).collect()
    }

    /// Waits until a dead worker is known to be dead and what it held is free.
    pub async fn forgets(&self, pid: i32) {
        eventually("what the dead one held is free", || async {
            sqlx::query_scalar("select not exists (select from jobs.processes where pid = $1)")
                .bind(pid)
                .fetch_one(&mut self.superuser().await)
                .await
                .expect("processes can be read")
        })
        .await;
    }

    /// The faults are over. Every promise of a campaign holds, and what it calls sent is what has left, to the last message. Answers the
    /// recipients by state.
    pub async fn settles(&self) -> BTreeMap<String, i64> {
        // what the dead have begun is out, so that whoever looks it up finds it
        self.scene.until_quiet().await;
        self.scene.assert_called_once();
        let rows = self.scene.settles(&self.pids()).await;
        self.assert_sent_is_what_has_left().await;
        let broken = witness::violations(&mut self.superuser().await).await;
        assert!(broken.is_empty(), "{} with the seed {}: {broken:#?}", self.name, self.seed);
        println!("{}: seed {}, {rows:?}, {:?}", self.name, self.seed, self.scene.world.sim.summary());
        rows
    }

    /// The gateway could be asked all the time, so nothing that has left may be left in doubt.
    async fn assert_sent_is_what_has_left(&self) {
        let called_sent: Vec<String> =
            sqlx::query_scalar("select id::text from crm.recipients where state in ('sent', 'delivered', 'read')")
                .fetch_all(&mut self.superuser().await)
                .await
                .expect("recipients can be read");
        let called_sent: BTreeSet<String> = called_sent.into_iter().collect();
        let left: BTreeSet<String> =
            self.scene.world.sim.sent().iter().filter_map(|sent| recipient(sent.temp_guid.as_deref()?)).collect();
        assert!(called_sent == left, "left or called sent, not both: {:?}", called_sent.symmetric_difference(&left));
    }

    /// Ends it all.
    pub async fn ends(self) {
        for worker in self.workers {
            worker.kill().await;
        }
        self.scene.world.finish().await;
    }
}

async fn worker(world: &World, slots: &str, lease: &str) -> Process {
    Process::start_with(world, &[("PALOMA_OUTBOUND_SLOTS", slots), ("PALOMA_LEASE_S", lease)]).await
}

/// Whose message it is, by our own id of it at the gateway: `paloma-{recipient}-{time}`.
fn recipient(client_guid: &str) -> Option<String> {
    Some(client_guid.strip_prefix("paloma-")?.rsplit_once('-')?.0.to_owned())
}
