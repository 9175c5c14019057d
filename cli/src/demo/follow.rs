//! Watching the main job through the API, with a bar for people. Each wait ends at the deadline.

use super::client::Client;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Often enough that the figures are right to a hundredth of a second or so, where they matter.
const SHORT: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_millis(250);
/// Receipts that were lost are looked for once a minute: whoever is still missing after more than that has none.
const QUIET: Duration = Duration::from_secs(75);

/// A bar on the terminal; nothing where standard error is none.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that shows how far `what` is.
    pub fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new(0).with_message(what);
        let style = ProgressStyle::with_template("{msg:>12} {bar:40} {pos}/{len} {per_sec} {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Begins anew, with other work.
    pub fn begin(&self, what: &'static str) {
        self.0.reset();
        self.0.set_message(what);
    }

    /// So much is done.
    pub fn at(&self, done: u64, of: u64) {
        self.0.set_length(of);
        self.0.set_position(done);
    }

    /// Takes it off the terminal.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Waits until the gateway reports to us.
pub async fn registered(client: &Client, line: &str, deadline: Instant) -> Result<()> {
    loop {
        let line = client.get(&format!("lines/{line}")).await?;
        if line["hook_state"] == "registered" {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the line's webhook was not registered in time: {line}");
        }
        sleep(SHORT).await;
    }
}

/// Waits until the contacts are in, and answers with the import.
pub async fn imported(client: &Client, id: &str, bar: &Bar, deadline: Instant) -> Result<Value> {
    bar.begin("importing");
    loop {
        let import = client.get(&format!("imports/{id}")).await?;
        bar.at(number(&import["row_count"]), number(&import["total"]));
        match import["state"].as_str().context("an import has a state")? {
            "completed" => return Ok(import),
            "queued" | "running" => {}
            other => bail!("the import is {other}: {} {}", import["failure_code"], import["failure_detail"]),
        }
        if Instant::now() > deadline {
            bail!("the import did not end in time: {import}");
        }
        sleep(SHORT).await;
    }
}

/// Waits until the audience is frozen, and answers when it was seen to be; none: not in time.
pub async fn frozen(client: &Client, id: &str, bar: &Bar, deadline: Instant) -> Result<Option<Instant>> {
    bar.begin("freezing");
    while Instant::now() <= deadline {
        let campaign = client.get(&format!("campaigns/{id}")).await?;
        if !campaign["frozen_at"].is_null() {
            return Ok(Some(Instant::now()));
        }
        sleep(SHORT).await;
    }
    Ok(None)
}

/// Waits until the last recipient is settled; false: not in time.
pub async fn completed(client: &Client, id: &str, bar: &Bar, deadline: Instant) -> Result<bool> {
    bar.begin("sending");
    while Instant::now() <= deadline {
        let progress = client.get(&format!("campaigns/{id}/progress")).await?;
        bar.at(out(&progress), number(&progress["eligible"]));
        match progress["state"].as_str().context("a campaign has a state")? {
            "completed" => return Ok(true),
            "active" => {}
            other => bail!("somebody made the campaign {other}"),
        }
        sleep(TICK).await;
    }
    Ok(false)
}

/// Waits until all that is out has been delivered, or nothing comes any more, and answers with the numbers.
pub async fn delivered(client: &Client, id: &str, bar: &Bar, deadline: Instant) -> Result<Value> {
    bar.begin("delivering");
    let (mut best, mut since) = (0, Instant::now());
    loop {
        let progress = client.get(&format!("campaigns/{id}/progress")).await?;
        let delivered = arrived(&progress);
        bar.at(delivered, out(&progress));
        if delivered > best {
            (best, since) = (delivered, Instant::now());
        }
        if delivered == out(&progress) || since.elapsed() > QUIET || Instant::now() > deadline {
            return Ok(progress);
        }
        sleep(TICK).await;
    }
}

/// Recipients whose message is known to be out.
pub fn out(progress: &Value) -> u64 {
    arrived(progress) + count(progress, "sent")
}

/// Recipients whose message arrived.
pub fn arrived(progress: &Value) -> u64 {
    count(progress, "delivered") + count(progress, "read")
}

/// Recipients in that state.
pub fn count(progress: &Value, state: &str) -> u64 {
    number(&progress["counts"][state])
}

/// A count, 0 where there is none.
pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}
