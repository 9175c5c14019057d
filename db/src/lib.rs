//! The wall between code and tables: the only place that builds a pool, and the scopes through which everything reaches a row.
//! Knows nothing of jobs, of the product or of HTTP.

#![expect(clippy::disallowed_types, reason = "the one crate that builds and holds the pool")]

mod check;
pub mod constraint;
mod engine;
mod error;
mod id;
pub mod migrate;
mod notify;
pub mod page;
mod scope;
#[cfg(feature = "testing")]
pub mod testing;

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use uuid::Uuid;

pub use check::report as check_report;
pub use engine::EngineConn;
pub use error::Error;
pub use id::Id;
pub use notify::Notifier;
pub use page::{BadCursor, Page, PageOf};
pub use scope::{Actor, AnyTx, PlatformTx, Scope, TenantTx, Why};

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgres://paloma@host/db`; a Unix socket by `?host=%2Fpath`.
    pub url: String,
    /// Shown in `pg_stat_activity`.
    pub name: &'static str,
    /// Most connections of the pool.
    pub connections: u32,
}

/// The database, behind the wall. Cheap to clone: every job has one.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    options: PgConnectOptions,
    notifier: Notifier,
}

impl Db {
    /// Connects and refuses a login that could pass the wall, or a schema that these binaries do not fit.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let db = Self::open(&options).await?;
        let faults = check::report(&db).await?;
        if faults.is_empty() { Ok(db) } else { Err(Error::Unsafe(faults)) }
    }

    /// Connects without the self-check, for `paloma doctor`, which prints what the check finds. What refuses the connection is told at
    /// once; a pool would try for ten seconds and then only say that these are over.
    pub async fn connect_unchecked(options: Options) -> Result<Self, Error> {
        PgConnection::connect(&options.url).await?.close().await?;
        Self::open(&options).await
    }

    async fn open(options: &Options) -> Result<Self, Error> {
        let connect = PgConnectOptions::from_str(&options.url)?.application_name(options.name).options([
            ("jit", "off"),
            // an index look-up, also in tables that have never been analysed: plans that are kept are often made then
            ("random_page_cost", "1.1"),
            // shorter than a lease: the row locks of a process that stands still go before its jobs are taken over
            ("idle_in_transaction_session_timeout", "20s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(connect.clone())
            .await?;
        let inner = Inner { notifier: Notifier::start(pool.clone()), pool, options: connect };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens a transaction inside one tenant.
    pub async fn tenant(&self, tenant: Uuid, actor: Actor) -> Result<TenantTx, Error> {
        let tx = self.inner.pool.begin_with("begin; set local role paloma_tenant").await?;
        TenantTx::begin(tx, self.inner.notifier.clone(), (Some(tenant), None), actor).await
    }

    /// The same by the tenant's number, which is what a job row carries.
    pub async fn tenant_by_number(&self, number: i32, actor: Actor) -> Result<TenantTx, Error> {
        let tx = self.inner.pool.begin_with("begin; set local role paloma_tenant").await?;
        TenantTx::begin(tx, self.inner.notifier.clone(), (None, Some(number)), actor).await
    }

    /// The same for statements that carry many rows as arrays and find each by its key: they go by index only. A plan kept from when the
    /// tables were small may take the wrong index (seen: 1,000 sends a second fell to 100 until the first autovacuum), so those statements
    /// also say `persistent(false)` and are planned anew, for the sizes of now. `plan_cache_mode = force_custom_plan` would do that for the
    /// look-ups behind their foreign keys as well, row by row, which took a seventh of the server's time.
    pub async fn keyed_tenant_by_number(&self, number: i32, actor: Actor) -> Result<TenantTx, Error> {
        let tx = self
            .inner
            .pool
            .begin_with(
                "begin; set local role paloma_tenant; set local enable_mergejoin = off; set local enable_seqscan = off",
            )
            .await?;
        TenantTx::begin(tx, self.inner.notifier.clone(), (None, Some(number)), actor).await
    }

    /// Opens a transaction that sees every tenant, and says why.
    pub async fn platform(&self, why: Why) -> Result<PlatformTx, Error> {
        let tx = self.inner.pool.begin_with("begin; set local role paloma_platform").await?;
        PlatformTx::begin(tx, self.inner.notifier.clone(), why).await
    }

    /// The same for effects of many jobs that are written by one statement over arrays; planned as [`Db::keyed_tenant_by_number`] says.
    pub async fn keyed_platform(&self, why: Why) -> Result<PlatformTx, Error> {
        let tx = self
            .inner
            .pool
            .begin_with("begin; set local role paloma_platform; set local enable_mergejoin = off; set local enable_seqscan = off")
            .await?;
        PlatformTx::begin(tx, self.inner.notifier.clone(), why).await
    }

    /// A connection of its own for a loop of the engine: one round trip a call, no transaction around it.
    pub async fn engine(&self) -> Result<EngineConn, Error> {
        EngineConn::open(&self.inner.options).await
    }

    /// Listens on channels, on a connection of its own that reconnects by itself.
    pub async fn listen(&self, channels: &[&str]) -> Result<PgListener, Error> {
        let pool =
            PgPoolOptions::new().max_connections(1).max_lifetime(None).connect_with(self.inner.options.clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        listener.listen_all(channels.iter().copied()).await?;
        Ok(listener)
    }

    /// Tells the listeners of a channel.
    pub fn notify(&self, channel: &'static str) {
        self.inner.notifier.send(vec![channel]);
    }

    /// Whether the database answers, for readiness.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("select 1").execute(&self.inner.pool).await?;
        Ok(())
    }

    /// Closes the pool; what is open is waited for.
    pub async fn close(&self) {
        self.inner.pool.close().await;
    }
}
