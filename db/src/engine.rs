//! The connection of an engine loop: holds the platform role for the whole session, so that a cycle is one round trip.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::{Error, reach};

/// A connection outside the pool with the platform role. Dropped on any error; the loop opens another.
pub struct EngineConn(PgConnection);

impl EngineConn {
    pub(crate) async fn open(options: &PgConnectOptions) -> Result<Self, Error> {
        reach::within(reach::CONNECTED_WITHIN, async {
            let mut conn = PgConnection::connect_with(options).await?;
            sqlx::query("set role paloma_platform").execute(&mut conn).await?;
            Ok(Self(conn))
        })
        .await
    }
    /// What the server calls this session from now on.
    pub async fn set_name(&mut self, name: &str) -> Result<(), Error> {
        sqlx::query("select set_config('application_name', $1, false)").bind(name).execute(&mut self.0).await?;
        Ok(())
    }
    /// Ends the sessions of these names that have been in one statement for longer than `past_s` seconds, and answers how many. Only those of
    /// the same login are within its power.
    pub async fn end_sessions(&mut self, names: &[String], past_s: f64) -> Result<i64, Error> {
        // the platform role has no say over sessions, the login has
        sqlx::query("reset role").execute(&mut self.0).await?;
        let ended = sqlx::query_scalar(
            "select count(*) filter (where pg_terminate_backend(a.pid)) from pg_stat_activity a
              where a.application_name = any($1) and a.usename = session_user and a.state = 'active'
                and a.query_start < clock_timestamp() - make_interval(secs => $2)",
        )
        .bind(names)
        .bind(past_s)
        .fetch_one(&mut self.0)
        .await?;
        sqlx::query("set role paloma_platform").execute(&mut self.0).await?;
        Ok(ended)
    }
    /// The connection itself; each statement is a transaction of its own.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
