//! Settings of the api process alone; what every server binary takes is in crm.

use std::{net::SocketAddr, num::NonZeroU32};

use clap::Args;
use secrecy::SecretString;

/// Settings of the api.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where to listen.
    #[arg(long, env = "PALOMA_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Largest upload, in MiB.
    #[arg(long, env = "PALOMA_UPLOAD_LIMIT_MIB", default_value_t = 512)]
    pub upload_limit_mib: usize,
    /// Bearer token that `/metrics` asks for; without it anybody who reaches the port may scrape.
    #[arg(long, env = "PALOMA_METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<SecretString>,
    /// The api stands behind one proxy: the client's address is the last one of X-Forwarded-For.
    #[arg(long, env = "PALOMA_BEHIND_PROXY", default_value_t = false, action = clap::ArgAction::Set)]
    pub behind_proxy: bool,
    /// Requests that an API key may make a minute in this process, at once or spread, where the key has no limit of its own.
    #[arg(long, env = "PALOMA_KEY_RATE_PER_MINUTE", default_value = "6000")]
    pub key_rate_per_minute: NonZeroU32,
    /// Requests that an API key may make a day (UTC), where the key has no limit of its own; without it as many as it likes.
    #[arg(long, env = "PALOMA_KEY_QUOTA_PER_DAY")]
    pub key_quota_per_day: Option<NonZeroU32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            upload_limit_mib: 512,
            metrics_token: None,
            behind_proxy: false,
            key_rate_per_minute: const { NonZeroU32::new(6_000).unwrap() },
            key_quota_per_day: None,
        }
    }
}
