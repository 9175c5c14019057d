//! Freezing the audience: recipients with their skip reasons and one send job each, in chunks, each chunk one transaction that also moves
//! the place to go on from. The lane opens when the last chunk is frozen, so nothing is sent to an audience that may still drift.

use std::time::Duration;

use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey, lane};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    campaigns::{CampaignId, RecipientId, lane_key, send::SendToRecipient},
    queue, reactions,
};

/// Contacts frozen by one transaction.
const CHUNK: i64 = 5_000;

/// Freezes the audience of a launched campaign.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExpandAudience {
    /// The campaign.
    pub campaign_id: CampaignId,
}

#[derive(sqlx::FromRow)]
struct Place {
    state: String,
    import_id: Option<Uuid>,
    expand_after: Option<Uuid>,
    batch_id: Option<i64>,
    is_frozen: bool,
}

impl Job<App> for ExpandAudience {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.expand";
    const QUEUE: Queue = queue::DEFAULT;
    const RETRY: Retry = Retry::exponential(20).from_secs(1).up_to_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.campaign_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        loop {
            let mut tx = cx.keyed_tx().await?;
            if !jobs::hold(&mut tx, cx.lease).await? || cx.cancel.is_cancelled() {
                return Err(JobError::Release);
            }
            // shared: a cancel waits for the chunk, so that no recipient is added behind its back
            let place: Option<Place> = sqlx::query_as(
                "select state, import_id, expand_after, batch_id, frozen_at is not null as is_frozen from crm.campaigns
                  where tenant_id = app.tenant_id() and id = $1 for no key update",
            )
            .bind(self.campaign_id)
            .fetch_optional(tx.conn())
            .await?;
            let Some(place) =
                place.filter(|place| !place.is_frozen && matches!(place.state.as_str(), "active" | "paused"))
            else {
                return Ok(Done::Now);
            };
            let chunk = freeze(&mut tx, self.campaign_id, &place).await?;
            enqueue(&mut tx, self.campaign_id, place.batch_id, &chunk).await?;
            reactions::campaigns_moved(&mut tx, [self.campaign_id.uuid()]).await?;
            if chunk.last.is_some() {
                jobs::note_progress(&mut tx, cx.lease).await?;
                tx.commit().await?;
                continue;
            }
            if let Some(batch) = place.batch_id {
                jobs::batch::seal(&mut tx, batch).await?;
            }
            sqlx::query("update crm.campaigns set frozen_at = app.now() where tenant_id = app.tenant_id() and id = $1")
                .bind(self.campaign_id)
                .execute(tx.conn())
                .await?;
            if place.state == "active" {
                lane::resume(&mut tx, queue::OUTBOUND, &lane_key(self.campaign_id)).await?;
            }
            return Ok(Done::with(tx));
        }
    }
}

/// A frozen chunk: who gets a job, and where to go on; no place: that was all.
struct Chunk {
    pending: Vec<RecipientId>,
    last: Option<Uuid>,
}

