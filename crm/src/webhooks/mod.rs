//! Webhooks: a tenant's own programs are told what happens, each event once and until it is taken, or for three days. Fed from the numbered
//! events; what a receiver does, or does not do, holds up nobody else (ADR 21).

mod address;
mod attempts;
pub mod deliver;
pub mod deliveries;
mod feed;
pub mod kinds;
pub mod lost;
mod outcome;
pub mod prune;
mod sign;
mod webhook;

use std::time::Duration;

use clients::{Egress, Http, HttpOptions, Names, http::BreakerOptions};

pub use address::check;
pub use feed::{Fed, feed};
pub(crate) use webhook::PURPOSE as SECRET;
pub use webhook::{
    CHANNEL, Made, NewWebhook, Rotated, Webhook, WebhookChange, WebhookId, create, delete, get, list, rotate, update,
};

/// How long a receiver may take, from the name to the answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// How calls to addresses of tenants go out: nowhere but to the public internet, over TLS.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The client.
    pub http: Http,
    /// How long a receiver may take.
    pub timeout: Duration,
}

impl Outgoing {
    /// The client with its guard. Where private addresses are allowed, as on a developer's machine, plain HTTP is too.
    pub fn new(allow_private: bool, names: Names) -> anyhow::Result<Self> {
        let egress = if allow_private { Egress::AllowPrivate } else { Egress::Public };
        let options = HttpOptions {
            names,
            https_only: !allow_private,
            // a host may be that of many receivers, each of which has a gate of its own
            breaker: BreakerOptions { failures: u32::MAX, ..BreakerOptions::default() },
            ..HttpOptions::new(egress)
        };
        Ok(Self { http: Http::new(options)?, timeout: ANSWERED_WITHIN })
    }
}
