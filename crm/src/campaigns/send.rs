//! One message to one recipient: mark, call, record (docs/architecture.md, "effects outside"). The call is made once; what can't be known
//! is looked up, never repeated blindly.

use std::time::Duration;

use clients::gateway::SendText;
use db::Id;
use jobs::{Cx, Done, GroupError, Job, JobError, JobResult, OnFate, Queue, Retry, Tenant};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    campaigns::{
        CampaignId, RecipientId,
        lost::{self, FollowSends},
        outbox::{Loaded, Mark, Record, Verdict, Wanted},
    },
    messaging::{
        call::{self, Ending},
        lines::LineGateway,
    },
    queue,
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

impl Job<App> for SendToRecipient {
    type Scope = Tenant;
    const KIND: &'static str = "campaigns.send";
    const QUEUE: Queue = queue::OUTBOUND;
    const RETRY: Retry = call::RETRY;
    const TIMEOUT: Duration = call::TIMEOUT;
    const ON_FATE: Option<OnFate> = Some(OnFate::tell::<App, FollowSends>());

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let wanted = Wanted { tenant_number: cx.tenant_number, recipient_id: self.recipient_id.uuid() };
        // what changes between reading and marking is read again; it can't change for ever
        for _ in 0..5 {
            let Some(loaded) = cx.app.groups.load.submit(wanted).await.map_err(JobError::retry)? else {
                return Ok(Done::Now);
            };
            let Some(address) = loaded.address.clone() else { return Ok(Done::Now) };
            let line = cx.app.lines.open(&cx.app, &cx, loaded.line_id).await?;
            let text = match render(&loaded) {
                Ok(text) => text,
                Err(reason) => return self.record(&cx, Ending::Failed { reason }).await,
            };
            let message = self.message(&loaded, &line, address, text);
            match self.mark(&cx, &loaded, &message).await? {
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
                Verdict::Over | Verdict::InDoubt => return Ok(Done::Now),
                // the rescuer gave the job to somebody else
                Verdict::Lost => return Ok(Done::Settled),
            }
        }
        Err(JobError::retry("the campaign kept changing"))
    }
}

fn render(loaded: &Loaded) -> Result<String, String> {
    let template = Template::parse(&loaded.body).map_err(|error| error.code().to_owned())?;
    let text = template.render(&loaded.variables.0);
    if text.trim().is_empty() { Err("text_empty".to_owned()) } else { Ok(text) }
}

impl SendToRecipient {
    /// Everything about the call follows from the recipient's id, so a repeated run finds its own traces.
    fn message(&self, loaded: &Loaded, line: &LineGateway, address: String, text: String) -> SendText {
        SendText {
            client_guid: format!("paloma-{}-{}", self.recipient_id, loaded.resent_count),
            chat_guid: Some(loaded.chat_guid.clone().unwrap_or_else(|| format!("{};-;{address}", line.chat_prefix))),
            address,
            text,
            method: None,
        }
    }

    async fn mark(&self, cx: &Cx<App, Tenant>, loaded: &Loaded, message: &SendText) -> Result<Verdict, JobError> {
        let mark = Mark {
            tenant_number: cx.tenant_number,
            recipient_id: self.recipient_id.uuid(),
            lease: cx.lease,
            lane_id: cx.lane_id,
            template: loaded.body.clone(),
            text: message.text.clone(),
            conversation_id: Id::<Mark>::new().uuid(),
            client_guid: message.client_guid.clone(),
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
