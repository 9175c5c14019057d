//! Hears notices, and notices when nobody is left who could give one: a listener only waits, so a dead connection would say nothing to it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};

use crate::{
    Error,
    reach::{CONNECTED_WITHIN, PING_WITHIN, within},
};

/// After so much silence the server is asked whether it is still there.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// A connection that listens, and connects anew by itself where the old one has ended.
pub struct Listener(PgListener);

impl Listener {
    pub(crate) async fn open(options: PgConnectOptions, channels: &[&str]) -> Result<Self, Error> {
        within(CONNECTED_WITHIN, async {
            let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).connect_with(options).await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.ignore_pool_close_event(true);
            listener.listen_all(channels.iter().copied()).await?;
            Ok(Self(listener))
        })
        .await
    }

    /// The next notice. An error: open another listener, and look for what was not heard.
    pub async fn recv(&mut self) -> Result<PgNotification, Error> {
        loop {
            if let Ok(notice) = tokio::time::timeout(SILENT_FOR, self.0.recv()).await {
                return Ok(notice?);
            }
            within(PING_WITHIN, async { Ok::<_, Error>(sqlx::query("select 1").execute(&mut self.0).await?) }).await?;
        }
    }
}
