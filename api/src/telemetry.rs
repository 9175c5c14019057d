//! The api's own metrics, described.

use std::sync::Once;

use metrics_exporter_prometheus::PrometheusHandle;

/// The process's recorder, with the metrics of this crate described to it.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    static DESCRIBED: Once = Once::new();
    let handle = crm::telemetry::recorder()?;
    DESCRIBED.call_once(describe);
    Some(handle)
}

fn describe() {
    metrics::describe_histogram!(
        "paloma_http_request_seconds",
        metrics::Unit::Seconds,
        "Time from request to answer, by route"
    );
    metrics::describe_gauge!("paloma_live_sockets", "Open sockets of the live feed");
    metrics::describe_counter!("paloma_live_closed_total", "Sockets of the live feed that were closed, by reason");
    metrics::describe_counter!("paloma_events_numbered_total", "Events that this process has numbered");
}
