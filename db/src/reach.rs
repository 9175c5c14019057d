//! How the database is reached, and how long an answer is waited for. A connection may be open with nobody at its other end (a server that
//! lost its power, a firewall that forgot it): then nothing is ever answered and nothing is ever refused, so whatever waits has a limit.

use std::{future::Future, str::FromStr, time::Duration};

use sqlx::postgres::PgConnectOptions;

use crate::Error;

/// A connection is there by then, or is not to be had.
pub(crate) const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// So long for the smallest question there is.
pub(crate) const PING_WITHIN: Duration = Duration::from_secs(3);

/// How to reach the database.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `postgres://paloma@host/db`; a Unix socket by `?host=%2Fpath`.
    pub url: String,
    /// Where `url` leads to a pooler in transaction mode: the same database past it, for what needs a session of its own.
    pub direct_url: Option<String>,
    /// Shown in `pg_stat_activity`.
    pub name: &'static str,
    /// Most connections of the pool.
    pub connections: u32,
}

impl Options {
    /// For transactions.
    pub(crate) fn pooled(&self) -> Result<PgConnectOptions, Error> {
        if self.direct_url.is_none() {
            return self.session(&self.url);
        }
        // a pooler refuses settings at the start, and gives the next transaction another server, which knows no statement of this one
        let options = PgConnectOptions::from_str(&self.url)?.application_name(self.name);
        Ok(options.extra_float_digits(None).statement_cache_capacity(0))
    }

    /// For loops of the engine and for listening, which hold a role or a channel from one statement to the next.
    pub(crate) fn direct(&self) -> Result<PgConnectOptions, Error> {
        self.session(self.direct_url.as_ref().unwrap_or(&self.url))
    }

    fn session(&self, url: &str) -> Result<PgConnectOptions, Error> {
        Ok(PgConnectOptions::from_str(url)?.application_name(self.name).options([
            ("jit", "off"),
            // an index look-up, also in tables that have never been analysed: plans that are kept are often made then
            ("random_page_cost", "1.1"),
            // shorter than a lease: the row locks of a process that stands still go before its jobs are taken over
            ("idle_in_transaction_session_timeout", "20s"),
            // the server hears of a client whose machine is gone within 25 s, not after the two hours of the system, and what it works
            // on for one that has given up is ended: locks and connections of the dead are wanted by the living
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "25000"),
            ("client_connection_check_interval", "2000"),
        ]))
    }
}

/// Gives up on work that the database does not answer in time. The connection it was on is to be dropped: the answer may come yet.
pub async fn within<T, E: From<Error>>(limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Error::NoAnswer(limit).into()))
}
