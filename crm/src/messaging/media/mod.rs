//! Files of messages: what is known of them, and under which addresses they are served. Names and types that others tell are shown and never
//! believed: paths are made of our own ids, types of the bytes.

pub mod fetch;
mod memo;
pub mod prepare;
mod sniff;
pub mod store;
pub mod transcribe;
pub mod upload;

use chrono::{DateTime, Utc};
pub use clients::blobs::{Asked, Blob, BlobKey, Form, Found};
use clients::gateway::GatewayMessage;
use db::{Id, Scope, TenantTx};
use serde::Serialize;
use transcribe::Transcript;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Error,
    messaging::{changes, lines::LineId},
    secrets::Keys,
};

/// The longest file that is taken in or sent, in bytes: what iMessage itself carries, 100 MB as people count them.
pub const LIMIT: u64 = 100_000_000;
/// How long an address of a file holds at least; it is the same for as long, so that browsers may keep the file.
const ADDRESS_HOLDS_S: i64 = 900;
/// What addresses are signed for.
const PURPOSE: &str = "media";

/// A file as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Media {
    /// The file.
    pub id: Uuid,
    /// Its message; none of an upload that has not been sent.
    pub message_id: Option<Uuid>,
    /// image, video, audio or file: what its bytes are.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Its type by its bytes; none before it is there.
    pub mime: Option<String>,
    /// Its length.
    pub byte_count: Option<i64>,
    /// Of a picture or video.
    pub width: Option<i32>,
    /// Of a picture or video.
    pub height: Option<i32>,
    /// Of sound or video.
    pub duration_ms: Option<i64>,
    /// A voice message.
    pub is_voice: bool,
    /// pending, stored, failed or too_large.
    pub state: String,
    /// Why it is not there, or not shown: a stable code.
    pub reason: Option<String>,
    /// Where it is served for some minutes, as it came.
    pub url: Option<String>,
    /// A small picture of it.
    pub thumbnail_url: Option<String>,
    /// The form that every browser shows or plays; of what they all do, the file itself.
    pub playable_url: Option<String>,
    /// What is said in it; none of what is no sound.
    pub transcript: Option<Transcript>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    message_id: Option<Uuid>,
    kind: String,
    name: String,
    mime: Option<String>,
    byte_count: Option<i64>,
    width: Option<i32>,
    height: Option<i32>,
    duration_ms: Option<i64>,
    is_voice: bool,
    state: String,
    reason: Option<String>,
    thumbnail: Option<String>,
    playable: Option<String>,
    transcription: Option<String>,
    transcript: Option<String>,
    transcript_language: Option<String>,
    transcript_reason: Option<String>,
}

impl Row {
    fn shown(self, tx: &TenantTx, keys: &Keys) -> Media {
        let key = |form| BlobKey { tenant_id: tx.tenant_id(), id: self.id, form };
        let who = tx.narrow().map(|narrow| narrow.who.as_str());
        let address = |form, is_there: bool| is_there.then(|| address(keys, key(form), who, tx.now()));
        let is_stored = self.state == "stored";
        let stored = |word: &Option<String>| word.as_deref() == Some("stored");
        let plays_as_it_is = is_stored && self.playable.is_none() && self.kind != "file";
        Media {
            url: address(Form::Original, is_stored),
            thumbnail_url: address(Form::Thumbnail, stored(&self.thumbnail)),
            playable_url: address(Form::Playable, stored(&self.playable))
                .or_else(|| address(Form::Original, plays_as_it_is)),
            id: self.id,
            message_id: self.message_id,
            kind: self.kind,
            name: self.name,
            mime: self.mime,
            byte_count: self.byte_count,
            width: self.width,
            height: self.height,
            duration_ms: self.duration_ms,
            is_voice: self.is_voice,
            state: self.state,
            reason: self.reason,
            transcript: self.transcription.map(|state| Transcript {
                state,
                text: self.transcript,
                language: self.transcript_language,
                reason: self.transcript_reason,
            }),
        }
    }
}

