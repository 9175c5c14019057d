//! Measures the simulator against itself over loopback: clients that send, a receiver that counts webhooks, all in one
//! process and on its cores, so a figure is a lower bound of what the simulator alone can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::config::Config;
use super::server::Server;

/// What a measurement found.
#[derive(Debug, Clone, Serialize)]
pub struct BenchReport {
    /// Sends made.
    pub sends: u64,
    /// Sends in flight at once.
    pub concurrency: u64,
    /// Seconds until the last answer.
    pub send_s: f64,
    /// Seconds until the last webhook was answered.
    pub total_s: f64,
    /// Sends over the time until the last answer.
    pub sends_per_s: f64,
    /// Sends over the time until the last webhook was answered.
    pub sends_with_webhooks_per_s: f64,
    /// Webhooks the receiver got.
    pub webhooks: u64,
    /// Answers other than 200.
    pub failed: u64,
    /// Duplicates in the simulator's log; must be 0.
    pub duplicates: u64,
}

/// Sends `sends` texts to different numbers over `concurrency` connections.
pub async fn bench(sends: u64, concurrency: u64) -> anyhow::Result<BenchReport> {
    let (receiver, received) = receive().await?;
    let config = Config::default();
    let password = config.password.clone().unwrap_or_default();
    let server = Server::start_local(config).await?;
    let sim = server.sim();
    sim.register_webhook(&format!("http://{receiver}/hook"), &["*"]);
    let (next, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..concurrency.max(1) {
        let (next, failed, path) = (next.clone(), failed.clone(), format!("/api/v1/message/text?password={password}"));
        let address = server.address();
        clients.spawn(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= sends {
                    return anyhow::Ok(());
                }
                sender.ready().await?;
                let answer = sender.send_request(text(&path, n)?).await?;
                if !answer.status().is_success() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                answer.into_body().collect().await?;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let send_s = started.elapsed().as_secs_f64();
    sim.settled().await;
    let total_s = started.elapsed().as_secs_f64();
    let summary = sim.summary();
    server.stop().await;
    Ok(BenchReport {
        sends: summary.total,
        concurrency,
        send_s,
        total_s,
        sends_per_s: summary.total as f64 / send_s,
        sends_with_webhooks_per_s: summary.total as f64 / total_s,
        webhooks: received.load(Ordering::Relaxed),
        failed: failed.load(Ordering::Relaxed),
        duplicates: summary.duplicates,
    })
}

fn text(path: &str, n: u64) -> anyhow::Result<Request<Full<Bytes>>> {
    let body = format!(
        r#"{{"chatGuid":"iMessage;-;+1555{n:07}","tempGuid":"temp-{n}","message":"Hello number {n}, this is a text of usual length for a campaign.","method":"private-api"}}"#
    );
    let request = Request::post(path).header("host", "localhost").header("content-type", "application/json");
    Ok(request.body(Full::new(Bytes::from(body)))?)
}

/// Counts webhooks until the runtime ends.
async fn receive() -> anyhow::Result<(std::net::SocketAddr, Arc<AtomicU64>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let received = Arc::new(AtomicU64::new(0));
    let count = received.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = count.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let count = count.clone();
                async move {
                    request.into_body().collect().await?;
                    count.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::new())))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok((address, received))
}
