//! One message to one recipient: mark, call, record (docs/architecture.md, "effects outside"). The call is made once; what can't be known
//! is looked up, never repeated blindly.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clients::gateway::SendText;
use db::{Id, Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, GroupError, Job, JobError, JobResult, OnFate, Queue, Retry, Tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App, Error,
    campaigns::{
        CampaignId, RecipientId,
        hours::{Hours, Turn},
        lane_key,
        lost::{self, FollowSends},
        outbox::{Loaded, Mark, Record, Verdict, Wanted},
        quiet, zones,
    },
    messaging::{
        call::{self, Ending},
        lines::LineGateway,
    },
    queue, reactions,
    text::Template,
};

/// A result that could not be written is tried again so often; then the lease runs out and the send is looked up.
const RECORD_TRIES: u32 = 20;
/// A call that has lasted this long is watched: a webhook may prove that its message is out.
const WATCH_AFTER: Duration = Duration::from_secs(2);

/// Sends a campaign's message to one recipient.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendToRecipient {
    /// The recipient, whose row is the outbox.
    pub recipient_id: RecipientId,
    /// The campaign.
    pub campaign_id: CampaignId,
}

/// The same of a campaign with hours or a deadline. A kind of its own: a worker that knows nothing of them would send at any time.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendInTime {
    /// The recipient, whose row is the outbox.
    pub recipient_id: RecipientId,
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Job<App> for SendInTime {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.send_in_time";
    const QUEUE: Queue = queue::OUTBOUND;
    const RETRY: Retry = call::RETRY;
    const TIMEOUT: Duration = call::TIMEOUT;
    const ON_FATE: Option<OnFate> = Some(OnFate::tell::<App, FollowSends>());

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        Outgoing { recipient_id: self.recipient_id }.run(cx).await
    }
}

impl Job<App> for SendToRecipient {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.send";
    const QUEUE: Queue = queue::OUTBOUND;
    const RETRY: Retry = call::RETRY;
    const TIMEOUT: Duration = call::TIMEOUT;
    const ON_FATE: Option<OnFate> = Some(OnFate::tell::<App, FollowSends>());

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        Outgoing { recipient_id: self.recipient_id }.run(cx).await
    }
}

/// Has a recipient sent to once more, by the kind of job that its campaign needs.
pub(crate) async fn again(tx: &mut TenantTx, recipient_id: RecipientId, campaign_id: CampaignId) -> Result<(), Error> {
    let campaign = super::get(tx, campaign_id).await?;
    if campaign.has_hours() || campaign.ends_at.is_some() {
        let job = SendInTime { recipient_id, campaign_id };
        Enqueue::<App, _>::new().lane(lane_key(campaign_id)).exempt().one(tx, &job).await?;
    } else {
        let job = SendToRecipient { recipient_id, campaign_id };
        Enqueue::<App, _>::new().lane(lane_key(campaign_id)).exempt().one(tx, &job).await?;
    }
    Ok(())
}

/// One send, whichever job it came by.
#[derive(Debug, Clone, Copy)]
struct Outgoing {
    recipient_id: RecipientId,
}

impl Outgoing {
    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let wanted = Wanted { tenant_number: cx.tenant_number, recipient_id: self.recipient_id.uuid() };
        // what changes between reading and marking is read again; it can't change for ever
        for _ in 0..5 {
            let Some(loaded) = cx.app.groups.load.submit(wanted).await.map_err(JobError::retry)? else {
                return Ok(Done::Now);
            };
            let Some(address) = loaded.address.clone() else { return Ok(Done::Now) };
            let open_until = match self.heed_hours(&cx, &loaded).await? {
                Heeded::Go(until) => until,
                Heeded::Ended(ended) => return ended,
            };
            let line = cx.app.lines.open(&cx.app, &cx, loaded.line_id).await?;
            let text = match render(&loaded) {
                Ok(text) => text,
                Err(reason) => return self.record(&cx, Ending::Failed { reason, guid: None }).await,
            };
            let message = self.message(&loaded, &line, address, text);
            match self.mark(&cx, &loaded, &message, open_until).await? {
                Verdict::Go => {
                    let ending = call::send(&cx, &line, loaded.line_id, message, proven(&cx, wanted)).await;
                    return self.record(&cx, ending).await;
                }
                Verdict::Stale => {}
                // it was given up and runs again, before its recipient has been told so; or is told meanwhile, and then takes back nothing here
                Verdict::GivenUp => {
                    let mut tx = cx.tx().await?;
                    lost::take_back(&mut tx, &[wanted.recipient_id]).await?;
                    tx.commit().await?;
                }
                Verdict::Shut => return Err(JobError::Release),
                Verdict::Still => return Err(JobError::Snooze { wait: call::STILL }),
                Verdict::Over | Verdict::InDoubt => return Ok(Done::Now),
                // the rescuer gave the job to somebody else
                Verdict::Lost => return Ok(Done::Settled),
            }
        }
        Err(JobError::retry("the campaign kept changing"))
    }
}

/// What the hours of a recipient say.
enum Heeded {
    /// It may go out, until then; none: no clock is heeded.
    Go(Option<DateTime<Utc>>),
    /// It waits, or never may: so its job ends.
    Ended(JobResult),
}

