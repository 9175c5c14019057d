//! The engine of one process: starts the cycle, the listener, the renewal and the upkeep, and drains them in order.

use std::{collections::HashMap, sync::Arc, time::Duration};

use db::{Db, Why};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    cycle::{Cycle, Slots},
    dispatch::{Dispatcher, Inner, Leased, RunningJobs},
    gate::GateHealth,
    job::Queue,
    registry::Registry,
    upkeep,
};

/// What a process that ends still wants of the database, it wants within this.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);

/// How an engine runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Shown to operators, `worker`.
    pub name: String,
    /// The queues served, with their slots.
    pub queues: Vec<(Queue, usize)>,
    /// How long a lease lasts unless it is renewed; renewed three times in it.
    pub lease: Duration,
    /// How long running jobs may go on after a stop was asked for.
    pub grace: Duration,
}

impl Settings {
    /// A lease of 30 s, a grace of 20 s.
    #[must_use]
    pub fn new(name: impl Into<String>, queues: Vec<(Queue, usize)>) -> Self {
        Self { name: name.into(), queues, lease: Duration::from_secs(30), grace: Duration::from_secs(20) }
    }
}

/// A running engine. Jobs come out of [`Engine::next`] and are run by [`Engine::dispatcher`]; or [`Engine::run`] does both.
pub struct Engine<S> {
    feed: mpsc::UnboundedReceiver<Leased>,
    dispatcher: Dispatcher<S>,
    control: Control,
}

/// Stops an engine in order.
pub struct Control {
    db: Db,
    process: Uuid,
    grace: Duration,
    running: RunningJobs,
    stopping: CancellationToken,
    ended: CancellationToken,
    cycle: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

impl<S: Clone + Send + Sync + 'static> Engine<S> {
    /// Registers the kinds and the process, then starts claiming.
    pub async fn start(db: Db, app: S, registry: Registry<S>, settings: Settings) -> Result<Self, db::Error> {
        registry.register(&db).await?;
        let process = Uuid::new_v4();
        let (kinds, slots) = numbers(&db, &settings).await?;
        let running = RunningJobs::default();
        let (finished_sender, finished) = mpsc::unbounded_channel();
        let (feed_sender, feed) = mpsc::unbounded_channel();
        let (health, verdicts) = GateHealth::new();
        let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
        let wake = Arc::new(tokio::sync::Notify::new());
        let keeper = upkeep::Keeper {
            db: db.clone(),
            process,
            settings: settings.clone(),
            running: Arc::clone(&running),
            ended: ended.clone(),
        };
        // the rescuer must know the process before it holds anything
        keeper.renew_once().await?;
        let others = vec![
            tokio::spawn(keeper.clone().renew()),
            tokio::spawn(keeper.clone().upkeep(verdicts)),
            tokio::spawn(listen(db.clone(), Arc::clone(&wake), ended.clone())),
        ];
        let permits = slots.iter().map(|slots| (slots.queue, Semaphore::new(slots.count))).collect();
        let cycle = Cycle {
            db: db.clone(),
            process,
            lease: settings.lease,
            slots,
            running: Arc::clone(&running),
            feed: feed_sender,
            finished,
            wake,
            stopping: stopping.clone(),
        };
        let cycle = tokio::spawn(cycle.run());
        let dispatcher = Dispatcher::new(Inner {
            app,
            db: db.clone(),
            registry,
            process,
            lease: settings.lease,
            kinds,
            running: Arc::clone(&running),
            finished: finished_sender,
            health,
            stopping: stopping.clone(),
            slots: permits,
        });
        let control = Control { db, process, grace: settings.grace, running, stopping, ended, cycle, others };
        Ok(Self { feed, dispatcher, control })
    }

    /// The parts, for a front end that polls by itself.
    #[must_use]
    pub fn into_parts(self) -> (mpsc::UnboundedReceiver<Leased>, Dispatcher<S>, Control) {
        (self.feed, self.dispatcher, self.control)
    }

