//! `paloma bench sockets`: what the live feed costs: the memory of many silent sockets in one api process, and how long it takes until an
//! event, and a message that comes in at a gateway, has reached each of a thousand. The sockets' other ends are in a process of their own.

use super::noop::{Moment, nanos};
use crate::demo::client::{Client, Tenant};
use crate::demo::follow;
use crate::demo::ground::{self, Ground};
use anyhow::{Context, Result, bail};
use clap::Args;
use cli::stack::{StopSignal, loopback_client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::process::Stdio;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const PATIENCE: Duration = Duration::from_secs(60);
/// Sockets that are opened at once.
const AT_ONCE: usize = 50;
/// So long silent sockets are left alone before their memory is looked at: longer than a look at who may listen, and than a ping takes.
const SILENCE: Duration = Duration::from_secs(25);

/// How many.
#[derive(Debug, Args)]
pub struct SocketsArguments {
    /// Silent sockets whose memory is measured; 0 leaves it out.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Sockets that each event has to reach.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    listeners: u32,
    /// Events that are told to them, and messages that come in.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    events: u32,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// One of the client processes.
#[derive(Debug, Args)]
pub struct ListenArguments {
    /// The feed's address.
    #[arg(long)]
    url: String,
    /// Sockets.
    #[arg(long)]
    count: usize,
    /// Events of which each socket says when it came.
    #[arg(long)]
    kind: String,
}

/// What is read of a frame.
#[derive(Debug, Deserialize)]
struct Told {
    seq: Option<i64>,
    kind: String,
}

/// How long something took until the first, the middle, and the last socket had it, over all events.
#[derive(Debug, Serialize)]
struct Spread {
    first_p50_ms: f64,
    last_p50_ms: f64,
    last_p95_ms: f64,
    last_max_ms: f64,
}

/// What came out.
#[derive(Debug, Serialize)]
struct Report {
    release: bool,
    idle: usize,
    /// Of the api process before there was a socket, and with all of them.
    rss_before_mb: f64,
    rss_idle_mb: f64,
    listeners: u32,
    events: u32,
    /// From the request that changes something until all have been told.
    broadcast: Spread,
    /// From the moment somebody writes to the gateway until all have been told.
    inbound: Spread,
}

/// Measures.
pub async fn obey(arguments: &SocketsArguments) -> Result<()> {
    let stop = StopSignal::listen()?;
    let mut ground = Ground::lay().await?;
    let outcome = tokio::select! {
        outcome = run(arguments, &mut ground) => outcome,
        () = stop.requested() => Err(anyhow::anyhow!("stopped")),
    };
    ground.clear().await?;
    let report = outcome?;
    if arguments.json {
        return cli::print::json(&report);
    }
    cli::print::line(serde_json::to_string_pretty(&report)?)
}

async fn run(arguments: &SocketsArguments, ground: &mut Ground) -> Result<Report> {
    ground.start(1, 0.0).await?;
    let client = Client::sign_up(ground.api_url(), ground.operator_token(), &Tenant::random()).await?;
    let line = json!({
        "name": "Bench", "address": "+13055550100", "base_url": ground.sim_url(), "password": ground::SIM_PASSWORD, "method": "private_api", "unlimited": true,
    });
    let line = client.post("lines", &line).await.context("making the line")?["id"]
        .as_str()
        .context("a line has an id")?
        .to_owned();
    follow::registered(&client, &line, Instant::now() + PATIENCE).await?;
    let rss_before_mb = ground.api_rss_mb()?;
    let rss_idle_mb = match arguments.idle {
        0 => rss_before_mb,
        idle => {
            let mut ears = Ears::open(ground.api_url(), client.cookie(), idle, "none").await?;
            let _ = timeout(SILENCE, ears.hear()).await;
            let rss = ground.api_rss_mb()?;
            ears.close().await?;
            rss
        }
    };
    let conversation = client.post("conversations", &json!({ "line_id": line, "address": "+13055550142" })).await?;
    let id = conversation["id"].as_str().context("a conversation has an id")?;
    let broadcast = broadcast(arguments, ground, &client, id).await?;
    let inbound = inbound(arguments, ground, &client).await?;
    Ok(Report {
        release: !cfg!(debug_assertions),
        idle: arguments.idle,
        rss_before_mb,
        rss_idle_mb,
        listeners: arguments.listeners,
        events: arguments.events,
        broadcast,
        inbound,
    })
}

/// A conversation is pinned and unpinned.
async fn broadcast(arguments: &SocketsArguments, ground: &Ground, client: &Client, id: &str) -> Result<Spread> {
    let mut ears =
        Ears::open(ground.api_url(), client.cookie(), arguments.listeners as usize, "conversation.updated").await?;
    let mut took = Vec::new();
    for n in 0..arguments.events {
        let begun = nanos(SystemTime::now());
        client.patch(&format!("conversations/{id}"), &json!({ "is_pinned": n % 2 == 0 })).await?;
        took.push(ears.hear().await?.since(begun));
    }
    ears.close().await?;
    Ok(Spread::of(took))
}

/// Somebody writes to the gateway, which tells of it.
async fn inbound(arguments: &SocketsArguments, ground: &Ground, client: &Client) -> Result<Spread> {
    let mut ears = Ears::open(ground.api_url(), client.cookie(), arguments.listeners as usize, "message.new").await?;
    let http = loopback_client(PATIENCE)?;
    let mut took = Vec::new();
    for n in 0..arguments.events {
        let begun = nanos(SystemTime::now());
        let message = json!({ "address": format!("+1305555{:04}", n % 100 + 200), "text": format!("message {n}") });
        let answer = http.post(format!("{}/_sim/inbound", ground.sim_url())).json(&message).send().await?;
        answer.error_for_status().context("writing to the gateway")?;
        took.push(ears.hear().await?.since(begun));
    }
    ears.close().await?;
    Ok(Spread::of(took))
}

/// When the first and the last of all sockets got an event.
#[derive(Debug, Clone, Copy)]
struct Heard {
    first: i64,
    last: i64,
}

impl Heard {
    fn since(self, begun: i64) -> (f64, f64) {
        ((self.first - begun) as f64 / 1e6, (self.last - begun) as f64 / 1e6)
    }
}

impl Spread {
    fn of(took: Vec<(f64, f64)>) -> Self {
        let sorted = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values
        };
        let (firsts, lasts) = took.into_iter().unzip();
        let (firsts, lasts): (Vec<f64>, Vec<f64>) = (sorted(firsts), sorted(lasts));
        let at = |values: &[f64], part: usize| values[(values.len() * part).div_ceil(100).max(1) - 1];
        Self {
            first_p50_ms: at(&firsts, 50),
            last_p50_ms: at(&lasts, 50),
            last_p95_ms: at(&lasts, 95),
            last_max_ms: at(&lasts, 100),
        }
    }
}

/// The other ends of sockets, in a process of their own.
struct Ears {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Ears {
    async fn open(api: &str, cookie: &str, count: usize, kind: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("finding this executable")?);
        let url = format!("{}/api/v1/live", api.replace("http://", "ws://"));
        command.args(["bench", "listen", "--url", &url, "--count", &count.to_string(), "--kind", kind]);
        command.env("PALOMA_BENCH_COOKIE", cookie).env("PALOMA_BENCH_ORIGIN", api);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("starting the process of the sockets")?;
        let said = BufReader::new(child.stdout.take().context("it has an output")?).lines();
        let mut ears = Self { child, said };
        match timeout(PATIENCE * 2, ears.said.next_line()).await {
            Ok(Ok(Some(line))) if line == "READY" => Ok(ears),
            _ => bail!("{count} sockets could not be opened (each takes a file on either side: see `ulimit -n`)"),
        }
    }

    /// The next event, once all have it.
    async fn hear(&mut self) -> Result<Heard> {
        let line = timeout(PATIENCE, self.said.next_line()).await.context("an event did not reach all sockets")??;
        let line = line.context("the process of the sockets ended")?;
        let (first, last) = line.split_once(' ').context("two times")?;
        Ok(Heard { first: first.parse::<Moment>()?.0, last: last.parse::<Moment>()?.0 })
    }

    async fn close(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = timeout(PATIENCE, self.child.wait()).await.context("the process of the sockets did not end")??;
        if status.success() { Ok(()) } else { bail!("the process of the sockets ended with {status}") }
    }
}

/// What the client process does: opens its sockets, says so, and then tells of each event when the first and the last socket had it.
pub async fn listen(arguments: &ListenArguments) -> Result<()> {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let opening = (0..arguments.count).map(|_| open(arguments, sender.clone()));
    let opened: Vec<Result<()>> = futures::stream::iter(opening).buffer_unordered(AT_ONCE).collect().await;
    opened.into_iter().collect::<Result<()>>()?;
    drop(sender); // now the sockets alone hold it
    cli::print::line("READY")?;
    let mut open: HashMap<i64, (usize, Heard)> = HashMap::new();
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            // whoever started us has had enough
            _ = input.next_line() => return Ok(()),
            event = heard.recv() => {
                let (seq, at) = event.context("a socket was closed")?;
                let (count, times) = open.entry(seq).or_insert((0, Heard { first: at, last: at }));
                *count += 1;
                (times.first, times.last) = (times.first.min(at), times.last.max(at));
                if *count == arguments.count {
                    cli::print::line(format_args!("{} {}", Moment(times.first), Moment(times.last)))?;
                    open.remove(&seq);
                }
            }
        }
    }
}

