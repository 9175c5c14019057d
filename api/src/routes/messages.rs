//! One message: its tries, and what a person may do about one that did not arrive.

use crm::{
    access::Permission,
    inbox::reach,
    messaging::{
        attempts::{self, Attempt},
        fallback,
    },
};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{
    actor::Call,
    extract::{Json, Path},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ConversationsView, routes!(list_attempts))
        .private(Permission::ConversationsReply, routes!(send_as_sms))
}

/// The tries of a message, first to last.
#[utoipa::path(
    get, path = "/api/v1/messages/{id}/attempts", tag = "messages", params(("id" = Uuid, Path)),
    responses((status = 200, body = Vec<Attempt>))
)]
async fn list_attempts(call: Call, Path(id): Path<Uuid>) -> Result<Json<Vec<Attempt>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(attempts::list(&mut tx, id).await?))
}

/// Sends a message as SMS that failed, or of which nobody can find out whether it went out.
///
/// Once: a second call answers 409 `already_sent_as_sms`. While the outcome is still being looked up it answers 409 `outcome_pending`.
#[utoipa::path(
    post, path = "/api/v1/messages/{id}/send-as-sms", tag = "messages", params(("id" = Uuid, Path)),
    responses((status = 200, description = "It will be sent", body = Vec<Attempt>))
)]
async fn send_as_sms(call: Call, Path(id): Path<Uuid>) -> Result<Json<Vec<Attempt>>, Problem> {
    let mut tx = call.tx().await?;
    reach::require_at(&mut tx, &call.caller, Permission::ConversationsReply, id).await?;
    fallback::by_person(&mut tx, id).await?;
    let tries = attempts::list(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(tries))
}
