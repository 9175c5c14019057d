//! The queue as one of several that are measured side by side by a driver of their own: each verb does one thing to the database that
//! `DATABASE_URL` names, and answers with a line `R {json}`; a worker says what it does in lines (see `noop.rs`).

use super::ground;
use super::noop::{self, Keyed, Moment, Noop, nanos};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use cli::stack::StopSignal;
use db::{Actor, Db, TenantTx};
use jobs::{Enqueue, Job};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const CHUNK: usize = 1000;
const INSERTERS: usize = 2;
const SLOTS: usize = 1000;
const LANE: &str = "bench/0";

/// What a driver may ask for.
#[derive(Debug, Args)]
pub struct PeerArguments {
    /// A database on a cluster that is used for nothing else; its login is a superuser.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// What is done.
    #[command(subcommand)]
    verb: PeerVerb,
}

#[derive(Debug, Subcommand)]
enum PeerVerb {
    /// Make the schema, a tenant and the view that says whether work is left.
    Setup,
    /// Insert so many jobs, 1,000 a transaction.
    Bulk { jobs: usize },
    /// Insert so many jobs one by one, each in a transaction of its caller.
    Single { jobs: usize, callers: usize },
    /// Insert a job each so many milliseconds and say when.
    Timed { jobs: usize, gap_ms: u64 },
    /// Insert so many jobs of which every second one is a duplicate.
    Unique { jobs: usize },
    /// Be a worker process until told to stop.
    Work {
        /// `latency`: say when each job starts.
        mode: Option<String>,
    },
}

/// Does one thing.
pub async fn obey(arguments: PeerArguments) -> Result<()> {
    let url = &arguments.database_url;
    match arguments.verb {
        PeerVerb::Setup => setup(url).await,
        PeerVerb::Bulk { jobs } => bulk::<Noop>(url, (0..jobs).map(job).collect()).await,
        PeerVerb::Unique { jobs } => {
            // both of a pair in one transaction, as a caller that repeats itself would have it
            bulk::<Keyed>(url, (0..jobs).map(|seq| Keyed { noop: job(seq / 2) }).collect()).await
        }
        PeerVerb::Single { jobs, callers } => single(url, jobs, callers).await,
        PeerVerb::Timed { jobs, gap_ms } => timed(url, jobs, Duration::from_millis(gap_ms)).await,
        PeerVerb::Work { mode } => {
            let stop = CancellationToken::new();
            let (signal, ended) = (StopSignal::listen()?, stop.clone());
            tokio::spawn(async move {
                signal.requested().await;
                ended.cancel();
            });
            noop::work_until(walled(url)?, SLOTS, mode.as_deref() == Some("latency"), stop).await
        }
    }
}

fn job(seq: usize) -> Noop {
    Noop::new(i64::try_from(seq).unwrap_or(i64::MAX))
}

/// The same database as the servers' role sees it.
fn walled(url: &str) -> Result<String> {
    let mut url: url::Url = url.parse().context("DATABASE_URL is no address")?;
    url.set_username("paloma").ok().context("DATABASE_URL takes no user")?;
    Ok(url.into())
}

async fn setup(url: &str) -> Result<()> {
    db::migrate::run(url).await?;
    let mut owner = PgConnection::connect(url).await?;
    sqlx::raw_sql(
        "create view bench_left as select exists (select from jobs.jobs) or exists (select from jobs.scheduled where run_at <= app.clock()) as has_left",
    )
    .execute(&mut owner)
    .await?;
    let queue = Queue::open(url, 1).await?;
    noop::registry().register(&queue.db).await?;
    ground::make_tenant(&queue.db, "bench").await?;
    answer(0.0)
}

fn answer(seconds: f64) -> Result<()> {
    cli::print::line(format_args!("R {}", json!({ "s": seconds })))
}

/// The tenant's side of the queue.
struct Queue {
    db: Db,
}

impl Queue {
    async fn open(url: &str, connections: u32) -> Result<Self> {
        Ok(Self {
            db: Db::connect(db::Options { url: walled(url)?, name: "paloma-bench", connections, direct_url: None })
                .await?,
        })
    }
    /// The only tenant there is.
    async fn tenant(&self, url: &str) -> Result<Uuid> {
        let mut owner = PgConnection::connect(url).await?;
        Ok(sqlx::query_scalar("select id from crm.tenants").fetch_one(&mut owner).await?)
    }
    async fn tx(&self, tenant: Uuid) -> Result<TenantTx> {
        Ok(self.db.tenant(tenant, Actor::Operator).await?)
    }
}

async fn bulk<J: Job<Arc<noop::Seen>> + Sync>(url: &str, jobs: Vec<J>) -> Result<()> {
    let queue = Queue::open(url, INSERTERS as u32).await?;
    let tenant = queue.tenant(url).await?;
    let start = Instant::now();
    let inserters = (0..INSERTERS).map(|inserter| {
        let (queue, chunks) = (&queue, jobs.chunks(CHUNK).skip(inserter).step_by(INSERTERS));
        async move {
            for chunk in chunks {
                let mut tx = queue.tx(tenant).await?;
                Enqueue::<_, J>::new().lane(LANE).many(&mut tx, chunk).await?;
                tx.commit().await?;
            }
            Ok::<_, anyhow::Error>(())
        }
    });
    futures::future::try_join_all(inserters).await?;
    answer(start.elapsed().as_secs_f64())
}

async fn single(url: &str, jobs: usize, callers: usize) -> Result<()> {
    let queue = Arc::new(Queue::open(url, u32::try_from(callers)?).await?);
    let tenant = queue.tenant(url).await?;
    let start = Instant::now();
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let queue = Arc::clone(&queue);
        running.spawn(async move {
            for seq in (caller..jobs).step_by(callers) {
                insert(&queue, tenant, seq).await?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    answer(start.elapsed().as_secs_f64())
}

async fn timed(url: &str, jobs: usize, gap: Duration) -> Result<()> {
    let queue = Queue::open(url, 1).await?;
    let tenant = queue.tenant(url).await?;
    let mut tick = tokio::time::interval(gap);
    for seq in 0..jobs {
        tick.tick().await;
        let called = nanos(SystemTime::now());
        insert(&queue, tenant, seq).await?;
        cli::print::line(format_args!("E {seq} {} {}", Moment(called), Moment(nanos(SystemTime::now()))))?;
    }
    Ok(())
}

async fn insert(queue: &Queue, tenant: Uuid, seq: usize) -> Result<()> {
    let mut tx = queue.tx(tenant).await?;
    Enqueue::<_, Noop>::new().lane(LANE).one(&mut tx, &job(seq)).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_login_is_not_the_drivers() {
        assert_eq!(
            walled("postgres://postgres@127.0.0.1:55432/b").ok().as_deref(),
            Some("postgres://paloma@127.0.0.1:55432/b")
        );
    }
}
