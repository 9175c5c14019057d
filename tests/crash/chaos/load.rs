//! The load: work of every sort, made as fast as it is done, so that a fault always hits in the middle of it and what is left to do
//! afterwards is bounded. Each job is written down in the transaction that makes it.

use std::time::Duration;

use db::{Actor, Db, Scope, TenantTx, Why};
use jobs::{Enqueue, Enqueued, Job, batch, gate, lane};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::kinds::{Act, Close, Keyed, QUEUE, Step};

/// What passes the gate: tokens a second, and those that may collect.
pub const RATE: f64 = 20.0;
pub const BURST: f64 = 5.0;
/// With more live jobs than this no more are made.
const ENOUGH: i64 = 150;
const BATCH: usize = 40;
const CANCELLED: usize = 30;
const BETWEEN: Duration = Duration::from_millis(40);
/// A server that does not answer keeps the load no longer than this.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Work that goes on being made.
pub struct Load {
    stop: CancellationToken,
    making: JoinHandle<()>,
}

impl Load {
    /// Makes the tenant, its lanes and its gate, a batch and a lane that is cancelled; then goes on with the rest.
    pub async fn begin(db: Db, seed: u64) -> Self {
        let tenant = tenant(&db).await.expect("a tenant");
        first(&db, tenant).await.expect("the first jobs");
        let stop = CancellationToken::new();
        let (until, mut rng) = (stop.clone(), StdRng::seed_from_u64(seed));
        let making = tokio::spawn(async move {
            while until.run_until_cancelled(tokio::time::sleep(BETWEEN)).await.is_some() {
                // what a fault has kept from being made is not owed: only what is committed counts
                let _ = tokio::time::timeout(ANSWERED_WITHIN, more(&db, tenant, &mut rng)).await;
            }
        });
        Self { stop, making }
    }

    /// Makes no more.
    pub async fn end(self) {
        self.stop.cancel();
        self.making.await.expect("making work does not panic");
    }
}

async fn tenant(db: &Db) -> Result<Uuid, db::Error> {
    let mut tx = db.platform(Why::Operator).await?;
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into crm.tenants (id, slug, name, region, time_zone) values ($1, 'chaos', 'Chaos', 'US', 'UTC')",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(id)
}

async fn first(db: &Db, tenant: Uuid) -> anyhow::Result<()> {
    let mut tx = db.tenant(tenant, Actor::Operator).await?;
    let limits = gate::Limits { rate: Some(RATE), burst: BURST, cap: None };
    let gate = gate::configure(&mut tx, "line", limits).await?;
    lane::configure(&mut tx, QUEUE, "gated", 1, &[gate]).await?;
    let closing = Close {};
    let purpose = batch::open::<(), _>(&mut tx, "an import", &closing).await?;
    let steps = vec![Step { act: Act::Effect, work_ms: 5 }; BATCH];
    enqueue(&mut tx, Enqueue::new().batch(purpose), &steps, "batch").await?;
    batch::seal(&mut tx, purpose).await?;
    enqueue(&mut tx, Enqueue::new().lane("off").wait(Duration::from_secs(3600)), &steps[..CANCELLED], "cancelled")
        .await?;
    lane::cancel(&mut tx, QUEUE, "off").await?;
    tx.commit().await?;
    Ok(())
}

/// A handful of everything, where there is room for it.
async fn more(db: &Db, tenant: Uuid, rng: &mut StdRng) -> anyhow::Result<()> {
    let mut tx = db.tenant(tenant, Actor::Operator).await?;
    let live: i64 =
        sqlx::query_scalar("select (select count(*) from jobs.jobs) + (select count(*) from jobs.scheduled)")
            .fetch_one(tx.conn())
            .await?;
    if live >= ENOUGH {
        return Ok(());
    }
    for (act, name, count) in [
        (Act::Effect, "effect", 6),
        (Act::Call, "call", 6),
        (Act::FailOnce, "fail_once", 1),
        (Act::Discard, "discard", 1),
    ] {
        let steps: Vec<Step> = (0..count).map(|_| step(act, rng)).collect();
        let lane = format!("plain/{}", rng.random_range(0..3));
        enqueue(&mut tx, Enqueue::new().lane(lane), &steps, name).await?;
    }
    enqueue(&mut tx, Enqueue::new().lane("gated"), &[step(Act::Call, rng)], "gated").await?;
    let later = Enqueue::new().lane("plain/0").wait(Duration::from_millis(rng.random_range(100..1500)));
    enqueue(&mut tx, later, &[step(Act::Call, rng)], "later").await?;
    let keyed = Keyed { key: rng.random_range(0..20).to_string(), step: step(Act::Call, rng) };
    enqueue(&mut tx, Enqueue::new(), &[keyed], "keyed").await?;
    tx.commit().await?;
    Ok(())
}

fn step(act: Act, rng: &mut StdRng) -> Step {
    Step { act, work_ms: rng.random_range(5..60) }
}

/// Makes them and writes down those that were made; a duplicate is somebody else's.
async fn enqueue<J: Job<()>>(tx: &mut TenantTx, occasion: Enqueue<(), J>, jobs: &[J], act: &str) -> anyhow::Result<()> {
    let made: Vec<i64> = occasion
        .many(tx, jobs)
        .await?
        .into_iter()
        .filter_map(|enqueued| match enqueued {
            Enqueued::Created(id) => Some(id),
            Enqueued::Duplicate(_) => None,
        })
        .collect();
    sqlx::query("insert into public.enqueued (job_id, act) select u.id, $2 from unnest($1::bigint[]) u(id)")
        .bind(made)
        .bind(act)
        .execute(tx.conn())
        .await?;
    Ok(())
}