fn render(loaded: &Loaded) -> Result<String, String> {
    let template = Template::parse(&loaded.body).map_err(|error| error.code().to_owned())?;
    let text = template.render(&loaded.variables.0);
    if text.trim().is_empty() { Err("text_empty".to_owned()) } else { Ok(text) }
}

impl Outgoing {
    /// Outside its hours a recipient waits for them, or is skipped where it has none, and its job with it.
    async fn heed_hours(&self, cx: &Cx<App, Tenant>, loaded: &Loaded) -> Result<Heeded, JobError> {
        let quiet = loaded.quiet_hours.then(|| quiet::of(&loaded.quiet_rules, loaded.regions.as_deref()));
        let hours = Hours { window: loaded.window.as_deref(), quiet };
        if !hours.is_any() {
            return Ok(Heeded::Go(None));
        }
        // what was begun is ended whatever the hour; one that becomes sendable before its mark is read again for it
        if loaded.state != "pending" || loaded.campaign_state != "active" {
            return Ok(Heeded::Go(Some(loaded.now)));
        }
        let tenant = loaded.time_zone.parse().unwrap_or(chrono_tz::UTC);
        let home = loaded.line_zone.as_deref().and_then(|zone| zone.parse().ok()).unwrap_or(tenant);
        let zones = zones::read(loaded.zones.as_deref(), home);
        if let Some(until) = hours.open_until(loaded.now, &zones, tenant) {
            return Ok(Heeded::Go(Some(until)));
        }
        let (then, cause) = match hours.turn(loaded.now, &zones, tenant) {
            Turn::Now => return Ok(Heeded::Go(Some(loaded.now))),
            Turn::Later(then, cause) => (Some(then), cause),
            Turn::Never => (None, "no_sending_time"),
        };
        let mut tx = cx.keyed_tx().await?;
        if !jobs::hold(&mut tx, cx.lease).await? {
            return Ok(Heeded::Ended(Ok(Done::Settled)));
        }
        let campaigns: Vec<Uuid> = sqlx::query_scalar(
            "with gone as (
               -- one whose call was to be made again
               update crm.messages m set status = 'cancelled', reason = $3
                where $2::timestamptz is null and m.tenant_id = app.tenant_id() and m.id = $1 and m.status = 'queued')
             update crm.recipients r set state = case when $2::timestamptz is null then 'skipped' else r.state end, waits_until = $2, reason = $3
              where r.tenant_id = app.tenant_id() and r.id = $1 and r.state = 'pending' returning r.campaign_id",
        )
        .bind(self.recipient_id)
        .bind(then)
        .bind(cause)
        .fetch_all(tx.conn())
        .await?;
        reactions::campaigns_moved(&mut tx, campaigns).await?;
        match then {
            None => Ok(Heeded::Ended(Ok(Done::with(tx)))),
            Some(then) => {
                tx.commit().await?;
                let wait = (then - loaded.now).to_std().unwrap_or_default();
                Ok(Heeded::Ended(Err(JobError::Snooze { wait })))
            }
        }
    }

    /// Everything about the call follows from the recipient's id, so a repeated run finds its own traces.
    fn message(&self, loaded: &Loaded, line: &LineGateway, address: String, text: String) -> SendText {
        SendText {
            client_guid: format!("paloma-{}-{}", self.recipient_id, loaded.resent_count),
            chat_guid: Some(loaded.chat_guid.clone().unwrap_or_else(|| format!("{};-;{address}", line.chat_prefix))),
            address,
            text,
            reply_to: None,
            method: None,
        }
    }

    async fn mark(
        &self,
        cx: &Cx<App, Tenant>,
        loaded: &Loaded,
        message: &SendText,
        open_until: Option<DateTime<Utc>>,
    ) -> Result<Verdict, JobError> {
        let mark = Mark {
            tenant_number: cx.tenant_number,
            recipient_id: self.recipient_id.uuid(),
            lease: cx.lease,
            lane_id: cx.lane_id,
            template: loaded.body.clone(),
            text: message.text.clone(),
            conversation_id: Id::<Mark>::new().uuid(),
            client_guid: message.client_guid.clone(),
            open_until,
            quiet_rules: serde_json::to_string(&loaded.quiet_rules.0).map_err(JobError::retry)?,
        };
        // a mark whose commit was lost on the way is found again as our own
        for _ in 0..3 {
            if let Ok(verdict) = cx.app.groups.mark.submit(mark.clone()).await {
                return Ok(verdict);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        cx.app.groups.mark.submit(mark).await.map_err(JobError::retry)
    }

    async fn record(&self, cx: &Cx<App, Tenant>, ending: Ending) -> JobResult {
        let record =
            Record { tenant_number: cx.tenant_number, recipient_id: self.recipient_id.uuid(), lease: cx.lease, ending };
        let mut last = GroupError::new("never tried");
        for _ in 0..RECORD_TRIES {
            match cx.app.groups.record.submit(record.clone()).await {
                Ok(()) => return Ok(Done::Settled),
                Err(error) => last = error,
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        // the mark stands: whoever gets the job next finds it in doubt and has it looked up
        Err(JobError::retry(last))
    }
}

/// Ends when a webhook has proven that the message is out while its call still waits.
async fn proven(cx: &Cx<App, Tenant>, wanted: Wanted) {
    tokio::time::sleep(WATCH_AFTER).await;
    loop {
        if matches!(cx.app.groups.proof.submit(wanted).await, Ok(true)) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
