//! The kinds of the engine tests' application: each does what its payload says and notes that it ran.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use db::Scope;
use jobs::{Cx, Done, Job, JobError, JobResult, KeyScope, Platform, Queue, Registry, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub const WORK: Queue = Queue("work");
pub const OTHER: Queue = Queue("other");

/// One start of a handler.
#[derive(Debug, Clone)]
pub struct Run {
    pub name: String,
    pub attempt: i16,
    pub crashes: i16,
    pub is_probe: bool,
}

/// What handlers work with: a log of their starts, and a latch that some of them wait for.
#[derive(Clone)]
pub struct App {
    pub runs: Arc<Mutex<Vec<Run>>>,
    /// Handlers of [`Act::Together`] that run now, and the most that ever did.
    pub together: Arc<Mutex<(usize, usize)>>,
    pub latch: watch::Receiver<bool>,
}

impl App {
    fn note<K: jobs::JobScope>(&self, name: &str, cx: &Cx<Self, K>) {
        let run = Run { name: name.to_owned(), attempt: cx.attempt, crashes: cx.crashes, is_probe: cx.is_probe };
        self.runs.lock().unwrap().push(run);
    }
    async fn opened(&self) {
        let mut latch = self.latch.clone();
        latch.wait_for(|open| *open).await.unwrap();
    }
}

/// Does what it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Do {
    pub name: String,
    pub act: Act,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Act {
    Nothing,
    /// A row of `effects`, in one commit with the completion.
    Effect,
    Fail,
    FailUntil(i16),
    FailAfterSecs(u64),
    Panic,
    Discard,
    Cancel,
    SnoozeTwice,
    Release,
    /// Runs until the latch opens, or until it is told to stop.
    Wait,
    /// Runs until the latch opens, and does not hear that it should stop.
    WaitDeaf,
    /// Writes its row, then waits for the latch before it hands over the transaction.
    EffectThenWait,
    /// The service behind the gate `line` asks to be left alone for so many seconds, once.
    RestOnce(u64),
    /// Counts itself among those that run at once, and lets others in meanwhile.
    Together,
    /// Says whether the service behind the gate `line` answered.
    Answered(bool),
}

impl Do {
    pub fn new(name: impl Into<String>, act: Act) -> Self {
        Self { name: name.into(), act }
    }
    pub fn nothing(name: impl Into<String>) -> Self {
        Self::new(name, Act::Nothing)
    }
}

impl Job<App> for Do {
    type Scope = Tenant;
    const KIND: &'static str = "test.do";
    const QUEUE: Queue = WORK;
    const RETRY: Retry = Retry::exponential(3).from_secs(10).up_to_secs(600);
    const TIMEOUT: Duration = Duration::from_secs(60);

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        cx.app.note(&self.name, &cx);
        match self.act {
            Act::Nothing => Ok(Done::Now),
            Act::Effect => Ok(Done::with(effect(&cx, &self.name).await?)),
            Act::Fail => Err(JobError::retry("it does not work")),
            Act::FailUntil(attempt) if cx.attempt < attempt => Err(JobError::retry("not yet")),
            Act::FailUntil(_) => Ok(Done::Now),
            Act::FailAfterSecs(seconds) => {
                Err(JobError::Retry { error: "later".to_owned(), after: Some(Duration::from_secs(seconds)) })
            }
            Act::Panic => panic!("this handler is broken"),
            Act::Discard => Err(JobError::discard("of no use\0")),
            Act::Cancel => Err(JobError::Cancel { reason: "no longer wanted".to_owned() }),
            Act::SnoozeTwice if cx.app.runs.lock().unwrap().iter().filter(|run| run.name == self.name).count() < 3 => {
                Err(JobError::Snooze { wait: Duration::from_secs(100) })
            }
            Act::SnoozeTwice => Ok(Done::Now),
            Act::Release => Err(JobError::Release),
            Act::Wait => tokio::select! {
                () = cx.app.opened() => Ok(Done::Now),
                () = cx.cancel.cancelled() => Err(JobError::Release),
            },
            Act::WaitDeaf => {
                cx.app.opened().await;
                Ok(Done::Now)
            }
            Act::EffectThenWait => {
                let tx = effect(&cx, &self.name).await?;
                cx.app.opened().await;
                Ok(Done::with(tx))
            }
            Act::RestOnce(seconds) => {
                if cx.app.runs.lock().unwrap().iter().filter(|run| run.name == self.name).count() > 1 {
                    return Ok(Done::Now);
                }
                Err(JobError::Rest { gate: "line".to_owned(), wait: Duration::from_secs(seconds) })
            }
            Act::Together => {
                {
                    let mut together = cx.app.together.lock().unwrap();
                    together.0 += 1;
                    together.1 = together.1.max(together.0);
                }
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                cx.app.together.lock().unwrap().0 -= 1;
                Ok(Done::Now)
            }
            Act::Answered(answered) => {
                cx.report("line", answered, "no answer");
                if answered { Ok(Done::Now) } else { Err(JobError::retry("no answer")) }
            }
        }
    }
}