    /// Runs jobs, each in a task of its own, until `stop` is cancelled; then drains.
    pub async fn run(self, stop: CancellationToken) {
        let (mut feed, dispatcher, control) = self.into_parts();
        let runner = tokio::spawn(async move {
            while let Some(leased) = feed.recv().await {
                let dispatcher = dispatcher.clone();
                tokio::spawn(async move { dispatcher.run(leased).await });
            }
        });
        stop.cancelled().await;
        control.drain().await;
        // the cycle has ended and with it the feed
        let _ = runner.await;
    }
}

impl Control {
    /// Asks for the end without waiting: nothing is claimed any more.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Lets running jobs finish within the grace, cancels the rest by token, writes every outcome, and leaves.
    pub async fn drain(self) {
        self.stopping.cancel();
        let mut cycle = self.cycle;
        if tokio::time::timeout(self.grace, &mut cycle).await.is_err() {
            {
                let running = self.running.lock().expect("nothing panics while it is held");
                tracing::warn!(jobs = running.len(), "the grace is over: cancelling what still runs");
                for job in running.values() {
                    job.cancel.cancel();
                }
            }
            if tokio::time::timeout(LAST_WORDS_WITHIN, &mut cycle).await.is_err() {
                tracing::error!("outcomes could not be written; their leases will be rescued");
                cycle.abort();
            }
        }
        self.ended.cancel();
        let until = tokio::time::Instant::now() + LAST_WORDS_WITHIN;
        for mut other in self.others {
            // in the middle of a statement that may never be answered
            if tokio::time::timeout_at(until, &mut other).await.is_err() {
                other.abort();
            }
        }
        if self.running.lock().expect("nothing panics while it is held").is_empty()
            && let Err(error) = db::within(LAST_WORDS_WITHIN, leave(&self.db, self.process)).await
        {
            tracing::debug!(%error, "leaving is left to the rescuer");
        }
    }
}

async fn leave(db: &Db, process: Uuid) -> Result<(), db::Error> {
    let mut conn = db.engine().await?;
    sqlx::query("select jobs.leave($1)").bind(process).execute(conn.conn()).await?;
    Ok(())
}

/// The numbers that the database gave to kinds and queues.
async fn numbers(db: &Db, settings: &Settings) -> Result<(HashMap<i16, String>, Vec<Slots>), db::Error> {
    let mut tx = db.platform(Why::Engine).await?;
    let kinds: Vec<(i16, String)> =
        sqlx::query_as("select id, name from jobs.kinds").fetch_all(db::Scope::conn(&mut tx)).await?;
    let names: Vec<&str> = settings.queues.iter().map(|(queue, _)| queue.0).collect();
    sqlx::query("insert into jobs.queues (name) select u.name from unnest($1::text[]) u(name) where not exists (select from jobs.queues q where q.name = u.name) on conflict do nothing")
        .bind(&names)
        .execute(db::Scope::conn(&mut tx))
        .await?;
    let queues: Vec<(i16, String)> =
        sqlx::query_as("select id, name from jobs.queues").fetch_all(db::Scope::conn(&mut tx)).await?;
    tx.commit().await?;
    let numbers: HashMap<String, i16> = queues.into_iter().map(|(id, name)| (name, id)).collect();
    let slots = settings
        .queues
        .iter()
        .filter_map(|(queue, count)| numbers.get(queue.0).map(|id| Slots { queue: *id, count: *count }))
        .collect();
    Ok((kinds.into_iter().collect(), slots))
}

/// Wakes the cycle when somebody says that jobs are due. Polling is behind it, so a lost connection costs a second at most.
async fn listen(db: Db, wake: Arc<tokio::sync::Notify>, ended: CancellationToken) {
    loop {
        let listen = async {
            let mut listener = db.listen(&[crate::enqueue::CHANNEL]).await?;
            wake.notify_one();
            loop {
                listener.recv().await?;
                wake.notify_one();
            }
        };
        let result: Result<std::convert::Infallible, db::Error> = tokio::select! {
            () = ended.cancelled() => return,
            result = listen => result,
        };
        let Err(error) = result;
        tracing::debug!(%error, "the listener lost its connection; polling goes on");
        tokio::select! {
            () = ended.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}
