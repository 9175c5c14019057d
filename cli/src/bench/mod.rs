//! `paloma bench`: what the queue engine, the inbox and the live feed can do on this machine, on a durable cluster and through the same
//! programs as in production. Measures and checks; judges nothing.

mod coalesced;
mod cpu;
mod fleet;
mod foreign;
mod ground;
mod inbox;
mod latency;
mod noop;
mod peer;
mod singles;
mod sockets;
mod workloads;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use cli::stack::StopSignal;
use ground::Ground;
use serde::Serialize;
use std::path::PathBuf;

pub use noop::WorkerArguments;
pub use peer::PeerArguments;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchVerb {
    /// Measure the queue with jobs that do nothing, and print one line.
    Queue(QueueArguments),
    /// Measure the inbox over HTTP on a database of any size, and print a table.
    Inbox(inbox::InboxArguments),
    /// Measure the live feed: memory of silent sockets, and how soon events reach all of them.
    Sockets(sockets::SocketsArguments),
    /// Measure whether another tenant's thing is told from a missing one by the time that its 404 takes.
    Foreign(foreign::ForeignArguments),
    /// The other ends of the sockets.
    #[command(hide = true)]
    Listen(sockets::ListenArguments),
    /// One step of a comparison with other queues, for the driver of that comparison.
    #[command(hide = true)]
    Peer(PeerArguments),
    /// One of the worker processes that a bench starts.
    #[command(hide = true)]
    Worker(WorkerArguments),
}

/// How to load the queue.
#[derive(Debug, Args)]
pub struct QueueArguments {
    /// What is measured.
    #[arg(long, default_value = "drain")]
    workload: Workload,
    /// How many jobs; otherwise 50000, or 500 where they come one by one.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Worker processes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Slots of each worker process.
    #[arg(long, default_value_t = 1000)]
    slots: usize,
    /// Callers that each wait for their insert before the next; otherwise 512 where these are coalesced, and 16 where each is a transaction.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    callers: Option<u32>,
    /// Jobs inserted a second where they come one by one at a rate.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Keep a transaction open all the time, so that nothing that has ended can be cleaned up.
    #[arg(long)]
    pinned: bool,
    /// Tenants that the jobs of a drain are spread over.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    tenants: u32,
    /// Put all lanes of a tenant behind a gate with a bucket, wide open, and a breaker.
    #[arg(long)]
    gated: bool,
    /// A million jobs beside those of a drain.
    #[arg(long)]
    beside: Option<Beside>,
    /// Lanes that the jobs of each tenant are spread over.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    lanes: u32,
    /// Where the database's temporary folder is made; otherwise where temporary files go. A folder in memory measures no disk.
    #[arg(long)]
    location: Option<PathBuf>,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

impl QueueArguments {
    /// `fair` is about a second tenant beside the first.
    fn tenants(&self) -> u32 {
        if self.workload == Workload::Fair { 2 } else { self.tenants }
    }
}

/// What a claim should not have to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// Due in a day.
    Future,
    /// In a paused lane.
    Paused,
    /// Ended.
    Completed,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// Insert in transactions of 1,000, on two connections.
    Enqueue,
    /// Run what has been inserted before.
    Drain,
    /// Insert one by one at a rate, and tell how long each took from its commit to its start.
    Latency,
    /// Insert one by one from several callers, each in a transaction of its own, by turns through the queue and as a bare row of the same table.
    Single,
    /// Insert one by one from many callers at once, written together in groups as the API does.
    Coalesced,
    /// Drain one tenant's jobs while another inserts a job each 20 ms, and tell how long these took until they had ended.
    Fair,
    /// Drain behind one rate that lets all through in ten seconds; refused if more passed in any time than it allows.
    Limits,
}

/// What came out.
#[derive(Debug, Serialize)]
struct Report {
    workload: Workload,
    jobs: u32,
    workers: u32,
    slots: usize,
    tenants: u32,
    lanes: u32,
    gated: bool,
    beside: Option<Beside>,
    pinned: bool,
    /// Built with optimisation: figures of a debug build mean nothing.
    release: bool,
    jobs_per_s: f64,
    /// Enqueue: a transaction of 1,000. Drain: from lease to completion. Latency: from the insert's answer to the start. Fair: the other tenant's, from due to ended. Coalesced and single: one insert.
    p50_ms: f64,
    p99_ms: f64,
    cpu_us_per_job: f64,
    server_cpu_us_per_job: f64,
    client_cpu_us_per_job: f64,
    wal_bytes_per_job: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    insert: Option<latency::Insert>,
    /// Single: inserts a second by those of bare rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_bare: Option<f64>,
    /// Of what the rate allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_rate: Option<f64>,
}

/// Does what the verb says.
pub async fn obey(verb: BenchVerb) -> Result<()> {
    match verb {
        BenchVerb::Peer(arguments) => peer::obey(arguments).await,
        BenchVerb::Worker(arguments) => noop::work(&arguments).await,
        BenchVerb::Sockets(arguments) => sockets::obey(&arguments).await,
        BenchVerb::Foreign(arguments) => foreign::obey(&arguments).await,
        BenchVerb::Listen(arguments) => sockets::listen(&arguments).await,
        BenchVerb::Inbox(arguments) => inbox::obey(&arguments).await,
        BenchVerb::Queue(arguments) => {
            let stop = StopSignal::listen()?;
            let mut ground = Ground::start(arguments.location.as_deref(), arguments.tenants()).await?;
            let outcome = tokio::select! {
                outcome = workloads::run(&arguments, &mut ground) => outcome,
                () = stop.requested() => Err(anyhow::anyhow!("stopped")),
            };
            ground.clear().await?;
            print(arguments.json, &outcome?)
        }
    }
}

fn print(as_json: bool, report: &Report) -> Result<()> {
    if as_json {
        return cli::print::json(report);
    }
    let value = serde_json::to_value(report)?;
    let figures = value.as_object().into_iter().flatten();
    cli::print::text(figures.map(|(name, figure)| format!("{name:<24} {figure}\n")).collect::<String>())
}
