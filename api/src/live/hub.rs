//! One listener and one numbering loop per process, and one channel per tenant that has sockets open. Holds no socket.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use crm::{
    App, Error,
    events::{self, Whisper},
    webhooks,
};
use tokio::sync::{Mutex, Notify, broadcast};
use uuid::Uuid;

use super::{frame::Frame, outgoing, watch::Watch};

/// Frames that a socket may be behind before it is closed.
const BEHIND: usize = 2048;
/// Events read at a time.
const BATCH: i64 = 200;
/// Between two batches, so that sockets which do read are never left behind by a burst.
const PAUSE: Duration = Duration::from_millis(5);
/// A database that does not answer by then is asked again on another connection: the feed must not wait on a dead one.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// Hands a tenant's events to its sockets.
#[derive(Clone)]
pub struct Hub {
    app: App,
    /// Who still may listen.
    pub watch: Watch,
    feeds: Arc<Mutex<HashMap<Uuid, Feed>>>,
    joined: Arc<Notify>,
}

struct Feed {
    frames: broadcast::Sender<Arc<Frame>>,
    /// The last event handed out; only the pump moves it.
    seq: i64,
}

impl Hub {
    /// Starts the loops; they end with `app.stop`.
    pub fn start(app: App) -> Self {
        let hub = Self { app, watch: Watch::default(), feeds: Arc::default(), joined: Arc::default() };
        let outbox = Arc::new(Notify::new());
        let numbered = Arc::new(Notify::new());
        let hungry = outgoing::Hungry::default();
        hub.spawn(listen(hub.clone(), outbox.clone(), numbered.clone(), hungry.clone()));
        hub.spawn(outgoing::feed(hub.app.clone(), hungry));
        hub.spawn(number(hub.app.clone(), outbox));
        hub.spawn(hub.clone().pump(numbered));
        hub.spawn(hub.watch.clone().look(hub.app.clone()));
        hub
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.app.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(work).await });
    }

    /// Joins a tenant's feed: the number of the last event before it, and every one after.
    pub async fn join(&self, tenant_id: Uuid) -> Result<(i64, broadcast::Receiver<Arc<Frame>>), Error> {
        if let Some(joined) = self.subscribe(tenant_id, None).await {
            return Ok(joined);
        }
        // asked without the lock: a database that is slow for one tenant keeps no other waiting
        let last = events::kept(&self.app.db, tenant_id).await?.last;
        self.subscribe(tenant_id, Some(last)).await.context("a feed was just made").map_err(Error::from)
    }

    /// Joins the feed that is there, or one that begins after that event.
    async fn subscribe(&self, tenant_id: Uuid, last: Option<i64>) -> Option<(i64, broadcast::Receiver<Arc<Frame>>)> {
        let mut feeds = self.feeds.lock().await;
        let feed = match feeds.entry(tenant_id) {
            Entry::Occupied(feed) => feed.into_mut(),
            Entry::Vacant(place) => place.insert(Feed { frames: broadcast::channel(BEHIND).0, seq: last? }),
        };
        self.joined.notify_one();
        Some((feed.seq, feed.frames.subscribe()))
    }

    /// Reads what was numbered and hands it out. A lost notice costs a second; without sockets nothing is read.
    async fn pump(self, numbered: Arc<Notify>) {
        loop {
            let tenants = self.listened_to().await;
            if tenants.is_empty() {
                self.joined.notified().await;
                continue;
            }
            // what nobody could be checked for waits, and so does whoever may hear it
            self.watch.is_fresh().await;
            for (tenant_id, seq) in tenants {
                if let Err(error) = db::within(ANSWERED_WITHIN, self.hand_out(tenant_id, seq)).await {
                    tracing::warn!(%error, "live: events could not be read");
                }
            }
            // the time limit is the polling behind the notices
            let _ = tokio::time::timeout(Duration::from_secs(1), numbered.notified()).await;
        }
    }

    /// Hands on what is written nowhere; it has no number.
    async fn whisper(&self, payload: &str) {
        let Ok(whisper) = serde_json::from_str::<Whisper>(payload) else { return };
        // it says who is there just now: later it would not be so
        if !self.watch.was_checked() {
            return;
        }
        let feeds = self.feeds.lock().await;
        let Some(feed) = feeds.get(&whisper.tenant_id) else { return };
        // nobody listening is no fault
        let _ = feed.frames.send(Arc::new(Frame::of_whisper(&whisper)));
    }

    /// Tenants with sockets, and where their feeds stand; feeds without a socket are forgotten.
    async fn listened_to(&self) -> Vec<(Uuid, i64)> {
        let mut feeds = self.feeds.lock().await;
        feeds.retain(|_, feed| feed.frames.receiver_count() > 0);
        feeds.iter().map(|(tenant_id, feed)| (*tenant_id, feed.seq)).collect()
    }

    async fn hand_out(&self, tenant_id: Uuid, mut seq: i64) -> Result<(), Error> {
        loop {
            let events = events::after(&self.app.db, tenant_id, seq, BATCH).await?;
            let Some(last) = events.last() else { return Ok(()) };
            seq = last.seq;
            let full = i64::try_from(events.len()).is_ok_and(|count| count == BATCH);
            let mut feeds = self.feeds.lock().await;
            let Some(feed) = feeds.get_mut(&tenant_id) else { return Ok(()) };
            feed.seq = seq;
            for frame in Frame::of_all(tenant_id, &events)? {
                // nobody listening is no fault
                let _ = feed.frames.send(Arc::new(frame));
            }
            drop(feeds);
            if !full {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The process's one listener: wakes the numbering and the pump, and hands on what comes with the notice itself.
async fn listen(hub: Hub, outbox: Arc<Notify>, numbered: Arc<Notify>, hungry: outgoing::Hungry) {
    loop {
        let mut listener =
            match hub.app.db.listen(&[events::OUTBOX, events::CHANNEL, events::WHISPERS, webhooks::CHANNEL]).await {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::warn!(%error, "live: can't listen, polling meanwhile");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
        while let Ok(notice) = listener.recv().await {
            match notice.channel() {
                events::OUTBOX => outbox.notify_one(),
                events::WHISPERS => hub.whisper(notice.payload()).await,
                webhooks::CHANNEL => hungry.enabled.notify_one(),
                _ => {
                    numbered.notify_one();
                    hungry.numbered.notify_one();
                }
            }
        }
    }
}

/// Numbers committed events. All api processes try; one at a time does it, and gathers for some milliseconds between two rounds.
async fn number(app: App, outbox: Arc<Notify>) {
    loop {
        match db::within(ANSWERED_WITHIN, events::number(&app.db)).await {
            Ok(0) => {
                // the time limit is the polling behind the notices
                let _ = tokio::time::timeout(Duration::from_millis(200), outbox.notified()).await;
            }
            Ok(count) => {
                metrics::counter!("paloma_events_numbered_total").increment(u64::try_from(count).unwrap_or(0));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "live: events could not be numbered");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
