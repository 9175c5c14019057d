//! Removes archives of exports whose time is over, and what is known of messages that are long gone.

use std::time::Duration;

use db::Scope;
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{App, Error, messaging::media::store, queue};

/// No gateway tells of a message again after so long.
const TOLD_AGAIN_DAYS: i32 = 90;

/// Removes what was written out and is too old to be fetched; made by the schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prune {}

impl Job<App> for Prune {
    type Scope = Platform;
    const KIND: &'static str = "privacy.prune";
    const QUEUE: Queue = queue::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        let mut tx = cx.tx().await?;
        let parts: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "select p.tenant_id, p.id from crm.privacy_requests r join crm.privacy_parts p on p.tenant_id = r.tenant_id and p.request_id = r.id
              where r.expires_at <= app.now() or r.state = 'failed' limit 10000",
        )
        .fetch_all(tx.conn())
        .await
        .map_err(Error::from)?;
        tx.commit().await?;
        // the bytes before the rows, so that a store that is away is asked again
        for (tenant_id, id) in &parts {
            cx.app.blobs.remove(*tenant_id, *id).await.map_err(store::later)?;
        }
        let (tenants, ids): (Vec<Uuid>, Vec<Uuid>) = parts.into_iter().unzip();
        let mut tx = cx.tx().await?;
        sqlx::query("delete from crm.privacy_parts p using unnest($1::uuid[], $2::uuid[]) u(tenant_id, id) where p.tenant_id = u.tenant_id and p.id = u.id")
            .bind(tenants)
            .bind(ids)
            .execute(tx.conn())
            .await
            .map_err(Error::from)?;
        sqlx::query(
            "update crm.privacy_requests r set expires_at = null
              where r.expires_at <= app.now() and not exists (select from crm.privacy_parts p where p.tenant_id = r.tenant_id and p.request_id = r.id)",
        )
        .execute(tx.conn())
        .await
        .map_err(Error::from)?;
        sqlx::query("delete from crm.erased_messages e where e.erased_at < app.now() - make_interval(days => $1)")
            .bind(TOLD_AGAIN_DAYS)
            .execute(tx.conn())
            .await
            .map_err(Error::from)?;
        Ok(Done::with(tx))
    }
}
