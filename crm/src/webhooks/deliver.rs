//! The job that makes one attempt at a delivery. It says itself when the next one is due, so that attempt, state and the next job are one commit;
//! a worker that dies between the call and that commit makes the attempt again, with the same id.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clients::webhook as wire;
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Job, JobError, JobResult, OnFate, Queue, Retry, Tenant, UniqueKey};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    attempts,
    deliveries::DeliveryId,
    feed, kinds, lost,
    outcome::Attempt,
    sign,
    webhook::{self, WebhookId},
};
use crate::{
    App, Error,
    access::{Granted, users::UserId},
    queue,
};

/// Makes one attempt.
#[derive(Debug, Serialize, Deserialize)]
pub struct Deliver {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its turn: a job whose turn has passed does nothing.
    pub turn: i32,
}

/// A delivery whose turn it is, with its webhook.
#[derive(sqlx::FromRow)]
pub(super) struct Due {
    pub webhook_id: WebhookId,
    pub kind: String,
    pub since_replay: i32,
    pub give_up_at: DateTime<Utc>,
    body: String,
    url: String,
    secret: Option<Vec<u8>>,
    previous_secret: Option<Vec<u8>>,
    is_lost: bool,
    is_disabled: bool,
    #[sqlx(flatten)]
    of_owner: Granted,
    owner_id: UserId,
    owner_works: bool,
}

impl Due {
    /// Why it is not sent after all.
    fn refusal(&self) -> Option<&'static str> {
        let is_test = self.kind == kinds::PING;
        if self.secret.is_none() {
            Some("webhook_deleted")
        } else if self.is_disabled && !is_test {
            Some("webhook_disabled")
        } else if !self.owner_works || !kinds::may_see(self.of_owner.permissions(), &self.kind) {
            Some("not_allowed")
        } else {
            None
        }
    }

    /// The secrets that sign, the newest first.
    fn secrets(&self, app: &App) -> Result<Vec<SecretString>, Error> {
        let sealed: Vec<Vec<u8>> = self.secret.iter().chain(&self.previous_secret).cloned().collect();
        webhook::open(&app.keys, &sealed)
    }
}

impl Job<App> for Deliver {
    type Scope = Tenant;
    const KIND: &'static str = "webhooks.deliver";
    const QUEUE: Queue = queue::WEBHOOKS;
    const QUOTA_EXEMPT: bool = true;
    // for faults of ours; what the receiver does is no failure of the job
    const RETRY: Retry = Retry::exponential(12).from_secs(2).up_to_secs(1800);
    const TIMEOUT: Duration = Duration::from_secs(45);
    const ON_FATE: Option<OnFate> = Some(OnFate::tell::<App, lost::FollowDeliveries>());

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(format!("{}/{}", self.delivery_id, self.turn).as_str().into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let Some(due) = due(&mut tx, &self).await? else { return Ok(Done::with(tx)) };
        if due.is_lost {
            // an operator has it run again, and it is here before its delivery was told
            lost::found(&mut tx, &self).await?;
            tx.commit().await?;
            tx = cx.tx().await?;
        }
        // when it was fed it was seen; since then its conversation may have become another's, of which no more is told than that
        let sight = due.of_owner.sight(due.owner_id);
        let is_seen = due.kind == kinds::MOVED || feed::is_seen(&mut tx, &due.body, &sight).await?;
        if let Some(reason) = due.refusal().or((!is_seen).then_some("not_allowed")) {
            attempts::refuse(&mut tx, &self, reason).await?;
            return Ok(Done::with(tx));
        }
        let at = tx.now();
        let secrets = due.secrets(&cx.app)?;
        drop(tx);
        let attempt = self.attempt(&cx.app, &due, &secrets, at).await?;
        let outcome = if attempt.is_taken() { "taken" } else { "not_taken" };
        metrics::counter!("paloma_webhook_attempts_total", "outcome" => outcome).increment(1);
        let mut tx = cx.tx().await?;
        attempts::record(&mut tx, &self, &due, &attempt).await?;
        Ok(Done::with(tx))
    }
}

impl Deliver {
    async fn attempt(
        &self,
        app: &App,
        due: &Due,
        secrets: &[SecretString],
        at: DateTime<Utc>,
    ) -> Result<Attempt, JobError> {
        let url = Url::parse(&due.url).map_err(|_| JobError::discard("a stored address is none"))?;
        let (id, timestamp) = (self.delivery_id.to_string(), at.timestamp());
        let signature = sign::signature(secrets, (&id, timestamp, &due.body))?;
        let (body, timeout) = (due.body.clone().into_bytes(), app.outgoing.timeout);
        let begun = Instant::now();
        let wanted = wire::Attempt { url, id: &id, timestamp, signature: &signature, body, timeout };
        let result = wire::post(&app.outgoing.http, wanted).await;
        Ok(Attempt::of(at, begun.elapsed(), result))
    }
}

/// The delivery, if it still is that job's turn.
async fn due(tx: &mut TenantTx, job: &Deliver) -> Result<Option<Due>, Error> {
    Ok(sqlx::query_as(
        "select d.webhook_id, d.kind, d.body, d.give_up_at, w.url, w.secret,
                d.attempt_count - d.attempts_before as since_replay,
                case when w.previous_until > app.now() then w.previous_secret end as previous_secret, w.disabled_at is not null as is_disabled,
                d.state = 'failed' as is_lost,
                coalesce(u.role_id::text, u.role) as role, r.permissions as role_permissions, crm.mates(u.tenant_id, u.id, r.permissions) as mates, w.owner_id, u.disabled_at is null as owner_works
           from crm.webhook_deliveries d
           join crm.webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
           join crm.users u on u.tenant_id = w.tenant_id and u.id = w.owner_id
           left join crm.roles r on r.tenant_id = u.tenant_id and r.id = u.role_id
          where d.tenant_id = app.tenant_id() and d.id = $1 and d.turn = $2
            and (d.state = 'pending' or d.state = 'failed' and d.reason like any(array['job\\_%', 'lane\\_%']))",
    )
    .bind(job.delivery_id)
    .bind(job.turn)
    .fetch_optional(tx.conn())
    .await?)
}
