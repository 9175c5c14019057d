//! Removes what no longer says anything: old log-in failures, answers kept for repeated requests, sessions long ended, devices long unseen.

use db::Scope;
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};

use super::{begun, devices, idempotency, key_limits, throttle};
use crate::{App, queue};

/// Removes what no longer says anything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prune {}

impl Job<App> for Prune {
    type Scope = Platform;
    const KIND: &'static str = "access.prune";
    const QUEUE: Queue = queue::DEFAULT;
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        let mut tx = cx.tx().await?;
        throttle::prune(&mut tx).await?;
        begun::prune(&mut tx).await?;
        idempotency::prune(&mut tx).await?;
        key_limits::prune(&mut tx).await?;
        devices::prune(&mut tx).await?;
        // kept for a month, so that somebody who asks can still see where they had been logged in; for a year, who was inside in their place
        sqlx::query("delete from crm.sessions where least(expires_at, revoked_at) < app.now() - case when impersonator_id is null then interval '30 days' else interval '1 year' end")
            .execute(tx.conn())
            .await?;
        sqlx::query("delete from crm.invitations where expires_at < app.now() - interval '30 days'")
            .execute(tx.conn())
            .await?;
        sqlx::query(
            "delete from app.operator_sessions where least(expires_at, revoked_at) < app.now() - interval '30 days'",
        )
        .execute(tx.conn())
        .await?;
        sqlx::query("delete from app.operator_links where expires_at < app.now() - interval '30 days'")
            .execute(tx.conn())
            .await?;
        Ok(Done::with(tx))
    }
}
