//! A copy of all that is kept about a contact, in archives that a person can open and a program can read: what the account knows of them, all that was
//! said, and the files.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clients::blobs::{BlobError, BlobKey, Draft, Form, Local};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{
    RequestId, Subject,
    archive::{self, Entry},
    begin_step as begin, count, end,
};
use crate::{App, Error, messaging::media::store, queue};

/// Messages read by one statement.
const CHUNK: i64 = 500;
/// Bytes of files in one archive: under what the store takes.
const PART: i64 = 192 << 20;
/// An archive is kept so long.
const KEPT_DAYS: i32 = 7;

/// Copies what is kept about a contact.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExportContact {
    /// The request.
    pub request_id: RequestId,
}

/// A file that goes into the copy.
#[derive(Debug, Clone, sqlx::FromRow)]
struct FileRow {
    id: Uuid,
    name: String,
    byte_count: i64,
}

impl Job<App> for ExportContact {
    type Scope = Tenant;
    const KIND: &'static str = "privacy.export";
    const QUEUE: Queue = queue::DEFAULT;
    const RETRY: Retry = Retry::exponential(10).from_secs(2).up_to_secs(600);
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.request_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = begin(&cx).await?;
        let Some(subject) = super::subject(&mut tx, self.request_id).await? else { return Ok(Done::Now) };
        let tenant_id = tx.tenant_id();
        let about = about(&mut tx, &subject).await?;
        let groups = super::groups(&mut tx, &subject).await?;
        // whoever ran it before may have left archives
        let parts = forget_parts(&mut tx, self.request_id).await?;
        tx.commit().await?;
        for id in parts {
            cx.app.blobs.remove(tenant_id, id).await.map_err(store::later)?;
        }
        let mut data = cx.app.blobs.draft(tenant_id).await.map_err(JobError::retry)?;
        let text = serde_json::to_vec_pretty(&about).map_err(JobError::retry)?;
        write(&mut data, &text).await?;
        let threads: Vec<Thread<'_>> = subject
            .conversation_ids
            .iter()
            .map(|id| Thread { id: *id, senders: None })
            .chain(groups.iter().map(|id| Thread { id: *id, senders: Some(&subject.addresses) }))
            .collect();
        let (messages, message_count) = self.messages(&cx, &threads, &subject).await?;
        let mut found = Vec::new();
        for thread in &threads {
            let mut tx = begin(&cx).await?;
            found.extend(files(&mut tx, *thread, subject.created_at).await?);
            tx.commit().await?;
        }
        let (file_count, parts) = (found.len(), in_parts(found));
        for (nth, files) in parts.iter().enumerate() {
            let texts =
                if nth == 0 { [Some(("data.json", &data)), Some(("messages.json", &messages))] } else { [None, None] };
            self.part(&cx, nth + 1, texts.into_iter().flatten().collect(), files, tenant_id).await?;
        }
        let mut tx = begin(&cx).await?;
        sqlx::query(
            "update crm.privacy_requests r set part_count = $2, expires_at = app.now() + make_interval(days => $3), message_count = 0, file_count = 0, recipient_count = 0
              where r.tenant_id = app.tenant_id() and r.id = $1",
        )
        .bind(self.request_id)
        .bind(i32::try_from(parts.len()).unwrap_or(i32::MAX))
        .bind(KEPT_DAYS)
        .execute(tx.conn())
        .await
        .map_err(Error::from)?;
        let recipients = about["campaigns"].as_array().map_or(0, Vec::len);
        count(&mut tx, self.request_id, message_count, file_count, recipients as u64).await?;
        end(&mut tx, self.request_id, "completed").await?;
        Ok(Done::with(tx))
    }
}

async fn write(draft: &mut Draft, bytes: &[u8]) -> Result<(), JobError> {
    draft.file.write_all(bytes).await.map_err(JobError::retry)
}

/// Files shared out over archives; the first archive is there without files too.
fn in_parts(files: Vec<FileRow>) -> Vec<Vec<FileRow>> {
    let mut parts = vec![Vec::new()];
    let mut length = 0;
    for file in files {
        if length > 0 && length + file.byte_count > PART {
            parts.push(Vec::new());
            length = 0;
        }
        length += file.byte_count;
        if let Some(part) = parts.last_mut() {
            part.push(file);
        }
    }
    parts
}