/// The files of messages, in the order in which they were sent.
pub async fn of_messages(tx: &mut TenantTx, keys: &Keys, messages: &[Uuid]) -> Result<Vec<Media>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select a.id, a.message_id, a.kind, a.name, a.mime, a.byte_count, a.width, a.height, a.duration_ms, a.is_voice, a.state,
                coalesce(a.reason, a.prepare_reason) as reason, a.thumbnail, a.playable,
                a.transcription, a.transcript, a.transcript_language, a.transcript_reason
           from crm.attachments a where a.tenant_id = app.tenant_id() and a.message_id = any($1)
          order by a.message_id, a.ordinal, a.id",
    )
    .bind(messages)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.shown(tx, keys)).collect())
}

/// Those of these uploads that whoever acts has made and no message has sent, in that order.
pub async fn unsent_own(tx: &mut TenantTx, keys: &Keys, media: &[Uuid]) -> Result<Vec<Media>, Error> {
    if media.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select a.id, a.message_id, a.kind, a.name, a.mime, a.byte_count, a.width, a.height, a.duration_ms, a.is_voice, a.state,
                coalesce(a.reason, a.prepare_reason) as reason, a.thumbnail, a.playable,
                a.transcription, a.transcript, a.transcript_language, a.transcript_reason
           from crm.attachments a where a.tenant_id = app.tenant_id() and a.id = any($1) and a.message_id is null and a.created_by = app.actor() and a.state = 'stored'
          order by array_position($1, a.id)",
    )
    .bind(media)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.shown(tx, keys)).collect())
}

/// The files of one message. One that there is not has no files either, and says so.
pub async fn of_message(tx: &mut TenantTx, keys: &Keys, message: Uuid) -> Result<Vec<Media>, Error> {
    sqlx::query_scalar::<_, bool>("select true from crm.messages where tenant_id = app.tenant_id() and id = $1")
        .bind(message)
        .fetch_one(tx.conn())
        .await?;
    of_messages(tx, keys, &[message]).await
}

/// One file.
pub async fn get(tx: &mut TenantTx, keys: &Keys, id: Uuid) -> Result<Media, Error> {
    let row: Row = sqlx::query_as(
        "select a.id, a.message_id, a.kind, a.name, a.mime, a.byte_count, a.width, a.height, a.duration_ms, a.is_voice, a.state,
                coalesce(a.reason, a.prepare_reason) as reason, a.thumbnail, a.playable,
                a.transcription, a.transcript, a.transcript_language, a.transcript_reason
           from crm.attachments a where a.tenant_id = app.tenant_id() and a.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.shown(tx, keys))
}

/// One that was given to somebody who sees some conversations only says to whom, and is served as long as they see that one.
fn address(keys: &Keys, key: BlobKey, who: Option<&str>, now: DateTime<Utc>) -> String {
    let expires = (now.timestamp() / ADDRESS_HOLDS_S + 2) * ADDRESS_HOLDS_S;
    let tag = keys.sign(PURPOSE, &signed(key, who, expires));
    let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let (id, tenant, form) = (key.id, key.tenant_id.simple(), key.form.as_str());
    let who = who.map(|who| format!("&who={who}")).unwrap_or_default();
    format!("/api/v1/media/{id}?form={form}&tenant={tenant}&expires={expires}{who}&signature={tag}")
}

fn signed(key: BlobKey, who: Option<&str>, expires: i64) -> Vec<u8> {
    let who = who.map(|who| format!("/{who}")).unwrap_or_default();
    format!("{}/{}/{}/{expires}{who}", key.tenant_id.simple(), key.id.simple(), key.form.as_str()).into_bytes()
}

/// A file to be served.
#[derive(Debug, sqlx::FromRow)]
pub struct Served {
    /// What it is called.
    pub name: String,
    /// Its type: none that a browser could run.
    pub mime: String,
    /// Whether a browser may show it; anything else is only saved.
    pub is_inline: bool,
}

/// What is served under a signed address, if the address is one of ours and still holds. A wrong one, an old one and one of a file that is gone are
/// alike.
pub async fn serve(tx: &mut TenantTx, key: BlobKey) -> Result<Served, Error> {
    let (name, mime): (String, String) = sqlx::query_as(
        "select a.name, case $2 when 'thumbnail' then 'image/jpeg' when 'playable' then a.playable_mime else coalesce(a.mime, 'application/octet-stream') end
           from crm.attachments a
          where a.tenant_id = app.tenant_id() and a.id = $1 and a.state = 'stored'
            and case $2 when 'voice' then false when 'thumbnail' then a.thumbnail = 'stored' when 'playable' then a.playable = 'stored' and a.playable_mime is not null else true end",
    )
    .bind(key.id)
    .bind(key.form.as_str())
    .fetch_one(tx.conn())
    .await?;
    let is_inline = sniff::is_harmless(&mime);
    let mime = if is_inline { mime } else { "application/octet-stream".to_owned() };
    Ok(Served { name, mime, is_inline })
}

