//! Streams of server-sent events that follow a batch: a bounded number a tenant, each ending with the batch, with the right to see it, or with the
//! process.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use crm::{
    App, Error,
    access::{self, Caller, Credential, Permission},
    intake::batches::{self, BatchView},
};
use futures::stream;
use tokio::time::Instant;
use uuid::Uuid;

use crate::live::CHECK;

/// Streams of one tenant in one process at most.
pub const MOST_STREAMS: usize = 20;
/// How often a batch is looked at; it is folded as often.
const LOOK: Duration = Duration::from_millis(500);
/// How often something is sent to a silent stream, so that both sides know that the other is there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The open streams of each tenant. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<Uuid, usize>>>);

impl Streams {
    /// A place for one more stream of the tenant; too many are refused.
    pub fn enter(&self, tenant_id: Uuid) -> Result<Place, Error> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(tenant_id).or_default();
        if *count >= MOST_STREAMS {
            return Err(Error::Limited { retry_after: HEARTBEAT });
        }
        *count += 1;
        Ok(Place { streams: self.clone(), tenant_id })
    }
}

/// A stream's place, given back when it ends.
#[derive(Debug)]
pub struct Place {
    streams: Streams,
    tenant_id: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.tenant_id) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.tenant_id);
            }
        }
    }
}

/// Somebody who follows a batch.
pub struct Follower {
    app: App,
    credential: Credential,
    caller: Caller,
    batch_id: i64,
    /// The version told last.
    seen: i64,
    checked_at: Instant,
    has_ended: bool,
    _place: Place,
}

impl Follower {
    /// Who has seen the batch up to that version.
    pub fn new(app: App, credential: Credential, caller: Caller, batch_id: i64, seen: i64, place: Place) -> Self {
        let checked_at = Instant::now();
        Self { app, credential, caller, batch_id, seen, checked_at, has_ended: false, _place: place }
    }

    /// The next state that has not been told; none: the stream is over.
    async fn next(&mut self) -> Option<BatchView> {
        let stop = self.app.stop.clone();
        loop {
            if self.has_ended || stop.is_cancelled() || !self.may_still().await {
                return None;
            }
            match self.look().await {
                Ok(batch) if batch.version > self.seen => {
                    self.seen = batch.version;
                    self.has_ended = batch.completed_at.is_some();
                    return Some(batch);
                }
                Ok(_) => {}
                Err(Error::NotFound) => return None,
                // a database that does not answer ends no stream
                Err(error) => tracing::debug!(%error, "a batch could not be looked at"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return None,
            }
        }
    }

    async fn look(&self) -> Result<BatchView, Error> {
        let mut tx = self.caller.tx(&self.app).await?;
        batches::folded(&mut tx, self.batch_id).await
    }

    /// The row decides, as at the live feed: a revoked session or key ends the stream within seconds.
    async fn may_still(&mut self) -> bool {
        if self.checked_at.elapsed() < CHECK {
            return true;
        }
        self.checked_at = Instant::now();
        match access::identify(&self.app, &self.credential).await {
            Ok(caller) => caller.permissions.contains(Permission::ConversationsView),
            Err(Error::Unauthorized) => false,
            Err(error) => {
                tracing::debug!(%error, "a follower could not be checked");
                true
            }
        }
    }
}

/// The stream of a follower.
pub fn stream(follower: Follower) -> Response {
    let events = stream::unfold(follower, async |mut follower| {
        let batch = follower.next().await?;
        let name = if batch.completed_at.is_some() { "completed" } else { "progress" };
        let event = Event::default().id(batch.version.to_string()).event(name);
        // a shape of ours always becomes JSON
        let event = event.json_data(&batch).unwrap_or_default();
        Some((Ok::<_, Infallible>(event), follower))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_a_tenant_and_given_back() {
        let (streams, acme, other) = (Streams::default(), Uuid::now_v7(), Uuid::now_v7());
        let mut places: Vec<Place> = (0..MOST_STREAMS).map(|_| streams.enter(acme).unwrap()).collect();
        assert!(matches!(streams.enter(acme), Err(Error::Limited { .. })));
        assert!(streams.enter(other).is_ok());
        places.pop();
        assert!(streams.enter(acme).is_ok());
        drop(places);
        assert!(streams.0.lock().unwrap().is_empty());
    }
}
