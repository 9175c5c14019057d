//! `paloma demo`: the main job, from a CSV file to delivered messages, on a stack of its own that goes away afterwards, and a report of
//! how it went. Whatever it makes, it makes through the HTTP API as a customer would; what really left it asks the simulator.

mod audit;
pub mod client;
pub mod follow;
pub mod ground;
mod killer;
mod report;
mod rows;

use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use cli::stack::StopSignal;
use client::{Client, Tenant};
use follow::Bar;
use ground::Ground;
use report::Report;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// After the time is up: what the last look at everything may take.
const AFTERTHOUGHT: Duration = Duration::from_secs(120);
/// The simulator answers at once: whoever waits longer waits for an answer that was lost.
const SEND_TIMEOUT_S: u32 = 10;
const RESOLVE_AFTER_S: u32 = 15;
/// The API takes no line with a rate and without a cap, so this is as good as none.
const NO_CAP: u32 = 10_000;

/// What is sent to whom, how fast, and what goes wrong meanwhile.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// The contacts.
    #[arg(long, value_name = "FILE", conflicts_with = "rows")]
    csv: Option<PathBuf>,
    /// That many made-up contacts instead of a file.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=rows::MOST))]
    rows: u32,
    /// The column of the phone; otherwise it is found by its name.
    #[arg(long, value_name = "NAME")]
    phone_column: Option<String>,
    /// The text of the messages.
    #[arg(
        long,
        value_name = "TEMPLATE",
        default_value = "Hola {{firstName|amigo}}, gracias por acompañarnos. Equipo Paloma"
    )]
    message: String,
    /// Sends a second of the line; otherwise as many as come.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Worker processes; the first one imports.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// Kill a worker every so many seconds with SIGKILL and start it again, until all is sent.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    kill_every: Option<u64>,
    /// Share of the sends whose answer is lost after the message left.
    #[arg(long, value_name = "PCT", default_value_t = 0.0)]
    drop_answers: f64,
    /// Seconds after which it gives up.
    #[arg(long, value_name = "S", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the demo. 0: every eligible recipient got exactly one message; 3: some are held; 1: anything else.
pub async fn demo(arguments: &DemoArguments) -> Result<ExitCode> {
    if let Some(file) = &arguments.csv {
        std::fs::File::open(file).with_context(|| format!("opening {}", file.display()))?;
    }
    if !(0.0..=100.0).contains(&arguments.drop_answers) {
        bail!("--drop-answers is a share in per cent, 0 to 100");
    }
    let stop = StopSignal::listen()?;
    let mut ground = tokio::select! {
        ground = Ground::lay() => ground?,
        () = stop.requested() => bail!("stopped"),
    };
    let within = Duration::from_secs(arguments.timeout);
    let outcome = tokio::select! {
        outcome = timeout(within + AFTERTHOUGHT, run(arguments, &mut ground)) => {
            outcome.unwrap_or_else(|_| Err(anyhow!("not done within {within:?} and {AFTERTHOUGHT:?} more")))
        }
        () = stop.requested() => {
            ground.clear().await?;
            bail!("stopped")
        }
    };
    let verdict = match outcome {
        Ok(report) => {
            cli::print::ended(print(arguments.json, &report))?;
            report.verdict()
        }
        Err(error) => {
            eprintln!("paloma: {error:#}");
            1
        }
    };
    if verdict == 1 {
        ground.keep_logs().await?;
    } else {
        ground.clear().await?;
    }
    Ok(ExitCode::from(verdict))
}

fn print(as_json: bool, report: &Report) -> Result<()> {
    if as_json {
        return cli::print::json(report);
    }
    cli::print::text(report.summary()?)
}

