//! The wall between code and tables: the only place that builds a pool, and the scopes through which everything reaches a row.
//! Knows nothing of jobs, of the product or of HTTP.

#![expect(clippy::disallowed_types, reason = "the one crate that builds and holds the pool")]

mod check;
pub mod constraint;
mod engine;
mod error;
mod id;
mod listen;
pub mod migrate;
mod notify;
pub mod page;
mod pool;
mod pulse;
mod reach;
mod scope;
#[cfg(feature = "testing")]
pub mod testing;

use std::sync::Arc;

use pool::Pool;
use sqlx::{Connection, postgres::PgConnectOptions};
use uuid::Uuid;

pub use check::report as check_report;
pub use engine::EngineConn;
pub use error::Error;
pub use id::Id;
pub use listen::Listener;
pub use notify::Notifier;
pub use page::{BadCursor, Page, PageOf};
pub use pulse::Pulse;
pub use reach::{Options, within};
use scope::Begun;
pub use scope::{Actor, AnyTx, Narrow, PlatformTx, Scope, TenantTx, Why};

/// The database, behind the wall. Cheap to clone: every job has one.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
    pulse: Option<Arc<Pulse>>,
}

struct Inner {
    pool: Pool,
    direct: PgConnectOptions,
    notifier: Notifier,
}

impl Db {
    /// Connects and refuses a login that could pass the wall, or a schema that these binaries do not fit.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let db = Self::open(&options)?;
        let faults = check::report(&db).await?;
        if faults.is_empty() { Ok(db) } else { Err(Error::Unsafe(faults)) }
    }

    /// Connects without the self-check, for `paloma doctor`, which prints what the check finds. What refuses the connection is told at
    /// once; a pool would try for ten seconds and then only say that these are over.
    pub async fn connect_unchecked(options: Options) -> Result<Self, Error> {
        sqlx::ConnectOptions::connect(&options.pooled()?).await?.close().await?;
        Self::open(&options)
    }

    fn open(options: &Options) -> Result<Self, Error> {
        let pool = Pool::new(options.pooled()?, options.connections);
        let notifier = Notifier::start(pool.clone(), options.direct_url.is_some());
        let inner = Inner { notifier, pool, direct: options.direct()? };
        Ok(Self { inner: Arc::new(inner), pulse: None })
    }

    /// The same database for one piece of work, whose transactions are watched from now on.
    #[must_use]
    pub fn watched_by(&self, pulse: &Arc<Pulse>) -> Self {
        Self { inner: Arc::clone(&self.inner), pulse: Some(Arc::clone(pulse)) }
    }

    /// Opens a transaction inside one tenant.
    pub async fn tenant(&self, tenant: Uuid, actor: Actor) -> Result<TenantTx, Error> {
        self.enter((Some(tenant), None), actor, "begin; set local role paloma_tenant").await
    }

    /// The same for somebody who sees a part of its conversations only: the others are not there, whatever is asked.
    pub async fn tenant_within(&self, tenant: Uuid, actor: Actor, narrow: Narrow) -> Result<TenantTx, Error> {
        let begun = self.begin("begin; set local role paloma_scoped").await?;
        TenantTx::begin_within(begun, tenant, actor, narrow).await
    }

    /// The same by the tenant's number, which is what a job row carries.
    pub async fn tenant_by_number(&self, number: i32, actor: Actor) -> Result<TenantTx, Error> {
        self.enter((None, Some(number)), actor, "begin; set local role paloma_tenant").await
    }

    /// The same for statements that carry many rows as arrays and find each by its key: they go by index only. A plan kept from when the
    /// tables were small may take the wrong index (seen: 1,000 sends a second fell to 100 until the first autovacuum), so those statements
    /// also say `persistent(false)` and are planned anew, for the sizes of now. `plan_cache_mode = force_custom_plan` would do that for the
    /// look-ups behind their foreign keys as well, row by row, which took a seventh of the server's time.
    pub async fn keyed_tenant_by_number(&self, number: i32, actor: Actor) -> Result<TenantTx, Error> {
        let begin =
            "begin; set local role paloma_tenant; set local enable_mergejoin = off; set local enable_seqscan = off";
        self.enter((None, Some(number)), actor, begin).await
    }

    async fn enter(
        &self,
        tenant: (Option<Uuid>, Option<i32>),
        actor: Actor,
        begin: &'static str,
    ) -> Result<TenantTx, Error> {
        TenantTx::begin(self.begin(begin).await?, tenant, actor).await
    }

    async fn begin(&self, begin: &'static str) -> Result<Begun, Error> {
        let beat = self.pulse.as_deref().map(Pulse::beat);
        let tx = self.inner.pool.begin(begin).await?;
        Ok(Begun { tx, notifier: self.inner.notifier.clone(), beat })
    }

    /// Opens a transaction that sees every tenant, and says why.
    pub async fn platform(&self, why: Why) -> Result<PlatformTx, Error> {
        PlatformTx::begin(self.begin("begin; set local role paloma_platform").await?, why).await
    }

    /// The same for effects of many jobs that are written by one statement over arrays; planned as [`Db::keyed_tenant_by_number`] says.
    pub async fn keyed_platform(&self, why: Why) -> Result<PlatformTx, Error> {
        let begin =
            "begin; set local role paloma_platform; set local enable_mergejoin = off; set local enable_seqscan = off";
        PlatformTx::begin(self.begin(begin).await?, why).await
    }

    /// A connection of its own for a loop of the engine: one round trip a call, no transaction around it.
    pub async fn engine(&self) -> Result<EngineConn, Error> {
        EngineConn::open(&self.inner.direct).await
    }

    /// Listens on channels, on a connection of its own.
    pub async fn listen(&self, channels: &[&str]) -> Result<Listener, Error> {
        Listener::open(self.inner.direct.clone(), channels).await
    }

    /// Tells the listeners of a channel.
    pub fn notify(&self, channel: &'static str) {
        self.inner.notifier.send(vec![channel]);
    }

    /// Whether the database answers, for readiness.
    pub async fn ping(&self) -> Result<(), Error> {
        // a simple query, which needs no transaction behind a pooler
        sqlx::raw_sql("select 1").execute(&mut *self.inner.pool.connection().await?).await?;
        Ok(())
    }

    /// Closes the pool. What is open goes on to its end.
    pub fn close(&self) {
        self.inner.pool.close();
    }
}
