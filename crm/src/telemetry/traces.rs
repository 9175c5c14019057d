//! Traces: spans sent to a collector by OTLP over HTTP, where the standard OTEL_* variables name one. Off otherwise, and then nothing of it
//! is built. A job's span begins a trace of its own and links to the request or job that enqueued it; its calls carry its traceparent.

use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// Either names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// Our crates: what the exporter's own client says would be sent again, and again.
const OURS: [&str; 7] = ["paloma", "api", "worker", "scheduler", "crm", "jobs", "clients"];

/// The process's traces; send what is left with [`Traces::end`].
#[must_use]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// To the collector of the environment, under that name unless OTEL_SERVICE_NAME says another.
    pub(super) fn from_env(name: &'static str) -> anyhow::Result<Self> {
        let is_set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        if !ENDPOINTS.iter().any(is_set) || std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value == "true") {
            return Ok(Self(None));
        }
        crate::process::install_tls();
        let mut resource = Resource::builder();
        if !is_set(&"OTEL_SERVICE_NAME") {
            resource = resource.with_service_name(name);
        }
        let exporter = SpanExporter::builder().with_http().build()?;
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self(Some(provider)))
    }

    /// Turns spans of ours into traces.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let tracer = self.0.as_ref()?.tracer("paloma");
        let ours = OURS.map(|name| (name, LevelFilter::INFO));
        Some(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(Targets::new().with_targets(ours)))
    }

    /// Sends what has not been sent. Blocks for some seconds where the collector does not answer.
    pub fn end(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}
