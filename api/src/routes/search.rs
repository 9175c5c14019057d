//! Search over conversations, contacts and what was said.

use crm::{
    access::Permission,
    inbox::search::{self, Found, Kind},
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Json, Paging, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().private(Permission::ConversationsView, routes!(find))
}

/// What is looked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Words, or a number in any spelling; with `from:` (me, them, a name, a number), `has:` (link, image, video, audio, voice, file), `before:` and `after:` (2026-01-31).
    q: String,
    /// Only what is of that kind.
    kind: Option<Kind>,
}

/// What fits, newest first.
#[utoipa::path(
    get, path = "/api/v1/search", tag = "conversations", params(Wanted, Paging),
    responses((status = 200, body = Page<Found>))
)]
async fn find(
    call: Call,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Found>>, Problem> {
    let page = paging.of()?;
    let mut tx = call.tx().await?;
    Ok(Json(search::search(&mut tx, call.caller.permissions, &wanted.q, wanted.kind, &page).await?))
}
