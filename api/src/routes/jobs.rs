//! The tenant's own jobs, to look at; what operators do with jobs is the command line's.

use chrono::{DateTime, Utc};
use crm::{Error, access::Permission};
use db::Page;
use jobs::admin::{self, JobRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::AdminSettingsView, routes!(list))
        .private(Permission::AdminSettingsView, routes!(get))
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
    /// The lane it waits in.
    lane: Option<String>,
    /// available, running, completed, discarded or cancelled.
    state: String,
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
        let JobRow { id, kind, queue, lane, state, attempt, max_attempts, run_at, finished_at, errors, .. } = row;
        Self {
            id,
            kind,
            queue,
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
struct Filter {
    /// Only in that state.
    #[param(inline)]
    state: Option<State>,
}

/// The states that are listed; completed jobs are found by id.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
enum State {
    /// Waits, or is due later.
    Available,
    /// At work.
    Running,
    /// Given up.
    Discarded,
    /// No longer wanted.
    Cancelled,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Running => "running",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The jobs that are live or have failed, newest first.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(Filter, Paging), responses((status = 200, body = Page<JobView>)))]
async fn list(
    call: Call,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<JobView>>, Problem> {
    let mut tx = call.tx().await?;
    let Page { items, next_cursor } = admin::list(&mut tx, filter.state.map(State::name), &paging.of()?).await?;
    Ok(Json(Page { items: items.into_iter().map(JobView::from).collect(), next_cursor }))
}

/// A job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = JobView)))]
async fn get(call: Call, Path(id): Path<i64>) -> Result<Json<JobView>, Problem> {
    let mut tx = call.tx().await?;
    let job = admin::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    Ok(Json(job.into()))
}
