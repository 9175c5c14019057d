//! One round trip of the cycle. It owns all that it needs, so that two may be under way.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use db::{Db, EngineConn};
use sqlx::{FromRow, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::outbox::Outbox;
use crate::dispatch::Leased;

/// What a round trip takes along.
pub(super) struct Trip {
    pub db: Db,
    pub conn: Option<EngineConn>,
    pub process: Uuid,
    pub lease: Duration,
    /// Some where what this process does not know of is to be given back first. No other trip may be under way then.
    pub known: Option<Known>,
    /// The greatest fence this process was ever given.
    pub seen: i64,
    pub outbox: Outbox,
    /// Claims all of whose jobs have ended.
    pub over: Vec<i64>,
    /// Running jobs of gates with a cap, where they have become fewer. No other trip may be under way then.
    pub running: Vec<(i64, i32)>,
    /// It claims, and says when to look again.
    pub claims: bool,
    /// Slots that may be filled, by queue.
    pub free: Vec<(i16, i32)>,
}

/// What a process knows to be its own.
pub(super) struct Known {
    /// Its claims.
    pub claims: Vec<i64>,
    /// Its running jobs of gates with a cap.
    pub running: Vec<(i64, i32)>,
}

/// What a round trip brings back.
pub(super) struct Landed {
    pub trip: Trip,
    pub result: Result<Claimed, db::Error>,
}

/// What was claimed.
pub(super) struct Claimed {
    pub jobs: Vec<Leased>,
    /// When to look again.
    pub wait: Duration,
    /// Leases that were lost before their outcomes were written.
    pub lost: usize,
    /// Lanes that were left waiting before gates, by each of [`crate::metrics::REFUSALS`].
    pub refused: Vec<i64>,
}

/// A row of `jobs.cycle`: what was leased of one lane, or the header, which has no fence. Read by place, in the order of the type `jobs.leased`.
enum Row {
    Lane(Vec<Leased>),
    Header { settled: i32, wake_s: f64, refused: Vec<i64> },
}

impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Some(fence) = row.try_get(0)? else {
            let refused: Option<Vec<i64>> = row.try_get(5)?;
            return Ok(Self::Header {
                settled: row.try_get(15)?,
                wake_s: row.try_get(16)?,
                refused: refused.unwrap_or_default(),
            });
        };
        let (lane_id, tenant_number, queue) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let (leased_at, is_probe) = (row.try_get(4)?, row.try_get(6)?);
        let gates: Vec<i64> = row.try_get::<Option<_>, _>(5)?.unwrap_or_default();
        let kinds: Vec<i16> = row.try_get(8)?;
        let attempts: Vec<i16> = row.try_get(9)?;
        let max_attempts: Vec<i16> = row.try_get(10)?;
        let crashes: Vec<i16> = row.try_get(11)?;
        let key_scopes: Vec<i16> = row.try_get(12)?;
        let run_ats: Vec<DateTime<Utc>> = row.try_get(13)?;
        let payloads: Vec<String> = row.try_get(14)?;
        let jobs = row
            .try_get::<Vec<i64>, _>(7)?
            .into_iter()
            .zip(kinds)
            .zip(attempts.into_iter().zip(max_attempts))
            .zip(crashes.into_iter().zip(key_scopes))
            .zip(run_ats.into_iter().zip(payloads))
            .map(|((((id, kind), (attempt, max_attempts)), (crashes, key_scope)), (run_at, payload))| Leased {
                id,
                fence,
                tenant_number,
                lane_id,
                queue,
                kind,
                attempt,
                max_attempts,
                crashes,
                key_scope,
                run_at,
                leased_at,
                gates: gates.clone(),
                is_probe,
                payload,
            });
        Ok(Self::Lane(jobs.collect()))
    }
}

impl Trip {
    /// Goes and comes back. Nothing is forgotten on the way: if it fails, the same outcomes are sent again. One that is not answered within a third
    /// of the lease has failed: the connection may be open with nobody at its other end.
    pub async fn fly(mut self) -> Landed {
        let started = Instant::now();
        let result = db::within(self.lease / 3, self.go()).await;
        crate::metrics::cycled(started.elapsed(), result.as_ref().ok().map(|claimed| claimed.jobs.len()));
        if let Ok(claimed) = &result {
            crate::metrics::refused(&claimed.refused);
        }
        if result.is_err() {
            self.conn = None;
        }
        Landed { trip: self, result }
    }

    async fn go(&mut self) -> Result<Claimed, db::Error> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => {
                let mut conn = self.db.engine().await?;
                conn.set_name(&crate::upkeep::session_name(self.process)).await?;
                none.insert(conn)
            }
        };
        if let Some(known) = &self.known {
            // an answer may have been lost with an old connection, whose server process may even commit long after: what it leased goes back
            let (gates, running): (Vec<i64>, Vec<i32>) = known.running.iter().copied().unzip();
            let freed: i32 = sqlx::query_scalar("select jobs.release_unknown($1, $2, $3, $4, $5)")
                .bind(self.process)
                .bind(&known.claims)
                .bind(self.seen)
                .bind(gates)
                .bind(running)
                .fetch_one(conn.conn())
                .await?;
            if freed > 0 {
                tracing::warn!(jobs = freed, "gave back what was leased by a claim whose answer was lost");
            }
        }
        let (gates, running): (Vec<i64>, Vec<i32>) = self.running.iter().copied().unzip();
        let (queues, free): (Vec<i16>, Vec<i32>) = self.free.iter().copied().unzip();
        let rows: Vec<Row> =
            sqlx::query_as("select * from jobs.cycle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
                .bind(self.process)
                .bind(self.lease.as_secs_f64())
                .bind(&self.outbox.ids)
                .bind(&self.outbox.fences)
                .bind(&self.outbox.outcomes)
                .bind(&self.outbox.delays)
                .bind(&self.outbox.errors)
                .bind(gates)
                .bind(running)
                .bind(&self.over)
                .bind(queues)
                .bind(free)
                .fetch_all(conn.conn())
                .await?;
        let mut claimed = Claimed {
            jobs: Vec::with_capacity(rows.len()),
            wait: Duration::from_secs(1),
            lost: 0,
            refused: Vec::new(),
        };
        for row in rows {
            match row {
                Row::Lane(jobs) => claimed.jobs.extend(jobs),
                Row::Header { settled, wake_s, refused } => {
                    claimed.refused = refused;
                    claimed.wait = Duration::from_secs_f64(wake_s.clamp(0.0, 1.0));
                    claimed.lost = self.outbox.ids.len().saturating_sub(usize::try_from(settled).unwrap_or(0));
                }
            }
        }
        Ok(claimed)
    }
}