async fn freeze(tx: &mut TenantTx, campaign: CampaignId, place: &Place) -> Result<Chunk, Error> {
    let contacts: Vec<Uuid> = sqlx::query_scalar(
        "select k.id from crm.contacts k
          where k.tenant_id = app.tenant_id() and ($2::uuid is null or k.id > $2)
            and ($1::uuid is null or exists (select from crm.import_phones p where p.tenant_id = k.tenant_id and p.import_id = $1 and p.contact_id = k.id))
          order by k.id limit $3",
    )
    .bind(place.import_id)
    .bind(place.expand_after)
    .bind(CHUNK)
    .fetch_all(tx.conn())
    .await?;
    let Some(last) = contacts.last().copied() else {
        return Ok(Chunk { pending: Vec::new(), last: None });
    };
    let ids: Vec<Uuid> = contacts.iter().map(|_| RecipientId::new().uuid()).collect();
    // the first contact of an address gets the message, the others are skipped rows, so that the reasons add up
    let pending: Vec<RecipientId> = sqlx::query_scalar(
        "with c as materialized (
           select u.recipient_id, k.id, k.phone, row_number() over (partition by k.phone order by k.id) as nth,
             jsonb_strip_nulls(jsonb_build_object('firstName', k.first_name, 'lastName', k.last_name,
               'fullName', nullif(concat_ws(' ', k.first_name, k.last_name), ''), 'phone', k.phone, 'email', k.email, 'company', k.company,
               'city', k.city, 'state', k.state)) || k.attributes as variables
             from unnest($2::uuid[], $3::uuid[]) u(contact_id, recipient_id)
             -- `offset 0`: each by its key, whatever the planner believes about a table that was empty a moment ago
             cross join lateral (select x.* from crm.contacts x where x.tenant_id = app.tenant_id() and x.id = u.contact_id offset 0) k),
         s as (select s.address, max(s.reason) as reason from crm.suppressions s where s.tenant_id = app.tenant_id() and s.address in (select c.phone from c) group by 1),
         v as materialized (
           select c.*, case when c.phone is null then 'no_phone'
                            when c.nth > 1 or exists (select from crm.recipients r where r.tenant_id = app.tenant_id() and r.campaign_id = $1 and r.step = 1 and r.address = c.phone
                                                       and r.reason is distinct from 'duplicate_address') then 'duplicate_address'
                            else s.reason end as reason
             from c left join s on s.address = c.phone),
         r as (
           insert into crm.recipients (id, campaign_id, contact_id, address, variables, state, reason)
             select v.recipient_id, $1, v.id, v.phone, v.variables, case when v.reason is null then 'pending' else 'skipped' end, v.reason from v
           returning id, state)
         select id from r where state = 'pending' order by id",
    )
    .bind(campaign)
    .bind(&contacts)
    .bind(&ids)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    sqlx::query("update crm.campaigns set expand_after = $2 where tenant_id = app.tenant_id() and id = $1")
        .bind(campaign)
        .bind(last)
        .execute(tx.conn())
        .await?;
    Ok(Chunk { pending, last: Some(last) })
}

async fn enqueue(tx: &mut TenantTx, campaign: CampaignId, batch: Option<i64>, chunk: &Chunk) -> Result<(), Error> {
    let jobs: Vec<SendToRecipient> = chunk
        .pending
        .iter()
        .map(|recipient| SendToRecipient { recipient_id: *recipient, campaign_id: campaign })
        .collect();
    let mut enqueue = Enqueue::<App, SendToRecipient>::new().lane(lane_key(campaign));
    if let Some(batch) = batch {
        enqueue = enqueue.batch(batch);
    }
    enqueue.many(tx, &jobs).await?;
    Ok(())
}

/// Marks what a cancelled campaign has not sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct CancelRest {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Job<App> for CancelRest {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.cancel_rest";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(20).from_secs(1).up_to_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(600);

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.campaign_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        loop {
            let mut tx = cx.keyed_tx().await?;
            if !jobs::hold(&mut tx, cx.lease).await? || cx.cancel.is_cancelled() {
                return Err(JobError::Release);
            }
            let cancelled = sqlx::query(
                "update crm.recipients r set state = 'cancelled'
                   from (select x.id from crm.recipients x
                          where x.tenant_id = app.tenant_id() and x.campaign_id = $1 and x.state = 'pending' order by x.id limit $2 for update) p
                  where r.tenant_id = app.tenant_id() and r.id = p.id",
            )
            .bind(self.campaign_id)
            .bind(CHUNK)
            .execute(tx.conn())
            .await?
            .rows_affected();
            reactions::campaigns_moved(&mut tx, [self.campaign_id.uuid()]).await?;
            if cancelled < CHUNK.unsigned_abs() {
                return Ok(Done::with(tx));
            }
            jobs::note_progress(&mut tx, cx.lease).await?;
            tx.commit().await?;
        }
    }
}
