//! Listening, accepting and stopping. A connection is one task; dropping the server ends all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::config::Config;
use super::handle::Sim;
use super::routes;
use super::state::State;

/// Posts to webhooks made at once.
const DISPATCHERS: usize = 32;
/// How long open requests may go on when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// A running simulator. Dropping it stops it at once; `stop` lets open requests finish.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    accept: Option<JoinHandle<()>>,
    dispatchers: JoinSet<()>,
}

impl Server {
    /// Listens on an address (port 0 picks one) and serves.
    pub async fn start(config: Config, address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = State::new(config);
        let mut dispatchers = JoinSet::new();
        for _ in 0..DISPATCHERS {
            dispatchers.spawn(state.queue.clone().dispatch());
        }
        let accept = Some(tokio::spawn(accept(state.clone(), listener, address)));
        Ok(Self { address, state, accept, dispatchers })
    }

    /// Starts on a free loopback port.
    pub async fn start_local(config: Config) -> anyhow::Result<Self> {
        Self::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, without a trailing slash and without `/api/v1`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The controls.
    pub fn sim(&self) -> Sim {
        Sim(self.state.clone())
    }

    /// Stops accepting, gives open requests a moment, then ends.
    pub async fn stop(mut self) {
        self.state.closed.send_replace(true);
        if let Some(accept) = self.accept.take() {
            // A panic of the accept loop has been printed; there is nothing left to stop.
            let _ = accept.await;
        }
        self.dispatchers.abort_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.closed.send_replace(true);
        if let Some(accept) = &self.accept {
            accept.abort();
        }
    }
}

async fn accept(state: Arc<State>, listener: TcpListener, address: SocketAddr) {
    let mut closed = state.closed.subscribe();
    let mut refuse = state.refuse_until.subscribe();
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        let refused_until = (*refuse.borrow_and_update()).filter(|until| *until > Instant::now());
        if let Some(until) = refused_until {
            listener = None;
            connections.abort_all();
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                _ = refuse.changed() => {}
                () = when_closed(&mut closed) => break,
            }
            continue;
        }
        let Some(open) = &listener else {
            match TcpListener::bind(address).await {
                Ok(again) => listener = Some(again),
                Err(error) => {
                    tracing::warn!(%error, %address, "cannot listen again yet");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(state.clone(), stream, closed.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
            _ = refuse.changed() => {}
            () = when_closed(&mut closed) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(state: Arc<State>, stream: TcpStream, mut closed: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request| routes::serve(state.clone(), request));
    let mut connection = std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // An error is a caller that went away, or a connection closed on purpose.
        _ = connection.as_mut() => {}
        () = when_closed(&mut closed) => {
            connection.as_mut().graceful_shutdown();
            // Whatever is still open after the grace is cut.
            let _ = tokio::time::timeout(GRACE, connection).await;
        }
    }
}

async fn when_closed(closed: &mut watch::Receiver<bool>) {
    // The sender is in the state; if even that is gone, so is the server.
    let _ = closed.wait_for(|closed| *closed).await;
}
