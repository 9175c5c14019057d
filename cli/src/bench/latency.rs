//! Jobs that come one by one: how long each takes from the commit of its insert to the start of its handler.

use super::fleet::{Fleet, Said};
use super::ground::Ground;
use super::noop::{Noop, nanos};
use super::workloads::{Figures, REST, lane_name, percentile, report, rounded};
use super::{QueueArguments, Report};
use anyhow::Result;
use jobs::Enqueue;
use serde::Serialize;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// What the inserts took, beside the pickup, and whether pickups grew slower.
#[derive(Debug, Serialize)]
pub struct Insert {
    insert_p50_ms: f64,
    insert_p99_ms: f64,
    /// From the call to the start.
    total_p50_ms: f64,
    total_p99_ms: f64,
    /// The p99 of the pickup in each fifth of the run, in order.
    fifths_p99_ms: Vec<f64>,
}

/// One job, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Seen {
    called: i64,
    committed: i64,
}

/// Inserts at a rate, whatever becomes of those before, and hears of each start.
pub async fn measure(arguments: &QueueArguments, ground: &mut Ground, jobs: u32) -> Result<Report> {
    let mut fleet = Fleet::start(&ground.url(), ground.folder(), arguments.workers, arguments.slots, true).await?;
    // the first job makes the lane and fills caches
    for warm in 0..20 {
        insertion(ground, -1 - warm, arguments.lanes).await?;
        fleet.hear().await?;
    }
    if arguments.pinned {
        ground.pin().await?;
    }
    tokio::time::sleep(REST).await;
    let ours = [fleet.pids(), vec![std::process::id()]].concat();
    let before = ground.read(&ours).await?;
    let start = Instant::now();
    let seen = insert_at_rate(arguments, ground, jobs).await?;
    let mut starts: HashMap<i64, i64> = HashMap::new();
    while starts.len() < jobs as usize {
        if let Said::Started { seq, at } = fleet.hear().await? {
            starts.insert(seq, at);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    while !ground.is_empty().await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let used = ground.read(&ours).await?.used(before, jobs);
    fleet.stop().await?;
    ground.check(jobs + 20).await?;

    let ms = |from: i64, to: i64| (to - from) as f64 / 1e6;
    let started = |seq: usize| starts.get(&(seq as i64)).copied().unwrap_or_default();
    let pickups: Vec<f64> = seen.iter().enumerate().map(|(seq, one)| ms(one.committed, started(seq))).collect();
    let inserts = sorted(seen.iter().map(|one| ms(one.called, one.committed)).collect());
    let totals = sorted(seen.iter().enumerate().map(|(seq, one)| ms(one.called, started(seq))).collect());
    let fifth = pickups.len().div_ceil(5).max(1);
    let insert = Insert {
        insert_p50_ms: rounded(percentile(&inserts, 0.50)),
        insert_p99_ms: rounded(percentile(&inserts, 0.99)),
        total_p50_ms: rounded(percentile(&totals, 0.50)),
        total_p99_ms: rounded(percentile(&totals, 0.99)),
        fifths_p99_ms: pickups.chunks(fifth).map(|part| rounded(percentile(&sorted(part.to_vec()), 0.99))).collect(),
    };
    let mut report = report(arguments, jobs, &Figures { seconds, sorted_ms: sorted(pickups), used });
    report.insert = Some(insert);
    Ok(report)
}

async fn insert_at_rate(arguments: &QueueArguments, ground: &Ground, jobs: u32) -> Result<Vec<Seen>> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut seen = vec![Seen { called: 0, committed: 0 }; jobs as usize];
    let mut running = JoinSet::new();
    let mut next = 0;
    while next < jobs as usize || !running.is_empty() {
        tokio::select! {
            _ = tick.tick(), if next < jobs as usize => {
                let inserting = insertion(ground, next as i64, arguments.lanes);
                let number = next;
                running.spawn(async move {
                    let called = nanos(SystemTime::now());
                    inserting.await?;
                    Ok::<_, anyhow::Error>((number, Seen { called, committed: nanos(SystemTime::now()) }))
                });
                next += 1;
            }
            Some(ended) = running.join_next() => {
                let (number, one) = ended??;
                seen[number] = one;
            }
        }
    }
    Ok(seen)
}

/// One job in a transaction of its own, on any connection.
fn insertion(ground: &Ground, seq: i64, lanes: u32) -> impl Future<Output = Result<()>> + Send + use<> {
    let (db, tenant) = (ground.db.clone(), ground.tenant());
    async move {
        let mut tx = db.tenant(tenant, db::Actor::Operator).await?;
        let lane = lane_name(seq.unsigned_abs() as usize % lanes as usize);
        Enqueue::<_, Noop>::new().lane(lane).one(&mut tx, &Noop::new(seq)).await?;
        Ok(tx.commit().await?)
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
