//! Files that people send: taken in, kept under an id of ours, and joined to the message that sends them.

use std::{collections::HashSet, time::Duration};

use clients::{
    blobs::{BlobError, BlobKey, Draft, Form, Local},
    gateway::SendFile,
};
use db::{Id, Scope, TenantTx};
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{LIMIT, Media, fetch, get, sniff, store, transcribe};
use crate::{App, Error, queue};

/// The most files of one message.
pub const MOST: usize = 10;

/// A file on its way in.
pub struct Upload {
    draft: Draft,
    length: u64,
    name: String,
    kind: UploadKind,
}

/// As what a file is to go out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadKind {
    /// As it is.
    #[default]
    File,
    /// As a voice message: whatever recorded it, it is turned into what phones play as one.
    Voice,
}

/// What a Mac calls a voice message; by this name one is found again whose answer was lost.
const VOICE_NAME: &str = "Audio Message.caf";
/// How long a voice message waits for the job that turns it into one, before it is given up. That job says so itself when it fails; this is for one that
/// was lost, and outlasts a store that is away for hours.
const VOICE_WAIT_S: i32 = 21_600;

impl Upload {
    /// Begins a file of that tenant. The name is shown; nothing is made of it.
    pub async fn begin(app: &App, tenant_id: Uuid, name: &str, kind: UploadKind) -> Result<Self, Error> {
        let name: String =
            name.rsplit(['/', '\\']).next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(255).collect();
        let name = if name.trim().is_empty() { "file".to_owned() } else { name };
        let draft = app.blobs.draft(tenant_id).await.map_err(anyhow::Error::from)?;
        Ok(Self { draft, length: 0, name, kind })
    }

    /// The next piece.
    pub async fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.length += piece.len() as u64;
        if self.length > LIMIT {
            return Err(Error::TooLarge(format!("a file may have {} MB", LIMIT / 1_000_000)));
        }
        Ok(self.draft.file.write_all(piece).await.map_err(anyhow::Error::from)?)
    }

    /// All of it is there: what it is.
    pub async fn end(mut self) -> Result<Whole, Error> {
        if self.length == 0 {
            return Err(Error::invalid("file", "file_empty", "the file is empty"));
        }
        let io = |error: std::io::Error| Error::from(anyhow::Error::from(error));
        self.draft.file.flush().await.map_err(io)?;
        self.draft.file.rewind().await.map_err(io)?;
        let mut head = vec![0; sniff::HEAD];
        let read = self.draft.file.read(&mut head).await.map_err(io)?;
        let mut sniffed = sniff::sniff(&head[..read]);
        let is_voice = self.kind == UploadKind::Voice;
        if is_voice {
            let refuse =
                || Error::invalid("file", "voice_not_audio", "a voice message is a recording: WebM, MP4, MP3, …");
            sniffed = sniff::recording(sniffed).ok_or_else(refuse)?;
            VOICE_NAME.clone_into(&mut self.name);
        }
        Ok(Whole { id: Id::<Media>::new().uuid(), upload: self, sniffed, is_voice })
    }
}

/// A file that is here in full. It is noted, then kept, and only then can it be sent; what is left half done is swept away with the uploads that
/// nobody has sent.
pub struct Whole {
    id: Uuid,
    upload: Upload,
    sniffed: sniff::Sniffed,
    is_voice: bool,
}

impl Whole {
    /// Notes that it is about to be kept.
    pub async fn note(&self, tx: &mut TenantTx) -> Result<(), Error> {
        sqlx::query("insert into crm.attachments (id, name, is_voice, voice) values ($1, $2, $3, case when $3 then 'pending' end)")
            .bind(self.id)
            .bind(&self.upload.name)
            .bind(self.is_voice)
            .execute(tx.conn())
            .await?;
        Ok(())
    }

    /// Keeps its bytes.
    pub async fn keep(&self, app: &App, tenant_id: Uuid) -> Result<(), Error> {
        let key = BlobKey { tenant_id, id: self.id, form: Form::Original };
        store::keep(app, &self.upload.draft, key, self.sniffed.mime).await
    }

