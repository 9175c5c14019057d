//! Settings of the api process alone; what every server binary takes is in crm.

use std::net::SocketAddr;

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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            upload_limit_mib: 512,
            metrics_token: None,
            behind_proxy: false,
        }
    }
}
