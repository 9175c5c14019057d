//! Batches of API clients: open, seal, steer, follow by polling or by a stream.

use axum::{
    Extension,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use crm::{
    access::{Credential, Permission},
    intake::batches::{self, Act, BatchView, NewBatch},
};
use db::Page;
use jobs::batch::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    Api,
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    follow::{self, Follower},
    gate::Routes,
    problem::Problem,
};

/// The routes. What a batch sends goes to whomever: it takes the permission to reply in all conversations.
pub fn routes() -> Routes {
    Routes::new()
        .whole(Permission::ConversationsReply, routes!(open))
        .private(Permission::ConversationsView, routes!(list))
        .private(Permission::ConversationsView, routes!(get))
        .private(Permission::ConversationsView, routes!(events))
        .whole(Permission::ConversationsReply, routes!(seal))
        .whole(Permission::ConversationsReply, routes!(pause))
        .whole(Permission::ConversationsReply, routes!(resume))
        .whole(Permission::ConversationsReply, routes!(cancel))
        .whole(Permission::ConversationsReply, routes!(retry_failures))
}

/// Opens a batch, to be filled by `POST /api/v1/jobs` and then sealed: only a sealed one completes.
#[utoipa::path(
    post, path = "/api/v1/batches", tag = "jobs", request_body = NewBatch,
    responses((status = 201, description = "Opened", body = BatchView))
)]
async fn open(call: Call, Create { body, once }: Create<NewBatch>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let batch = batches::open(&mut tx, &body).await?;
    once.created(tx, &batch).await
}

/// Which batches.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// In that state.
    #[param(inline)]
    state: Option<State>,
}

/// The batches that were opened over the API, newest first, their counters exact.
#[utoipa::path(get, path = "/api/v1/batches", tag = "jobs", params(Filter, Paging), responses((status = 200, body = Page<BatchView>)))]
async fn list(
    call: Call,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<BatchView>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(batches::list(&mut tx, filter.state, &paging.of()?).await?))
}

/// A batch of now, its counters exact. With `If-None-Match` it answers 304 while nothing has changed.
#[utoipa::path(
    get, path = "/api/v1/batches/{id}", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = BatchView), (status = 304, description = "Nothing has changed"))
)]
async fn get(call: Call, Path(id): Path<i64>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    let batch = batches::get(&mut tx, id).await?;
    let tag = format!(
        "\"{}-{}-{}-{}-{}\"",
        batch.version, batch.enqueued_count, batch.completed_count, batch.discarded_count, batch.cancelled_count
    );
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { Json(batch).into_response() };
    let tag = HeaderValue::try_from(tag).map_err(|error| Problem::internal(error.into()))?;
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

/// Follows a batch until it completes.
///
/// Server-sent events: `progress` with the batch, and at the end `completed`. The id of an event is the batch's version, which only grows; with
/// `Last-Event-ID` the stream goes on behind it. A stream that has told the end answers 204 to whoever comes back to it.
#[utoipa::path(
    get, path = "/api/v1/batches/{id}/events", tag = "jobs",
    params(("id" = i64, Path), ("Last-Event-ID" = Option<i64>, Header, description = "The version seen last")),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = String),
        (status = 204, description = "The end has been told")
    )
)]
async fn events(
    axum::extract::State(api): axum::extract::State<Api>,
    Extension(credential): Extension<Credential>,
    call: Call,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = api.streams.enter(call.caller.tenant_id)?;
    let seen = headers.get("last-event-id").and_then(|seen| seen.to_str().ok()?.parse().ok()).unwrap_or(0);
    let batch = batches::folded(&mut call.tx().await?, id).await?;
    if batch.completed_at.is_some() && seen >= batch.version {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(follow::stream(Follower::new(api.app, credential, call.caller, id, seen, place)))
}

async fn act(call: &Call, id: i64, act: Act) -> Result<Json<BatchView>, Problem> {
    let mut tx = call.tx().await?;
    let batch = batches::act(&mut tx, id, act).await?;
    tx.commit().await?;
    Ok(Json(batch))
}

/// No more jobs will be added; it completes when the last of them has ended.
#[utoipa::path(post, path = "/api/v1/batches/{id}/seal", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = BatchView)))]
async fn seal(call: Call, Path(id): Path<i64>) -> Result<Json<BatchView>, Problem> {
    act(&call, id, Act::Seal).await
}

/// Nothing of it starts any more; what runs ends.
#[utoipa::path(post, path = "/api/v1/batches/{id}/pause", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = BatchView)))]
async fn pause(call: Call, Path(id): Path<i64>) -> Result<Json<BatchView>, Problem> {
    act(&call, id, Act::Pause).await
}

/// It goes on where it was.
#[utoipa::path(post, path = "/api/v1/batches/{id}/resume", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = BatchView)))]
async fn resume(call: Call, Path(id): Path<i64>) -> Result<Json<BatchView>, Problem> {
    act(&call, id, Act::Resume).await
}

/// It takes and starts no more jobs; those that wait leave. There is no way back, and what follows it is cancelled too.
#[utoipa::path(post, path = "/api/v1/batches/{id}/cancel", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = BatchView)))]
async fn cancel(call: Call, Path(id): Path<i64>) -> Result<Json<BatchView>, Problem> {
    act(&call, id, Act::Cancel).await
}

/// Runs the discarded jobs again, and only those: quarantined ones, over which workers died, stay. A completed batch is open again until they have ended.
#[utoipa::path(
    post, path = "/api/v1/batches/{id}/retry-failures", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = BatchView))
)]
async fn retry_failures(call: Call, Path(id): Path<i64>) -> Result<Json<BatchView>, Problem> {
    act(&call, id, Act::Retry).await
}
