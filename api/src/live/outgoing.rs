//! Feeds webhooks, in the process that numbers events and hears that it has: in turns that leave a pause, and hardly ever where nobody has one.

use std::{sync::Arc, time::Duration};

use crm::{
    App,
    webhooks::{self, Fed},
};
use tokio::sync::Notify;

/// Between two turns, so that a campaign's many events make few of them.
const PAUSE: Duration = Duration::from_millis(250);
/// Behind the notices, where there are webhooks and where there are none.
const POLL: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(30);
/// As for events themselves.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// What wakes it.
#[derive(Clone, Default)]
pub struct Hungry {
    /// Events were numbered.
    pub numbered: Arc<Notify>,
    /// A webhook was enabled.
    pub enabled: Arc<Notify>,
}

/// Takes one turn after the other.
pub async fn feed(app: App, hungry: Hungry) {
    loop {
        match db::within(ANSWERED_WITHIN, webhooks::feed(&app.db)).await {
            Ok(Fed::Behind) => {}
            Ok(Fed::CaughtUp) => {
                tokio::time::sleep(PAUSE).await;
                // the time limit is the polling behind the notices
                let _ = tokio::time::timeout(POLL, hungry.numbered.notified()).await;
            }
            Ok(Fed::Nobody) => {
                let _ = tokio::time::timeout(SELDOM, hungry.enabled.notified()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "webhooks could not be fed");
                tokio::time::sleep(POLL).await;
            }
        }
    }
}
