//! Which kinds there are: from the wire name to the handler. Two jobs of one name are refused, retired names are remembered.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use db::{Db, Scope, Why};
use futures::{FutureExt, future::BoxFuture};

use crate::{
    dispatch::Leased,
    fate::OnFate,
    job::{Cx, Done, Job, JobError, JobResult, JobScope, KeyScope, Queue, Retry},
};

type Handler<S> = Arc<dyn Fn(Leased, Raw<S>) -> BoxFuture<'static, JobResult> + Send + Sync>;

/// What every handler's context is made of.
pub(crate) struct Raw<S> {
    pub app: S,
    pub db: Db,
    pub health: crate::gate::GateHealth,
    pub has_reported: Arc<AtomicBool>,
    pub process: uuid::Uuid,
    pub cancel: tokio_util::sync::CancellationToken,
}

/// One kind, as registered.
pub(crate) struct Kind<S> {
    pub name: &'static str,
    pub queue: Queue,
    pub retry: Retry,
    pub timeout: Duration,
    unique: Option<KeyScope>,
    scope: &'static str,
    on_fate: Option<OnFate>,
    pub handler: Handler<S>,
}

/// Every kind of an application.
pub struct Registry<S> {
    kinds: HashMap<&'static str, Kind<S>>,
}

impl<S: Clone + Send + Sync + 'static> Default for Registry<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Registry<S> {
    /// No kind yet.
    #[must_use]
    pub fn new() -> Self {
        Self { kinds: HashMap::new() }
    }

    /// Adds a kind.
    ///
    /// # Panics
    /// Where two kinds have one name: a fault of the program, found by the first test that starts it.
    #[must_use]
    pub fn add<J: Job<S>>(self) -> Self {
        let handler: Handler<S> = Arc::new(|leased, raw| run::<S, J>(leased, raw).boxed());
        self.insert(Kind {
            name: J::KIND,
            queue: J::QUEUE,
            retry: J::RETRY,
            timeout: J::TIMEOUT,
            unique: Some(J::UNIQUE),
            scope: J::Scope::NAME,
            on_fate: J::ON_FATE,
            handler,
        })
    }

    /// Remembers a kind that is no longer made: leftovers complete with a warning.
    #[must_use]
    pub fn retired(self, name: &'static str, queue: Queue) -> Self {
        let handler: Handler<S> = Arc::new(move |leased: Leased, _| {
            tracing::warn!(job.id = leased.id, job.kind = name, "a retired kind: completed without work");
            async { Ok(Done::Now) }.boxed()
        });
        self.insert(Kind {
            name,
            queue,
            retry: Retry::NEVER,
            timeout: Duration::from_secs(60),
            unique: None,
            scope: "retired",
            on_fate: None,
            handler,
        })
    }

    fn insert(mut self, kind: Kind<S>) -> Self {
        let name = kind.name;
        assert!(self.kinds.insert(name, kind).is_none(), "two jobs have the kind {name}");
        self
    }

    /// Makes the kinds and queues known to the database, so that jobs of them can be enqueued.
    pub async fn register(&self, db: &Db) -> Result<(), db::Error> {
        let mut kinds: Vec<&str> = self.kinds.keys().copied().collect();
        kinds.sort_unstable();
        let mut queues: Vec<&str> = self.kinds.values().map(|kind| kind.queue.0).collect();
        queues.sort_unstable();
        queues.dedup();
        let mut tx = db.platform(Why::Engine).await?;
        // only what is missing: a conflict would burn a number of the sequence at each start
        sqlx::query(
            "insert into jobs.kinds (name) select u.name from unnest($1::text[]) u(name)
              where not exists (select from jobs.kinds k where k.name = u.name) order by u.name on conflict (name) do nothing",
        )
        .bind(&kinds)
        .execute(tx.conn())
        .await?;
        // also what is no longer told; rows that say the same already are left alone
        sqlx::query(
            "update jobs.kinds k set on_fate = u.on_fate from unnest($1::text[], $2::jsonb[]) u(name, on_fate)
              where k.name = u.name and k.on_fate is distinct from u.on_fate",
        )
        .bind(&kinds)
        .bind(kinds.iter().map(|name| self.kinds[name].on_fate.map(OnFate::stored)).collect::<Vec<_>>())
        .execute(tx.conn())
        .await?;
        sqlx::query(
            "insert into jobs.queues (name) select u.name from unnest($1::text[]) u(name)
              where not exists (select from jobs.queues q where q.name = u.name) order by u.name on conflict (name) do nothing",
        )
        .bind(&queues)
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Kind<S>> {
        self.kinds.get(name)
    }

    /// Each kind with its queue.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.kinds.values().map(|kind| (kind.name, kind.queue.0))
    }

    /// A line a kind, for the snapshot: a change of contract is a diff that someone reads.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .kinds
            .values()
            .map(|kind| {
                format!(
                    "{} queue={} attempts={} timeout={}s unique={} scope={}{}",
                    kind.name,
                    kind.queue.0,
                    kind.retry.max_attempts,
                    kind.timeout.as_secs(),
                    kind.unique.map_or_else(|| "-".to_owned(), |scope| format!("{scope:?}")),
                    kind.scope,
                    kind.on_fate.map_or_else(String::new, |told| format!(" on_fate={}", told.kind()))
                )
            })
            .collect();
        lines.sort();
        lines
    }
}

async fn run<S, J: Job<S>>(leased: Leased, raw: Raw<S>) -> JobResult {
    let job: J = match serde_json::from_str(&leased.payload) {
        Ok(job) => job,
        // a poison payload ends one job, nothing else
        Err(error) => return Err(JobError::discard(format!("the payload is not one of this kind: {error}"))),
    };
    let cx = Cx {
        app: raw.app,
        lease: leased.lease(raw.process),
        attempt: leased.attempt,
        max_attempts: leased.max_attempts,
        crashes: leased.crashes,
        tenant_number: leased.tenant_number,
        lane_id: leased.lane_id,
        run_at: leased.run_at,
        cancel: raw.cancel,
        is_probe: leased.is_probe,
        health: raw.health,
        has_reported: raw.has_reported,
        db: raw.db,
        kind: J::KIND,
        scope: std::marker::PhantomData,
    };
    job.run(cx).await
}
