//! Queues: how much waits and runs in each. Costs the same however deep they are.

use db::{Page, PageOf, PlatformTx, Scope};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Up to so many jobs of a queue are counted; what is beyond is guessed.
pub const COUNTED: i32 = 10_000;

/// How much waits and runs in one queue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
#[schema(as = Queue)]
pub struct Depth {
    /// The queue.
    pub queue: String,
    /// Due and not running.
    pub due: i64,
    /// More than 10,000 are due: the number is a guess from the planner's statistics.
    pub is_due_estimated: bool,
    /// Running.
    pub running: i64,
    /// Due later.
    pub scheduled: i64,
    /// More than 10,000 are due later: the number is a guess as well.
    pub is_scheduled_estimated: bool,
    /// How long the oldest due job has waited, in seconds.
    pub oldest_due_s: f64,
    /// The same of jobs that neither a pause nor a gate holds back.
    pub oldest_open_s: f64,
}

/// The depth of each queue.
pub async fn depths(conn: &mut PgConnection) -> Result<Vec<Depth>, sqlx::Error> {
    depths_after(conn, None, None).await
}

/// The depth of each queue, by name and by page.
pub async fn queues(tx: &mut PlatformTx, page: &PageOf<String>) -> Result<Page<Depth>, sqlx::Error> {
    let rows = depths_after(tx.conn(), page.after.as_deref(), Some(page.fetch())).await?;
    Ok(page.finish(rows, |row: &Depth| row.queue.clone()))
}

async fn depths_after(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<Depth>, sqlx::Error> {
    sqlx::query_as(
        "select d.queue, d.due, d.is_due_estimated, d.running, d.scheduled, d.is_scheduled_estimated, d.oldest_due_s, d.oldest_open_s
           from jobs.depths($1) d
          where $2::text is null or d.queue > $2
          order by d.queue limit $3",
    )
    .bind(COUNTED)
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await
}
