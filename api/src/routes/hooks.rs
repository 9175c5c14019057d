//! Where gateways report. The secret in the path decides; a wrong one answers like any missing thing and is slowed down.

use std::time::Instant;

use axum::{extract::State, http::StatusCode};
use bytes::Bytes;
use crm::{Error, messaging::inbound, messaging::lines::LineId};
use utoipa_axum::routes;

use crate::{Api, actor::ClientAddress, extract::Path, gate::Routes, problem::Problem};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().public("webhook of a gateway: the path's secret decides", routes!(bluebubbles))
}

/// Takes one event of a BlueBubbles server.
///
/// It is stored as it came and worked in afterwards; 200 means that it will not be lost.
#[utoipa::path(
    post, path = "/api/v1/hooks/bluebubbles/{line_id}/{token}", tag = "hooks",
    params(("line_id" = uuid::Uuid, Path, description = "The line"), ("token" = String, Path, description = "Its secret")),
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, description = "Stored"))
)]
async fn bluebubbles(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    Path((line_id, token)): Path<(LineId, String)>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    if let Some(retry_after) = api.guesses.blocked(address, line_id.uuid(), Instant::now()) {
        return Err(Error::Limited { retry_after }.into());
    }
    match inbound::receive(&api.app, line_id, &token, body).await {
        Ok(()) => api.guesses.right(line_id.uuid()),
        Err(Error::NotFound) => {
            api.guesses.wrong(address, Instant::now());
            return Err(Error::NotFound.into());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(StatusCode::OK)
}
