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
    kinds::{self, Reach},
    load::Load,
    pooler::Pooler,
    proxy::Proxy,
    seed,
    worker::Process,
};

const ROLE: &str = "paloma";
/// What is not done yet.
const LEFT: &str = "select (select count(*) from jobs.jobs) + (select count(*) from jobs.scheduled) + (select count(*) from jobs.batch_deltas)";

const ENDED: &str = "select count(*) from jobs.history";
const CLOCK: &str = "select ceil(extract(epoch from app.clock()))::bigint";

/// Workers of a scene, unless it says otherwise.
pub const WORKERS: usize = 3;

/// A queue at work, about to be broken.
pub struct Scene {
    pub ground: Ground,
    /// The way by which workers reach the server.
    pub way: Proxy,
    /// The way by which the load, the watch and the test do; nothing breaks it but the server.
    pub home: Proxy,
    /// What stands between all of them and the server, where it does.
    pub pooler: Option<Pooler>,
    pub db: Db,
    pub workers: Vec<Process>,
    pub rng: StdRng,
    name: &'static str,
    seed: u64,
    load: Option<Load>,
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
        let ways = (Proxy::open(ground.socket()).await, Proxy::open(ground.socket()).await);
        Self::of(ground, ways, None, name, published).await
    }

    /// The same with a pooler before the server; none where there is no such program.
    pub async fn behind_a_pooler(ground: Ground, name: &'static str, published: u64) -> Option<Self> {
        let ways = (Proxy::open(ground.socket()).await, Proxy::open(ground.socket()).await);
        let pooler = Pooler::start(ways.1.port()).await?;
        Some(Self::of(ground, ways, Some(pooler), name, published).await)
    }

    async fn of(
        ground: Ground,
        (way, home): (Proxy, Proxy),
        pooler: Option<Pooler>,
        name: &'static str,
        published: u64,
    ) -> Self {
        let mut scene = Self::among(Vec::new(), ground, (way, home), pooler, name, published).await;
        for _ in 0..WORKERS {
            let worker = scene.worker();
            scene.workers.push(worker);
        }
        scene.gets_on(50).await;
        scene
    }

    /// The same with workers that were started before it.
    pub async fn among(
        workers: Vec<Process>,
        ground: Ground,
        (way, home): (Proxy, Proxy),
        pooler: Option<Pooler>,
        name: &'static str,
        published: u64,
    ) -> Self {
        let reach = reach(&home, pooler.as_ref());
        let db = connect(&reach).await;
        kinds::registry().register(&db).await.expect("the kinds");
        let seed = seed(published);
        let load = Some(Load::begin(db.clone(), seed).await);
        let watch = Watch::begin(connect(&reach).await);
        let rng = StdRng::seed_from_u64(seed);
        Self { ground, way, home, pooler, db, workers, rng, name, seed, load, watch }
    }

    /// Starts one more worker.
    pub fn worker(&self) -> Process {
        Process::worker(&self.reach())
    }

    /// How workers reach the server.
    pub fn reach(&self) -> Reach {
        reach(&self.way, self.pooler.as_ref())
    }

    /// Waits until so many more jobs have ended, so that what comes next hits in the middle of work.
    pub async fn gets_on(&self, more: i64) {
        self.more(ENDED, more).await;
    }

    /// Waits until a count has grown by so much.
    pub async fn more(&self, count: &'static str, more: i64) {
        let before = eventually_some("something can be counted", || self.number(count)).await;
        eventually(&format!("{more} more: {count}"), || async {
            self.number(count).await.is_some_and(|now| now >= before + more)
        })
        .await;
    }

    /// Waits until every worker has started a job that it was given from now on.
    pub async fn each_worker_gets_on(&self) {
        let pids: Vec<i32> = self.workers.iter().map(|worker| worker.pid).collect();
        let now = eventually_some("the server tells the time", || self.number(CLOCK)).await;
        eventually("each worker gets on", || async { self.workers_since(&pids, now).await == Some(pids.len() as i64) })
            .await;
    }

    async fn workers_since(&self, pids: &[i32], second: i64) -> Option<i64> {
        let mut tx = self.db.platform(Why::Operator).await.ok()?;
        sqlx::query_scalar(
            "select count(distinct p.pid) from public.starts s join jobs.processes p on p.id = s.process
              where p.pid = any($1) and s.at > to_timestamp($2)",
        )
        .bind(pids)
        .bind(second as f64)
        .fetch_one(tx.conn())
        .await
        .ok()
    }

    /// Waits until no job has ended for so long.
    pub async fn stands_still_for(&self, time: Duration) {
        eventually("nothing ends any more", || async {
            let before = self.number(ENDED).await;
            self.lasts(time).await;
            before.is_some() && self.number(ENDED).await == before
        })
        .await;
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

    /// Makes no more work and waits until all is done; answers how long that took.
    pub async fn drained(&mut self) -> Duration {
        if let Some(load) = self.load.take() {
            load.end().await;
        }
        let since = Instant::now();
        eventually("everything is done", || async { self.number(LEFT).await == Some(0) }).await;
        since.elapsed()
    }

    /// The fault is over: everything drains in bounded time, and every law holds, at every moment and at the end.
    pub async fn concludes(mut self) -> Verdict {
        let drained = self.drained().await;
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
        self.db.close();
        verdict
    }
}

async fn number(db: &Db, sql: &'static str) -> Option<i64> {
    let mut tx = db.platform(Why::Operator).await.ok()?;
    sqlx::query_scalar(sql).fetch_one(tx.conn()).await.ok()
}

/// How processes reach the server by that way.
pub fn reach(way: &Proxy, pooler: Option<&Pooler>) -> Reach {
    let direct = way.url(ROLE, DATABASE);
    match pooler {
        Some(pooler) => Reach { url: pooler.url(DATABASE), direct_url: Some(direct) },
        None => Reach { url: direct, direct_url: None },
    }
}

async fn connect(reach: &Reach) -> Db {
    Db::connect(reach.clone().options("chaos tests", 4)).await.expect("a database behind its wall")
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
