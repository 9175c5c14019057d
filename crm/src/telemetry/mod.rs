//! What a process tells of itself: logs, metrics as Prometheus reads them, and traces. The api serves these on its own port; the other processes
//! listen for a scraper only where they are told to, so that any number of them fits on a machine.

mod traces;

use std::{io::IsTerminal, net::SocketAddr, sync::OnceLock, time::Duration};

use clap::Args;
use jobs::metrics::{ALL, Type};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Level;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub use traces::Traces;

/// Seconds, from a fast answer to a hung one: for every histogram that does not say its own.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Where a process without HTTP of its own is scraped.
#[derive(Debug, Clone, Args)]
pub struct Scrape {
    /// Where to serve the metrics, `127.0.0.1:9464`; unset: nowhere. No token guards it: give it an address that only Prometheus reaches.
    #[arg(long, env = "PALOMA_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
}

/// Serves the process's metrics where that is asked for; otherwise none are kept. First thing in a process, inside its runtime.
pub fn serve(scrape: &Scrape) -> anyhow::Result<()> {
    let Some(address) = scrape.metrics_listen else { return Ok(()) };
    let (recorder, exporter) = builder()?
        .with_http_listener(address)
        .build()
        .map_err(|error| anyhow::anyhow!("can't serve metrics on {address}: {error}"))?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    jobs::metrics::describe();
    // empty so far: this is the first thing in a process
    let _ = RECORDER.set(Some(handle));
    tokio::spawn(exporter);
    tracing::info!(%address, "serving metrics");
    Ok(())
}

/// The process's recorder; installed by the first who asks, none if the process already has another.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    let install = || {
        let handle = builder().ok()?.install_recorder().ok()?;
        jobs::metrics::describe();
        Some(handle)
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Keeps the recorder's buffers small while nobody scrapes; where it serves itself it does that too.
pub async fn upkeep() {
    let Some(handle) = recorder() else { return };
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let mut builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    for metric in ALL {
        if let Type::Histogram(bounds) = metric.r#type {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
        }
    }
    Ok(builder)
}

/// What is logged: by `RUST_LOG`, `level` or `target=level`, comma-separated; otherwise from information on. By targets alone, since a filter that
/// can also ask for the values of spans looks at each entry into one, which costs the worker half a microsecond a job.
#[must_use]
pub fn filter() -> Targets {
    let own = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    own.unwrap_or_else(|| Targets::new().with_default(Level::INFO).with_target("sqlx", Level::WARN))
}

/// Logs to standard error, text for people or JSON lines by setting, where `RUST_LOG` filters; and sends traces where the environment names a
/// collector.
pub fn install_logs(json: bool, name: &'static str) -> anyhow::Result<Traces> {
    let traces = Traces::from_env(name)?;
    let logs = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let logs = if json { logs.json().boxed() } else { logs.with_target(false).boxed() };
    let subscriber = tracing_subscriber::registry().with(logs.with_filter(filter())).with(traces.layer());
    // a second installation (tests) keeps the first
    let _ = subscriber.try_init();
    Ok(traces)
}
