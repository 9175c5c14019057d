//! Sweeps away what is past: the log after thirty days, webhooks that were deleted, secrets that sign no more.

use std::time::Duration;

use db::Scope;
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};

use crate::{App, queue};

/// Sweeps away what is past.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prune {}

impl Job<App> for Prune {
    type Scope = Platform;
    const KIND: &'static str = "webhooks.prune";
    const QUEUE: Queue = queue::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        loop {
            let mut tx = cx.tx().await?;
            // what still waits for an attempt is looked at when that is due
            let old = sqlx::query(
                "delete from crm.webhook_deliveries where ctid = any(array(
                   select d.ctid from crm.webhook_deliveries d where d.created_at < app.now() - interval '30 days' and d.state <> 'pending' limit 5000))",
            )
            .execute(tx.conn())
            .await?
            .rows_affected();
            let of_deleted = sqlx::query(
                "delete from crm.webhook_deliveries where ctid = any(array(
                   select d.ctid from crm.webhooks w join crm.webhook_deliveries d on d.tenant_id = w.tenant_id and d.webhook_id = w.id
                    where w.deleted_at is not null limit 5000))",
            )
            .execute(tx.conn())
            .await?
            .rows_affected();
            if (old + of_deleted > 0) && !cx.cancel.is_cancelled() {
                tx.commit().await?;
                continue;
            }
            sqlx::query(
                "delete from crm.webhooks w where w.deleted_at < app.now() - interval '1 hour'
                    and not exists (select from crm.webhook_deliveries d where d.tenant_id = w.tenant_id and d.webhook_id = w.id)",
            )
            .execute(tx.conn())
            .await?;
            sqlx::query(
                "update crm.webhooks w set previous_secret = null, previous_until = null where w.previous_until <= app.now()",
            )
            .execute(tx.conn())
            .await?;
            return Ok(Done::with(tx));
        }
    }
}
