//! Freezing the audience: recipients with their skip reasons and one send job each, in chunks, each chunk one transaction that also moves
//! the place to go on from. The lane opens when the last chunk is frozen, so nothing is sent to an audience that may still drift.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, KeyScope, Queue, Retry, Row, Tenant, UniqueKey, lane};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    Campaign, CampaignId, RecipientId,
    hours::{Hours, Turn, Window},
    lane_key, quiet,
    send::{SendInTime, SendToRecipient},
    zones,
};
use crate::{
    App, Error,
    contacts::filter::ContactFilter,
    queue, reactions,
    tenancy::{
        settings::{self, Key},
        tenants,
    },
};

/// Contacts frozen by one transaction.
const CHUNK: i64 = 5_000;

/// Freezes the audience of a launched campaign.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExpandAudience {
    /// The campaign.
    pub campaign_id: CampaignId,
}

/// The same where the audience is a filter's, or the campaign has hours or a deadline. A kind of its own: workers that know nothing of them would
/// take all contacts, and send at any time.
#[derive(Debug, Serialize, Deserialize)]
pub struct FreezeAudience {
    /// The campaign.
    pub campaign_id: CampaignId,
}

/// Has the audience of a campaign frozen that is being launched.
pub(super) async fn enqueue(tx: &mut TenantTx, campaign: &Campaign) -> Result<(), Error> {
    let campaign_id = campaign.id;
    if campaign.audience.is_some() || campaign.has_hours() || campaign.ends_at.is_some() {
        Enqueue::<App, FreezeAudience>::new().one(tx, &FreezeAudience { campaign_id }).await?;
    } else {
        Enqueue::<App, ExpandAudience>::new().one(tx, &ExpandAudience { campaign_id }).await?;
    }
    Ok(())
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
        expand(self.campaign_id, cx).await
    }
}

impl Job<App> for FreezeAudience {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.freeze";
    const QUEUE: Queue = queue::DEFAULT;
    const RETRY: Retry = Retry::exponential(20).from_secs(1).up_to_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.campaign_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        expand(self.campaign_id, cx).await
    }
}

#[derive(sqlx::FromRow)]
struct Stage {
    state: String,
    line_id: Uuid,
    import_id: Option<Uuid>,
    audience: Option<Json<ContactFilter>>,
    window: Option<Json<Window>>,
    quiet_hours: bool,
    ends_at: Option<DateTime<Utc>>,
    launched_at: Option<DateTime<Utc>>,
    expand_after: Option<Uuid>,
    batch_id: Option<i64>,
    is_frozen: bool,
}

impl Stage {
    fn has_hours(&self) -> bool {
        self.window.is_some() || self.quiet_hours
    }
}

async fn expand(campaign: CampaignId, cx: Cx<App, Tenant>) -> JobResult {
    loop {
        let mut tx = cx.keyed_tx().await?;
        if !jobs::hold(&mut tx, cx.lease).await? || cx.cancel.is_cancelled() {
            return Err(JobError::Release);
        }
        // shared: a cancel waits for the chunk, so that no recipient is added behind its back
        let stage: Option<Stage> = sqlx::query_as(
            "select state, line_id, import_id, audience, sending_window as window, quiet_hours, ends_at, launched_at, expand_after, batch_id, frozen_at is not null as is_frozen
               from crm.campaigns where tenant_id = app.tenant_id() and id = $1 for no key update",
        )
        .bind(campaign)
        .fetch_optional(tx.conn())
        .await?;
        let Some(stage) = stage.filter(|stage| !stage.is_frozen && matches!(stage.state.as_str(), "active" | "paused"))
        else {
            return Ok(Done::Now);
        };
        let chunk = freeze(&mut tx, campaign, &stage).await?;
        enqueue_sends(&mut tx, campaign, &stage, &chunk).await?;
        reactions::campaigns_moved(&mut tx, [campaign.uuid()]).await?;
        if chunk.last.is_some() {
            jobs::note_progress(&mut tx, cx.lease).await?;
            tx.commit().await?;
            continue;
        }
        if let Some(batch) = stage.batch_id {
            jobs::batch::seal(&mut tx, batch).await?;
        }
        sqlx::query("update crm.campaigns set frozen_at = app.now() where tenant_id = app.tenant_id() and id = $1")
            .bind(campaign)
            .execute(tx.conn())
            .await?;
        if stage.state == "active" {
            lane::resume(&mut tx, queue::OUTBOUND, &lane_key(campaign)).await?;
        }
        return Ok(Done::with(tx));
    }
}

