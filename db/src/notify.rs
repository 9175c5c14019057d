//! Wake-ups by NOTIFY, sent after the commit and from another connection: inside the transaction it would serialise the commits of
//! the whole database. Notices given while one is on its way become one. A lost notice costs a poll interval, nothing else.

use std::{collections::BTreeSet, time::Duration};

use tokio::sync::mpsc;

use crate::{Error, pool::Pool, within};

/// A notice that takes longer is left to polling, so that those after it get through.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Hands channels to the one task of the process that notifies.
#[derive(Clone)]
pub struct Notifier(mpsc::UnboundedSender<&'static str>);

impl Notifier {
    pub(crate) fn start(pool: Pool, is_behind_pooler: bool) -> Self {
        let (sender, mut receiver) = mpsc::unbounded_channel::<&'static str>();
        tokio::spawn(async move {
            while let Some(first) = receiver.recv().await {
                let mut channels = BTreeSet::from([first]);
                while let Ok(more) = receiver.try_recv() {
                    channels.insert(more);
                }
                let channels: Vec<&str> = channels.into_iter().collect();
                if let Err(error) = within(TOLD_WITHIN, tell(&pool, &channels, is_behind_pooler)).await {
                    tracing::debug!(%error, "notify: left to polling");
                }
                // at most one notifying commit a millisecond and process
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self(sender)
    }

    pub(crate) fn send(&self, channels: Vec<&'static str>) {
        for channel in channels {
            // the task ends only with the process
            let _ = self.0.send(channel);
        }
    }
}

/// Behind a pooler in a transaction: the two steps of a statement with parameters would reach two servers.
async fn tell(pool: &Pool, channels: &[&str], is_behind_pooler: bool) -> Result<(), Error> {
    let notice = sqlx::query("select app.tell($1)").bind(channels);
    if is_behind_pooler {
        let mut tx = pool.begin("begin").await?;
        notice.execute(&mut *tx).await?;
        tx.commit().await?;
    } else {
        notice.execute(&mut *pool.connection().await?).await?;
    }
    Ok(())
}
