//! A collector of traces: what OTLP over HTTP sends is decoded and kept.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::header, response::IntoResponse, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::any_value::Value,
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;

/// Spans as they came, with the name of the service that sent each.
pub type Spans = Arc<Mutex<Vec<(String, Span)>>>;

/// A collector on a free port.
pub struct Collector {
    /// Its address, for OTEL_EXPORTER_OTLP_ENDPOINT.
    pub url: String,
    spans: Spans,
}

impl Collector {
    /// Starts one; it ends with the test.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Spans::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&spans));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, spans }
    }

    /// All that was sent, as text to search.
    pub fn text(&self) -> String {
        format!("{:?}", self.spans.lock().expect("nothing panics while it is held"))
    }

    /// The first span of that service and name that fits.
    pub fn find(&self, service: &str, name: &str, fits: impl Fn(&Span) -> bool) -> Option<Span> {
        let spans = self.spans.lock().expect("nothing panics while it is held");
        spans.iter().find(|(of, span)| of == service && span.name == name && fits(span)).map(|(_, span)| span.clone())
    }
}

/// A text attribute of a span.
pub fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

async fn take(State(spans): State<Spans>, body: Bytes) -> impl IntoResponse {
    let request = ExportTraceServiceRequest::decode(body).expect("it is OTLP");
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        let service = Span { attributes: resource.attributes, ..Span::default() };
        let service = attribute(&service, "service.name").unwrap_or_default().to_owned();
        let sent = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let mut spans = spans.lock().expect("nothing panics while it is held");
        spans.extend(sent.map(|span| (service.clone(), span)));
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    ([(header::CONTENT_TYPE, "application/x-protobuf")], answer)
}