/// Whether an address was signed by us and holds at that time.
#[must_use]
pub fn is_ours(
    keys: &Keys,
    key: BlobKey,
    (who, expires, signature): (Option<&str>, i64, &str),
    now: DateTime<Utc>,
) -> bool {
    let digits = signature.as_bytes().chunks(2).map(|pair| {
        std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())
    });
    let Some(tag) = digits.collect::<Option<Vec<u8>>>() else { return false };
    expires > now.timestamp() && keys.verify(PURPOSE, &signed(key, who, expires), &tag)
}

/// Keeps what messages say of their files, and has those fetched that are new. A file that comes in a later report joins its message.
pub(super) async fn note(tx: &mut TenantTx, line_id: LineId, messages: &[Noted]) -> Result<(), Error> {
    let files: Vec<(&Noted, usize)> =
        messages.iter().flat_map(|noted| (0..noted.told.attachments.len()).map(move |n| (noted, n))).collect();
    if files.is_empty() {
        return Ok(());
    }
    let file = |(noted, n): &(&'_ Noted, usize)| noted.told.attachments[*n].clone();
    let new: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(
        "with u as materialized (
           select distinct on (u.guid) u.* from unnest($2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::boolean[], $9::bigint[], $10::int[], $11::int[])
             u(id, message_guid, guid, ordinal, name, mime, is_voice, byte_count, width, height) order by u.guid),
         a as (
           insert into crm.attachments (id, message_id, line_id, guid, ordinal, name, told_mime, is_voice, byte_count, width, height)
             select u.id, m.id, $1, u.guid, u.ordinal, u.name, u.mime, u.is_voice, u.byte_count, u.width, u.height
               from u join crm.messages m on m.tenant_id = app.tenant_id() and m.line_id = $1 and m.guid = u.message_guid
              -- what we have sent we have
              where not exists (select from crm.attachments o where o.tenant_id = app.tenant_id() and o.message_id = m.id and o.guid is null)
              order by u.id
           on conflict (tenant_id, line_id, guid) where guid is not null do nothing
           returning id, message_id)
         select a.id, a.message_id, m.conversation_id from a join crm.messages m on m.tenant_id = app.tenant_id() and m.id = a.message_id order by a.id",
    )
    .bind(line_id)
    .bind(files.iter().map(|_| Id::<Media>::new().uuid()).collect::<Vec<_>>())
    .bind(files.iter().map(|(noted, _)| noted.told.guid.as_str()).collect::<Vec<_>>())
    .bind(files.iter().map(|row| file(row).guid).collect::<Vec<_>>())
    .bind(files.iter().map(|(_, n)| i16::try_from(*n).unwrap_or(i16::MAX)).collect::<Vec<_>>())
    .bind(files.iter().map(|row| file(row).name.filter(|name| !name.is_empty()).unwrap_or_else(|| "file".to_owned())).collect::<Vec<_>>())
    .bind(files.iter().map(|row| file(row).mime).collect::<Vec<_>>())
    .bind(files.iter().map(|row| row.0.told.is_voice || file(row).uti.as_deref() == Some(VOICE)).collect::<Vec<_>>())
    .bind(files.iter().map(|row| file(row).byte_count).collect::<Vec<_>>())
    .bind(files.iter().map(|row| file(row).width).collect::<Vec<_>>())
    .bind(files.iter().map(|row| file(row).height).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    for (id, _, _) in &new {
        fetch::enqueue(tx, *id).await?;
    }
    changes::changed(tx, new.into_iter().map(|(_, message, conversation)| (message, conversation))).await
}

/// How the type of a voice message is called at the Mac.
const VOICE: &str = "com.apple.coreaudio-format";

/// A message that has files.
#[derive(Debug)]
pub(super) struct Noted {
    told: GatewayMessage,
}

impl Noted {
    /// None of a message without files.
    pub fn of(message: &GatewayMessage) -> Option<Self> {
        (!message.attachments.is_empty()).then(|| Self { told: message.clone() })
    }
}