    /// It is kept: from now on it may be sent. Answers the file.
    pub async fn kept(self, app: &App, tx: &mut TenantTx) -> Result<Media, Error> {
        fetch::store(tx, self.id, self.sniffed, i64::try_from(self.upload.length).unwrap_or(i64::MAX)).await?;
        get(tx, &app.keys, self.id).await
    }
}

/// Which of these files have been taken in and not been sent.
pub async fn unsent(tx: &mut TenantTx, media: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
    if media.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<Uuid> = sqlx::query_scalar(
        "select a.id from crm.attachments a where a.tenant_id = app.tenant_id() and a.id = any($1) and a.message_id is null and a.state = 'stored'",
    )
    .bind(media)
    .fetch_all(tx.conn())
    .await?;
    Ok(found.into_iter().collect())
}

/// Joins uploads to the message that sends them, in that order. One that is missing, another's, or sent already is refused.
pub async fn attach(tx: &mut TenantTx, message_id: Uuid, media: &[Uuid]) -> Result<(), Error> {
    if media.is_empty() {
        return Ok(());
    }
    check_count(media)?;
    let joined = sqlx::query(
        "update crm.attachments a set message_id = $1, ordinal = u.ord from unnest($2::uuid[]) with ordinality u(id, ord)
          where a.tenant_id = app.tenant_id() and a.id = u.id and a.message_id is null and a.state = 'stored'",
    )
    .bind(message_id)
    .bind(media)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if usize::try_from(joined).is_ok_and(|joined| joined == media.len()) {
        // what was said in one may be known by now
        return transcribe::said(tx, message_id).await;
    }
    Err(Error::invalid("media_ids", "media_not_found", "a file is missing, or belongs to another message"))
}

/// Joins uploads of whoever acts to the message that sends them. Of one that was swept away, is somebody else's or another tenant's there is nothing
/// to tell apart.
pub async fn attach_own(tx: &mut TenantTx, message_id: Uuid, media: &[Uuid]) -> Result<(), Error> {
    if media.is_empty() {
        return Ok(());
    }
    check_count(media)?;
    if media.iter().collect::<HashSet<_>>().len() < media.len() {
        return Err(Error::invalid("media_ids", "media_repeated", "the same file stands there twice"));
    }
    // of two messages that take the same file the second waits here, and then finds it sent
    let own: Vec<(Uuid, Option<Uuid>)> = sqlx::query_as(
        "select a.id, a.message_id from crm.attachments a
          where a.tenant_id = app.tenant_id() and a.id = any($1) and a.created_by = app.actor() and a.state = 'stored' order by a.id for update",
    )
    .bind(media)
    .fetch_all(tx.conn())
    .await?;
    if own.iter().any(|(_, sent_with)| sent_with.is_some()) {
        return Err(Error::invalid("media_ids", "media_already_sent", "a file has been sent already; upload it again"));
    }
    if own.len() < media.len() {
        let message = "a file is not there: an upload is kept for a day and for whoever made it; upload it again";
        return Err(Error::invalid("media_ids", "media_not_found", message));
    }
    attach(tx, message_id, media).await
}

/// That there are no more files than one message carries.
pub fn check_count(media: &[Uuid]) -> Result<(), Error> {
    if media.len() <= MOST {
        return Ok(());
    }
    Err(Error::invalid("media_ids", "too_many_files", format!("a message has {MOST} files at most")))
}

/// Removes uploads of yesterday that no message has sent; made by the schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PruneUploads {}

