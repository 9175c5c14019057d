//! What a chaos test stands on: a database cluster of its own, which will be stopped and killed, with the tables in which the load and
//! the jobs write down what they did.

use std::path::PathBuf;

use cli::cluster::{Cluster, DATABASE, Options, SUPERUSER};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection};

/// What a chaos test's cluster is like.
pub fn options() -> Options {
    options_of(Options::temporary())
}

/// A commit that was answered outlives the server, though not the machine: its pages are with the kernel. The log suits a standby.
pub fn options_of(options: Options) -> Options {
    options
        .set("synchronous_commit", "on")
        .set("wal_level", "replica")
        .set("max_wal_senders", "4")
        .set("autovacuum", "on")
}

/// `running` is the only place that knows how the queue says that a job is leased.
const TABLES: &str = "
create table public.enqueued (job_id bigint primary key, act text not null);
create table public.starts (job_id bigint not null, process uuid not null, attempt smallint not null, wall_s float8 not null, at timestamptz not null default app.clock());
create table public.effects (job_id bigint not null);
create table public.ticks (second bigint not null);
create view public.running as select j.id as job_id, j.leased_by as process from jobs.running j;
grant select, insert on public.enqueued, public.starts, public.effects, public.ticks to paloma_tenant, paloma_platform;
grant select on public.running to paloma_tenant, paloma_platform;
";

/// The cluster.
pub struct Ground {
    pub cluster: Cluster,
}

impl Ground {
    /// Starts it.
    pub async fn start() -> Self {
        Self::start_with(options()).await
    }

    /// The same with other settings.
    pub async fn start_with(options: Options) -> Self {
        let ground = Self::bare(options).await;
        db::migrate::run(&ground.cluster.url(SUPERUSER, DATABASE)).await.expect("the schema");
        sqlx::raw_sql(TABLES).execute(&mut ground.superuser().await).await.expect("the tables of the test");
        ground
    }

    /// The cluster alone, with nothing in it.
    pub async fn bare(options: Options) -> Self {
        Self { cluster: Cluster::start(options).await.expect("a cluster") }
    }

    /// A connection that no wall binds.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect(&self.cluster.url(SUPERUSER, DATABASE)).await.expect("a connection of the superuser")
    }

    /// Where the server listens.
    pub fn socket(&self) -> PathBuf {
        self.cluster.socket().to_owned()
    }

    /// Stops the server in order and starts it again.
    pub async fn restart(&mut self) {
        self.cluster.restart().await.expect("it starts again");
    }

    /// Ends the server without a checkpoint and without a word to anybody, as its operator's immediate stop does; then starts it.
    pub async fn stop_at_once_and_start(&mut self) {
        let server = self.cluster.pid().expect("it runs");
        kill(Pid::from_raw(server.cast_signed()), Signal::SIGQUIT).expect("it is there");
        e2e::eventually_some("the server has ended", || {
            let ended = self.cluster.ended();
            async move { ended }
        })
        .await;
        self.restart().await;
    }

    /// Kills the server, as the kernel does when memory is short; then starts it.
    pub async fn kill_and_start(&mut self) {
        self.cluster.kill9().expect("it runs");
        self.restart().await;
    }
}
