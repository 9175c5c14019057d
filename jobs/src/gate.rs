//! Gates: a token bucket, a cap and a breaker before an outside service, one row in Postgres, one truth for the fleet. Inside a process
//! this page only counts failures in a row and tells the row when they are enough; the row opens when more than one process has said so.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use db::{Scope, TenantTx};
use sqlx::PgConnection;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Failures in a row, in one process, that are evidence against a service.
const FAILURES: u32 = 5;
/// How long the first opening lasts, in seconds; it doubles with each failed probe.
const OPEN_S: f64 = 15.0;

/// What a gate lets through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Starts a second; none: as many as come.
    pub rate: Option<f64>,
    /// Tokens that may collect while nothing starts, 1 or more.
    pub burst: f64,
    /// Jobs running at once, fleet-wide; none: no cap.
    pub cap: Option<i32>,
}

/// Makes the gate or changes its limits, and answers its id. Tokens already collected are kept, up to the new burst.
pub async fn configure(tx: &mut TenantTx, key: &str, limits: Limits) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "insert into jobs.gates (tenant_number, key, rate, burst, tokens, cap)
         values (app.tenant_number(), $1, $2, greatest($3, 1), greatest($3, 1), $4)
         on conflict (tenant_number, key) do update
           set rate = excluded.rate, burst = excluded.burst, cap = excluded.cap, tokens = least(jobs.gates.tokens, excluded.burst)
         returning id",
    )
    .bind(key)
    .bind(limits.rate)
    .bind(limits.burst)
    .bind(limits.cap)
    .fetch_one(tx.conn())
    .await
}

/// A gate as it stands.
#[derive(Debug, Clone, serde::Serialize, sqlx::FromRow)]
pub struct Gate {
    /// Its id.
    pub id: i64,
    /// Whose.
    pub tenant_number: i32,
    /// Its key, `line/{id}`.
    pub key: String,
    /// Starts a second.
    pub rate: Option<f64>,
    /// Most tokens.
    pub burst: f64,
    /// Most running jobs.
    pub cap: Option<i32>,
    /// Running now.
    pub running: i64,
    /// Whether an operator has stopped it.
    pub is_paused: bool,
    /// closed, open or half_open.
    pub breaker: String,
    /// When the next probe may go.
    pub open_until: Option<chrono::DateTime<chrono::Utc>>,
    /// Why it opened.
    pub reason: Option<String>,
}

/// The gate of that key in the transaction's tenant.
pub async fn find(tx: &mut TenantTx, key: &str) -> Result<Option<Gate>, sqlx::Error> {
    sqlx::query_as(
        "select g.id, g.tenant_number, g.key, g.rate, g.burst, g.cap, 0::bigint as running, g.paused_at is not null as is_paused,
                g.breaker, g.open_until, g.reason
           from jobs.gates g where g.tenant_number = app.tenant_number() and g.key = $1",
    )
    .bind(key)
    .fetch_optional(tx.conn())
    .await
}

/// What a process has seen of the service behind a gate.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Failures in a row, or a failed probe.
    Failing { tenant_number: i32, gate: String, reason: String, is_probe: bool },
    /// Answers again, after it was reported as failing.
    Answering { tenant_number: i32, gate: String },
    /// A probe came back.
    Close { tenant_number: i32, gate: String },
    /// It asked to be left alone.
    Rest { tenant_number: i32, gate: String, wait: Duration },
    /// A probe of that lane ended and has seen nothing.
    NoWord { lane_id: i64 },
}

#[derive(Debug, Default)]
struct Seen {
    in_a_row: u32,
    is_told: bool,
}

/// Counts failures in a row by gate, for this process. Cheap to clone.
#[derive(Clone)]
pub struct GateHealth {
    seen: Arc<Mutex<HashMap<(i32, String), Seen>>>,
    verdicts: mpsc::UnboundedSender<Verdict>,
}

