//! Single enqueues from many callers, through the groups that the API writes them with: each caller waits for the commit of its own job before
//! it makes the next.

use super::ground::Ground;
use super::noop::Noop;
use anyhow::Result;
use jobs::{Enqueue, Enqueued, Group, KeyScope, Row};
use std::time::Instant;
use tokio::task::JoinSet;

/// Requests of one transaction at most, as in the API.
const MOST: usize = 500;
const LANE: &str = "bench/0";

/// Answers how long each insert took, in milliseconds.
pub async fn insert_all(ground: &Ground, jobs: u32, callers: u32) -> Result<Vec<f64>> {
    let (db, tenant) = (ground.db.clone(), ground.tenant());
    let group: Group<i64, Enqueued> = Group::start(
        MOST,
        |_| 1,
        move |seqs: Vec<i64>| {
            let db = db.clone();
            async move {
                let made: Vec<Noop> = seqs.into_iter().map(Noop::new).collect();
                let rows: Vec<Row<'_, Noop>> = made.iter().map(|job| Row { job, run_at: None, key: None }).collect();
                let mut tx = db.tenant(tenant, db::Actor::Operator).await?;
                let enqueued = Enqueue::<_, Noop>::new().lane(LANE).each(&mut tx, &rows, KeyScope::WhileLive).await?;
                tx.commit().await?;
                Ok(enqueued)
            }
        },
    );
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let group = group.clone();
        running.spawn(async move {
            let mut took = Vec::new();
            for seq in (caller..jobs).step_by(callers as usize) {
                let start = Instant::now();
                group.submit(i64::from(seq)).await?;
                took.push(start.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<_, anyhow::Error>(took)
        });
    }
    let mut all = Vec::with_capacity(jobs as usize);
    while let Some(took) = running.join_next().await {
        all.extend(took??);
    }
    Ok(all)
}
