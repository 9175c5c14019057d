//! A whole Paloma for one test: a database of its own, a simulated gateway, the api on a free port, a worker and a scheduler in process.

use std::{sync::Arc, time::Duration};

use clients::Names;
use crm::{
    App, Config, access::providers::OidcConfig, messaging::media::store::BucketConfig, secrets::Keys,
    webhooks::Outgoing,
};
use jobs::{Engine, Settings};
use sim::bluebubbles::{Call, Config as SimConfig, Server, Sim};
use tokio::{net::TcpListener, runtime::Runtime, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    Bucket, Database,
    actors::{Operator, Tenant},
};

/// The operator's token of every world.
pub const OPERATOR: &str = "operator-operator-operator-operator";
/// The password of the simulated gateway: a canary that no log and no answer may hold.
pub const GATEWAY_PASSWORD: &str = "canary-gateway-password";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One test's Paloma.
pub struct World {
    /// Its database.
    pub database: Database,
    /// The application, for what no API can reach.
    pub app: App,
    /// The simulated gateway.
    pub sim: Sim,
    server: Server,
    bucket: Option<Bucket>,
    beyond: Option<Beyond>,
    config: Config,
    base: String,
    api: JoinHandle<()>,
    scheduler: JoinHandle<()>,
    workers: Vec<Worker>,
}

/// How calls go out to wherever a tenant says, where a test says otherwise.
#[derive(Debug, Clone)]
pub struct Beyond {
    /// Whether private and loopback addresses are let through, and plain HTTP.
    pub allows_private: bool,
    /// Where names are looked up.
    pub names: Names,
    /// How long a receiver may take.
    pub timeout: Duration,
}

impl Beyond {
    /// A client of its own, since its connections belong to the runtime that made them.
    fn outgoing(&self) -> Outgoing {
        let outgoing = Outgoing::new(self.allows_private, self.names.clone()).expect("a client");
        Outgoing { timeout: self.timeout, ..outgoing }
    }
}

/// An engine with threads and connections of its own, as another process would have.
pub struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
    runtime: Runtime,
}

impl Worker {
    /// Drains it.
    ///
    /// # Panics
    /// Where the engine panicked.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("an engine ends without a panic");
        self.runtime.shutdown_background();
    }
    /// Ends it as a crash would: nothing is drained, every call is cut, its leases stay.
    pub fn abort(self) {
        self.runtime.shutdown_background();
    }
}

impl World {
    /// A world with one worker.
    pub async fn new() -> Self {
        let mut world = Self::without_workers().await;
        world.start_worker().await;
        world
    }

    /// A world in which nothing runs a job yet.
    ///
    /// # Panics
    /// Where a part can't be started.
    pub async fn without_workers() -> Self {
        Self::over(Database::new().await).await
    }

    /// The same over a database that is there already.
    pub async fn over(database: Database) -> Self {
        let url = database.url();
        // the same stories, with files elsewhere (`.ci/run`)
        let wants_bucket = std::env::var_os("PALOMA_TEST_BUCKET").is_some();
        let bucket = if wants_bucket { Bucket::start().await } else { None };
        Self::on(database, (url, None), bucket, None, local_issuers()).await
    }

    /// A world in which nothing runs a job yet and calls of webhooks go out like that.
    pub async fn with_webhooks(beyond: Beyond) -> Self {
        let database = Database::new().await;
        let url = database.url();
        Self::on(database, (url, None), None, Some(beyond), local_issuers()).await
    }

    /// A world with one worker that keeps its files in a bucket.
    pub async fn with_bucket(bucket: Bucket) -> Self {
        let database = Database::new().await;
        let url = database.url();
        let mut world = Self::on(database, (url, None), Some(bucket), None, local_issuers()).await;
        world.start_worker().await;
        world
    }

    /// The same where all transactions go by the pooler at that address.
    pub async fn behind_a_pooler(database: Database, url: String) -> Self {
        let direct = database.url();
        Self::on(database, (url, Some(direct)), None, None, local_issuers()).await
    }

    /// A world whose settings name an identity provider for everybody, without workers.
    pub async fn with_issuer(issuer: &str) -> Self {
        let database = Database::new().await;
        let url = database.url();
        let oidc = OidcConfig {
            issuer: Some(issuer.to_owned()),
            client_id: Some("paloma".to_owned()),
            client_secret: Some(crate::idp::CLIENT_SECRET.into()),
            ..local_issuers()
        };
        Self::on(database, (url, None), None, None, oidc).await
    }

