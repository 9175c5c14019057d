//! A database, tenants and workers for the engine tests. A worker lives on a runtime of its own, so that it can die without notice;
//! a hand is a process whose every call to the database the test makes itself.

use std::{sync::Arc, time::Duration};

use db::{Actor, Db, EngineConn, PlatformTx, Scope, TenantTx, Why};
use e2e::Database;
use jobs::{Engine, Enqueue, Enqueued, Job, Leased, Registry, Settings, admin::JobRow};
use sqlx::Row as _;
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::kinds::{App, Do, OTHER, Run, WORK, registry};

/// The name under which workers connect.
pub const WORKER: &str = "engine under test";
pub const LEASE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
pub struct Owner {
    pub id: Uuid,
    pub number: i32,
}

pub struct EngineWorld {
    pub db: Db,
    pub database: Database,
    pub app: App,
    pub acme: Owner,
    latch: watch::Sender<bool>,
}

impl EngineWorld {
    pub async fn new() -> Self {
        let database = Database::new().await;
        sqlx::raw_sql(
            "create table public.effects (tenant_id uuid not null default app.tenant_id(), name text not null);
             grant select, insert on public.effects to paloma_tenant, paloma_platform",
        )
        .execute(&mut database.superuser().await)
        .await
        .unwrap();
        let db = database.connect("engine tests", 12).await;
        registry().register(&db).await.unwrap();
        let (latch, waiting) = watch::channel(false);
        let app = App { runs: Arc::default(), together: Arc::default(), latch: waiting };
        let acme = tenant(&db, "acme").await;
        Self { db, database, app, acme, latch }
    }

    pub async fn tenant(&self, slug: &str) -> Owner {
        tenant(&self.db, slug).await
    }
    pub async fn tx(&self) -> TenantTx {
        self.tx_of(self.acme).await
    }
    pub async fn tx_of(&self, owner: Owner) -> TenantTx {
        self.db.tenant(owner.id, Actor::Operator).await.unwrap()
    }
    /// Enqueues one job of acme and commits.
    pub async fn enqueue<J: Job<App>>(&self, occasion: Enqueue<App, J>, job: &J) -> i64 {
        let mut tx = self.tx().await;
        let enqueued = occasion.one(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        enqueued.job_id()
    }
    pub async fn enqueue_many<J: Job<App>>(&self, occasion: Enqueue<App, J>, jobs: &[J]) -> Vec<Enqueued> {
        let mut tx = self.tx().await;
        let enqueued = occasion.many(&mut tx, jobs).await.unwrap();
        tx.commit().await.unwrap();
        enqueued
    }
    /// Enqueues a job that does as told, in its kind's own lane.
    pub async fn work(&self, job: Do) -> i64 {
        self.enqueue(Enqueue::new(), &job).await
    }
    /// Lets go on what waits for the latch.
    pub fn open_latch(&self) {
        self.latch.send_replace(true);
    }
    pub fn runs(&self) -> Vec<Run> {
        self.app.runs.lock().unwrap().clone()
    }
    pub fn runs_of(&self, name: &str) -> usize {
        self.runs().iter().filter(|run| run.name == name).count()
    }
    pub async fn advance(&self, by: Duration) {
        self.database.advance(by).await;
    }
    /// The job, wherever it is kept.
    pub async fn job(&self, id: i64) -> JobRow {
        let mut tx = self.db.platform(Why::Operator).await.unwrap();
        jobs::admin::find(&mut tx, id).await.unwrap().unwrap_or_else(|| panic!("job {id} is nowhere"))
    }
    pub async fn state(&self, id: i64) -> String {
        self.job(id).await.state.name().to_owned()
    }
    pub async fn reaches(&self, id: i64, state: &str) {
        if !e2e::in_time(|| async { self.state(id).await == state }).await {
            panic!("job {id} is not {state} in time: {}", super::whereabouts::of(self, id).await);
        }
    }
    pub async fn drained(&self) {
        jobs::testing::drained(&self.db, Duration::from_secs(30)).await;
    }
    /// A number by a query across tenants.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let mut tx = self.db.platform(Why::Operator).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(tx.conn()).await.unwrap()
    }
    /// The process of the worker, where there is one.
    pub async fn process_of_worker(&self) -> Uuid {
        let mut tx = self.db.platform(Why::Operator).await.unwrap();
        sqlx::query_scalar("select id from jobs.processes where name = 'worker'").fetch_one(tx.conn()).await.unwrap()
    }
    /// A number that only a superuser may know: what other sessions do.
    pub async fn seen(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.database.superuser().await).await.unwrap()
    }
    pub async fn effects(&self) -> i64 {
        self.number("select count(*) from public.effects").await
    }
    /// Runs a statement across tenants.
    pub async fn execute(&self, sql: &'static str) {
        let mut tx = self.db.platform(Why::Operator).await.unwrap();
        sqlx::query(sql).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub fn settings(&self, slots: usize) -> Settings {
        let mut settings = Settings::new("worker", vec![(WORK, slots), (OTHER, 4)]);
        settings.lease = LEASE;
        settings
    }
    pub async fn worker(&self) -> Worker {
        self.worker_with(registry(), self.settings(16)).await
    }
    pub async fn worker_with(&self, registry: Registry<App>, settings: Settings) -> Worker {
        Worker::start(self.database.url(), self.app.clone(), registry, settings).await
    }
    /// A process that does nothing by itself.
    pub async fn hand(&self) -> Hand {
        let mut hand = Hand { process: Uuid::new_v4(), conn: self.db.engine().await.unwrap(), queue: 0 };
        hand.queue = sqlx::query_scalar("select id from jobs.queues where name = 'work'")
            .fetch_one(hand.conn.conn())
            .await
            .unwrap();
        hand.renew(&[]).await;
        hand
    }

    /// The database goes, whatever is in it.
    pub async fn abandon(self) {
        self.db.close();
        self.database.drop().await;
    }
    /// The laws that hold whatever a test did; then the database goes.
    pub async fn finish(self) {
        let violations = jobs::testing::violations(&self.db).await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
        self.abandon().await;
    }
}

