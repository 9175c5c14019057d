//! The live feed: a WebSocket of the tenant's events, each frame `{seq, kind, data, at}`, the first one `{"kind":"hello","seq":last}`.
//! What somebody may not see is left out; a revoked session or key loses its socket within seconds.

mod hub;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    response::Response,
};
use crm::{
    App, Error,
    access::{self, Caller, Credential},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, MissedTickBehavior, interval, interval_at},
};

use hub::Frame;
pub use hub::Hub;

use crate::{Api, problem::Problem};

/// How often it is checked that whoever listens still may: well below the five seconds in which a revocation must tell.
pub const CHECK: Duration = Duration::from_millis(2500);
/// How often a silent socket is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
/// A frame that the other side does not take for so long ends the socket.
const SEND: Duration = Duration::from_secs(5);

/// Opens the live feed.
///
/// A WebSocket. The first frame is `{"kind":"hello","seq":N}`, then one `{"seq","kind","data","at"}` for each event of a kind that
/// the caller may see: campaign.progress, job.progress, message.status, message.new.
#[utoipa::path(get, path = "/api/v1/live", tag = "live", responses((status = 101, description = "The socket is open")))]
pub async fn open(
    State(api): State<Api>,
    Extension(credential): Extension<Credential>,
    Extension(caller): Extension<Caller>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let (seq, frames) = api.hub.join(caller.tenant_id).await?;
    let socket = Socket { app: api.app, credential, caller, frames, is_answering: true };
    let upgrade = upgrade.read_buffer_size(1 << 12).write_buffer_size(0).max_write_buffer_size(1 << 20);
    Ok(upgrade.max_message_size(1 << 12).on_upgrade(move |ws| socket.run(ws, seq)))
}

struct Socket {
    app: App,
    credential: Credential,
    caller: Caller,
    frames: Receiver<Arc<Frame>>,
    /// It has said something since the last ping.
    is_answering: bool,
}

/// Why a socket is closed: code, word for metrics and for the other side.
struct Closed(u16, &'static str);

const GONE: Closed = Closed(1001, "gone");
const STOPPING: Closed = Closed(1001, "stopping");
const NOT_ALLOWED: Closed = Closed(4401, "unauthorized");
const SLOW: Closed = Closed(1013, "too_slow");

impl Socket {
    async fn run(mut self, mut ws: WebSocket, seq: i64) {
        metrics::gauge!("paloma_live_sockets").increment(1);
        let closed = match self.serve(&mut ws, seq).await {
            Ok(()) => GONE,
            Err(closed) => closed,
        };
        metrics::gauge!("paloma_live_sockets").decrement(1);
        metrics::counter!("paloma_live_closed_total", "reason" => closed.1).increment(1);
        let frame = CloseFrame { code: closed.0, reason: closed.1.into() };
        // the other side may be gone already
        let _ = tokio::time::timeout(SEND, ws.send(Message::Close(Some(frame)))).await;
    }

    /// Ends in order when the other side leaves.
    async fn serve(&mut self, ws: &mut WebSocket, seq: i64) -> Result<(), Closed> {
        send(ws, Message::Text(format!("{{\"kind\":\"hello\",\"seq\":{seq}}}").into())).await?;
        let stop = self.app.stop.clone();
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = interval_at(Instant::now() + PING, PING);
        loop {
            tokio::select! {
                frame = self.frames.recv() => self.pass_on(ws, frame).await?,
                said = ws.recv() => match said {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(()),
                    // nothing is asked for by frames; that it speaks is enough
                    Some(Ok(_)) => self.is_answering = true,
                },
                _ = check.tick() => self.check().await?,
                _ = ping.tick() => {
                    if !std::mem::replace(&mut self.is_answering, false) {
                        return Err(SLOW);
                    }
                    send(ws, Message::Ping(bytes::Bytes::new())).await?;
                }
                () = stop.cancelled() => return Err(STOPPING),
            }
        }
    }

    async fn pass_on(&self, ws: &mut WebSocket, frame: Result<Arc<Frame>, RecvError>) -> Result<(), Closed> {
        match frame {
            Ok(frame) if self.caller.permissions.contains(frame.permission) => {
                send(ws, Message::Text(frame.text.clone())).await
            }
            Ok(_) => Ok(()),
            // what it missed can't be told any more: it comes back and reads afresh
            Err(RecvError::Lagged(_)) => Err(SLOW),
            Err(RecvError::Closed) => Err(STOPPING),
        }
    }

    /// The row decides: a revoked session ends, a changed role counts at once. A database that does not answer revokes nobody.
    async fn check(&mut self) -> Result<(), Closed> {
        match access::identify(&self.app, &self.credential).await {
            Ok(caller) => self.caller = caller,
            Err(Error::Unauthorized) => return Err(NOT_ALLOWED),
            Err(error) => tracing::debug!(%error, "live: the session could not be checked"),
        }
        Ok(())
    }
}

async fn send(ws: &mut WebSocket, message: Message) -> Result<(), Closed> {
    match tokio::time::timeout(SEND, ws.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(GONE),
        Err(_) => Err(SLOW),
    }
}