    async fn on(
        database: Database,
        (url, direct_url): (String, Option<String>),
        bucket: Option<Bucket>,
        beyond: Option<Beyond>,
        oidc: OidcConfig,
    ) -> Self {
        let config = SimConfig { password: Some(GATEWAY_PASSWORD.to_owned()), ..SimConfig::default() };
        let server = Server::start_local(config).await.expect("a simulated gateway");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let mut config = Self::config(url, direct_url, &base);
        config.oidc = oidc;
        config.bucket = bucket.as_ref().map(Bucket::config).unwrap_or_default();
        let mut app = App::start(config.clone(), "paloma-test").await.expect("an application behind its wall");
        if let Some(beyond) = &beyond {
            app.outgoing = beyond.outgoing();
        }
        let serving = app.clone();
        let api =
            tokio::spawn(async move { api::serve(serving, listener).await.expect("the api ends without an error") });
        let (db, stop) = (app.db.clone(), app.stop.clone());
        let scheduler = tokio::spawn(async move {
            jobs::schedule::run(&db, &crm::schedules(), stop).await.expect("the scheduler ends without an error");
        });
        Self {
            database,
            app,
            sim: server.sim(),
            server,
            bucket,
            beyond,
            config,
            base,
            api,
            scheduler,
            workers: Vec::new(),
        }
    }

    fn config(database_url: String, direct_database_url: Option<String>, base: &str) -> Config {
        Config {
            database_url,
            direct_database_url,
            secret: "5a".repeat(32).into(),
            previous_secrets: Vec::new(),
            operator_token: Some(OPERATOR.into()),
            public_url: base.to_owned(),
            allow_private_gateways: true,
            allow_private_addresses: true,
            oidc: OidcConfig::default(),
            media_folder: std::env::temp_dir().join(format!("paloma-test-{}", uuid::Uuid::new_v4().simple())),
            bucket: BucketConfig::default(),
            ffmpeg: "ffmpeg".to_owned(),
            database_connections: 10,
            log_json: false,
        }
    }