/// A frozen chunk: who gets a job, due when, and where to go on; no place: that was all.
struct Chunk {
    pending: Vec<(RecipientId, Option<DateTime<Utc>>)>,
    last: Option<Uuid>,
}

async fn freeze(tx: &mut TenantTx, campaign: CampaignId, stage: &Stage) -> Result<Chunk, Error> {
    let contacts = match &stage.audience {
        Some(filter) => matching(tx, filter, stage).await?,
        None => imported(tx, stage).await?,
    };
    let Some(last) = contacts.last().copied() else {
        return Ok(Chunk { pending: Vec::new(), last: None });
    };
    let turns = turns(tx, stage, &contacts).await?;
    let ids: Vec<Uuid> = contacts.iter().map(|_| RecipientId::new().uuid()).collect();
    // the first contact of an address gets the message, the others are skipped rows, so that the reasons add up
    let pending: Vec<(RecipientId, Option<DateTime<Utc>>)> = sqlx::query_as(
        "with c as materialized (
           select u.recipient_id, u.zones, u.regions, u.waits_until, u.cause, k.id, k.phone, row_number() over (partition by k.phone order by k.id) as nth,
             jsonb_strip_nulls(jsonb_build_object('firstName', k.first_name, 'lastName', k.last_name,
               'fullName', nullif(concat_ws(' ', k.first_name, k.last_name), ''), 'phone', k.phone, 'email', k.email, 'company', k.company,
               'city', k.city, 'state', k.state)) || k.attributes as variables
             from unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::text[]) u(contact_id, recipient_id, zones, waits_until, cause, regions)
             -- `offset 0`: each by its key, whatever the planner believes about a table that was empty a moment ago
             cross join lateral (select x.* from crm.contacts x where x.tenant_id = app.tenant_id() and x.id = u.contact_id offset 0) k),
         s as (select s.address, max(s.reason) as reason from crm.suppressions s where s.tenant_id = app.tenant_id() and s.address in (select c.phone from c) group by 1),
         v as materialized (
           select c.*, case when c.phone is null then 'no_phone'
                            when c.nth > 1 or exists (select from crm.recipients r where r.tenant_id = app.tenant_id() and r.campaign_id = $1 and r.step = 1 and r.address = c.phone
                                                       and r.reason is distinct from 'duplicate_address') then 'duplicate_address'
                            when s.reason is not null then s.reason
                            when c.cause = 'no_sending_time' then c.cause end as skip
             from c left join s on s.address = c.phone),
         r as (
           insert into crm.recipients (id, campaign_id, contact_id, address, variables, zones, regions, waits_until, state, reason)
             select v.recipient_id, $1, v.id, v.phone, v.variables, v.zones, v.regions, case when v.skip is null then v.waits_until end,
                    case when v.skip is null then 'pending' else 'skipped' end, coalesce(v.skip, v.cause) from v
           returning id, state, waits_until)
         select id, waits_until from r where state = 'pending' order by id",
    )
    .bind(campaign)
    .bind(&contacts)
    .bind(&ids)
    .bind(turns.iter().map(|turn| turn.zones.as_deref()).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.waits_until).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.cause).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.regions.as_deref()).collect::<Vec<_>>())
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

/// The next contacts of a filter. Those that were made after the launch are none of them, however long the freezing takes.
async fn matching(tx: &mut TenantTx, filter: &ContactFilter, stage: &Stage) -> Result<Vec<Uuid>, Error> {
    let mut filter = filter.clone();
    // to the moment, so that a contact of the launch's own microsecond is one of them
    let launched = stage.launched_at.map(|at| at + TimeDelta::microseconds(1));
    filter.created_before = [filter.created_before, launched].into_iter().flatten().min();
    let terms = filter.terms(tx).await?;
    let contacts = sqlx::query_scalar("select m.id from crm.match_contacts($1, $2, $3) m")
        .bind(terms)
        .bind(stage.expand_after)
        .bind(CHUNK)
        .fetch_all(tx.conn())
        .await?;
    Ok(contacts)
}

/// The next contacts of an import, or of all.
async fn imported(tx: &mut TenantTx, stage: &Stage) -> Result<Vec<Uuid>, Error> {
    let contacts = sqlx::query_scalar(
        "select k.id from crm.contacts k
          where k.tenant_id = app.tenant_id() and ($2::uuid is null or k.id > $2) and ($4::timestamptz is null or k.created_at <= $4)
            and ($1::uuid is null or exists (select from crm.import_phones p where p.tenant_id = k.tenant_id and p.import_id = $1 and p.contact_id = k.id))
          order by k.id limit $3",
    )
    .bind(stage.import_id)
    .bind(stage.expand_after)
    .bind(CHUNK)
    .bind(stage.launched_at)
    .fetch_all(tx.conn())
    .await?;
    Ok(contacts)
}

