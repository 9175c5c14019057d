//! What is compared with what the campaign says of itself: its recipients one by one, the jobs that are left, and the simulator's own log.

use super::client::Client;
use super::follow::Bar;
use anyhow::{Context, Result};
use cli::stack::loopback_client;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The last jobs of a campaign may still run when its last receipt has come.
const JOBS_END_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);
/// Comes again as long as there is a line.
const UPKEEP: &str = "messaging.sweep";

/// What was found.
pub struct Audit {
    /// Recipients by state, counted from the rows.
    pub counts: BTreeMap<String, u64>,
    /// Live jobs that nothing accounts for, by kind.
    pub jobs_left: BTreeMap<String, u64>,
    /// Jobs that were given up, discarded or quarantined, by kind.
    pub jobs_discarded: BTreeMap<String, u64>,
    /// What really left.
    pub sim: Departures,
}

/// The simulator's log in numbers.
#[derive(Debug, Deserialize)]
pub struct Departures {
    /// Messages that left.
    pub total: u64,
    /// Those that left more than once.
    pub duplicates: u64,
    /// Most sends at once.
    pub max_in_flight: u64,
    /// When the last one left.
    pub last_at_ms: Option<i64>,
}

/// Looks at everything once; jobs get time to end only where the campaign has ended.
pub async fn audit(client: &Client, campaign: &str, bar: &Bar, sim_url: &str, ended: bool) -> Result<Audit> {
    bar.begin("checking");
    let jobs_left = jobs_left(client, if ended { JOBS_END_WITHIN } else { Duration::ZERO }).await?;
    let jobs_discarded = kinds(client, &["discarded", "quarantined"]).await?;
    let (mut counts, mut seen) = (BTreeMap::new(), 0);
    let take = |recipient: &Value| {
        let state = recipient["state"].as_str().unwrap_or_default();
        *counts.entry(state.to_owned()).or_default() += 1;
        seen += 1;
        bar.at(seen, seen);
    };
    client.each(&format!("campaigns/{campaign}/recipients"), "", take).await?;
    let summary = loopback_client(Duration::from_secs(30))?.get(format!("{sim_url}/_sim/sent/summary"));
    let sim = summary.send().await?.error_for_status()?.json().await.context("reading the simulator's log")?;
    Ok(Audit { counts, jobs_left, jobs_discarded, sim })
}

async fn jobs_left(client: &Client, within: Duration) -> Result<BTreeMap<String, u64>> {
    let until = Instant::now() + within;
    loop {
        let mut left = kinds(client, &["available", "running"]).await?;
        left.remove(UPKEEP);
        if left.is_empty() || Instant::now() > until {
            return Ok(left);
        }
        sleep(PAUSE).await;
    }
}

async fn kinds(client: &Client, states: &[&str]) -> Result<BTreeMap<String, u64>> {
    let mut kinds = BTreeMap::new();
    for state in states {
        let take = |job: &Value| *kinds.entry(job["kind"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        client.each("jobs", &format!("&state={state}"), take).await?;
    }
    Ok(kinds)
}
