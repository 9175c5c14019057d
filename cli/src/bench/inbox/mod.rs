//! `paloma bench inbox`: what the inbox costs on a database of any size, through HTTP as a browser would ask, one request after another.
//! Times are those of the caller, body included; statements are the server's own count. Measures, and says which aim was missed.

mod cases;
mod stand;

use anyhow::{Result, bail};
use cases::{Case, cases};
use clap::Args;
use cli::seeding::Size;
use cli::stack::StopSignal;
use serde::Serialize;
use stand::Stand;
use std::fmt::Write;
use std::path::PathBuf;

/// Requests of a case before those that count.
const WARM: usize = 5;

/// On what, and how often.
#[derive(Debug, Args)]
pub struct InboxArguments {
    #[command(flatten)]
    size: Size,
    /// Keep the database in this folder, and use what is there; it is seeded where there is none. Otherwise a temporary one.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Requests that count, of each case.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    /// Only cases of whose name this is a part.
    #[arg(long)]
    only: Option<String>,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What one case took.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    aim_ms: f64,
    /// Statements of each request, without those that begin and end a transaction.
    statements: i64,
    /// The answer's, on average.
    bytes: usize,
    /// Slower than the aim in more than one of twenty, or more statements than there may be.
    is_missed: bool,
}

/// What came out.
#[derive(Debug, Serialize)]
struct Report {
    release: bool,
    conversations: i64,
    messages: i64,
    /// Of the tenant that is asked for.
    conversations_of_tenant: i64,
    requests: u32,
    /// Load of the machine, before and after: what others did meanwhile counts too.
    load: [f64; 2],
    figures: Vec<Figure>,
}

/// Measures.
pub async fn obey(arguments: &InboxArguments) -> Result<()> {
    let stop = StopSignal::listen()?;
    let mut stand = Stand::start(arguments.folder.as_deref(), &arguments.size).await?;
    let outcome = tokio::select! {
        outcome = measure(arguments, &mut stand) => outcome,
        () = stop.requested() => Err(anyhow::anyhow!("stopped")),
    };
    stand.clear().await?;
    let report = outcome?;
    if arguments.json { cli::print::json(&report) } else { cli::print::text(table(&report)?) }
}

async fn measure(arguments: &InboxArguments, stand: &mut Stand) -> Result<Report> {
    let before = load();
    let mut figures = Vec::new();
    let only = arguments.only.as_deref().unwrap_or_default();
    for case in cases(stand).await?.into_iter().filter(|case| case.name.contains(only)) {
        figures.push(figure(&case, stand, arguments.requests as usize).await?);
    }
    if figures.is_empty() {
        bail!("there is no case with {only} in its name");
    }
    let [conversations, messages, conversations_of_tenant] = stand.counts().await?;
    Ok(Report {
        release: !cfg!(debug_assertions),
        conversations,
        messages,
        conversations_of_tenant,
        requests: arguments.requests,
        load: [before, load()],
        figures,
    })
}

async fn figure(case: &Case, stand: &mut Stand, requests: usize) -> Result<Figure> {
    let client = stand.client(case.who);
    for path in case.paths.iter().cycle().take(WARM) {
        client.timed(path).await?;
    }
    stand.forget_statements().await?;
    let client = stand.client(case.who);
    let (mut took, mut bytes) = (Vec::with_capacity(requests), 0);
    for path in case.paths.iter().cycle().take(requests) {
        let (time, length) = client.timed(path).await?;
        took.push(time.as_secs_f64() * 1000.0);
        bytes += length;
    }
    took.sort_by(f64::total_cmp);
    // the value that so many of a hundred do not exceed
    let at = |part: usize| took[(took.len() * part).div_ceil(100).max(1) - 1];
    let statements = stand.statements(i64::try_from(requests)?).await?;
    let (p50_ms, p95_ms, p99_ms) = (at(50), at(95), at(99));
    let is_missed = p95_ms > case.aim_ms || case.most_statements.is_some_and(|most| statements > most);
    let (name, aim_ms, bytes) = (case.name.clone(), case.aim_ms, bytes / requests);
    Ok(Figure { name, p50_ms, p95_ms, p99_ms, aim_ms, statements, bytes, is_missed })
}

/// The machine's load of the last minute; 0 where it can't be told.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

fn table(report: &Report) -> Result<String> {
    let mut text = format!(
        "{} conversations, {} messages; {} conversations of the tenant; {} requests a case; load {} to {}{}\n\n",
        report.conversations,
        report.messages,
        report.conversations_of_tenant,
        report.requests,
        report.load[0],
        report.load[1],
        if report.release { "" } else { "; a debug build, whose times mean nothing" },
    );
    writeln!(text, "{:<52} {:>8} {:>8} {:>8} {:>5} {:>11}", "", "p50 ms", "p95 ms", "p99 ms", "aim", "statements")?;
    for figure in &report.figures {
        let missed = if figure.is_missed { "  missed" } else { "" };
        writeln!(
            text,
            "{:<52} {:>8.1} {:>8.1} {:>8.1} {:>5} {:>11}{missed}",
            figure.name, figure.p50_ms, figure.p95_ms, figure.p99_ms, figure.aim_ms, figure.statements
        )?;
    }
    Ok(text)
}
