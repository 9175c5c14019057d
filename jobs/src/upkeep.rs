//! What keeps the promises when something dies: leases are renewed, those of the dead are freed, batches are folded, breakers told,
//! old rows pruned. Every worker does it; locks see to it that no two do the same at once.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use db::{Db, EngineConn};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    dispatch::RunningJobs,
    gate::{self, Verdict},
    worker::Settings,
};

/// A job over which so many workers died is quarantined with the evidence.
const MAX_CRASHES: i32 = 5;
/// What every worker does twice a second; locks see to it that one does.
const CHORES: &[&str] = &[
    "select jobs.retry_batches(2000)",
    "select jobs.fold_batches()",
    "select jobs.sweep_cancelled(2000)",
    "select jobs.tell_fates(10000)",
];
/// A verdict on a gate that the database refuses so often is let go.
const VERDICT_TRIES: u32 = 10;
/// Pages of a table read by a sample of what tenants have queued: some 16 MB.
const SAMPLED_PAGES: i32 = 2000;
/// Days of history kept.
const KEEP_DAYS: i32 = 7;

/// What the server calls the sessions of a process's cycle.
pub(crate) fn session_name(process: Uuid) -> String {
    format!("paloma cycle {process}")
}

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
        let fences: Vec<i64> = {
            let running = self.running.lock().expect("nothing panics while it is held");
            running.values().map(|job| job.fence).collect::<HashSet<_>>().into_iter().collect()
        };
        let queues: Vec<&str> = self.settings.queues.iter().map(|(queue, _)| queue.0).collect();
        let lost: Vec<i64> = sqlx::query_scalar("select * from jobs.renew($1, $2, $3, $4, $5, $6, $7)")
            .bind(self.process)
            .bind(&self.settings.name)
            .bind(std::env::var("HOSTNAME").unwrap_or_default())
            .bind(i32::try_from(std::process::id()).unwrap_or(0))
            .bind(queues)
            .bind(self.settings.lease.as_secs_f64())
            .bind(fences)
            .fetch_all(conn.conn())
            .await?;
        if !lost.is_empty() {
            let running = self.running.lock().expect("nothing panics while it is held");
            for (id, job) in running.iter().filter(|(_, job)| lost.contains(&job.fence)) {
                tracing::warn!(job.id = id, "its lease is lost: it is told to stop");
                job.cancel.cancel();
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
            // without an answer another connection has two more tries before the lease is over
            let renewal = self.with(&mut conn, async |keeper, conn| keeper.renew_with(conn).await);
            wait = match db::within(every, renewal).await {
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
        let mut tries = 0;
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.ended.cancelled() => return,
                verdict = verdicts.recv(), if pending.is_none() => pending = verdict,
                _ = tick.tick() => {}
            }
            let told = pending.take();
            let step = self.with(&mut conn, async |keeper, conn| {
                if let Some(verdict) = &told {
                    return Ok(gate::apply(conn.conn(), verdict, keeper.process).await?);
                }
                keeper.chores(conn, round).await
            });
            // also without an answer: the rescue of others is what a lease is counted on for
            let result = db::within(self.settings.lease, step).await;
            if told.is_none() {
                round = round.wrapping_add(1);
            }
            if let Err(error) = result {
                tracing::warn!(%error, "upkeep failed; it is tried again");
                conn = None;
                tries += 1;
                match told {
                    Some(verdict) if tries >= VERDICT_TRIES => {
                        tracing::error!(?verdict, "a verdict on a gate is let go");
                        tries = 0;
                    }
                    told => pending = told,
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    async fn chores(&self, conn: &mut EngineConn, round: u32) -> Result<(), db::Error> {
        self.end_the_dead(conn).await?;
        self.rescue(conn).await?;
        for chore in CHORES {
            match sqlx::query(*chore).execute(conn.conn()).await {
                // one that the data does not let through holds up no other
                Err(sqlx::Error::Database(error)) => tracing::warn!(chore, %error, "a chore failed; it is tried again"),
                done => {
                    done?;
                }
            }
        }
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

    /// A process whose lease is over may hang in the middle of an answer that it does not take, with the turn of a lane in its hand: its session
    /// is ended, so that nobody waits for it and nothing of it commits late.
    async fn end_the_dead(&self, conn: &mut EngineConn) -> Result<(), db::Error> {
        let dead: Vec<Uuid> = sqlx::query_scalar("select id from jobs.processes where lease_until < app.clock()")
            .fetch_all(conn.conn())
            .await?;
        if dead.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = dead.into_iter().map(session_name).collect();
        let ended = conn.end_sessions(&names, self.settings.lease.as_secs_f64()).await?;
        if ended > 0 {
            tracing::warn!(sessions = ended, "ended what dead workers still had open");
        }
        Ok(())
    }

    async fn rescue(&self, conn: &mut EngineConn) -> Result<(), db::Error> {
        let (began, freed, writer): (DateTime<Utc>, i32, Option<String>) =
            sqlx::query_as("select app.clock(), jobs.rescue($1, $2), pg_current_xact_id_if_assigned()::xid::text")
                .bind(self.settings.lease.as_secs_f64())
                .bind(MAX_CRASHES)
                .fetch_one(conn.conn())
                .await?;
        if freed == 0 {
            return Ok(());
        }
        tracing::warn!(jobs = freed, "rescued jobs of dead workers");
        metrics::counter!("paloma_rescues_total").increment(u64::try_from(freed).unwrap_or(0));
        // those of this rescue alone: another process may be at its own
        let quarantined: Vec<(String, String, i64)> = sqlx::query_as(
            "select k.name, q.name, count(*) from jobs.failures f join jobs.kinds k on k.id = f.kind join jobs.queues q on q.id = f.queue
              where f.finished_at >= $1 and f.state = 'quarantined' and f.xmin::text = $2 group by 1, 2",
        )
        .bind(began)
        .bind(writer)
        .fetch_all(conn.conn())
        .await?;
        for (kind, queue, count) in quarantined {
            tracing::error!(job.kind = kind, jobs = count, "jobs quarantined: too many workers died over them");
            metrics::counter!("paloma_jobs_settled_total", "kind" => kind, "queue" => queue, "outcome" => "quarantined")
                .increment(u64::try_from(count).unwrap_or(0));
        }
        Ok(())
    }
}