async fn open(arguments: &ListenArguments, sender: mpsc::UnboundedSender<(i64, i64)>) -> Result<()> {
    let mut request = arguments.url.as_str().into_client_request()?;
    for (header, variable) in [("cookie", "PALOMA_BENCH_COOKIE"), ("origin", "PALOMA_BENCH_ORIGIN")] {
        request.headers_mut().insert(header, std::env::var(variable)?.parse()?);
    }
    // as it comes each would take 128 KiB
    let small = WebSocketConfig::default().read_buffer_size(1 << 12).write_buffer_size(0);
    let (mut socket, _) = connect_async_with_config(request, Some(small), true).await.context("opening a socket")?;
    let hello = timeout(PATIENCE, socket.next()).await.context("a first frame")?.context("a first frame")??;
    if !matches!(&hello, Message::Text(text) if text.contains("hello")) {
        bail!("the first frame says {hello}");
    }
    let kind = arguments.kind.clone();
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            let at = nanos(SystemTime::now());
            let Message::Text(text) = message else { continue };
            let Ok(event) = serde_json::from_str::<Told>(&text) else { continue };
            if let Some(seq) = event.seq.filter(|_| event.kind == kind) {
                // the process is about to end
                let _ = sender.send((seq, at));
            }
        }
    });
    Ok(())
}
