//! Conversations and their messages, to read.

use crm::{
    access::Permission,
    messaging::conversations::{self, Conversation, ConversationId, MessageRow},
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{
    actor::Call,
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ConversationsView, routes!(list))
        .private(Permission::ConversationsView, routes!(messages))
}

/// Which conversations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of that line only.
    line_id: Option<Uuid>,
}

/// The conversations, the one with the latest message first.
#[utoipa::path(
    get, path = "/api/v1/conversations", tag = "conversations", params(Filter, Paging),
    responses((status = 200, body = Page<Conversation>))
)]
async fn list(
    call: Call,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Conversation>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(conversations::list(&mut tx, filter.line_id, &paging.of()?).await?))
}

/// The messages of a conversation, newest first.
#[utoipa::path(
    get, path = "/api/v1/conversations/{id}/messages", tag = "conversations", params(("id" = Uuid, Path), Paging),
    responses((status = 200, body = Page<MessageRow>))
)]
async fn messages(
    call: Call,
    Path(id): Path<ConversationId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<MessageRow>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(conversations::messages(&mut tx, id, &paging.of()?).await?))
}
