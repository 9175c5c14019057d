//! The tenant's own jobs: to look at, why one does not run, and jobs of public kinds to enqueue.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use crm::{
    Error,
    access::Permission,
    intake::{self, Answered, JobsMade, NewJob},
};
use db::Page;
use jobs::admin::{self, Explanation, JobRow, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    once::replayed,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::AdminSettingsView, routes!(list))
        .private(Permission::AdminSettingsView, routes!(get))
        .private(Permission::AdminSettingsView, routes!(why))
        .whole(Permission::ConversationsReply, routes!(create))
}

/// A job.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
struct JobView {
    /// The id.
    id: i64,
    /// What it does, `contacts.import`.
    kind: String,
    /// Which slots of a worker run it.
    queue: String,
    /// The lane it waits in, by id.
    lane_id: i64,
    /// The same by its key.
    lane: Option<String>,
    /// Where it is in its life.
    state: State,
    /// Starts so far.
    attempt: i16,
    /// Starts in all.
    max_attempts: Option<i16>,
    /// When it is, or was, due.
    run_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// What went wrong, newest last.
    #[schema(value_type = Option<Value>)]
    errors: Option<Value>,
}

impl From<JobRow> for JobView {
    fn from(row: JobRow) -> Self {
        let JobRow {
            id, kind, queue, lane_id, lane, state, attempt, max_attempts, run_at, finished_at, errors, ..
        } = row;
        Self {
            id,
            kind,
            queue,
            lane_id,
            lane,
            state,
            attempt,
            max_attempts,
            run_at,
            finished_at,
            errors: errors.map(|errors| errors.0),
        }
    }
}

/// Which jobs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// In that state; completed ones are listed only where they are asked for, for as long as their history is kept.
    #[param(inline)]
    state: Option<State>,
    /// Of that kind, `campaigns.send`.
    kind: Option<String>,
    /// Of that queue.
    queue: Option<String>,
    /// Of the lane with that id.
    lane_id: Option<i64>,
}

impl Filter {
    /// As the list takes it.
    pub fn of(&self) -> admin::Filter<'_> {
        let Self { state, kind, queue, lane_id } = self;
        admin::Filter { state: *state, kind: kind.as_deref(), queue: queue.as_deref(), lane_id: *lane_id }
    }
}

/// The jobs that are live or have failed, newest first; completed ones where that state is asked for.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(Filter, Paging), responses((status = 200, body = Page<JobView>)))]
async fn list(
    call: Call,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<JobView>>, Problem> {
    let mut tx = call.tx().await?;
    let Page { items, next_cursor } = admin::list(&mut tx, &filter.of(), &paging.of()?).await?;
    Ok(Json(Page { items: items.into_iter().map(JobView::from).collect(), next_cursor }))
}

/// A job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = JobView)))]
async fn get(call: Call, Path(id): Path<i64>) -> Result<Json<JobView>, Problem> {
    let mut tx = call.tx().await?;
    let job = admin::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    Ok(Json(job.into()))
}

/// Why a job does not run, or what has become of it, and when it can be expected to start.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/why", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = Explanation)))]
async fn why(call: Call, Path(id): Path<i64>) -> Result<Json<Explanation>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(admin::explain(&mut tx, id).await?.ok_or(Error::NotFound)?))
}

/// Jobs to be enqueued.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JobsBody {
    /// The rows, 1 to 1,000; each is taken or refused for itself.
    #[schema(value_type = Vec<NewJob>, min_items = 1, max_items = 1000)]
    jobs: Vec<Value>,
}

/// Enqueues jobs of public kinds: what can be taken is enqueued in one transaction, the rest is answered with a code and the place of the fault.
///
/// It takes the permission to reply in all conversations. Over the tenant's quota nothing is enqueued: 429 with Retry-After. A job alone may share its transaction with those of other requests of the
/// same caller; nothing of that is seen in the answers.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "jobs", request_body = JobsBody, responses((status = 200, body = JobsMade)))]
async fn create(call: Call, Create { body, once }: Create<JobsBody>) -> Result<Response, Problem> {
    let mut rows = body.jobs;
    if rows.len() == 1 {
        let row = rows.remove(0);
        return Ok(match call.app.groups.singles.enqueue(&call.caller, row, once.into_key()).await? {
            Answered::Made(made) => Json(made).into_response(),
            Answered::Replayed(replay) => replayed(replay),
        });
    }
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let made = intake::enqueue(&mut tx, call.caller.permissions, &rows).await?;
    let made = serde_json::to_value(made).map_err(|error| Problem::internal(error.into()))?;
    once.answer(tx, StatusCode::OK, &made, &made).await
}