/// Where a contact may be, and how long it has to wait there.
#[derive(Debug, Clone, Default)]
struct Placed {
    zones: Option<String>,
    regions: Option<String>,
    waits_until: Option<DateTime<Utc>>,
    cause: Option<&'static str>,
}

async fn turns(tx: &mut TenantTx, stage: &Stage, contacts: &[Uuid]) -> Result<Vec<Placed>, Error> {
    if !stage.has_hours() {
        return Ok(vec![Placed::default(); contacts.len()]);
    }
    let places: Vec<zones::Place> = sqlx::query_as(
        "select k.time_zone, k.postal_code, k.state, k.country, k.phone from unnest($1::uuid[]) with ordinality u(id, ord)
          cross join lateral (select x.* from crm.contacts x where x.tenant_id = app.tenant_id() and x.id = u.id offset 0) k order by u.ord",
    )
    .bind(contacts)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let tenant: Tz = tenants::own(tx).await?.time_zone.parse().unwrap_or(Tz::UTC);
    // where nobody knows where a contact is, it is frozen as being where the line's organization is
    let last_resort = settings::of_line(tx, Key::LocaleTimeZone, stage.line_id).await?;
    let now = tx.now();
    let rules = quiet::own(tx).await?;
    // many contacts are in few places
    let mut known: HashMap<(Option<String>, Option<String>), Turn> = HashMap::new();
    let placed = places.iter().map(|place| {
        let (zones, regions) = (zones::of(place).or_else(|| last_resort.clone()), zones::regions(place));
        let turn = known.entry((zones.clone(), regions.clone())).or_insert_with(|| {
            let quiet = stage.quiet_hours.then(|| quiet::of(&rules, regions.as_deref()));
            let hours = Hours { window: stage.window.as_deref(), quiet };
            hours.turn(now, &zones::read(zones.as_deref(), tenant), tenant)
        });
        let (waits_until, cause) = match *turn {
            Turn::Now => (None, None),
            Turn::Later(then, cause) => (Some(then), Some(cause)),
            Turn::Never => (None, Some("no_sending_time")),
        };
        Placed { zones, regions, waits_until, cause }
    });
    Ok(placed.collect())
}

async fn enqueue_sends(tx: &mut TenantTx, campaign: CampaignId, stage: &Stage, chunk: &Chunk) -> Result<(), Error> {
    if stage.has_hours() || stage.ends_at.is_some() {
        let send =
            |(recipient_id, _): &(RecipientId, _)| SendInTime { recipient_id: *recipient_id, campaign_id: campaign };
        enqueue_kind(tx, campaign, stage.batch_id, chunk, send).await
    } else {
        let send = |(recipient_id, _): &(RecipientId, _)| SendToRecipient {
            recipient_id: *recipient_id,
            campaign_id: campaign,
        };
        enqueue_kind(tx, campaign, stage.batch_id, chunk, send).await
    }
}

async fn enqueue_kind<J: Job<App, Scope = Tenant>>(
    tx: &mut TenantTx,
    campaign: CampaignId,
    batch: Option<i64>,
    chunk: &Chunk,
    send: impl Fn(&(RecipientId, Option<DateTime<Utc>>)) -> J,
) -> Result<(), Error> {
    let mut enqueue = Enqueue::<App, J>::new().lane(lane_key(campaign));
    if let Some(batch) = batch {
        enqueue = enqueue.batch(batch);
    }
    let sends: Vec<J> = chunk.pending.iter().map(send).collect();
    if chunk.pending.iter().all(|(_, waits_until)| waits_until.is_none()) {
        enqueue.many(tx, &sends).await?;
        return Ok(());
    }
    let due = chunk.pending.iter().zip(&sends);
    let rows: Vec<Row<'_, J>> = due.map(|((_, run_at), job)| Row { job, run_at: *run_at, key: None }).collect();
    enqueue.each(tx, &rows, J::UNIQUE).await?;
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
                "with p as materialized (
                   select x.id from crm.recipients x
                    where x.tenant_id = app.tenant_id() and x.campaign_id = $1 and x.state = 'pending' order by x.id limit $2 for update),
                 m as (
                   -- of one whose call was to be made again
                   update crm.messages y set status = 'cancelled', reason = 'lane_cancelled'
                     from p where y.tenant_id = app.tenant_id() and y.id = p.id and y.status = 'queued')
                 update crm.recipients r set state = 'cancelled' from p
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
