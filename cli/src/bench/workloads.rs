//! The loads: many inserts, many jobs, one job at a time, one job at a time from many.

use super::fleet::{Fleet, Said};
use super::ground::{Ground, Meters, Used};
use super::noop::{Noop, QUEUE, nanos};
use super::{QueueArguments, Report, Workload, latency, singles};
use anyhow::{Result, bail};
use jobs::{Enqueue, gate, lane};
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

/// Jobs of one inserting transaction.
const CHUNK: usize = 1000;
/// Connections that insert.
const INSERTERS: usize = 2;
const GAP: Duration = Duration::from_millis(20);
/// How long a rate takes for all jobs, and how much of a second's tokens collect.
const LIMITED_S: f64 = 10.0;
const BURST_S: f64 = 0.1;
/// New workers come to rest before the meters are read.
pub const REST: Duration = Duration::from_millis(500);

/// Measures what was asked for.
pub async fn run(arguments: &QueueArguments, ground: &mut Ground) -> Result<Report> {
    let jobs = arguments.jobs.unwrap_or(match arguments.workload {
        Workload::Latency => 500,
        Workload::Single => 10_000,
        _ => 50_000,
    });
    match arguments.workload {
        Workload::Enqueue => enqueue(arguments, ground, jobs).await,
        Workload::Drain | Workload::Limits => drain(arguments, ground, jobs).await,
        Workload::Fair => fair(arguments, ground, jobs).await,
        Workload::Latency => latency::measure(arguments, ground, jobs).await,
        Workload::Single => singles::measure(arguments, ground, jobs).await,
        Workload::Coalesced => coalesced(arguments, ground, jobs).await,
    }
}

/// What a run gave; those that not every workload has are put into the report afterwards.
pub struct Figures {
    pub seconds: f64,
    pub sorted_ms: Vec<f64>,
    pub used: Used,
}

/// The figures as they are told.
pub fn report(arguments: &QueueArguments, jobs: u32, figures: &Figures) -> Report {
    let Figures { seconds, sorted_ms, used } = figures;
    Report {
        workload: arguments.workload,
        jobs,
        workers: match arguments.workload {
            Workload::Enqueue | Workload::Coalesced | Workload::Single => 0,
            Workload::Drain | Workload::Latency | Workload::Fair | Workload::Limits => arguments.workers,
        },
        slots: arguments.slots,
        tenants: arguments.tenants(),
        lanes: arguments.lanes,
        gated: arguments.gated,
        beside: arguments.beside,
        pinned: arguments.pinned,
        release: !cfg!(debug_assertions),
        jobs_per_s: rounded(f64::from(jobs) / seconds),
        p50_ms: rounded(percentile(sorted_ms, 0.50)),
        p99_ms: rounded(percentile(sorted_ms, 0.99)),
        cpu_us_per_job: rounded(used.server_us + used.client_us),
        server_cpu_us_per_job: rounded(used.server_us),
        client_cpu_us_per_job: rounded(used.client_us),
        wal_bytes_per_job: rounded(used.wal_bytes),
        insert: None,
        share_of_bare: None,
        share_of_rate: None,
    }
}

async fn enqueue(arguments: &QueueArguments, ground: &mut Ground, jobs: u32) -> Result<Report> {
    ground.settle().await?;
    let before = ground.read(&[std::process::id()]).await?;
    let start = Instant::now();
    let mut took = insert_all(ground, jobs, arguments).await?;
    let seconds = start.elapsed().as_secs_f64();
    let used = ground.read(&[std::process::id()]).await?.used(before, jobs);
    took.sort_by(f64::total_cmp);
    Ok(report(arguments, jobs, &Figures { seconds, sorted_ms: took, used }))
}

async fn coalesced(arguments: &QueueArguments, ground: &mut Ground, jobs: u32) -> Result<Report> {
    ground.settle().await?;
    let before = ground.read(&[std::process::id()]).await?;
    let start = Instant::now();
    let mut took = super::coalesced::insert_all(ground, jobs, arguments.callers.unwrap_or(512)).await?;
    let seconds = start.elapsed().as_secs_f64();
    let used = ground.read(&[std::process::id()]).await?.used(before, jobs);
    ground.check_waiting(jobs).await?;
    took.sort_by(f64::total_cmp);
    Ok(report(arguments, jobs, &Figures { seconds, sorted_ms: took, used }))
}

