//! Connections for transactions. Nothing is asked of the server when one is given back, and every question of the pool's own has a limit: a
//! connection that is half open would keep its place for ever otherwise.

use std::{
    ops::{Deref, DerefMut},
    sync::Mutex,
    time::{Duration, Instant},
};

use deadpool::managed::{self, Metrics, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use crate::reach::{CONNECTED_WITHIN, PING_WITHIN};

type Object = managed::Object<Connections>;

/// A session of the server collects what it has once seen of the catalogue; it begins anew after so long.
const OLDEST: Duration = Duration::from_mins(30);
/// Between two tries to connect while the server starts, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Opens connections, and says whether one that lay idle still works.
pub struct Connections {
    options: PgConnectOptions,
    /// When that question was asked last which got no answer. What has not answered since then is not asked: it went the same way.
    unanswered: Mutex<Option<Instant>>,
}

impl managed::Manager for Connections {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        let (mut wait, longest) = BACKOFF;
        loop {
            match self.options.connect().await {
                Err(error) if is_starting(&error) => tokio::time::sleep(wait).await,
                connected => return connected,
            }
            wait = (wait * 2).min(longest);
        }
    }

    async fn recycle(&self, conn: &mut PgConnection, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.age() > OLDEST {
            return Err(RecycleError::message("it is old"));
        }
        let asked = Instant::now();
        let answered = metrics.recycled.unwrap_or(metrics.created);
        if self.unanswered.lock().expect("no panic inside").is_some_and(|unanswered| answered < unanswered) {
            return Err(RecycleError::message("another of its age does not answer"));
        }
        if let Ok(answer) = tokio::time::timeout(PING_WITHIN, conn.ping()).await {
            return Ok(answer?);
        }
        *self.unanswered.lock().expect("no panic inside") = Some(asked);
        Err(RecycleError::message("it does not answer"))
    }
}

/// Whether the server will take connections soon.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

/// The connections of a process.
#[derive(Clone)]
pub struct Pool(managed::Pool<Connections>);

impl Pool {
    /// Opens none yet.
    pub(crate) fn new(options: PgConnectOptions, most: u32) -> Self {
        let timeouts = managed::Timeouts {
            wait: Some(CONNECTED_WITHIN),
            create: Some(CONNECTED_WITHIN),
            // the manager's own, which learns from it
            recycle: None,
        };
        let pool = managed::Pool::builder(Connections { options, unanswered: Mutex::new(None) })
            .max_size(most as usize)
            .timeouts(timeouts)
            // those used last have their statements prepared
            .queue_mode(QueueMode::Lifo)
            .runtime(deadpool::Runtime::Tokio1)
            .build();
        Self(pool.expect("it has the runtime that its limits need"))
    }

    /// One for a statement that is a transaction of its own.
    pub(crate) async fn connection(&self) -> Result<Object, sqlx::Error> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::Timeout(TimeoutType::Wait | TimeoutType::Create | TimeoutType::Recycle) => {
                sqlx::Error::PoolTimedOut
            }
            error @ (PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                sqlx::Error::Configuration(error.to_string().into())
            }
        })
    }

    /// Begins a transaction by that text.
    pub(crate) async fn begin(&self, begin: &'static str) -> Result<Transaction, sqlx::Error> {
        let mut tx = Transaction { conn: Some(self.connection().await?), has_begun: false };
        sqlx::raw_sql(begin).execute(&mut *tx).await?;
        tx.has_begun = true;
        Ok(tx)
    }

    /// Takes no more; idle connections end at once, and those in use when they are given back.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

/// A transaction with its connection. Dropped without a commit it is rolled back, and a connection that does not answer to that is not used again.
pub struct Transaction {
    /// None: it is given back.
    conn: Option<Object>,
    has_begun: bool,
}

impl Transaction {
    /// Commits. An error: it may have happened, or not.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("commit").execute(&mut *self).await?;
        drop(self.conn.take());
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if self.has_begun => drop(runtime.spawn(roll_back(conn))),
            // the connection ends, and the server rolls back
            _ => drop(Object::take(conn)),
        }
    }
}

async fn roll_back(mut conn: Object) {
    let answer = tokio::time::timeout(PING_WITHIN, sqlx::raw_sql("rollback").execute(&mut *conn)).await;
    if !matches!(answer, Ok(Ok(_))) {
        drop(Object::take(conn));
    }
}

impl Deref for Transaction {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        self.conn.as_deref().expect("it is there until the end")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.conn.as_deref_mut().expect("it is there until the end")
    }
}