    /// Another api over the same database, with settings of its own; it ends with the test. Answers its address.
    ///
    /// # Panics
    /// Where it can't be started.
    pub async fn second_api(&self, change: impl FnOnce(&mut Config)) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let mut config = Config { public_url: base.clone(), ..self.config.clone() };
        change(&mut config);
        let mut app = self.app.clone();
        app.config = Arc::new(config);
        tokio::spawn(async move { api::serve(app, listener).await.expect("the api ends without an error") });
        base
    }

    /// Has all that starts from here on know that secret, and those before it.
    ///
    /// # Panics
    /// Where one is none.
    pub fn change_secret(&mut self, secret: &str, previous: &[&str]) {
        self.config.secret = secret.into();
        self.config.previous_secrets = previous.iter().map(|secret| (*secret).into()).collect();
        let keys = Keys::parse(&self.config.secret).expect("a secret");
        self.app.keys = keys.with_previous(&self.config.previous_secrets).expect("secrets");
    }

    /// The address of the api.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where it keeps its files, if not in a folder.
    ///
    /// # Panics
    /// Where it is a folder.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        self.bucket.as_ref().expect("a world with a bucket")
    }

    /// The platform's operator.
    #[must_use]
    pub fn operator(&self) -> Operator {
        Operator::new(&self.base)
    }

    /// The address of the simulated gateway.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        self.server.url()
    }

    /// An engine with its own application, as another process would have. The caller ends it.
    ///
    /// # Panics
    /// Where it can't be started.
    pub async fn worker(&self) -> Worker {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (config, beyond) = (self.config.clone(), self.beyond.clone());
        let started = runtime.spawn(async move {
            let mut app = App::start(config, "paloma-test").await.expect("an application behind its wall");
            if let Some(beyond) = beyond {
                app.outgoing = beyond.outgoing();
            }
            let queues = vec![
                (crm::queue::OUTBOUND, 16),
                (crm::queue::INBOUND, 2),
                (crm::queue::DEFAULT, 4),
                (crm::queue::IMPORT, 1),
                (crm::queue::MEDIA, 2),
                (crm::queue::WEBHOOKS, 6),
            ];
            Engine::start(app.db.clone(), app, crm::registry(), Settings::new("worker", queues))
                .await
                .expect("an engine")
        });
        let engine = started.await.expect("an engine starts without a panic");
        let stop = CancellationToken::new();
        let task = runtime.spawn(engine.run(stop.clone()));
        Worker { stop, task, runtime }
    }

    /// Starts a worker that the world ends.
    pub async fn start_worker(&mut self) {
        let worker = self.worker().await;
        self.workers.push(worker);
    }

    /// Drains the world's workers: from here on nothing runs a job.
    pub async fn stop_workers(&mut self) {
        for worker in self.workers.drain(..) {
            worker.stop().await;
        }
    }

    /// A tenant with its owner logged in, made through the operator's API. The region is US.
    pub async fn tenant(&self, slug: &str) -> Tenant {
        self.tenant_in(slug, "US").await
    }

    /// The same in another region.
    pub async fn tenant_in(&self, slug: &str, region: &str) -> Tenant {
        Tenant::found(&self.base, slug, region).await
    }

    /// Waits until no job is due or running; what is scheduled for later stays.
    pub async fn drain(&self) {
        jobs::testing::drained(&self.app.db, PATIENCE).await;
    }

    /// Waits until no job of a lane is running; what it holds may wait.
    ///
    /// # Panics
    /// Where the database can't be read.
    pub async fn drain_lane(&self, key: &str) {
        crate::eventually("the lane's running jobs have ended", || async {
            sqlx::query_scalar(
                "select not exists (select from jobs.running j join jobs.lanes l on l.id = j.lane_id where l.key = $1)",
            )
            .bind(key)
            .fetch_one(&mut self.database.superuser().await)
            .await
            .expect("rows can be read")
        })
        .await;
    }

    /// Moves the time forward, here and at the gateway.
    pub async fn advance(&self, by: Duration) {
        self.database.advance(by).await;
        self.sim.configure(|config| config.clock_offset_ms += i64::try_from(by.as_millis()).expect("a span of a test"));
        self.app.db.notify(jobs::CHANNEL);
    }

    /// The same with the workers at rest meanwhile, since a real one would have renewed its leases in that time.
    pub async fn later(&mut self, by: Duration) {
        let count = self.workers.len();
        self.stop_workers().await;
        self.advance(by).await;
        for _ in 0..count {
            self.start_worker().await;
        }
    }

    /// Every send that the gateway was asked for, whatever became of it.
    #[must_use]
    pub fn sends(&self) -> Vec<Call> {
        self.sim.calls_page(0, usize::MAX, Some("/api/v1/message/text")).entries
    }

    /// The machine's clock, as the gateway's logs use it.
    ///
    /// # Panics
    /// Where the clock stands before 1970.
    #[must_use]
    pub fn machine_ms() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock of today");
        i64::try_from(since.as_millis()).expect("a clock of today")
    }

    /// Waits until the gateway has posted all its events and they are worked in, and what that has caused there too.
    ///
    /// # Panics
    /// Where the database can't be read, or events stay that wait for nothing.
    pub async fn settle(&self) {
        for _ in 0..2 {
            self.sim.settled().await;
            self.drain().await;
            // an event about a send in flight is put off, and again for as long as nobody knows how that one ends
            crate::eventually("the events that were put off are worked in", || async {
                sqlx::query_scalar(
                    "select not exists (select from jobs.scheduled j join jobs.kinds k on k.id = j.kind where k.name = 'messaging.ingest')
                         or exists (select from crm.messages m where m.status in ('sending', 'unknown'))",
                )
                .fetch_one(&mut self.database.superuser().await)
                .await
                .expect("rows can be read")
            })
            .await;
        }
        self.drain().await;
    }

    /// Where files of messages are kept.
    #[must_use]
    pub fn media_folder(&self) -> &std::path::Path {
        &self.config.media_folder
    }

    /// Waits until every event that was written has its number: what was read from `crm.events` before that may be short of the last.
    ///
    /// # Panics
    /// Where the database can't be read, or nobody numbers them.
    pub async fn numbered(&self) {
        crate::eventually("the events are numbered", || async {
            sqlx::query_scalar("select not exists (select from crm.event_outbox)")
                .fetch_one(&mut self.database.superuser().await)
                .await
                .expect("rows can be read")
        })
        .await;
    }

    /// Ends the world and asserts that it left nothing unexplained behind.
    ///
    /// # Panics
    /// Where the queue's laws are broken, a job was discarded, or the gateway got a request that it does not know.
    pub async fn finish(self) {
        self.finish_with(&[]).await;
    }

    /// The same where jobs of these kinds are meant to have been discarded or cancelled.
    ///
    /// # Panics
    /// As [`World::finish`].
    pub async fn finish_with(mut self, failed_kinds: &[&str]) {
        self.stop_workers().await;
        self.app.stop.cancel();
        let violations = jobs::testing::violations(&self.app.db).await.expect("the laws can be checked");
        assert!(violations.is_empty(), "{violations:?}");
        let failures: Vec<(String, String)> = sqlx::query_as(
            "select k.name, coalesce(f.errors::text, '') from jobs.failures f join jobs.kinds k on k.id = f.kind where k.name <> all($1)",
        )
        .bind(failed_kinds)
        .fetch_all(&mut self.database.superuser().await)
        .await
        .expect("failures can be read");
        assert!(failures.is_empty(), "jobs were given up: {failures:?}");
        let unexpected = self.sim.unexpected();
        assert!(unexpected.is_empty(), "the gateway does not know these requests: {unexpected:?}");
        let stored: i64 = sqlx::query_scalar(
            "select (select count(*) from jobs.failures where payload::text || errors::text like '%' || $1 || '%')
                  + (select count(*) from crm.event_outbox where data::text like '%' || $1 || '%')
                  + (select count(*) from crm.events where data::text like '%' || $1 || '%')",
        )
        .bind(GATEWAY_PASSWORD)
        .fetch_one(&mut self.database.superuser().await)
        .await
        .expect("rows can be read");
        assert_eq!(stored, 0, "a secret was stored where it may not be");
        // most tests have made none
        let _ = std::fs::remove_dir_all(&self.config.media_folder);
        let _ = (self.api.await, self.scheduler.await);
        self.server.stop().await;
        self.app.db.close();
        self.database.drop().await;
    }
}

/// No identity provider for everybody; those of tenants may stand on this machine.
fn local_issuers() -> OidcConfig {
    OidcConfig { allow_private: true, ..OidcConfig::default() }
}

/// A world that several tasks of one test share.
pub type Shared = Arc<World>;
