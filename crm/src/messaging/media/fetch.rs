//! Fetches a file from the line's gateway into the store. It may be done again: the file is kept whole or not at all, under our own id.

use std::time::Duration;

use clients::{
    blobs::{Asked, BlobError, BlobKey, Form},
    gateway::Fetched,
};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use uuid::Uuid;

use super::{LIMIT, prepare, sniff, store as files, transcribe};
use crate::{
    App, Error,
    messaging::{
        changes,
        lines::{self, LineId},
    },
    queue,
};

/// Fetches one file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fetch {
    /// Our id of it.
    pub attachment_id: Uuid,
}

pub(super) async fn enqueue(tx: &mut TenantTx, attachment_id: Uuid) -> Result<(), Error> {
    Enqueue::<App, Fetch>::new().one(tx, &Fetch { attachment_id }).await?;
    Ok(())
}

impl Job<App> for Fetch {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.fetch_file";
    const QUEUE: Queue = queue::MEDIA;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(12).from_secs(4).up_to_secs(1800);
    const TIMEOUT: Duration = Duration::from_secs(700);

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.attachment_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let tenant_id = tx.tenant_id();
        let wanted: Option<(LineId, String, Option<i64>)> = sqlx::query_as(
            "select line_id, guid, byte_count from crm.attachments where tenant_id = app.tenant_id() and id = $1 and state = 'pending' and guid is not null and line_id is not null",
        )
        .bind(self.attachment_id)
        .fetch_optional(tx.conn())
        .await?;
        let Some((line_id, guid, byte_count)) = wanted else { return Ok(Done::with(tx)) };
        if byte_count.is_some_and(|length| u64::try_from(length).is_ok_and(|length| length > LIMIT)) {
            return self.end(tx, "too_large", Some("too_large")).await;
        }
        let line = lines::open(&cx.app, &mut tx, line_id).await?;
        drop(tx);
        let key = BlobKey { tenant_id, id: self.attachment_id, form: Form::Original };
        // a store that is away, or refuses, is told by this, before the gateway has handed the file over for nothing
        if let Err(error @ (BlobError::Away { .. } | BlobError::Refused { .. })) =
            cx.app.blobs.open(key, Asked::Between(0, 0)).await
        {
            return Err(files::later(error));
        }
        let mut draft = cx.app.blobs.draft(tenant_id).await.map_err(JobError::retry)?;
        let reason = match line.gateway.download(&guid, true, &mut draft.file, LIMIT).await {
            Ok(Fetched::Done { length }) => {
                let mut head = vec![0; sniff::HEAD];
                draft.file.rewind().await.map_err(JobError::retry)?;
                let read = draft.file.read(&mut head).await.map_err(JobError::retry)?;
                let sniffed = sniff::sniff(&head[..read]);
                cx.app.blobs.keep(&draft, key, sniffed.mime).await.map_err(files::later)?;
                let mut tx = cx.tx().await?;
                let length = i64::try_from(length).unwrap_or(i64::MAX);
                store(&mut tx, self.attachment_id, sniffed, length).await?;
                return Ok(Done::with(tx));
            }
            Ok(Fetched::TooLong) => return self.end(cx.tx().await?, "too_large", Some("too_large")).await,
            Ok(Fetched::NotThere) => "not_on_gateway",
            Ok(Fetched::Unknown) => "unknown_to_gateway",
            Err(error) => error.code(),
        };
        if cx.is_last_attempt() {
            return self.end(cx.tx().await?, "failed", Some(reason)).await;
        }
        Err(JobError::retry(format!("the file could not be fetched: {reason}")))
    }
}

impl Fetch {
    async fn end(&self, mut tx: TenantTx, state: &str, reason: Option<&str>) -> JobResult {
        sqlx::query("update crm.attachments set state = $2, reason = $3 where tenant_id = app.tenant_id() and id = $1 and state = 'pending'")
            .bind(self.attachment_id)
            .bind(state)
            .bind(reason)
            .execute(tx.conn())
            .await
            .map_err(Error::from)?;
        tell(&mut tx, self.attachment_id).await?;
        Ok(Done::with(tx))
    }
}

/// The bytes are there: what they are, and what has to be made of them.
pub(super) async fn store(
    tx: &mut TenantTx,
    attachment_id: Uuid,
    sniffed: sniff::Sniffed,
    length: i64,
) -> Result<(), Error> {
    let has_thumbnail = sniffed.kind == "image" || sniffed.kind == "video";
    sqlx::query(
        "update crm.attachments set state = 'stored', reason = null, mime = $2, kind = $3, byte_count = $4, stored_at = app.now(),
                thumbnail = case when $5 then 'pending' end, playable = case when $6 then 'pending' end
          where tenant_id = app.tenant_id() and id = $1 and state = 'pending'",
    )
    .bind(attachment_id)
    .bind(sniffed.mime)
    .bind(sniffed.kind)
    .bind(length)
    .bind(has_thumbnail)
    .bind(sniffed.is_odd)
    .execute(tx.conn())
    .await?;
    if sniffed.kind != "file" {
        prepare::enqueue(tx, attachment_id).await?;
    }
    if sniffed.kind == "audio" {
        transcribe::wanted(tx, attachment_id).await?;
    }
    tell(tx, attachment_id).await
}

/// Tells live clients that the message of a file looks otherwise.
pub(super) async fn tell(tx: &mut TenantTx, attachment_id: Uuid) -> Result<(), Error> {
    let message: Option<(Uuid, Uuid)> = sqlx::query_as(
        "select m.id, m.conversation_id from crm.attachments a join crm.messages m on m.tenant_id = a.tenant_id and m.id = a.message_id
          where a.tenant_id = app.tenant_id() and a.id = $1",
    )
    .bind(attachment_id)
    .fetch_optional(tx.conn())
    .await?;
    changes::changed(tx, message).await
}
