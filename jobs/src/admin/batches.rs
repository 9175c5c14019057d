//! Batches as operators and tenants see them.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope};
use serde::Serialize;
use utoipa::ToSchema;

/// A batch, with what has not been folded yet added: exact at any time.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Batch)]
pub struct BatchRow {
    /// Its id.
    pub id: i64,
    /// Whose; 0 is the platform. Absent in a tenant's own view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_number: Option<i32>,
    /// What it is for.
    pub name: String,
    /// Whether all its jobs have been added.
    pub is_sealed: bool,
    /// Jobs added.
    pub enqueued_count: i64,
    /// Jobs that did their work.
    pub completed_count: i64,
    /// Jobs given up.
    pub discarded_count: i64,
    /// Jobs cancelled.
    pub cancelled_count: i64,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When its last job ended.
    pub completed_at: Option<DateTime<Utc>>,
}

/// Batches by id, newest first.
pub async fn batches<S: Scope>(tx: &mut S, page: &PageOf<i64>) -> Result<Page<BatchRow>, sqlx::Error> {
    let rows = select(tx, None, page.after, page.fetch()).await?;
    Ok(page.finish(rows, |row: &BatchRow| row.id))
}

/// One batch.
pub async fn find_batch<S: Scope>(tx: &mut S, id: i64) -> Result<Option<BatchRow>, sqlx::Error> {
    Ok(select(tx, Some(id), None, 1).await?.pop())
}

async fn select<S: Scope>(
    tx: &mut S,
    id: Option<i64>,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<BatchRow>, sqlx::Error> {
    sqlx::query_as(
        "select b.id, case when $4 then b.tenant_number end as tenant_number, b.name, b.is_sealed or coalesce(d.is_sealed, false) as is_sealed,
                b.enqueued_count + coalesce(d.enqueued, 0) as enqueued_count, b.completed_count + coalesce(d.completed, 0) as completed_count,
                b.discarded_count + coalesce(d.discarded, 0) as discarded_count, b.cancelled_count + coalesce(d.cancelled, 0) as cancelled_count,
                b.created_at, b.completed_at
           from jobs.batches b
           left join lateral (
             select bool_or(x.is_sealed) as is_sealed, sum(x.enqueued) as enqueued, sum(x.completed) as completed, sum(x.discarded) as discarded,
                    sum(x.cancelled) as cancelled
               from jobs.batch_deltas x where x.batch_id = b.id) d on true
          where ($1::bigint is null or b.id = $1) and ($2::bigint is null or b.id < $2)
          order by b.id desc limit $3",
    )
    .bind(id)
    .bind(after)
    .bind(limit)
    .bind(S::SEES_ALL)
    .fetch_all(tx.conn())
    .await
}