impl Job<App> for PruneUploads {
    type Scope = Platform;
    const KIND: &'static str = "messaging.prune_uploads";
    const QUEUE: Queue = queue::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        loop {
            let mut tx = cx.tx().await?;
            // from here on nobody can send it; the row stays until the bytes are gone, so that a store that is away is asked again
            let gone: Vec<(Uuid, Uuid)> = sqlx::query_as(
                "update crm.attachments set state = 'failed' where ctid = any(array(
                   select ctid from crm.attachments where message_id is null and created_at < app.now() - interval '1 day' order by created_at limit 500 for update skip locked))
                 returning tenant_id, id",
            )
            .fetch_all(tx.conn())
            .await?;
            if gone.is_empty() || cx.cancel.is_cancelled() {
                return Ok(Done::with(tx));
            }
            tx.commit().await?;
            for (tenant_id, id) in &gone {
                cx.app.blobs.remove(*tenant_id, *id).await.map_err(store::later)?;
            }
            let (tenants, ids): (Vec<Uuid>, Vec<Uuid>) = gone.into_iter().unzip();
            let mut tx = cx.tx().await?;
            sqlx::query("delete from crm.attachments a using unnest($1::uuid[], $2::uuid[]) u(tenant_id, id) where a.tenant_id = u.tenant_id and a.id = u.id and a.message_id is null")
                .bind(tenants)
                .bind(ids)
                .execute(tx.conn())
                .await
                .map_err(Error::from)?;
            tx.commit().await?;
        }
    }
}

/// What a message sends.
pub(in crate::messaging) enum ToSend {
    /// These files.
    Files(Vec<Outgoing>),
    /// A voice message is not one yet: later.
    NotYet,
    /// It can't be made one: why, as a stable code.
    Never(&'static str),
}

#[derive(sqlx::FromRow)]
struct SendRow {
    id: Uuid,
    name: String,
    mime: Option<String>,
    is_voice: bool,
    voice: Option<String>,
    is_overdue: bool,
}

/// A file that goes out.
pub(in crate::messaging) struct Outgoing {
    key: BlobKey,
    name: String,
    mime: String,
    is_voice: bool,
}

/// Files where the gateway's client can read them, for as long as this is held.
#[derive(Default)]
pub(in crate::messaging) struct Brought {
    /// The files, in their order.
    pub files: Vec<SendFile>,
    _copies: Vec<Local>,
}

/// Brings files here. Nothing has gone out by it, so that it may be done again.
pub(in crate::messaging) async fn bring(app: &App, files: Vec<Outgoing>) -> Result<Brought, BlobError> {
    let mut brought = Brought::default();
    for Outgoing { key, name, mime, is_voice } in files {
        let local = app.blobs.local(key).await?;
        brought.files.push(SendFile { path: local.path().to_owned(), name, mime, is_voice });
        brought._copies.push(local);
    }
    Ok(brought)
}

/// The files that a message sends.
pub(in crate::messaging) async fn to_send(tx: &mut TenantTx, message_id: Uuid) -> Result<ToSend, Error> {
    let rows: Vec<SendRow> = sqlx::query_as(
        "select a.id, a.name, a.mime, a.is_voice, a.voice, coalesce(a.stored_at < app.now() - make_interval(secs => $2), false) as is_overdue
           from crm.attachments a where a.tenant_id = app.tenant_id() and a.message_id = $1 and a.guid is null order by a.ordinal, a.id",
    )
    .bind(message_id)
    .bind(VOICE_WAIT_S)
    .fetch_all(tx.conn())
    .await?;
    let tenant_id = tx.tenant_id();
    let mut files = Vec::new();
    for SendRow { id, name, mime, is_voice, voice, is_overdue } in rows {
        let (form, mime) = match voice.as_deref() {
            None => (Form::Original, mime.unwrap_or_else(|| "application/octet-stream".to_owned())),
            Some("stored") => (Form::Voice, "audio/x-caf".to_owned()),
            Some("pending") if !is_overdue => return Ok(ToSend::NotYet),
            Some(_) => return Ok(ToSend::Never("voice_not_convertible")),
        };
        files.push(Outgoing { key: BlobKey { tenant_id, id, form }, name, mime, is_voice });
    }
    Ok(ToSend::Files(files))
}
