//! Waiting for a process to be ready. A process that ends meanwhile is an error with its last words, never a time-out.

use super::child::{ChildHandle, State};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const TICK: Duration = Duration::from_millis(50);

/// An HTTP client for processes of this machine: no proxy is asked.
pub fn loopback_client(patience: Duration) -> Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // a second time it is refused, and that is fine
    Ok(reqwest::Client::builder().no_proxy().timeout(patience).build()?)
}

impl ChildHandle {
    /// Waits until a GET of `url` succeeds.
    pub async fn ready_at(&self, url: &str, within: Duration) -> Result<()> {
        let client = loopback_client(Duration::from_secs(5))?;
        let until = Instant::now() + within;
        let asking = async {
            loop {
                let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
                match answer {
                    Ok(_) => return Ok(()),
                    Err(error) if Instant::now() > until => {
                        return Err(error).with_context(|| format!("{} was not ready within {within:?}", self.name()));
                    }
                    Err(_) => sleep(TICK).await,
                }
            }
        };
        self.unless_it_ends(asking).await
    }

    /// Waits for the JSON object that the process prints first.
    pub async fn announcement(&self, within: Duration) -> Result<Value> {
        let heard = async {
            timeout(within, self.printed().announcement())
                .await
                .map_err(|_| anyhow!("{} announced nothing within {within:?}", self.name()))?
        };
        self.unless_it_ends(heard).await
    }

    async fn unless_it_ends<T>(&self, wait: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            outcome = wait => outcome,
            ended = self.until(|state| !matches!(state, State::Running(_))) => {
                let said = self.printed().last_lines();
                match ended? {
                    State::Crashed(status) => bail!("{} ended before it was ready ({status})\n{said}", self.name()),
                    State::Stopped | State::Running(_) => bail!("{} was stopped before it was ready", self.name()),
                }
            }
        }
    }
}
