//! `paloma bench foreign`: whether the time of an answer tells another tenant's thing from one that nobody has. Both are asked for by turns, over HTTP,
//! so that whatever else the machine does befalls both alike. Measures, and says where the medians are further apart than chance puts them.

use crate::demo::client::{Client, Tenant};
use crate::demo::ground::{self, Ground};
use anyhow::{Context, Result};
use clap::Args;
use cli::stack::StopSignal;
use serde::Serialize;
use serde_json::{Value, json};

/// Requests of each kind before those that count.
const WARM: u32 = 50;
/// Medians that are closer than this share of themselves can't be told apart over a network.
const APART: f64 = 0.05;

/// How often.
#[derive(Debug, Args)]
pub struct ForeignArguments {
    /// Requests of each kind that count, of each route.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    requests: u32,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What one route took.
#[derive(Debug, Serialize)]
struct Figure {
    route: &'static str,
    foreign_p50_ms: f64,
    missing_p50_ms: f64,
    /// Of the missing one twice, in two halves: what chance alone makes of one and the same thing.
    chance_ms: f64,
    is_told: bool,
}

/// What came out.
#[derive(Debug, Serialize)]
struct Report {
    release: bool,
    requests: u32,
    figures: Vec<Figure>,
}

/// Measures.
pub async fn obey(arguments: &ForeignArguments) -> Result<()> {
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

async fn run(arguments: &ForeignArguments, ground: &mut Ground) -> Result<Report> {
    ground.start(1, 0.0).await?;
    let owner = Client::sign_up(ground.api_url(), ground.operator_token(), &Tenant::random()).await?;
    let stranger = Client::sign_up(ground.api_url(), ground.operator_token(), &Tenant::named("stranger")).await?;
    let mut figures = Vec::new();
    for (route, id) in things(&owner, ground.sim_url()).await? {
        figures.push(figure(&stranger, route, &id, arguments.requests).await?);
    }
    Ok(Report { release: !cfg!(debug_assertions), requests: arguments.requests, figures })
}

/// A thing of each kind, of the first tenant.
async fn things(owner: &Client, gateway: &str) -> Result<Vec<(&'static str, String)>> {
    let id = |made: &Value| made["id"].as_str().map(str::to_owned).context("what is made has an id");
    let line = json!({
        "name": "Bench", "address": "+13055550100", "base_url": gateway, "password": ground::SIM_PASSWORD, "method": "private_api", "unlimited": true,
    });
    let line = id(&owner.post("lines", &line).await?)?;
    let contact = id(&owner.post("contacts", &json!({ "phone": "+13055550142" })).await?)?;
    let address = json!({ "line_id": line, "address": "+13055550142" });
    let conversation = id(&owner.post("conversations", &address).await?)?;
    Ok(vec![
        ("contacts", contact),
        ("contacts/{id}/household", id(&owner.post("contacts", &json!({ "phone": "+13055550143" })).await?)?),
        ("lines", line),
        ("conversations", conversation.clone()),
        ("conversations/{id}/messages", conversation),
    ])
}

async fn figure(stranger: &Client, route: &'static str, id: &str, requests: u32) -> Result<Figure> {
    let path = |id: &str| if route.contains("{id}") { route.replace("{id}", id) } else { format!("{route}/{id}") };
    // one that is asked for as often as the foreign one
    let (a, b) = (path(id), path(&uuid::Uuid::now_v7().to_string()));
    let (mut foreign, mut missing) = (Vec::new(), Vec::new());
    for round in 0..WARM + requests {
        // which comes first changes with each round
        let (theirs, nobodys) = if round % 2 == 0 {
            let theirs = stranger.timed_missing(&a).await?;
            (theirs, stranger.timed_missing(&b).await?)
        } else {
            let nobodys = stranger.timed_missing(&b).await?;
            (stranger.timed_missing(&a).await?, nobodys)
        };
        if round >= WARM {
            foreign.push(theirs.as_secs_f64() * 1000.0);
            missing.push(nobodys.as_secs_f64() * 1000.0);
        }
    }
    let (even, odd): (Vec<_>, Vec<_>) = missing.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let half = |half: Vec<(usize, &f64)>| median(half.into_iter().map(|(_, ms)| *ms).collect());
    let chance_ms = (half(even) - half(odd)).abs();
    let (foreign_p50_ms, missing_p50_ms) = (median(foreign), median(missing));
    let is_told = (foreign_p50_ms - missing_p50_ms).abs() > (missing_p50_ms * APART).max(2.0 * chance_ms);
    Ok(Figure { route, foreign_p50_ms, missing_p50_ms, chance_ms, is_told })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}
