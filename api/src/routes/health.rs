//! What supervisors, scrapers and generators of clients ask.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use crm::{App, Error};
use secrecy::ExposeSecret;
use utoipa_axum::routes;

use crate::{Api, actor, gate::Routes, openapi, problem::Problem, telemetry};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .public("a supervisor asks whether the process lives", routes!(live))
        .public("a balancer asks whether to send requests", routes!(ready))
        .public("scraped by Prometheus; PALOMA_METRICS_TOKEN guards it", routes!(metrics))
        .public("the document says nothing about a tenant", routes!(document))
}

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "It lives", body = String)))]
async fn live() -> &'static str {
    "live\n"
}

/// Whether requests can be answered: the database answers and the process is not stopping.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "It does", body = String)))]
async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    let ping = tokio::time::timeout(Duration::from_secs(2), app.db.ping()).await;
    match ping {
        Ok(Ok(())) if !app.stop.is_cancelled() => Ok("ready\n"),
        _ => Err(Error::Unavailable.into()),
    }
}

/// The process's metrics, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "The metrics", body = String), (status = 401, description = "Without its token")))]
async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(expected) = &api.settings.metrics_token {
        let tag = api.app.keys.sign("metrics", expected.expose_secret().as_bytes());
        let given = actor::bearer(&headers).unwrap_or_default();
        if !api.app.keys.verify("metrics", given.as_bytes(), &tag) {
            return Err(Error::Unauthorized.into());
        }
    }
    let text = telemetry::recorder().map(|recorder| recorder.render()).unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// The OpenAPI document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "health", responses((status = 200, description = "The document", body = serde_json::Value)))]
async fn document() -> (StatusCode, [(header::HeaderName, &'static str); 1], String) {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], openapi::text())
}