impl GateHealth {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Verdict>) {
        let (verdicts, receiver) = mpsc::unbounded_channel();
        (Self { seen: Arc::default(), verdicts }, receiver)
    }

    /// Notes one outcome behind a gate.
    pub(crate) fn report(&self, tenant_number: i32, gate: &str, answered: bool, reason: &str, is_probe: bool) {
        let verdict = if answered {
            self.success(tenant_number, gate, is_probe)
        } else {
            self.failure(tenant_number, gate, reason, is_probe)
        };
        if let Some(verdict) = verdict {
            self.tell(verdict);
        }
    }

    fn success(&self, tenant_number: i32, gate: &str, is_probe: bool) -> Option<Verdict> {
        let mut seen = self.seen.lock().expect("nothing panics while it counts");
        let was_told = seen.remove(&(tenant_number, gate.to_owned())).is_some_and(|seen| seen.is_told);
        let gate = gate.to_owned();
        if is_probe {
            Some(Verdict::Close { tenant_number, gate })
        } else {
            was_told.then_some(Verdict::Answering { tenant_number, gate })
        }
    }

    fn failure(&self, tenant_number: i32, gate: &str, reason: &str, is_probe: bool) -> Option<Verdict> {
        let mut seen = self.seen.lock().expect("nothing panics while it counts");
        let seen = seen.entry((tenant_number, gate.to_owned())).or_default();
        seen.in_a_row += 1;
        let is_enough = seen.in_a_row >= FAILURES;
        if is_enough {
            // said again after as many more
            *seen = Seen { in_a_row: 0, is_told: true };
        }
        let (gate, reason) = (gate.to_owned(), reason.to_owned());
        (is_enough || is_probe).then_some(Verdict::Failing { tenant_number, gate, reason, is_probe })
    }

    pub(crate) fn tell(&self, verdict: Verdict) {
        // the receiver ends only with the engine
        let _ = self.verdicts.send(verdict);
    }
}

/// Tells the gate's row.
pub(crate) async fn apply(conn: &mut PgConnection, verdict: &Verdict, process: Uuid) -> Result<(), sqlx::Error> {
    match verdict {
        Verdict::Failing { tenant_number, gate, reason, is_probe } => {
            let opened: Option<bool> = sqlx::query_scalar(
                "select jobs.report_failures(g.id, $3, $4, $5, $6) from jobs.gates g where g.tenant_number = $1 and g.key = $2",
            )
            .bind(tenant_number)
            .bind(gate)
            .bind(process)
            .bind(is_probe)
            .bind(OPEN_S)
            .bind(reason)
            .fetch_optional(conn)
            .await?;
            if opened == Some(true) {
                tracing::warn!(gate, tenant.number = tenant_number, reason, "breaker opened");
                metrics::counter!("paloma_breakers_opened_total").increment(1);
            } else if opened == Some(false) && !is_probe {
                tracing::warn!(
                    gate,
                    tenant.number = tenant_number,
                    reason,
                    "failures in a row, so far in this process alone"
                );
            }
        }
        Verdict::Answering { tenant_number, gate } => {
            sqlx::query(
                "select jobs.retract_failures(g.id, $3) from jobs.gates g where g.tenant_number = $1 and g.key = $2",
            )
            .bind(tenant_number)
            .bind(gate)
            .bind(process)
            .execute(conn)
            .await?;
        }
        Verdict::Close { tenant_number, gate } => {
            let closed: Option<bool> = sqlx::query_scalar(
                "select jobs.close_breaker(g.id) from jobs.gates g where g.tenant_number = $1 and g.key = $2",
            )
            .bind(tenant_number)
            .bind(gate)
            .fetch_optional(conn)
            .await?;
            if closed == Some(true) {
                tracing::info!(gate, tenant.number = tenant_number, "breaker closed");
            }
        }
        Verdict::Rest { tenant_number, gate, wait } => {
            tracing::info!(
                gate,
                tenant.number = tenant_number,
                wait_s = wait.as_secs_f64(),
                "the service asked to be left alone"
            );
            sqlx::query("select jobs.rest_gate(g.id, $3) from jobs.gates g where g.tenant_number = $1 and g.key = $2")
                .bind(tenant_number)
                .bind(gate)
                .bind(wait.as_secs_f64())
                .execute(conn)
                .await?;
        }
        Verdict::NoWord { lane_id } => {
            sqlx::query("select jobs.free_probe($1)").bind(lane_id).execute(conn).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_and_a_success_between_them_does_not() {
        let (health, mut verdicts) = GateHealth::new();
        for _ in 0..4 {
            health.report(1, "line/a", false, "down", false);
        }
        health.report(1, "line/a", true, "", false);
        for _ in 0..4 {
            health.report(1, "line/a", false, "down", false);
        }
        assert!(verdicts.try_recv().is_err());
        health.report(1, "line/a", false, "down", false);
        assert!(matches!(verdicts.try_recv(), Ok(Verdict::Failing { .. })));
    }

    #[test]
    fn a_probe_decides_by_itself() {
        let (health, mut verdicts) = GateHealth::new();
        health.report(1, "line/a", false, "still down", true);
        assert!(matches!(verdicts.try_recv(), Ok(Verdict::Failing { .. })));
        health.report(1, "line/a", true, "", true);
        assert!(matches!(verdicts.try_recv(), Ok(Verdict::Close { .. })));
    }
}
