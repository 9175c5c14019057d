//! The vacuum horizon: a queue writes and deletes its tables over and over, and a single old snapshot keeps every dead row of them, until
//! each claim has to wade through these. Who holds it is named here; to end it is the operator's.

use std::fmt;

use chrono::{DateTime, Utc};
use db::{PlatformTx, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A horizon held for longer is a fault: within minutes the queue's indexes are mostly dead rows.
const OLD_S: f64 = 300.0;
/// The same by what has happened since: a slot has no age in seconds.
const OLD_TRANSACTIONS: i64 = 500_000;
/// So many holders are told.
const MOST: i32 = 20;

/// What keeps dead rows from being vacuumed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
#[schema(as = VacuumHolder)]
pub struct Holder {
    /// session, standby, slot or prepared.
    pub holder: String,
    /// The application's name, the slot's, or the prepared transaction's global identifier.
    pub name: String,
    /// Its server process; none: nobody is connected.
    pub pid: Option<i32>,
    /// As which role.
    pub role: Option<String>,
    /// What it does, `idle in transaction`.
    pub state: Option<String>,
    /// What it keeps: rows, or only those of the catalogs.
    pub holds: String,
    /// Since when; a slot does not say.
    pub since: Option<DateTime<Utc>>,
    /// The same in seconds.
    pub age_s: Option<f64>,
    /// Transactions that have begun since.
    pub transactions: i64,
}

impl Holder {
    /// Whether it has been there for too long.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.age_s.is_some_and(|age| age > OLD_S) || self.transactions > OLD_TRANSACTIONS
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { holder, name, pid, role, state, holds, age_s, transactions, .. } = self;
        write!(f, "{holder} {name:?}")?;
        if let Some(pid) = pid {
            write!(f, " (pid {pid})")?;
        }
        if let Some(role) = role {
            write!(f, " of {role}")?;
        }
        if let Some(state) = state {
            write!(f, ", {state}")?;
        }
        if let Some(age) = age_s {
            write!(f, ", for {age:.0} s")?;
        }
        write!(f, ", keeps dead {holds} of the last {transactions} transactions")
    }
}

/// How far back the horizon is, and who holds it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = VacuumHorizon)]
pub struct Horizon {
    /// Whether one of them has been there for too long.
    pub is_old: bool,
    /// Whether sessions of every role are seen; otherwise ops/bootstrap.sql has to be run again.
    pub sees_sessions: bool,
    /// Who holds it, the one that is furthest back first.
    pub holders: Vec<Holder>,
}

/// Looks who holds the vacuum horizon back.
pub async fn horizon(tx: &mut PlatformTx) -> Result<Horizon, sqlx::Error> {
    let holders: Vec<Holder> = sqlx::query_as(
        "select h.holder, h.name, h.pid, h.role, h.state, h.holds, h.since, h.age_s, h.transactions from jobs.vacuum_holders($1) h",
    )
    .bind(MOST)
    .fetch_all(tx.conn())
    .await?;
    let sees_sessions = sqlx::query_scalar("select jobs.sees_sessions()").fetch_one(tx.conn()).await?;
    Ok(Horizon { is_old: holders.iter().any(Holder::is_old), sees_sessions, holders })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_told_in_one_line() {
        let mut holder = Holder {
            holder: "session".to_owned(),
            name: "psql".to_owned(),
            pid: Some(7),
            role: Some("ann".to_owned()),
            state: Some("idle in transaction".to_owned()),
            holds: "rows".to_owned(),
            since: None,
            age_s: Some(301.2),
            transactions: 12,
        };
        assert!(holder.is_old());
        assert_eq!(
            holder.to_string(),
            "session \"psql\" (pid 7) of ann, idle in transaction, for 301 s, keeps dead rows of the last 12 transactions"
        );
        holder.age_s = None;
        assert!(!holder.is_old());
        holder.transactions = 500_001;
        assert!(holder.is_old(), "a slot is old by transactions alone");
    }
}
