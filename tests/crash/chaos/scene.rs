//! A fault and what surrounds it: the ground, workers, a load, the watch; and the verdict when it is over.

use std::time::{Duration, Instant};

use cli::cluster::{DATABASE, SUPERUSER};
use db::{Db, Scope, Why};
use e2e::{eventually, eventually_some};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::{Connection, PgConnection};

use super::{
    checker::{self, Watch},
    ground::Ground,
    kinds,
    load::Load,
    proxy::Proxy,
    seed,
    worker::Process,
};

const ROLE: &str = "paloma";
/// What is not done yet.
const LEFT: &str = "select (select count(*) from jobs.jobs) + (select count(*) from jobs.scheduled) + (select count(*) from jobs.batch_deltas)";

/// Workers of a scene, unless it says otherwise.
pub const WORKERS: usize = 3;

/// A queue at work, about to be broken.
pub struct Scene {
    pub ground: Ground,
    /// The way by which workers reach the server.
    pub way: Proxy,
    /// The way by which the load, the watch and the test do; nothing breaks it but the server.
    pub home: Proxy,
    pub db: Db,
    pub workers: Vec<Process>,
    pub rng: StdRng,
    name: &'static str,
    seed: u64,
    load: Load,
    watch: Watch,
}

/// What came out, once all laws hold.
#[derive(Debug)]
pub struct Verdict {
    /// Jobs made.
    pub jobs: i64,
    /// Starts beyond the first of each job, other than those the load asks for.
    pub repeated: i64,
    /// Completed jobs that needed more attempts than the load asks for.
    pub burnt: i64,
}

impl Scene {
    /// Starts everything.
    pub async fn start(name: &'static str, published: u64) -> Self {
        Self::on(Ground::start().await, name, published).await
    }

    /// The same on that ground.
    pub async fn on(ground: Ground, name: &'static str, published: u64) -> Self {
        let (way, home) = (Proxy::open(ground.socket()).await, Proxy::open(ground.socket()).await);
        let db = connect(&home).await;
        kinds::registry().register(&db).await.expect("the kinds");
        let seed = seed(published);
        let load = Load::begin(db.clone(), seed).await;
        let watch = Watch::begin(connect(&home).await);
        let rng = StdRng::seed_from_u64(seed);
        let mut scene = Self { ground, way, home, db, workers: Vec::new(), rng, name, seed, load, watch };
        for _ in 0..WORKERS {
            let worker = scene.worker();
            scene.workers.push(worker);
        }
        scene.gets_on(50).await;
        scene
    }

    /// Starts one more worker.
    pub fn worker(&self) -> Process {
        Process::worker(&self.url())
    }

    /// The address that workers are given.
    pub fn url(&self) -> String {
        self.way.url(ROLE, DATABASE)
    }

    /// Waits until so many more jobs have ended, so that what comes next hits in the middle of work.
    pub async fn gets_on(&self, more: i64) {
        let before = eventually_some("the ended are counted", || self.ended()).await;
        eventually(&format!("{more} more jobs end"), || async {
            self.ended().await.is_some_and(|now| now >= before + more)
        })
        .await;
    }

    /// Jobs that have ended; none where the server does not answer.
    pub async fn ended(&self) -> Option<i64> {
        self.number("select count(*) from jobs.history").await
    }

    /// A number by a query across tenants; none where the server does not answer.
    pub async fn number(&self, sql: &'static str) -> Option<i64> {
        number(&self.db, sql).await
    }

    /// A connection that no wall binds.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect(&self.home.url(SUPERUSER, DATABASE)).await.expect("a connection of the superuser")
    }

    /// One of the workers, as the seed says.
    pub fn any_worker(&mut self) -> usize {
        self.rng.random_range(0..self.workers.len())
    }

    /// The fault lasts by the clock: leases and time limits of processes are counted by it too.
    pub async fn lasts(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The fault is over: everything drains in bounded time, and every law holds, at every moment and at the end.
    pub async fn concludes(self) -> Verdict {
        self.load.end().await;
        let since = Instant::now();
        eventually("everything is done", || async { number(&self.db, LEFT).await == Some(0) }).await;
        let drained = since.elapsed();
        let looks = self.watch.end().await;
        let violations = checker::violations_at_the_end(&self.db).await.expect("the rows can be read");
        assert!(violations.is_empty(), "{} with the seed {}: {violations:#?}", self.name, self.seed);
        let verdict = verdict(&self.db).await.expect("the rows can be read");
        println!(
            "{}: seed {}, {} jobs, {} starts repeated, {} attempts burnt, {looks} looks, drained in {} ms",
            self.name,
            self.seed,
            verdict.jobs,
            verdict.repeated,
            verdict.burnt,
            drained.as_millis()
        );
        for worker in self.workers {
            worker.kill().await;
        }
        self.db.close().await;
        verdict
    }
}

async fn number(db: &Db, sql: &'static str) -> Option<i64> {
    let mut tx = db.platform(Why::Operator).await.ok()?;
    sqlx::query_scalar(sql).fetch_one(tx.conn()).await.ok()
}

async fn connect(way: &Proxy) -> Db {
    Db::connect(db::Options { url: way.url(ROLE, DATABASE), name: "chaos tests", connections: 4, direct_url: None })
        .await
        .expect("a database behind its wall")
}

async fn verdict(db: &Db) -> Result<Verdict, db::Error> {
    let mut tx = db.platform(Why::Operator).await?;
    let (jobs, repeated, burnt) = sqlx::query_as(
        "select (select count(*) from public.enqueued),
                (select count(*) from public.starts s join public.enqueued e on e.job_id = s.job_id where e.act <> 'fail_once')
                  - (select count(distinct s.job_id) from public.starts s join public.enqueued e on e.job_id = s.job_id where e.act <> 'fail_once'),
                (select count(*) from jobs.history h join public.enqueued e on e.job_id = h.id
                  where e.act <> 'cancelled' and h.attempt > case e.act when 'fail_once' then 2 else 1 end)",
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Verdict { jobs, repeated, burnt })
}