/// What the account knows of a contact, apart from what was said.
async fn about(tx: &mut TenantTx, subject: &Subject) -> Result<Value, Error> {
    let about: Json<Value> = sqlx::query_scalar(
        "select jsonb_build_object(
           'exported_at', app.now(),
           'contact', (select to_jsonb(k) - array['tenant_id', 'made_for'] from crm.contacts k where k.tenant_id = app.tenant_id() and k.id = $1),
           'labels', (select coalesce(jsonb_agg(l.name order by l.name), '[]') from crm.contact_label_links x
                        join crm.contact_labels l on l.tenant_id = x.tenant_id and l.id = x.label_id where x.tenant_id = app.tenant_id() and x.contact_id = $1),
           'household', (select coalesce(jsonb_agg(jsonb_build_object('name', h.name, 'relation', h.relation, 'is_confirmed', h.is_confirmed) order by h.id), '[]')
                           from crm.household_members h where h.tenant_id = app.tenant_id() and h.contact_id = $1),
           'merged_from', (select coalesce(jsonb_agg(m.merged order by m.id), '[]') from crm.contact_merges m where m.tenant_id = app.tenant_id() and m.contact_id = $1),
           'must_not_be_written_to', (select coalesce(jsonb_agg(jsonb_build_object('address', s.address, 'reason', s.reason, 'source', s.source, 'since', s.created_at)), '[]')
                           from crm.suppressions s where s.tenant_id = app.tenant_id() and s.address = any($2)),
           'imported_from', (select coalesce(jsonb_agg(jsonb_build_object('file', i.file_name, 'at', i.created_at) order by i.id), '[]') from crm.imports i
                               where i.tenant_id = app.tenant_id() and exists (select from crm.import_phones p
                                 where p.tenant_id = i.tenant_id and p.contact_id = $1 and p.import_id = i.id)),
           'campaigns', (select coalesce(jsonb_agg(jsonb_build_object('name', c.name, 'text', c.body, 'filled_in', r.variables, 'state', r.state, 'reason', r.reason, 'sent_at', r.sent_at) order by r.id), '[]')
                           from crm.campaigns c join crm.recipients r on r.tenant_id = c.tenant_id and r.campaign_id = c.id
                          where c.tenant_id = app.tenant_id() and (r.contact_id = $1 or r.address = any($2))))",
    )
    .bind(subject.contact_id)
    .bind(&subject.addresses)
    .fetch_one(tx.conn())
    .await?;
    Ok(about.0)
}

/// Where a page ended.
type Place = (DateTime<Utc>, Uuid);
/// What is written of one message or note, with its place.
type Said = (DateTime<Utc>, Uuid, Value);

/// A conversation that is copied: all of it, or what one of a group wrote.
#[derive(Debug, Clone, Copy)]
struct Thread<'a> {
    id: Uuid,
    senders: Option<&'a [String]>,
}

