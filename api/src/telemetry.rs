//! The process's metrics, as Prometheus reads them.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Seconds, from a fast answer to a hung one.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The process's recorder; installed by the first who asks, none if the process already has another.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS).ok()?;
    let handle = builder.install_recorder().ok()?;
    metrics::describe_histogram!(
        "paloma_http_request_seconds",
        metrics::Unit::Seconds,
        "Time from request to answer, by route"
    );
    metrics::describe_gauge!("paloma_live_sockets", "Open sockets of the live feed");
    metrics::describe_counter!("paloma_live_closed_total", "Sockets of the live feed that were closed, by reason");
    metrics::describe_counter!("paloma_events_numbered_total", "Events that this process has numbered");
    Some(handle)
}

/// Keeps the recorder's buffers small while nobody scrapes.
pub async fn upkeep() {
    let Some(handle) = recorder() else { return };
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}