async fn effect(cx: &Cx<App, Tenant>, name: &str) -> Result<db::TenantTx, JobError> {
    let mut tx = cx.tx().await?;
    sqlx::query("insert into public.effects (name) values ($1)").bind(name).execute(tx.conn()).await?;
    Ok(tx)
}

/// A handler that takes longer than it may.
#[derive(Serialize, Deserialize)]
pub struct Slow {}
impl Job<App> for Slow {
    type Scope = Tenant;
    const KIND: &'static str = "test.slow";
    const QUEUE: Queue = WORK;
    const TIMEOUT: Duration = Duration::from_millis(50);
    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        cx.app.note("slow", &cx);
        cx.app.opened().await;
        Ok(Done::Now)
    }
}

/// A job with a key of one of the four scopes: 1 until started, 2 while live, 3 for a minute, 4 for ever.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keyed<const SCOPE: u8> {
    pub key: String,
    pub act: Act,
}
impl<const SCOPE: u8> Keyed<SCOPE> {
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), act: Act::Nothing }
    }
}
impl<const SCOPE: u8> Job<App> for Keyed<SCOPE> {
    type Scope = Tenant;
    const KIND: &'static str = match SCOPE {
        1 => "test.until_started",
        2 => "test.while_live",
        3 => "test.for_a_minute",
        _ => "test.for_ever",
    };
    const QUEUE: Queue = WORK;
    const RETRY: Retry = Retry::NEVER;
    const UNIQUE: KeyScope = match SCOPE {
        1 => KeyScope::UntilStarted,
        2 => KeyScope::WhileLive,
        3 => KeyScope::For(Duration::from_secs(60)),
        _ => KeyScope::Forever,
    };
    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.key.as_str().into())
    }
    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        cx.app.note(&self.key, &cx);
        match self.act {
            Act::Wait => {
                cx.app.opened().await;
                Ok(Done::Now)
            }
            Act::Fail => Err(JobError::discard("no")),
            _ => Ok(Done::Now),
        }
    }
}

/// What a schedule makes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tick {}
impl Job<App> for Tick {
    type Scope = Platform;
    const KIND: &'static str = "test.tick";
    const QUEUE: Queue = OTHER;
    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        cx.app.note("tick", &cx);
        Ok(Done::with(cx.tx().await?))
    }
}

/// What a schedule makes that is to know for which time.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stamp {
    pub at: chrono::DateTime<chrono::Utc>,
}
impl Job<App> for Stamp {
    type Scope = Platform;
    const KIND: &'static str = "test.stamp";
    const QUEUE: Queue = OTHER;
    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        cx.app.note(&self.at.to_rfc3339(), &cx);
        Ok(Done::with(cx.tx().await?))
    }
}

/// A kind that only newer workers know.
#[derive(Serialize, Deserialize)]
pub struct Newer {}
impl Job<App> for Newer {
    type Scope = Tenant;
    const KIND: &'static str = "test.newer";
    const QUEUE: Queue = WORK;
    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        cx.app.note("newer", &cx);
        Ok(Done::Now)
    }
}

pub fn registry() -> Registry<App> {
    Registry::new()
        .add::<Do>()
        .add::<Slow>()
        .add::<Keyed<1>>()
        .add::<Keyed<2>>()
        .add::<Keyed<3>>()
        .add::<Keyed<4>>()
        .add::<Tick>()
        .add::<Stamp>()
}
