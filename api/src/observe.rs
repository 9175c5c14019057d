//! Around every request: its id, its span, its time, the body of its error, and the headers that keep browsers careful.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, field};
use uuid::Uuid;

use crate::{Api, problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer that does not set them itself.
const CAREFUL: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Runs the request. Its path is logged as the route has it: the real one may hold secrets.
pub async fn request(State(api): State<Api>, request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("http.request", %method, route, request.id = id, tenant.id = field::Empty);
    let started = Instant::now();
    let answer = async {
        let response = next.run(request).await;
        let response = problem::render(response, &id).await;
        tracing::debug!(status = response.status().as_u16(), took_ms = started.elapsed().as_millis(), "answered");
        response
    };
    let mut response = answer.instrument(span).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("paloma_http_request_seconds", "method" => method.to_string(), "route" => route, "status" => status)
        .record(started.elapsed().as_secs_f64());
    let headers = response.headers_mut();
    for (name, value) in CAREFUL {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if api.app.config.public_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}