async fn run(arguments: &DemoArguments, ground: &mut Ground) -> Result<Report> {
    let deadline = Instant::now() + Duration::from_secs(arguments.timeout);
    let bar = Bar::new("starting");
    ground.start(usize::from(arguments.workers), arguments.drop_answers).await?;
    let client = Client::sign_up(ground.api_url(), ground.operator_token(), &Tenant::random()).await?;
    let line = make_line(arguments, ground, &client, deadline).await?;
    let killer = killer::set_loose(ground.workers(), arguments.kill_every);
    let (import, import_s) = bring_in(arguments, &client, &bar, deadline).await?;
    // the demonstration is watched at any hour
    let campaign = json!({ "name": "Demo", "line_id": line, "import_id": import["id"], "body": arguments.message, "quiet_hours": false });
    let campaign = client.post("campaigns", &campaign).await.context("making the campaign")?;
    let id = campaign["id"].as_str().context("a campaign has an id")?;
    let asked_at = Instant::now();
    client.post(&format!("campaigns/{id}/launch"), &json!({})).await.context("launching the campaign")?;
    let (answered_at, answered) = (clock(), Instant::now());
    let frozen_at = follow::frozen(&client, id, &bar, deadline).await?;
    let in_time = follow::completed(&client, id, &bar, deadline).await?;
    let kills = killer.stop().await?;
    let progress = follow::delivered(&client, id, &bar, deadline).await?;
    let deliver_s = answered.elapsed().as_secs_f64();
    let audit = audit::audit(&client, id, &bar, ground.sim_url(), in_time).await?;
    bar.clear();
    Ok(Report::new(
        &import,
        &progress,
        &audit,
        report::Course {
            import_s,
            launch_s: frozen_at.map(|frozen_at| (frozen_at - asked_at).as_secs_f64()),
            answered_at,
            deliver_s,
            in_time,
            kills,
            crashed: ground.crashed(),
            worker_rss_mb: ground.rss_mb(|_| true),
            worker_rss_mb_without_import: ground.rss_mb(|worker| worker > 0),
        },
    ))
}

/// The machine's clock, by which the simulator keeps its log.
#[expect(clippy::disallowed_methods, reason = "compared with the log of another process, which has no database")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}

/// A line to the simulator, once it is told what happens there.
async fn make_line(arguments: &DemoArguments, ground: &Ground, client: &Client, deadline: Instant) -> Result<String> {
    let mut line = json!({
        "name": "Demo line", "address": "+13055550100", "base_url": ground.sim_url(), "password": ground::SIM_PASSWORD,
        "method": "private_api", "send_timeout_s": SEND_TIMEOUT_S, "resolve_after_s": RESOLVE_AFTER_S,
    });
    match arguments.rate {
        Some(rate) => {
            line["rate_per_minute"] = json!(rate * 60.0);
            line["cap"] = json!(NO_CAP);
        }
        None => line["unlimited"] = json!(true),
    }
    let line = client.post("lines", &line).await.context("making the line")?;
    let id = line["id"].as_str().context("a line has an id")?.to_owned();
    follow::registered(client, &id, deadline).await?;
    Ok(id)
}

/// Uploads the contacts and waits until they are in.
async fn bring_in(
    arguments: &DemoArguments,
    client: &Client,
    bar: &Bar,
    deadline: Instant,
) -> Result<(serde_json::Value, f64)> {
    let (name, body) = match &arguments.csv {
        Some(path) => {
            let file = tokio::fs::File::open(path).await.with_context(|| format!("opening {}", path.display()))?;
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), reqwest::Body::from(file))
        }
        None => {
            let heading = arguments.phone_column.clone().unwrap_or_else(|| "phone".to_owned());
            let chunks = rows::csv(arguments.rows, &heading).map(Ok::<_, std::io::Error>);
            ("generated.csv".to_owned(), reqwest::Body::wrap_stream(futures::stream::iter(chunks)))
        }
    };
    let asked_at = Instant::now();
    let mut query = vec![("file_name", name.as_str())];
    query.extend(arguments.phone_column.as_deref().map(|column| ("phone_column", column)));
    let import = client.upload("imports", &query, body, deadline).await.context("uploading the contacts")?;
    let id = import["id"].as_str().context("an import has an id")?;
    let import = follow::imported(client, id, bar, deadline).await?;
    Ok((import, asked_at.elapsed().as_secs_f64()))
}
