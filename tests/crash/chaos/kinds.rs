//! The jobs of a chaos test and the process that runs them: the test's own executable again. What a job does is marked under its lease,
//! takes some time, and is recorded, as a send is.

use std::time::{Duration, SystemTime};

use db::{Db, Scope};
use jobs::{
    Cx, Done, Engine, Job, JobError, JobResult, Platform, Queue, Registry, Retry, Settings, Tenant, UniqueKey,
    schedule::{CatchUp, Overlap, Schedule},
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::LEASE;

/// The queue of all of them.
pub const QUEUE: Queue = Queue("chaos");
/// What a process is to be, as JSON.
pub const PART: &str = "PALOMA_CHAOS_PART";

/// How a step ends. The words are those of `public.enqueued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// With a row that commits with the completion.
    Effect,
    /// As a call to the outside does: the next cycle writes the completion.
    Call,
    /// At its first start by a failure, then as a call.
    FailOnce,
    /// Given up at once.
    Discard,
}

/// One piece of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    pub act: Act,
    pub work_ms: u64,
}

impl Job<()> for Step {
    type Scope = Tenant;
    const KIND: &'static str = "chaos.step";
    const QUEUE: Queue = QUEUE;
    /// A fault may last for many starts.
    const RETRY: Retry = Retry::exponential(100).from_secs(1).up_to_secs(1);
    /// Bounds what a connection that is never answered costs a handler.
    const TIMEOUT: Duration = LEASE;

    async fn run(self, cx: Cx<(), Tenant>) -> JobResult {
        mark(&cx).await?;
        // the call to the outside that a real handler makes
        tokio::time::sleep(Duration::from_millis(self.work_ms)).await;
        match self.act {
            Act::Effect => {
                let mut tx = cx.tx().await?;
                sqlx::query("insert into public.effects (job_id) values ($1)")
                    .bind(cx.lease.job_id)
                    .execute(tx.conn())
                    .await?;
                Ok(Done::with(tx))
            }
            Act::FailOnce if cx.attempt == 1 => Err(JobError::Retry {
                error: "the first start fails".to_owned(),
                after: Some(Duration::from_millis(300)),
            }),
            Act::Call | Act::FailOnce => Ok(Done::Now),
            Act::Discard => Err(JobError::discard("of no use")),
        }
    }
}

/// Says under the lease that the work begins now.
async fn mark(cx: &Cx<(), Tenant>) -> Result<(), JobError> {
    let mut tx = cx.tx().await?;
    if !jobs::hold(&mut tx, cx.lease).await? {
        return Err(JobError::Release);
    }
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    sqlx::query("insert into public.starts (job_id, process, attempt, wall_s) values ($1, $2, $3, $4)")
        .bind(cx.lease.job_id)
        .bind(cx.lease.process)
        .bind(cx.attempt)
        .bind(wall)
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(())
}

/// The same, one at a time for each key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keyed {
    pub key: String,
    pub step: Step,
}

impl Job<()> for Keyed {
    type Scope = Tenant;
    const KIND: &'static str = "chaos.keyed";
    const QUEUE: Queue = QUEUE;
    const RETRY: Retry = Step::RETRY;
    const TIMEOUT: Duration = Step::TIMEOUT;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.key.as_str().into())
    }
    async fn run(self, cx: Cx<(), Tenant>) -> JobResult {
        self.step.run(cx).await
    }
}

/// What the completion of the batch makes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Close {}

impl Job<()> for Close {
    type Scope = Tenant;
    const KIND: &'static str = "chaos.close";
    const QUEUE: Queue = QUEUE;
    const RETRY: Retry = Step::RETRY;

    async fn run(self, _: Cx<(), Tenant>) -> JobResult {
        Ok(Done::Now)
    }
}

/// What a schedule makes: says for which second it was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tick {
    pub second: i64,
}

impl Job<()> for Tick {
    type Scope = Platform;
    const KIND: &'static str = "chaos.tick";
    const QUEUE: Queue = QUEUE;
    const RETRY: Retry = Step::RETRY;

    async fn run(self, cx: Cx<(), Platform>) -> JobResult {
        let mut tx = cx.tx().await?;
        sqlx::query("insert into public.ticks (second) values ($1)").bind(self.second).execute(tx.conn()).await?;
        Ok(Done::with(tx))
    }
}

/// Every kind of a chaos test.
pub fn registry() -> Registry<()> {
    Registry::new().add::<Step>().add::<Keyed>().add::<Close>().add::<Tick>()
}

/// One fire a second. Nothing is left out while no scheduler runs.
fn schedules() -> Vec<Schedule> {
    let tick = Schedule::made_by::<(), Tick>("chaos.tick", "* * * * * *", chrono_tz::UTC, |at| Tick {
        second: at.timestamp(),
    });
    vec![tick.catch_up(CatchUp::All(600)).overlap(Overlap::Allow)]
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Worker,
    Scheduler,
}

/// How to be it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    pub role: Role,
    pub reach: Reach,
}

/// By what addresses a process reaches the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reach {
    pub url: String,
    /// Past the pooler, where there is one.
    pub direct_url: Option<String>,
}

impl Reach {
    pub fn options(self, name: &'static str, connections: u32) -> db::Options {
        db::Options { url: self.url, direct_url: self.direct_url, name, connections }
    }
}

/// Connections of a worker beside those of its engine, and its slots.
const CONNECTIONS: u32 = 8;
const SLOTS: usize = 8;

/// Is what the environment says, until told to stop. Returns at once in a process that was told nothing.
pub fn be() {
    let Ok(part) = std::env::var(PART) else { return };
    let part: Part = serde_json::from_str(&part).expect("a part to play");
    let _traces = crm::telemetry::install_logs(false, "chaos").expect("no other log is installed");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(crm::process::stop_on_signal(stop.clone()));
        // a process that can't start without its database ends, and whoever looks after it starts it again
        while let Err(error) = play(part.clone(), stop.clone()).await {
            tracing::warn!(%error, "started again");
            if stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(200))).await.is_none() {
                break;
            }
        }
    });
    // what the test runner would say of itself is of no interest
    std::process::exit(0);
}

async fn play(part: Part, stop: CancellationToken) -> Result<(), db::Error> {
    let name = if part.role == Role::Worker { "paloma-worker" } else { "paloma-scheduler" };
    let db = Db::connect(part.reach.options(name, CONNECTIONS)).await?;
    match part.role {
        Role::Worker => {
            let mut settings = Settings::new("worker", vec![(QUEUE, SLOTS)]);
            (settings.lease, settings.grace) = (LEASE, LEASE);
            let engine = Engine::start(db, (), registry(), settings).await?;
            jobs::apalis::run(engine, "chaos", stop).await;
            Ok(())
        }
        Role::Scheduler => jobs::schedule::run(&db, &schedules(), stop).await,
    }
}
