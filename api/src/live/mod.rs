//! The live feed: a WebSocket of the tenant's events, each frame `{seq, kind, data, at}`, the first one `{"kind":"hello","seq":last,"is_resumed":false}`.
//! What somebody may not see is left out, also what is of conversations that they do not see; a revoked session or key loses its socket within seconds. Who comes back says the last number
//! it has seen and is told what it has missed, or that it has missed too much.

mod frame;
mod hub;
mod outgoing;
mod watch;

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
    App,
    access::{Caller, Permission},
    events,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, interval_at},
};

use frame::Frame;
pub use hub::Hub;
use utoipa::IntoParams;
pub use watch::CHECK;
use watch::Verdict;

use crate::{Api, extract::Query, problem::Problem};

/// Who has missed more reads everything anew, which is less work for both sides.
const MOST_MISSED: i64 = 5_000;
/// Missed events read at a time.
const MISSED_AT_ONCE: i64 = 500;
/// How often a silent socket is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
/// A frame that the other side does not take for so long ends the socket.
const SEND: Duration = Duration::from_secs(5);

/// Where a client wants to go on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// The number of the last event it has seen; without one it begins with the next.
    last_seq: Option<i64>,
}

/// Opens the live feed.
///
/// A WebSocket. The first frame is `{"kind":"hello","seq":N,"is_resumed":false}`, then one `{"seq","kind","data","at"}` for each event of a kind that
/// the caller may see: breaker.closed, breaker.opened, campaign.progress, conversation.updated, device.changed, job.progress, label.changed, line.health,
/// message.changed, message.new, message.status, unread.changed, webhook.disabled. With `last_seq` those that were missed come first, all of them: `is_resumed` says so, and nothing has to be read
/// anew. Where that is not possible a frame `{"kind":"resync_required","seq":N}` comes instead, and everything has to be; so it is where the caller sees other
/// conversations from now on, by another role or team. A number that is still to come is refused by
/// closing with 4400. conversation.presence has no number and is never told again.
#[utoipa::path(get, path = "/api/v1/live", tag = "live", params(Since), responses((status = 101, description = "The socket is open"), (status = 400, description = "No socket was asked for"), (status = 426, description = "Not by this version of HTTP")))]
pub async fn open(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(since): Query<Since>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let (seq, frames) = api.hub.join(caller.tenant_id).await?;
    let verdict = api.hub.watch.over(&caller);
    let socket = Socket { app: api.app, caller, verdict, frames, since: since.last_seq, told: seq, is_answering: true };
    let upgrade = upgrade.read_buffer_size(1 << 12).write_buffer_size(0).max_write_buffer_size(1 << 20);
    Ok(upgrade.max_message_size(1 << 12).on_upgrade(move |ws| socket.run(ws, seq)))
}

struct Socket {
    app: App,
    caller: Caller,
    /// What the caller may since.
    verdict: Verdict,
    frames: Receiver<Arc<Frame>>,
    /// The last event that the client has seen.
    since: Option<i64>,
    /// The last event that it was told of, or left out of.
    told: i64,
    /// It has said something since the last ping.
    is_answering: bool,
}

/// How a socket begins.
enum Beginning {
    /// With what comes next.
    Afresh,
    /// With what came after that event; all of it is kept.
    Missed(i64),
    /// It has missed more than is kept, or than it is told.
    TooMuch,
    /// It has seen what is still to come: the log is another one.
    Unknown,
}

