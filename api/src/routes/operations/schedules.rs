//! Schedules: what each promises, when it fires next, and what an operator does to it. The platform's alone.

use chrono::{DateTime, Utc};
use crm::Error;
use db::{Page, PlatformTx, Scope};
use jobs::{
    admin::{self, ScheduleRow},
    schedule::{self, Fire, Fired, ScheduleError},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    actor::Operator,
    extract::{Json, Paging, Path, Query, Reason},
    gate::Routes,
    problem::Problem,
};

/// Fires of a preview where it is not said how many.
const FIRES: usize = 50;
/// Fires of a preview at most.
const MOST_FIRES: usize = 1_000;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .platform(routes!(schedules))
        .platform(routes!(schedule))
        .platform(routes!(preview))
        .platform(routes!(pause_schedule))
        .platform(routes!(resume_schedule))
        .platform(routes!(fire_schedule))
}

/// All schedules by name, with their contract, their next time and their last job.
#[utoipa::path(get, path = "/api/v1/platform/schedules", tag = "operations", params(Paging), responses((status = 200, body = Page<ScheduleRow>)))]
async fn schedules(operator: Operator, Query(paging): Query<Paging>) -> Result<Json<Page<ScheduleRow>>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::schedules(&mut tx, &paging.of()?).await?))
}

/// A schedule.
#[utoipa::path(get, path = "/api/v1/platform/schedules/{name}", tag = "operations", params(("name" = String, Path)), responses((status = 200, body = ScheduleRow)))]
async fn schedule(operator: Operator, Path(name): Path<String>) -> Result<Json<ScheduleRow>, Problem> {
    let mut tx = operator.tx().await?;
    Ok(Json(admin::find_schedule(&mut tx, &name).await?.ok_or(Error::NotFound)?))
}

/// Which fires.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Ahead {
    /// Those after that time; after now, where it is not said.
    from: Option<DateTime<Utc>>,
    /// How many, 1 to 1,000; 50 by default.
    count: Option<usize>,
}

/// The next fires of a schedule.
#[derive(Serialize, ToSchema)]
struct SchedulePreview {
    /// Oldest first.
    fires: Vec<Fire>,
}

/// When a schedule fires next, and what changes of its zone's clock do to it, as if it were neither paused nor retired.
#[utoipa::path(
    get, path = "/api/v1/platform/schedules/{name}/preview", tag = "operations", params(("name" = String, Path), Ahead),
    responses((status = 200, body = SchedulePreview))
)]
async fn preview(
    operator: Operator,
    Path(name): Path<String>,
    Query(ahead): Query<Ahead>,
) -> Result<Json<SchedulePreview>, Problem> {
    let count = ahead.count.unwrap_or(FIRES);
    if !(1..=MOST_FIRES).contains(&count) {
        return Err(Error::invalid("count", "count_range", format!("a preview has 1 to {MOST_FIRES} fires")).into());
    }
    let mut tx = operator.tx().await?;
    let row = admin::find_schedule(&mut tx, &name).await?.ok_or(Error::NotFound)?;
    let from = ahead.from.unwrap_or_else(|| tx.now());
    let fires = admin::preview(&row, from, count).map_err(ScheduleError::from)?;
    Ok(Json(SchedulePreview { fires }))
}

/// Makes it make nothing until it is resumed.
#[utoipa::path(
    post, path = "/api/v1/platform/schedules/{name}/pause", tag = "operations", params(("name" = String, Path)), request_body = Reason,
    responses((status = 200, body = ScheduleRow))
)]
async fn pause_schedule(
    operator: Operator,
    Path(name): Path<String>,
    Json(why): Json<Reason>,
) -> Result<Json<ScheduleRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::pause_schedule(&mut tx, &name, &operator.by(&why.reason)?).await?;
    committed(tx, &name).await
}

/// Lets a paused schedule go on from now: what came meanwhile is not made up.
#[utoipa::path(
    post, path = "/api/v1/platform/schedules/{name}/resume", tag = "operations", params(("name" = String, Path)), request_body = Reason,
    responses((status = 200, body = ScheduleRow))
)]
async fn resume_schedule(
    operator: Operator,
    Path(name): Path<String>,
    Json(why): Json<Reason>,
) -> Result<Json<ScheduleRow>, Problem> {
    let mut tx = operator.tx().await?;
    admin::resume_schedule(&mut tx, &name, &operator.by(&why.reason)?).await?;
    committed(tx, &name).await
}

/// What became of a fire by hand.
#[derive(Serialize, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
enum ScheduleFired {
    /// It made a job.
    Made {
        /// The job.
        job_id: i64,
    },
    /// A job with the same key was there already.
    Duplicate {
        /// The job that holds the key.
        job_id: i64,
    },
    /// Its job is made when the last one has ended.
    Queued {
        /// The last one.
        job_id: i64,
    },
}

/// Makes the job of a schedule at once, also of a paused one. 409 where its last job is live and its fires may not overlap.
#[utoipa::path(
    post, path = "/api/v1/platform/schedules/{name}/fire", tag = "operations", params(("name" = String, Path)), request_body = Reason,
    responses((status = 200, body = ScheduleFired))
)]
async fn fire_schedule(
    operator: Operator,
    Path(name): Path<String>,
    Json(why): Json<Reason>,
) -> Result<Json<ScheduleFired>, Problem> {
    let declared = crm::schedule(&name).ok_or(Error::NotFound)?;
    let mut tx = operator.tx().await?;
    let fired = match schedule::fire_now(&mut tx, &declared, &operator.by(&why.reason)?).await? {
        Fired::Made(job_id) => ScheduleFired::Made { job_id },
        Fired::Duplicate(job_id) => ScheduleFired::Duplicate { job_id },
        Fired::Queued(job_id) => ScheduleFired::Queued { job_id },
        Fired::Skipped(job_id) => {
            let detail = format!("its last job {job_id} is still live, and its fires may not overlap");
            return Err(Error::conflict("schedule_overlaps", detail).into());
        }
    };
    tx.commit().await?;
    Ok(Json(fired))
}

/// Commits an act and answers with the schedule as it then is.
async fn committed(mut tx: PlatformTx, name: &str) -> Result<Json<ScheduleRow>, Problem> {
    let schedule = admin::find_schedule(&mut tx, name).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(Json(schedule))
}