impl ExportContact {
    /// All that was said with the contact, and what they said in groups: conversation by conversation, messages in the order of time and then notes.
    async fn messages(
        &self,
        cx: &Cx<App, Tenant>,
        threads: &[Thread<'_>],
        subject: &Subject,
    ) -> Result<(Draft, u64), JobError> {
        let tenant_id = begin(cx).await?.tenant_id();
        let mut draft = cx.app.blobs.draft(tenant_id).await.map_err(JobError::retry)?;
        let mut said: u64 = 0;
        write(&mut draft, b"[").await?;
        for thread in threads {
            for is_note in [false, true] {
                let mut after: Option<Place> = None;
                loop {
                    let mut tx = begin(cx).await?;
                    let rows = page(&mut tx, *thread, is_note, after, subject.created_at).await?;
                    tx.commit().await?;
                    let Some((at, id, _)) = rows.last() else { break };
                    after = Some((*at, *id));
                    for (_, _, row) in &rows {
                        let text = serde_json::to_vec(row).map_err(JobError::retry)?;
                        write(&mut draft, if said == 0 { b"\n" } else { b",\n" }).await?;
                        write(&mut draft, &text).await?;
                        said += 1;
                    }
                }
            }
        }
        write(&mut draft, b"\n]\n").await?;
        draft.file.flush().await.map_err(JobError::retry)?;
        Ok((draft, said))
    }

    /// Writes one archive and keeps it.
    async fn part(
        &self,
        cx: &Cx<App, Tenant>,
        number: usize,
        texts: Vec<(&str, &Draft)>,
        files: &[FileRow],
        tenant_id: Uuid,
    ) -> Result<(), JobError> {
        let mut entries: Vec<Entry> = texts
            .into_iter()
            .map(|(name, draft)| Entry { name: name.to_owned(), path: draft.path().to_owned() })
            .collect();
        // held until the archive is written
        let mut locals: Vec<Local> = Vec::with_capacity(files.len());
        for file in files {
            match cx.app.blobs.local(BlobKey { tenant_id, id: file.id, form: Form::Original }).await {
                Ok(local) => {
                    entries.push(Entry { name: format!("files/{}", file.name), path: local.path().to_owned() });
                    locals.push(local);
                }
                Err(BlobError::Missing) => {
                    tracing::warn!(media.id = %file.id, "a file of an export is not in the store")
                }
                Err(error) => return Err(store::later(error)),
            }
        }
        let draft = cx.app.blobs.draft(tenant_id).await.map_err(JobError::retry)?;
        archive::write(&draft, entries).await.map_err(JobError::retry)?;
        drop(locals);
        let length = tokio::fs::metadata(draft.path()).await.map_err(JobError::retry)?.len();
        let id = Uuid::now_v7();
        let mut tx = begin(cx).await?;
        // the row first: an archive that nobody knew of would never be removed
        sqlx::query("insert into crm.privacy_parts (request_id, number, id, byte_count) values ($1, $2, $3, $4)")
            .bind(self.request_id)
            .bind(i32::try_from(number).unwrap_or(i32::MAX))
            .bind(id)
            .bind(i64::try_from(length).unwrap_or(i64::MAX))
            .execute(tx.conn())
            .await
            .map_err(Error::from)?;
        tx.commit().await?;
        let key = BlobKey { tenant_id, id, form: Form::Original };
        cx.app.blobs.keep(&draft, key, "application/zip").await.map_err(store::later)
    }
}

/// The next messages or notes of a conversation, oldest first; none: there are no more.
async fn page(
    tx: &mut TenantTx,
    thread: Thread<'_>,
    is_note: bool,
    after: Option<Place>,
    before: DateTime<Utc>,
) -> Result<Vec<Said>, Error> {
    let (at, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    let query = if is_note {
        // a group's notes are about all of them
        sqlx::query_as(
            "select n.created_at, n.id, jsonb_strip_nulls(jsonb_build_object('kind', 'note', 'id', n.id, 'conversation_id', n.conversation_id, 'at', n.created_at,
                    'text', n.body, 'reason', n.reason))
               from crm.notes n
              where n.tenant_id = app.tenant_id() and n.conversation_id = $1 and $2::text[] is null and (n.created_at, n.id) > ($3, $4) and n.created_at < $5
              order by n.created_at, n.id limit $6",
        )
    } else {
        sqlx::query_as(
            "select m.created_at, m.id, jsonb_strip_nulls(jsonb_build_object('kind', 'message', 'id', m.id, 'conversation_id', m.conversation_id, 'line', l.name, 'at', m.created_at,
                    'direction', m.direction, 'source', m.source, 'address', m.address, 'sender', m.sender, 'text', m.body, 'transcript', m.transcript, 'service', m.service,
                    'status', m.status, 'reason', m.reason, 'sent_at', m.sent_at, 'delivered_at', m.delivered_at, 'read_at', m.read_at, 'edited_at', m.edited_at,
                    'files', (select jsonb_agg(jsonb_build_object('file', 'files/' || a.id || '-' || left(regexp_replace(a.name, '[^[:alnum:]._-]', '_', 'g'), 100), 'state', a.state) order by a.ordinal, a.id)
                                from crm.attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id)))
               from crm.messages m join crm.lines l on l.tenant_id = m.tenant_id and l.id = m.line_id
              where m.tenant_id = app.tenant_id() and m.conversation_id = $1 and ($2::text[] is null or m.sender = any($2)) and (m.created_at, m.id) > ($3, $4) and m.created_at < $5
              order by m.created_at, m.id limit $6",
        )
    };
    let rows = query.bind(thread.id).bind(thread.senders).bind(at).bind(id).bind(before).bind(CHUNK);
    Ok(rows.fetch_all(tx.conn()).await?)
}

/// The files of what was said in a conversation.
async fn files(tx: &mut TenantTx, thread: Thread<'_>, before: DateTime<Utc>) -> Result<Vec<FileRow>, Error> {
    Ok(sqlx::query_as(
        "select a.id, a.id || '-' || left(regexp_replace(a.name, '[^[:alnum:]._-]', '_', 'g'), 100) as name, coalesce(a.byte_count, 0) as byte_count
           from crm.messages m join crm.attachments a on a.tenant_id = m.tenant_id and a.message_id = m.id
          where m.tenant_id = app.tenant_id() and m.conversation_id = $1 and ($2::text[] is null or m.sender = any($2)) and m.created_at < $3 and a.state = 'stored'
          order by a.id",
    )
    .bind(thread.id)
    .bind(thread.senders)
    .bind(before)
    .fetch_all(tx.conn())
    .await?)
}

async fn forget_parts(tx: &mut TenantTx, id: RequestId) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar(
        "delete from crm.privacy_parts p where p.tenant_id = app.tenant_id() and p.request_id = $1 returning p.id",
    )
    .bind(id)
    .fetch_all(tx.conn())
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_shared_out_and_none_is_lost() {
        let file = |megabytes: i64| FileRow { id: Uuid::nil(), name: "x".to_owned(), byte_count: megabytes << 20 };
        assert_eq!(in_parts(Vec::new()).len(), 1);
        let lengths = |sizes: &[i64]| {
            in_parts(sizes.iter().copied().map(file).collect()).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&[100, 90, 100, 1, 191]), [2, 2, 1]);
        assert_eq!(lengths(&[200, 200]), [1, 1]);
    }
}
