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
    /// The connection itself; each statement is a transaction of its own.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
