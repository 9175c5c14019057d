//! Single inserts, each in a transaction of its caller under the tenant's role: through the queue and, by turns with it, as a bare row of the
//! same table, which is the least that a transactional insert can cost.

use super::ground::{Ground, Meters};
use super::noop::Noop;
use super::workloads::{Figures, lane_name, report, rounded};
use super::{QueueArguments, Report};
use anyhow::Result;
use db::{Actor, Db, Scope};
use jobs::Enqueue;
use serde_json::Value;
use sqlx::types::Json;
use std::time::Instant;
use tokio::task::JoinSet;
use uuid::Uuid;

const CALLERS: u32 = 16;
/// Turns of either kind; their medians are told.
const ROUNDS: usize = 5;

/// Inserts `jobs` each turn.
pub async fn measure(arguments: &QueueArguments, ground: &mut Ground, jobs: u32) -> Result<Report> {
    let callers = arguments.callers.unwrap_or(CALLERS);
    let url = ground.url();
    let db = Db::connect(db::Options { url, name: "paloma-bench", connections: callers, direct_url: None }).await?;
    let (mut rates, mut bare_rates, mut took) = (Vec::new(), Vec::new(), Vec::new());
    let mut used = None;
    for _ in 0..ROUNDS {
        ground.settle().await?;
        bare_rates.push(f64::from(jobs) / round(&db, ground.tenant(), jobs, callers, true).await?.0);
        ground.settle().await?;
        let before: Meters = ground.read(&[std::process::id()]).await?;
        let (seconds, ms) = round(&db, ground.tenant(), jobs, callers, false).await?;
        used = Some(ground.read(&[std::process::id()]).await?.used(before, jobs));
        rates.push(f64::from(jobs) / seconds);
        took.extend(ms);
    }
    db.close();
    ground.check_waiting(jobs * 2 * ROUNDS as u32).await?;
    took.sort_by(f64::total_cmp);
    let used = used.ok_or_else(|| anyhow::anyhow!("no round was measured"))?;
    let rate = median(rates);
    let figures = Figures { seconds: f64::from(jobs) / rate, sorted_ms: took, used };
    let mut report = report(arguments, jobs, &figures);
    report.share_of_bare = Some(rounded(rate / median(bare_rates)));
    Ok(report)
}

/// How many seconds all took, and how many milliseconds each.
async fn round(db: &Db, tenant: Uuid, jobs: u32, callers: u32, is_bare: bool) -> Result<(f64, Vec<f64>)> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let db = db.clone();
        running.spawn(async move {
            let mut took = Vec::new();
            for seq in (caller..jobs).step_by(callers as usize) {
                let start = Instant::now();
                if is_bare {
                    insert_bare(&db, tenant, seq).await?;
                } else {
                    insert(&db, tenant, seq).await?;
                }
                took.push(start.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<_, anyhow::Error>(took)
        });
    }
    let mut took = Vec::with_capacity(jobs as usize);
    while let Some(ended) = running.join_next().await {
        took.extend(ended??);
    }
    Ok((start.elapsed().as_secs_f64(), took))
}

async fn insert(db: &Db, tenant: Uuid, seq: u32) -> Result<()> {
    let mut tx = db.tenant(tenant, Actor::Operator).await?;
    Enqueue::<_, Noop>::new().lane(lane_name(0)).one(&mut tx, &Noop::new(i64::from(seq))).await?;
    Ok(tx.commit().await?)
}

async fn insert_bare(db: &Db, tenant: Uuid, seq: u32) -> Result<()> {
    let payload: Value = serde_json::to_value(Noop::new(i64::from(seq)))?;
    let mut tx = db.tenant(tenant, Actor::Operator).await?;
    sqlx::query(
        "insert into jobs.jobs (tenant_number, lane_id, queue, kind, max_attempts, run_at, payload) values (app.tenant_number(), 1, 1, 1, 1, now(), $1)",
    )
    .bind(Json(payload))
    .execute(tx.conn())
    .await?;
    Ok(tx.commit().await?)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
