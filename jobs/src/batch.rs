//! Batches: jobs with one purpose, counted exactly, with one completion that fires once.

use db::{Scope, TenantTx};
use serde_json::json;
use sqlx::types::Json;

use crate::job::Job;

/// A batch as it stands.
#[derive(Debug, Clone, serde::Serialize, sqlx::FromRow)]
pub struct Batch {
    /// Its id.
    pub id: i64,
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
    /// When the last one ended.
    pub completed_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// Opens a batch whose completion enqueues `on_complete` once, in that job's own lane.
pub async fn open<S, J: Job<S>>(tx: &mut TenantTx, name: &str, on_complete: &J) -> Result<i64, sqlx::Error> {
    let callback = json!({
        "kind": J::KIND, "queue": J::QUEUE.0, "lane": J::KIND, "max_attempts": J::RETRY.max_attempts, "payload": on_complete,
    });
    sqlx::query_scalar(
        "insert into jobs.batches (tenant_number, name, on_complete) values (app.tenant_number(), $1, $2) returning id",
    )
    .bind(name)
    .bind(Json(callback))
    .fetch_one(tx.conn())
    .await
}

/// No more jobs will be added; from now on the batch can complete.
pub async fn seal(tx: &mut TenantTx, batch: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into jobs.batch_deltas (tenant_number, batch_id, is_sealed) values (app.tenant_number(), $1, true)",
    )
    .bind(batch)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The batch with what has not been folded yet added: exact at any time.
pub async fn find(tx: &mut TenantTx, batch: i64) -> Result<Option<Batch>, sqlx::Error> {
    sqlx::query_as(
        "select b.id, b.name, b.is_sealed or coalesce(d.is_sealed, false) as is_sealed, b.enqueued_count + coalesce(d.enqueued, 0) as enqueued_count,
                b.completed_count + coalesce(d.completed, 0) as completed_count, b.discarded_count + coalesce(d.discarded, 0) as discarded_count,
                b.cancelled_count + coalesce(d.cancelled, 0) as cancelled_count, b.completed_at
           from jobs.batches b
           left join lateral (select bool_or(x.is_sealed) as is_sealed, sum(x.enqueued) as enqueued, sum(x.completed) as completed, sum(x.discarded) as discarded, sum(x.cancelled) as cancelled
                                from jobs.batch_deltas x where x.batch_id = b.id) d on true
          where b.id = $1 and b.tenant_number = app.tenant_number()",
    )
    .bind(batch)
    .fetch_optional(tx.conn())
    .await
}
