//! What keeps the promises when something dies: leases are renewed, those of the dead are freed, batches are folded, breakers told,
//! old rows pruned. Every worker does it; locks see to it that no two do the same at once.

use std::time::Duration;

use db::{Db, EngineConn};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    dispatch::RunningJobs,
    gate::{self, Verdict},
    worker::Settings,
};

/// A job over which so many workers died is discarded with the evidence.
pub(crate) const MAX_CRASHES: i32 = 5;
/// Pages of a table read by a sample of what tenants have queued: some 16 MB.
const SAMPLED_PAGES: i32 = 2000;
/// Days of history kept.
const KEEP_DAYS: i32 = 7;

#[derive(Clone)]
pub(crate) struct Keeper {
    pub db: Db,
    pub process: Uuid,
    pub settings: Settings,
    pub running: RunningJobs,
    pub ended: CancellationToken,
}

impl Keeper {
    /// Says that the process lives, and extends its leases.
    pub async fn renew_once(&self) -> Result<(), db::Error> {
        let mut conn = self.db.engine().await?;
        self.renew_with(&mut conn).await
    }

    async fn renew_with(&self, conn: &mut EngineConn) -> Result<(), db::Error> {
        let (ids, fences): (Vec<i64>, Vec<i64>) = {
            let running = self.running.lock().expect("nothing panics while it is held");
            running.iter().map(|(id, job)| (*id, job.fence)).unzip()
        };
        let queues: Vec<&str> = self.settings.queues.iter().map(|(queue, _)| queue.0).collect();
        let lost: Vec<i64> = sqlx::query_scalar("select * from jobs.renew($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(self.process)
            .bind(&self.settings.name)
            .bind(std::env::var("HOSTNAME").unwrap_or_default())
            .bind(i32::try_from(std::process::id()).unwrap_or(0))
            .bind(queues)
            .bind(self.settings.lease.as_secs_f64())
            .bind(&ids)
            .bind(&fences)
            .fetch_all(conn.conn())
            .await?;
        if !lost.is_empty() {
            let fences: std::collections::HashMap<i64, i64> = ids.into_iter().zip(fences).collect();
            let running = self.running.lock().expect("nothing panics while it is held");
            for id in &lost {
                // one that has ended or been leased again since is not lost
                if let Some(job) = running.get(id).filter(|job| fences.get(id) == Some(&job.fence)) {
                    tracing::debug!(job.id = id, "its row is gone: it has settled itself, or the lease is lost");
                    job.cancel.cancel();
                }
            }
        }
        Ok(())
    }

    /// Renews three times in a lease, until the engine has ended.
    pub async fn renew(self) {
        let mut conn = None;
        let every = self.settings.lease / 3;
        let mut wait = every;
        loop {
            tokio::select! {
                () = self.ended.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = match self.with(&mut conn, async |keeper, conn| keeper.renew_with(conn).await).await {
                Ok(()) => every,
                Err(error) => {
                    tracing::warn!(%error, "the leases could not be renewed");
                    conn = None;
                    (every / 5).min(Duration::from_secs(1))
                }
            };
        }
    }

    async fn with<F>(&self, slot: &mut Option<EngineConn>, work: F) -> Result<(), db::Error>
    where
        F: AsyncFnOnce(&Self, &mut EngineConn) -> Result<(), db::Error>,
    {
        if slot.is_none() {
            *slot = Some(self.db.engine().await?);
        }
        match slot {
            Some(conn) => work(self, conn).await,
            None => Ok(()),
        }
    }

    /// The chores, every half second; the rare ones every minute.
    pub async fn upkeep(self, mut verdicts: mpsc::UnboundedReceiver<Verdict>) {
        let mut conn = None;
        let mut round = 0_u32;
        let mut pending: Option<Verdict> = None;
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.ended.cancelled() => return,
                verdict = verdicts.recv(), if pending.is_none() => pending = verdict,
                _ = tick.tick() => {}
            }
            let told = pending.take();
            let result = self
                .with(&mut conn, async |keeper, conn| {
                    if let Some(verdict) = &told {
                        return Ok(gate::apply(conn.conn(), verdict, keeper.process).await?);
                    }
                    keeper.chores(conn, round).await
                })
                .await;
            if told.is_none() {
                round = round.wrapping_add(1);
            }
            if let Err(error) = result {
                tracing::warn!(%error, "upkeep failed; it is tried again");
                conn = None;
                pending = told;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    async fn chores(&self, conn: &mut EngineConn, round: u32) -> Result<(), db::Error> {
        let freed: i32 = sqlx::query_scalar("select jobs.rescue($1, $2)")
            .bind(self.settings.lease.as_secs_f64())
            .bind(MAX_CRASHES)
            .fetch_one(conn.conn())
            .await?;
        if freed > 0 {
            tracing::warn!(jobs = freed, "rescued jobs of dead workers");
            metrics::counter!("paloma_rescues_total").increment(u64::try_from(freed).unwrap_or(0));
        }
        sqlx::query("select jobs.retry_batches(2000)").execute(conn.conn()).await?;
        sqlx::query("select jobs.fold_batches()").execute(conn.conn()).await?;
        sqlx::query("select jobs.sweep_cancelled(2000)").execute(conn.conn()).await?;
        if round.is_multiple_of(4) {
            sqlx::query("select jobs.sample_usage($1)").bind(SAMPLED_PAGES).execute(conn.conn()).await?;
        }
        if round.is_multiple_of(120) {
            // before the history that it is made of goes
            crate::costs::keep(conn.conn()).await?;
            sqlx::query("select jobs.partition_history($1)").bind(KEEP_DAYS).execute(conn.conn()).await?;
            sqlx::query("select jobs.prune(5000)").execute(conn.conn()).await?;
        }
        if round.is_multiple_of(30) {
            crate::report::tell(conn.conn()).await?;
        }
        Ok(())
    }
}
