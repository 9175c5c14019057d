//! Erases a contact: the row, the conversations with all that was said, heard and drafted in them, what they wrote in groups, their places in campaigns
//! and imports. What stays: that they must not be written to, since it is what they asked for, and numbers that say nothing of anybody.

use std::time::Duration;

use db::{Scope, TenantTx};
use jobs::{Cx, Done, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RequestId, Subject, begin_step as begin, count, end, files::SweepFiles, groups, traces};
use crate::{
    App, Error,
    contacts::contact,
    events::{self, Event},
    messaging::media::store,
    queue, reactions,
};

/// Messages erased by one transaction.
const CHUNK: i64 = 500;
/// How soon it is looked again whether a call to a gateway has ended.
const IN_FLIGHT: Duration = Duration::from_secs(5);
/// So long it may still turn out that a message of which nobody knows has left; what told of it later would be a message from nowhere.
const IN_DOUBT: &str = "15 minutes";

/// What holds at once, before the job has begun: nothing more goes out, and the list shows nobody.
pub(super) async fn withdraw(tx: &mut TenantTx, subject: &Subject) -> Result<(), Error> {
    sqlx::query(
        "update crm.messages m set status = 'cancelled', reason = 'contact_erased'
          where m.tenant_id = app.tenant_id() and m.conversation_id = any($1) and m.status in ('queued', 'held')",
    )
    .bind(&subject.conversation_ids)
    .execute(tx.conn())
    .await?;
    match contact::delete(tx, subject.contact_id).await {
        // the job comes here again after whoever ran it before
        Ok(()) | Err(Error::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Erases what is kept about a contact.
#[derive(Debug, Serialize, Deserialize)]
pub struct EraseContact {
    /// The request.
    pub request_id: RequestId,
}

impl Job<App> for EraseContact {
    type Scope = Tenant;
    const KIND: &'static str = "privacy.erase";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(20).from_secs(2).up_to_secs(600);
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.request_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = begin(&cx).await?;
        let Some(subject) = super::subject(&mut tx, self.request_id).await? else { return Ok(Done::Now) };
        withdraw(&mut tx, &subject).await?;
        let (campaigns, groups) = (campaigns(&mut tx).await?, groups(&mut tx, &subject).await?);
        tx.commit().await?;
        // campaigns first: what is pending there would be sent
        for campaign_id in campaigns {
            self.recipients(&cx, &subject, campaign_id).await?;
        }
        for conversation_id in &subject.conversation_ids {
            while self.thread(&cx, *conversation_id).await? {}
        }
        for conversation_id in groups {
            while self.said_in(&cx, &subject, conversation_id).await? {}
        }
        self.exports(&cx, &subject).await?;
        let mut tx = begin(&cx).await?;
        traces::forget(&mut tx, &subject).await?;
        end(&mut tx, self.request_id, "completed").await?;
        Ok(Done::with(tx))
    }
}

/// Campaigns that may have the contact among their recipients.
async fn campaigns(tx: &mut TenantTx) -> Result<Vec<Uuid>, Error> {
    let frozen =
        "select c.id from crm.campaigns c where c.tenant_id = app.tenant_id() and c.state <> 'draft' order by c.id";
    Ok(sqlx::query_scalar(frozen).fetch_all(tx.conn()).await?)
}

/// A message that goes, with what else is kept of it.
#[derive(Debug, sqlx::FromRow)]
struct Doomed {
    id: Uuid,
    line_id: Uuid,
    guid: Option<String>,
    file_ids: Vec<Uuid>,
}

impl EraseContact {
    async fn recipients(&self, cx: &Cx<App, Tenant>, subject: &Subject, campaign_id: Uuid) -> Result<(), JobError> {
        let mut tx = begin(cx).await?;
        let erased = sqlx::query(
            "update crm.recipients r set contact_id = null, address = null, variables = '{}',
                 state = case when r.state in ('pending', 'held') then 'cancelled' else r.state end,
                 reason = case when r.state in ('pending', 'held') then 'contact_erased' else r.reason end
              where r.tenant_id = app.tenant_id() and r.campaign_id = $1 and (r.contact_id = $2 or r.address = any($3))",
        )
        .bind(campaign_id)
        .bind(subject.contact_id)
        .bind(&subject.addresses)
        .execute(tx.conn())
        .await
        .map_err(Error::from)?;
        if erased.rows_affected() > 0 {
            reactions::campaigns_moved(&mut tx, [campaign_id]).await?;
            count(&mut tx, self.request_id, 0, 0, erased.rows_affected()).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Erases the next messages of a conversation, and with the last of them the conversation; false: it is gone.
    async fn thread(&self, cx: &Cx<App, Tenant>, conversation_id: Uuid) -> Result<bool, JobError> {
        let mut tx = begin(cx).await?;
        let (is_sending, doomed) = next_of(&mut tx, conversation_id, None).await?;
        if is_sending {
            // what the call will be told of would else come back as a message that nobody knows
            return Err(JobError::Snooze { wait: IN_FLIGHT });
        }
        tx.commit().await?;
        let files = remove_files(cx, &doomed).await?;
        let mut tx = begin(cx).await?;
        // whoever writes a message of it waits, and then finds no conversation
        let held: Option<(Uuid, Option<Uuid>)> = sqlx::query_as(
            "select c.line_id, c.assignee_id from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1 for update",
        )
        .bind(conversation_id)
        .fetch_optional(tx.conn())
        .await
        .map_err(Error::from)?;
        let Some((line_id, assignee)) = held else { return Ok(false) };
        forget_reactions(&mut tx, &doomed).await?;
        let gone = delete_messages(&mut tx, &doomed).await?;
        count(&mut tx, self.request_id, gone, files.len(), 0).await?;
        SweepFiles::enqueue(&mut tx, files).await?;
        let is_last = doomed.is_empty();
        if is_last {
            let notes = delete_conversation(&mut tx, conversation_id).await?;
            count(&mut tx, self.request_id, notes, 0, 0).await?;
            let tenant_id = tx.tenant_id();
            // it is nobody's any more, and has to leave the lists of whoever saw it as theirs
            events::emit_moved(&mut tx, tenant_id, assignee, &Event::ConversationUpdated { conversation_id }).await?;
            tracing::debug!(line.id = %line_id, "a conversation is erased");
        }
        tx.commit().await?;
        Ok(!is_last)
    }

    /// Takes back the next messages that the contact has written in a group: the others' stay, and so does that there was one.
    async fn said_in(&self, cx: &Cx<App, Tenant>, subject: &Subject, conversation_id: Uuid) -> Result<bool, JobError> {
        let mut tx = begin(cx).await?;
        let (_, doomed) = next_of(&mut tx, conversation_id, Some(&subject.addresses)).await?;
        tx.commit().await?;
        if doomed.is_empty() {
            return Ok(false);
        }
        let files = remove_files(cx, &doomed).await?;
        let mut tx = begin(cx).await?;
        let ids: Vec<Uuid> = doomed.iter().map(|message| message.id).collect();
        let blanked = sqlx::query(
            "with gone as (delete from crm.attachments a where a.tenant_id = app.tenant_id() and a.message_id = any($1))
             update crm.messages m set body = '', transcript = null, sender = null, unsent_at = coalesce(m.unsent_at, app.now())
              where m.tenant_id = app.tenant_id() and m.id = any($1)",
        )
        .bind(ids)
        .execute(tx.conn())
        .await
        .map_err(Error::from)?;
        count(&mut tx, self.request_id, blanked.rows_affected(), files.len(), 0).await?;
        SweepFiles::enqueue(&mut tx, files).await?;
        let tenant_id = tx.tenant_id();
        events::emit(&mut tx, tenant_id, &Event::ConversationUpdated { conversation_id }).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Copies that were made for the contact go too.
    async fn exports(&self, cx: &Cx<App, Tenant>, subject: &Subject) -> Result<(), JobError> {
        let mut tx = begin(cx).await?;
        let tenant_id = tx.tenant_id();
        let parts: Vec<Uuid> = sqlx::query_scalar(
            "select p.id from crm.privacy_requests r join crm.privacy_parts p on p.tenant_id = r.tenant_id and p.request_id = r.id
              where r.tenant_id = app.tenant_id() and r.contact_id = $1",
        )
        .bind(subject.contact_id)
        .fetch_all(tx.conn())
        .await
        .map_err(Error::from)?;
        tx.commit().await?;
        for id in &parts {
            cx.app.blobs.remove(tenant_id, *id).await.map_err(store::later)?;
        }
        let mut tx = begin(cx).await?;
        sqlx::query(
            "with gone as (delete from crm.privacy_parts p where p.tenant_id = app.tenant_id() and p.id = any($2))
             update crm.privacy_requests r set expires_at = null where r.tenant_id = app.tenant_id() and r.contact_id = $1",
        )
        .bind(subject.contact_id)
        .bind(parts)
        .execute(tx.conn())
        .await
        .map_err(Error::from)?;
        tx.commit().await?;
        Ok(())
    }
}

/// The next messages of a conversation, or of these senders in it; and whether one is on its way out, or may be.
async fn next_of(
    tx: &mut TenantTx,
    conversation_id: Uuid,
    senders: Option<&[String]>,
) -> Result<(bool, Vec<Doomed>), Error> {
    let is_sending = sqlx::query_scalar(
        "select exists (select from crm.messages m where m.tenant_id = app.tenant_id() and m.conversation_id = $1
            and (m.status = 'sending' or m.status = 'unknown' and m.sending_at > app.now() - $2::interval))",
    )
    .bind(conversation_id)
    .bind(IN_DOUBT)
    .fetch_one(tx.conn())
    .await?;
    let doomed = sqlx::query_as(
        "select m.id, m.line_id, m.guid,
                array(select a.id from crm.attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id) as file_ids
           from crm.messages m
          where m.tenant_id = app.tenant_id() and m.conversation_id = $1 and ($2::text[] is null or m.sender = any($2))
          order by m.created_at desc, m.id desc limit $3",
    )
    .bind(conversation_id)
    .bind(senders)
    .bind(CHUNK)
    .fetch_all(tx.conn())
    .await?;
    Ok((is_sending, doomed))
}

/// The bytes go before the rows: a store that is away is asked again for as long as there is a row.
async fn remove_files(cx: &Cx<App, Tenant>, doomed: &[Doomed]) -> Result<Vec<Uuid>, JobError> {
    let files: Vec<Uuid> = doomed.iter().flat_map(|message| message.file_ids.iter().copied()).collect();
    if files.is_empty() {
        return Ok(files);
    }
    let mut tx = begin(cx).await?;
    let tenant_id = tx.tenant_id();
    // nobody is shown it from here on, and nothing more is made of it
    sqlx::query(
        "update crm.attachments a set state = 'failed', reason = 'contact_erased' where a.tenant_id = app.tenant_id() and a.id = any($1)",
    )
    .bind(&files)
    .execute(tx.conn())
    .await
    .map_err(Error::from)?;
    tx.commit().await?;
    for id in &files {
        cx.app.blobs.remove(tenant_id, *id).await.map_err(store::later)?;
    }
    Ok(files)
}

async fn forget_reactions(tx: &mut TenantTx, doomed: &[Doomed]) -> Result<(), Error> {
    let (lines, guids): (Vec<Uuid>, Vec<&str>) =
        doomed.iter().filter_map(|message| Some((message.line_id, message.guid.as_deref()?))).unzip();
    sqlx::query(
        "delete from crm.message_reactions r using unnest($1::uuid[], $2::text[]) u(line_id, guid)
          where r.tenant_id = app.tenant_id() and r.line_id = u.line_id and r.target_guid = u.guid",
    )
    .bind(lines)
    .bind(guids)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// That they were there is kept by hashes of what their gateway calls them: it may tell of them again.
async fn delete_messages(tx: &mut TenantTx, doomed: &[Doomed]) -> Result<u64, Error> {
    let ids: Vec<Uuid> = doomed.iter().map(|message| message.id).collect();
    sqlx::query(
        "insert into crm.erased_messages (line_id, guid_hash)
           select m.line_id, sha256(convert_to(m.guid, 'UTF8')) from crm.messages m where m.tenant_id = app.tenant_id() and m.id = any($1) and m.guid is not null
           union
           select a.line_id, sha256(convert_to(a.guid, 'UTF8')) from crm.message_attempts a where a.tenant_id = app.tenant_id() and a.message_id = any($1) and a.guid is not null
         on conflict do nothing",
    )
    .bind(&ids)
    .execute(tx.conn())
    .await?;
    let deleted = sqlx::query("delete from crm.messages m where m.tenant_id = app.tenant_id() and m.id = any($1)")
        .bind(ids)
        .execute(tx.conn())
        .await?;
    Ok(deleted.rows_affected())
}

/// A conversation without messages, with its notes, drafts, labels and what each has read. Answers how many notes there were.
async fn delete_conversation(tx: &mut TenantTx, conversation_id: Uuid) -> Result<u64, Error> {
    let notes = sqlx::query("delete from crm.notes n where n.tenant_id = app.tenant_id() and n.conversation_id = $1")
        .bind(conversation_id)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "with here as (delete from crm.presences p where p.tenant_id = app.tenant_id() and p.conversation_id = $1)
         delete from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1",
    )
    .bind(conversation_id)
    .execute(tx.conn())
    .await?;
    Ok(notes.rows_affected())
}