/// Answers how long each transaction took, in milliseconds.
async fn insert_all(ground: &Ground, jobs: u32, arguments: &QueueArguments) -> Result<Vec<f64>> {
    let (tenants, lanes) = (arguments.tenants as usize, arguments.lanes as usize);
    // where there are more lanes than chunks, chunks are smaller
    let size = (jobs as usize).div_ceil(tenants * lanes).clamp(1, CHUNK);
    let chunks: Vec<Vec<Noop>> = (0..i64::from(jobs))
        .collect::<Vec<_>>()
        .chunks(size)
        .map(|seqs| seqs.iter().map(|seq| Noop::new(*seq)).collect())
        .collect();
    let inserters = (0..INSERTERS).map(|inserter| {
        let mine: Vec<(usize, &Vec<Noop>)> = chunks.iter().enumerate().skip(inserter).step_by(INSERTERS).collect();
        async move {
            let mut took = Vec::new();
            for (number, chunk) in mine {
                let start = Instant::now();
                let mut tx = ground.tx_of(number % tenants).await?;
                let lane = lane_name((number / tenants) % lanes);
                Enqueue::<_, Noop>::new().lane(lane).many(&mut tx, chunk).await?;
                tx.commit().await?;
                took.push(start.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<_, anyhow::Error>(took)
        }
    });
    Ok(futures::future::try_join_all(inserters).await?.concat())
}

/// The lane of that number.
pub fn lane_name(number: usize) -> String {
    format!("bench/{number}")
}

async fn drain(arguments: &QueueArguments, ground: &mut Ground, jobs: u32) -> Result<Report> {
    let limits = match arguments.workload {
        Workload::Limits => Some((f64::from(jobs) / LIMITED_S, (f64::from(jobs) / LIMITED_S * BURST_S).max(1.0))),
        _ => arguments.gated.then_some((1e9, 1e9)),
    };
    make_lanes(arguments, ground, limits).await?;
    insert_all(ground, jobs, arguments).await?;
    if let Some(beside) = arguments.beside {
        ground.put_beside(beside, 1_000_000).await?;
    }
    let (mut fleet, pids, before) = begin(arguments, ground).await?;
    open_lanes(arguments, ground).await?;
    let first = started(&mut fleet, jobs).await?;
    while !ground.is_empty().await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seconds = (nanos(SystemTime::now()) - first) as f64 / 1e9;
    let used = ground.read(&pids).await?.used(before, jobs);
    fleet.stop().await?;
    ground.check(jobs).await?;
    let sorted_ms = ground.held_ms().await?;
    let mut report = report(arguments, jobs, &Figures { seconds, sorted_ms, used });
    if let (Some((rate, burst)), Workload::Limits) = (limits, arguments.workload) {
        report.share_of_rate = Some(share_of_rate(&ground.lease_times().await?, rate, burst)?);
    }
    Ok(report)
}

/// Workers at rest, their process ids, and the meters before they have work.
async fn begin(arguments: &QueueArguments, ground: &mut Ground) -> Result<(Fleet, Vec<u32>, Meters)> {
    ground.settle().await?;
    if arguments.pinned {
        ground.pin().await?;
    }
    let fleet = Fleet::start(&ground.url(), ground.folder(), arguments.workers, arguments.slots, false).await?;
    tokio::time::sleep(REST).await;
    let pids = fleet.pids();
    let before = ground.read(&pids).await?;
    Ok((fleet, pids, before))
}

/// Lanes of each tenant, closed while workers start, so that all of them start at once; behind a gate of the tenant where limits are given, as
/// rate and burst.
async fn make_lanes(arguments: &QueueArguments, ground: &Ground, limits: Option<(f64, f64)>) -> Result<()> {
    for tenant in 0..arguments.tenants as usize {
        let mut tx = ground.tx_of(tenant).await?;
        let mut gates = Vec::new();
        if let Some((rate, burst)) = limits {
            let limits = gate::Limits { rate: Some(rate), burst, cap: None };
            gates.push(gate::configure(&mut tx, "bench", limits).await?);
        }
        for number in 0..arguments.lanes as usize {
            lane::configure(&mut tx, QUEUE, &lane_name(number), 1, &gates).await?;
            lane::pause(&mut tx, QUEUE, &lane_name(number)).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn open_lanes(arguments: &QueueArguments, ground: &Ground) -> Result<()> {
    for tenant in 0..arguments.tenants as usize {
        let mut tx = ground.tx_of(tenant).await?;
        for number in 0..arguments.lanes as usize {
            lane::resume(&mut tx, QUEUE, &lane_name(number)).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Of what the rate allowed from the first start to the last, beyond the burst.
fn share_of_rate(times: &[f64], rate: f64, burst: f64) -> Result<f64> {
    // of all windows that end at a start, the fullest begins where the rate was furthest ahead of the starts
    let mut lead = f64::MIN;
    for (number, at) in times.iter().enumerate() {
        lead = lead.max(rate * at - number as f64);
        let beyond = (number as f64 + 1.0) - rate * at + lead - burst;
        // the times are of microseconds
        if beyond > 1e-3 + rate * 2e-6 {
            bail!("{beyond} more than its burst and rate allow passed the gate by then");
        }
    }
    let window = times.last().copied().unwrap_or_default() - times.first().copied().unwrap_or_default();
    Ok(rounded((times.len() as f64 - burst) / (rate * window)))
}

async fn fair(arguments: &QueueArguments, ground: &mut Ground, jobs: u32) -> Result<Report> {
    make_lanes(arguments, ground, None).await?;
    insert_all(ground, jobs, arguments).await?;
    let (mut fleet, pids, before) = begin(arguments, ground).await?;
    open_lanes(arguments, ground).await?;
    let start = Instant::now();
    let mut small = 0;
    let mut tick = tokio::time::interval(GAP);
    while !ground.is_empty().await? {
        tick.tick().await;
        let mut tx = ground.tx_of(1).await?;
        Enqueue::<_, Noop>::new().lane("small").one(&mut tx, &Noop::new(-1)).await?;
        tx.commit().await?;
        small += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let used = ground.read(&pids).await?.used(before, jobs + small);
    started(&mut fleet, jobs + small).await?;
    fleet.stop().await?;
    ground.check(jobs + small).await?;
    let sorted_ms = ground.seconds_ms().await?;
    Ok(report(arguments, jobs, &Figures { seconds, sorted_ms, used }))
}

/// Waits until all jobs have started, and answers when the first of them did.
async fn started(fleet: &mut Fleet, jobs: u32) -> Result<i64> {
    let mut first = i64::MAX;
    let mut counts: HashMap<usize, u64> = HashMap::new();
    while counts.values().sum::<u64>() < u64::from(jobs) {
        match fleet.hear().await? {
            Said::First(at) => first = first.min(at),
            Said::Count { worker, count } => {
                counts.insert(worker, count);
            }
            Said::Ready | Said::Started { .. } | Said::Ended => {}
        }
    }
    Ok(first)
}

/// That part of sorted values.
pub fn percentile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}

/// To two digits.
pub fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