/// Rows of the live jobs that this connection has read, by scanning and by index.
pub async fn rows_read(tx: &mut PlatformTx) -> (i64, i64) {
    sqlx::query_as(
        "select coalesce(sum(seq_tup_read), 0)::bigint, coalesce(sum(idx_tup_fetch), 0)::bigint
           from pg_stat_xact_user_tables where schemaname = 'jobs' and relname in ('jobs', 'scheduled')",
    )
    .fetch_one(tx.conn())
    .await
    .unwrap()
}

async fn tenant(db: &Db, slug: &str) -> Owner {
    let mut tx = db.platform(Why::Operator).await.unwrap();
    let id = Uuid::now_v7();
    let number = sqlx::query_scalar(
        "insert into crm.tenants (id, slug, name, region, time_zone) values ($1, $2, $2, 'US', 'UTC') returning number",
    )
    .bind(id)
    .bind(slug)
    .fetch_one(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    Owner { id, number }
}

/// A worker process, but for the process: a runtime with an engine on it.
pub struct Worker {
    runtime: Option<Runtime>,
    task: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Worker {
    async fn start(url: String, app: App, registry: Registry<App>, settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let stop = CancellationToken::new();
        let until = stop.clone();
        let (ready, started) = tokio::sync::oneshot::channel();
        let task = runtime.spawn(async move {
            let db = Db::connect(db::Options { url, name: WORKER, connections: 8, direct_url: None }).await.unwrap();
            let engine = Engine::start(db, app, registry, settings).await.unwrap();
            ready.send(()).unwrap();
            engine.run(until).await;
        });
        started.await.unwrap();
        Self { runtime: Some(runtime), task: Some(task), stop }
    }
    /// Asks for the end without waiting for it.
    pub fn ask_to_stop(&self) {
        self.stop.cancel();
    }
    /// Drains it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap();
    }
    /// Dies without another word to anybody.
    pub fn kill(self) {}
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A process driven by hand.
pub struct Hand {
    pub process: Uuid,
    pub conn: EngineConn,
    queue: i16,
}

/// How a hand ends a lease, by the numbers of the wire.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Completed = 1,
    Retry = 2,
    Discarded = 4,
    Release = 6,
}

impl Hand {
    /// Claims from the queue `work`.
    pub async fn claim(&mut self, most: i32) -> Vec<Leased> {
        let rows = sqlx::query(
            "select u.*, c.fence, c.tenant_number, c.lane_id, c.queue, c.leased_at, c.gates, c.is_probe
               from jobs.claim($1, $2, $3, interval '30 seconds') c
              cross join lateral unnest(c.ids, c.kinds, c.attempts, c.max_attempts, c.crashes, c.key_scopes, c.run_ats, c.payloads)
                u(id, kind, attempt, max_attempts, crashes, key_scope, run_at, payload)",
        )
        .bind(self.process)
        .bind(self.queue)
        .bind(most)
        .fetch_all(self.conn.conn())
        .await
        .unwrap();
        rows.iter()
            .map(|row| Leased {
                id: row.get("id"),
                fence: row.get("fence"),
                tenant_number: row.get("tenant_number"),
                lane_id: row.get("lane_id"),
                queue: row.get("queue"),
                kind: row.get("kind"),
                attempt: row.get("attempt"),
                max_attempts: row.get("max_attempts"),
                crashes: row.get("crashes"),
                key_scope: row.get("key_scope"),
                run_at: row.get("run_at"),
                leased_at: row.get("leased_at"),
                gates: row.get("gates"),
                is_probe: row.get("is_probe"),
                payload: row.get("payload"),
            })
            .collect()
    }
    /// Claims until it gets something: a lane may be held by another claimer for a moment.
    pub async fn claim_some(&mut self, most: i32) -> Vec<Leased> {
        for _ in 0..2000 {
            let leased = self.claim(most).await;
            if !leased.is_empty() {
                return leased;
            }
            tokio::task::yield_now().await;
        }
        panic!("nothing to claim")
    }
    /// Ends leases; answers how many were still held.
    pub async fn settle(&mut self, leased: &[Leased], end: End) -> i32 {
        let ids: Vec<i64> = leased.iter().map(|job| job.id).collect();
        let fences: Vec<i64> = leased.iter().map(|job| job.fence).collect();
        let errors = vec![matches!(end, End::Discarded).then(|| "given up".to_owned()); ids.len()];
        sqlx::query_scalar("select jobs.settle($1, $2, $3, $4, $5, $6)")
            .bind(self.process)
            .bind(&ids)
            .bind(&fences)
            .bind(vec![end as i16; ids.len()])
            .bind(vec![0.0_f64; ids.len()])
            .bind(&errors)
            .fetch_one(self.conn.conn())
            .await
            .unwrap()
    }
    /// Says that it lives and holds these; answers those it has lost.
    pub async fn renew(&mut self, leased: &[Leased]) -> Vec<i64> {
        let fences: Vec<i64> = leased.iter().map(|job| job.fence).collect();
        let lost: Vec<i64> =
            sqlx::query_scalar("select * from jobs.renew($1, 'hand', 'here', 1, array['work'], 30, $2)")
                .bind(self.process)
                .bind(fences)
                .fetch_all(self.conn.conn())
                .await
                .unwrap();
        leased.iter().filter(|job| lost.contains(&job.fence)).map(|job| job.id).collect()
    }
    /// Says that it has seen the service behind the gate fail in a row; true: that opened the breaker.
    pub async fn reports_failures(&mut self, gate: i64) -> bool {
        sqlx::query_scalar("select jobs.report_failures($1, $2, false, 15, 'down')")
            .bind(gate)
            .bind(self.process)
            .fetch_one(self.conn.conn())
            .await
            .unwrap()
    }
    /// Frees what dead processes held.
    pub async fn rescue(&mut self) -> i32 {
        sqlx::query_scalar("select jobs.rescue(30, 5)").fetch_one(self.conn.conn()).await.unwrap()
    }
    /// Completes within a tenant's transaction, as `Done::with` does; false: the lease was lost.
    pub async fn complete(&self, tx: &mut TenantTx, job: &Leased) -> bool {
        sqlx::query_scalar("select jobs.complete($1, $2, $3)")
            .bind(job.id)
            .bind(job.fence)
            .bind(self.process)
            .fetch_one(tx.conn())
            .await
            .unwrap()
    }
    pub async fn run(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).bind(self.process).fetch_one(self.conn.conn()).await.unwrap()
    }
}
