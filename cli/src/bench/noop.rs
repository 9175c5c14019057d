//! The job that does nothing, and the worker process that runs it: the engine under apalis, as in `paloma-worker`, with a counter for
//! an application. Says on standard output how far it is; ends when its standard input does, so that it never outlives the bench.

use anyhow::Result;
use clap::Args;
use db::Db;
use jobs::{Cx, Done, Engine, Job, JobResult, Queue, Registry, Settings, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Read;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The queue of the bench.
pub const QUEUE: Queue = Queue("bench");
const TOLD_EVERY: Duration = Duration::from_millis(20);

/// Settings of a worker process of a bench.
#[derive(Debug, Args)]
pub struct WorkerArguments {
    /// The bench's database.
    #[arg(long, env = "PALOMA_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Its slots.
    #[arg(long)]
    slots: usize,
    /// Say when each job starts.
    #[arg(long)]
    timed: bool,
}

/// A payload such as a send has: ids, about 200 bytes of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct Noop {
    seq: i64,
    recipient: Uuid,
    contact: Uuid,
    line: Uuid,
    step: String,
}

impl Noop {
    /// The job of that number.
    pub fn new(seq: i64) -> Self {
        let id = |part: u64| Uuid::from_u64_pair(part, seq.cast_unsigned());
        Self { seq, recipient: id(1), contact: id(2), line: id(3), step: "first-message".to_owned() }
    }
}

/// What this process has seen start.
#[derive(Debug)]
pub struct Seen {
    count: AtomicU64,
    first: AtomicI64,
    is_timed: bool,
}

impl Job<Arc<Seen>> for Noop {
    type Scope = Tenant;
    const KIND: &'static str = "bench.noop";
    const QUEUE: Queue = QUEUE;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<Arc<Seen>, Tenant>) -> JobResult {
        let seen = &cx.app;
        if seen.is_timed {
            // a driver that has gone ends this process by our standard input: the job is not at fault
            let _ = cli::print::line(format_args!("S {} {}", self.seq, Moment(nanos(SystemTime::now()))));
        } else if seen.first.load(Ordering::Relaxed) == 0 {
            let now = nanos(SystemTime::now());
            // a loser of the race started later than the winner, or within the same microsecond
            let _ = seen.first.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
        seen.count.fetch_add(1, Ordering::Relaxed);
        Ok(Done::Now)
    }
}

/// Nanoseconds since 1970, which all processes of one machine count alike.
pub fn nanos(at: SystemTime) -> i64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}

/// A time as processes tell it one another: seconds since 1970 with nine digits after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}
impl FromStr for Moment {
    type Err = ParseIntError;
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        Ok(Self(text.replacen('.', "", 1).parse()?))
    }
}

/// The kinds of the bench.
pub fn registry() -> Registry<Arc<Seen>> {
    Registry::new().add::<Noop>().add::<Keyed>()
}

/// The same with a unique key, which is free again once the job has ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keyed {
    /// What it carries and what it is unique by.
    pub noop: Noop,
}

impl Job<Arc<Seen>> for Keyed {
    type Scope = Tenant;
    const KIND: &'static str = "bench.keyed";
    const QUEUE: Queue = QUEUE;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.noop.recipient.into())
    }
    async fn run(self, cx: Cx<Arc<Seen>, Tenant>) -> JobResult {
        self.noop.run(cx).await
    }
}

/// Runs jobs until standard input ends.
pub async fn work(arguments: &WorkerArguments) -> Result<()> {
    let stop = CancellationToken::new();
    let ended = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ended.cancel();
    });
    work_until(arguments.database_url.clone(), arguments.slots, arguments.timed, stop).await
}

/// Runs jobs until told to stop.
pub async fn work_until(url: String, slots: usize, is_timed: bool, stop: CancellationToken) -> Result<()> {
    let db = Db::connect(db::Options { url, name: "paloma-bench", connections: 4, direct_url: None }).await?;
    let seen = Arc::new(Seen { count: AtomicU64::new(0), first: AtomicI64::new(0), is_timed });
    let settings = Settings::new("bench", vec![(QUEUE, slots)]);
    let engine = Engine::start(db, Arc::clone(&seen), registry(), settings).await?;
    cli::print::line("READY")?;
    tokio::spawn(tell(seen));
    jobs::apalis::run(engine, "bench", stop).await;
    Ok(())
}

async fn tell(seen: Arc<Seen>) -> Result<()> {
    let mut tick = tokio::time::interval(TOLD_EVERY);
    let mut told = 0;
    loop {
        tick.tick().await;
        let count = seen.count.load(Ordering::Relaxed);
        if count == told {
            continue;
        }
        if told == 0 {
            cli::print::line(format_args!("F {}", Moment(seen.first.load(Ordering::Relaxed))))?;
        }
        cli::print::line(format_args!("N {count} {}", Moment(nanos(SystemTime::now()))))?;
        told = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_was_told() {
        for nanos in [0, 1, 1_764_028_811_000_000_005, 999_999_999] {
            assert_eq!(Moment(nanos).to_string().parse(), Ok(Moment(nanos)));
        }
    }
}
