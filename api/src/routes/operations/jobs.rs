//! The tenant's own jobs, to look at, and why one does not run.

use chrono::{DateTime, Utc};
use crm::{Error, access::Permission};
use db::Page;
use jobs::admin::{self, Explanation, JobRow};
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
        .private(Permission::AdminSettingsView, routes!(why))
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
    /// In that state.
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
        admin::Filter {
            state: state.map(State::name),
            kind: kind.as_deref(),
            queue: queue.as_deref(),
            lane_id: *lane_id,
        }
    }
}

/// The states that are listed; completed jobs only where they are asked for, for as long as their history is kept.
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
    /// Done.
    Completed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Running => "running",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
        }
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