/// Why a socket is closed: code, word for metrics and for the other side.
struct Closed(u16, &'static str);

const GONE: Closed = Closed(1001, "gone");
const STOPPING: Closed = Closed(1001, "stopping");
const NOT_ALLOWED: Closed = Closed(4401, "unauthorized");
const SLOW: Closed = Closed(1013, "too_slow");
const FROM_THE_FUTURE: Closed = Closed(4400, "last_seq_unknown");

impl Socket {
    async fn run(mut self, mut ws: WebSocket, seq: i64) {
        metrics::gauge!("paloma_live_sockets").increment(1);
        let closed = match self.serve(&mut ws, seq).await {
            Ok(()) => GONE,
            Err(closed) => closed,
        };
        metrics::gauge!("paloma_live_sockets").decrement(1);
        metrics::counter!("paloma_live_closed_total", "reason" => closed.1).increment(1);
        let farewell = CloseFrame { code: closed.0, reason: closed.1.into() };
        // the other side may be gone already
        let _ = tokio::time::timeout(SEND, ws.send(Message::Close(Some(farewell)))).await;
    }

    /// Ends in order when the other side leaves.
    async fn serve(&mut self, ws: &mut WebSocket, seq: i64) -> Result<(), Closed> {
        let beginning = self.beginning(seq).await?;
        let is_resumed = matches!(beginning, Beginning::Missed(_));
        send(ws, frame(&json!({ "kind": "hello", "seq": seq, "is_resumed": is_resumed }))).await?;
        match beginning {
            Beginning::Afresh => {}
            Beginning::Missed(since) => self.catch_up(ws, since, seq).await?,
            Beginning::TooMuch => send(ws, frame(&json!({ "kind": "resync_required", "seq": seq }))).await?,
            Beginning::Unknown => return Err(FROM_THE_FUTURE),
        }
        let stop = self.app.stop.clone();
        let mut ping = interval_at(Instant::now() + PING, PING);
        loop {
            tokio::select! {
                frame = self.frames.recv() => self.pass_on(ws, frame).await?,
                said = ws.recv() => match said {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(()),
                    // nothing is asked for by frames; that it speaks is enough
                    Some(Ok(_)) => self.is_answering = true,
                },
                changed = self.verdict.changed() => {
                    changed.map_err(|_| STOPPING)?;
                    self.look(ws).await?;
                }
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

    /// Whether, and what, the caller may now. Of conversations that are in sight or out of it from now on nothing tells one by one.
    async fn look(&mut self, ws: &mut WebSocket) -> Result<(), Closed> {
        let caller = self.verdict.borrow_and_update().clone();
        let caller = caller.filter(|caller| !caller.lacks_factor).ok_or(NOT_ALLOWED)?;
        let before = std::mem::replace(&mut self.caller, caller);
        if before.sight(Permission::ConversationsView) == self.caller.sight(Permission::ConversationsView) {
            return Ok(());
        }
        send(ws, frame(&json!({ "kind": "resync_required", "seq": self.told }))).await
    }

    /// Tells as much of a frame as is for the caller, by what is known of them at this very moment.
    async fn tell(&mut self, ws: &mut WebSocket, frame: &Frame) -> Result<(), Closed> {
        if self.verdict.has_changed().map_err(|_| STOPPING)? {
            self.look(ws).await?;
        }
        self.told = frame.seq.unwrap_or(self.told);
        match frame.text_for(&self.app, &self.caller).await {
            Ok(Some(text)) => send(ws, Message::Text(text)).await,
            Ok(None) => Ok(()),
            // nobody knows whether it is theirs: they come back, and are told then
            Err(error) => {
                tracing::warn!(%error, "live: whose an event is could not be read");
                Err(STOPPING)
            }
        }
    }

    async fn beginning(&self, seq: i64) -> Result<Beginning, Closed> {
        let Some(since) = self.since else { return Ok(Beginning::Afresh) };
        let kept = events::kept(&self.app.db, self.caller.tenant_id).await.map_err(|_| STOPPING)?;
        if since < 0 || since > kept.last {
            return Ok(Beginning::Unknown);
        }
        let is_kept = kept.oldest.is_some_and(|oldest| oldest <= since + 1);
        let is_too_much = since < seq && (!is_kept || seq - since > MOST_MISSED);
        Ok(if is_too_much { Beginning::TooMuch } else { Beginning::Missed(since) })
    }

    /// Tells what was missed, up to where this socket has joined; what comes after waits in its channel meanwhile.
    async fn catch_up(&mut self, ws: &mut WebSocket, since: i64, seq: i64) -> Result<(), Closed> {
        let mut told = since;
        while told < seq {
            let missed =
                events::after(&self.app.db, self.caller.tenant_id, told, MISSED_AT_ONCE).await.map_err(|_| STOPPING)?;
            let Some(last) = missed.last().map(|event| event.seq) else { return Ok(()) };
            let frames = Frame::of_all(self.caller.tenant_id, &missed).map_err(|_| STOPPING)?;
            for frame in frames.iter().take_while(|frame| frame.seq.is_some_and(|number| number <= seq)) {
                self.tell(ws, frame).await?;
            }
            told = last;
        }
        Ok(())
    }

    async fn pass_on(&mut self, ws: &mut WebSocket, frame: Result<Arc<Frame>, RecvError>) -> Result<(), Closed> {
        match frame {
            // a client may have seen, by another process, what this one's feed still has to come to
            Ok(frame) if frame.seq.is_some() && frame.seq <= self.since => Ok(()),
            Ok(frame) => self.tell(ws, &frame).await,
            // what it missed can't be told any more: it comes back and reads afresh
            Err(RecvError::Lagged(_)) => Err(SLOW),
            Err(RecvError::Closed) => Err(STOPPING),
        }
    }
}

fn frame(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}

async fn send(ws: &mut WebSocket, message: Message) -> Result<(), Closed> {
    match tokio::time::timeout(SEND, ws.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(GONE),
        Err(_) => Err(SLOW),
    }
}
