//! Writes down what is said in files of sound, one at a time in a queue of its own, by whatever the process has for it. Where nothing comes of
//! it the file says why, by a stable code; what came while nobody could is caught up with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clients::blobs::{BlobError, BlobKey, Form};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Fate, Job, JobError, JobResult, KeyScope, OnFate, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{fetch, prepare, store};
use crate::{App, Error, privacy, queue};

/// The longest that is written down: a minute of speech is up to two of a processor.
const LONGEST: Duration = Duration::from_secs(600);
/// Samples a second that a transcriber gets.
pub const RATE: usize = 16_000;
/// Below this loudness (of 1) there is only the noise of a microphone; models make words of it.
const SILENCE: f32 = 0.002;
/// How long a worker may not have been heard of before its queue counts as nobody's: longer than one takes to start anew.
const SERVED_WITHIN_S: f64 = 120.0;
/// How old a file may be that is caught up with.
const CATCH_UP_DAYS: i32 = 30;

/// Turns speech into text. Worker binaries bring one along, so that nothing else is built with it.
pub trait Transcriber: Send + Sync {
    /// What is said, in mono at [`RATE`]; it takes a processor for as long as it lasts, and ends soon once `stop` is set.
    fn transcribe(&self, samples: &[f32], stop: Arc<AtomicBool>) -> Result<Speech, String>;
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// In words; empty where nobody speaks.
    pub text: String,
    /// The language, ISO 639.
    pub language: String,
}

/// What is said in a file of sound.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MediaTranscript)]
pub struct Transcript {
    /// pending, done or none.
    pub state: String,
    /// In words.
    pub text: Option<String>,
    /// The language that was heard, ISO 639.
    pub language: Option<String>,
    /// Why there is none: no_model, too_long, no_speech, unreadable, failed or taken_back.
    pub reason: Option<String>,
}

/// Writes down what is said in one file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Transcribe {
    /// Our id of it.
    pub attachment_id: Uuid,
}

/// A file of sound is there: it is written down, if somebody can.
pub(super) async fn wanted(tx: &mut TenantTx, attachment_id: Uuid) -> Result<(), Error> {
    let is_served: bool = sqlx::query_scalar(
        "update crm.attachments set transcription = case when s.is_served then 'pending' else 'none' end, transcript_reason = case when not s.is_served then 'no_model' end
           from jobs.is_served($2, $3) s(is_served)
          where tenant_id = app.tenant_id() and id = $1 returning s.is_served",
    )
    .bind(attachment_id)
    .bind(queue::TRANSCRIBE.0)
    .bind(SERVED_WITHIN_S)
    .fetch_one(tx.conn())
    .await?;
    if is_served {
        Enqueue::<App, Transcribe>::new().one(tx, &Transcribe { attachment_id }).await?;
    }
    Ok(())
}

/// How it ended.
type Heard = Result<Speech, &'static str>;

impl Job<App> for Transcribe {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.transcribe";
    const QUEUE: Queue = queue::TRANSCRIBE;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(3).from_secs(10).up_to_secs(120);
    const TIMEOUT: Duration = Duration::from_secs(2400);
    const ON_FATE: Option<OnFate> = Some(OnFate::tell::<App, FollowTranscripts>());

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.attachment_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let tenant_id = tx.tenant_id();
        let is_wanted: bool = sqlx::query_scalar(
            "select exists (select from crm.attachments where tenant_id = app.tenant_id() and id = $1 and state = 'stored' and transcription = 'pending')",
        )
        .bind(self.attachment_id)
        .fetch_one(tx.conn())
        .await?;
        if !is_wanted {
            return Ok(Done::with(tx));
        }
        drop(tx);
        let heard = match cx.app.transcriber.clone() {
            None => Err("no_model"),
            Some(transcriber) => {
                let key = BlobKey { tenant_id, id: self.attachment_id, form: Form::Original };
                match samples(&cx, key).await? {
                    Err(reason) => Err(reason),
                    Ok(samples) if is_silent(&samples) => Err("no_speech"),
                    Ok(samples) => hear(&cx, transcriber, samples).await?,
                }
            }
        };
        let mut tx = cx.tx().await?;
        record(&mut tx, self.attachment_id, &heard).await?;
        Ok(Done::with(tx))
    }
}

/// The sound of a file as a transcriber takes it, or why there is none.
async fn samples(cx: &Cx<App, Tenant>, key: BlobKey) -> Result<Result<Vec<f32>, &'static str>, JobError> {
    let blobs = &cx.app.blobs;
    let local = match blobs.local(key).await {
        Ok(local) => local,
        Err(error @ (BlobError::Missing | BlobError::Disk(_))) if cx.is_last_attempt() => {
            tracing::warn!(%error, "a file that is stored can't be opened");
            return Ok(Err("unreadable"));
        }
        Err(error) => return Err(store::later(error)),
    };
    let original = local.path();
    let Some(reader) = prepare::head(original).await?.reader else { return Ok(Err("unreadable")) };
    let mut draft = blobs.draft(key.tenant_id).await.map_err(JobError::retry)?;
    match prepare::decode(&cx.app.config.ffmpeg, reader, original, draft.path(), LONGEST + Duration::from_secs(1)).await
    {
        Ok(()) => {}
        Err("not_convertible") => return Ok(Err("unreadable")),
        Err(fault) if cx.is_last_attempt() => {
            tracing::warn!(fault, "a voice message can't be decoded");
            return Ok(Err("failed"));
        }
        Err(fault) => return Err(JobError::retry(fault)),
    }
    let mut bytes = Vec::new();
    draft.file.read_to_end(&mut bytes).await.map_err(JobError::retry)?;
    let samples: Vec<f32> =
        bytes.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect();
    let is_long = samples.len() as u64 > LONGEST.as_secs() * RATE as u64;
    Ok(if is_long { Err("too_long") } else { Ok(samples) })
}

/// Whether no half second of it is louder than a microphone's noise.
fn is_silent(samples: &[f32]) -> bool {
    samples.chunks(RATE / 2).all(|part| part.iter().map(|s| s * s).sum::<f32>() < SILENCE * SILENCE * part.len() as f32)
}

/// Off the runtime's threads; a job that is told to stop stops the work too.
async fn hear(cx: &Cx<App, Tenant>, transcriber: Arc<dyn Transcriber>, samples: Vec<f32>) -> Result<Heard, JobError> {
    let stop = Arc::new(AtomicBool::new(false));
    // also where this future is dropped
    let _stops = Stops(Arc::clone(&stop));
    let work = tokio::task::spawn_blocking(move || transcriber.transcribe(&samples, stop));
    let heard = tokio::select! {
        heard = work => heard.map_err(JobError::retry)?,
        () = cx.cancel.cancelled() => {
            return Err(JobError::Retry { error: "the worker stops".to_owned(), after: Some(Duration::ZERO) });
        }
    };
    match heard {
        Ok(speech) if speech.text.is_empty() => Ok(Err("no_speech")),
        Ok(speech) => Ok(Ok(speech)),
        Err(error) if cx.is_last_attempt() => {
            tracing::warn!(error, "a voice message could not be transcribed");
            Ok(Err("failed"))
        }
        Err(error) => Err(JobError::retry(error)),
    }
}

struct Stops(Arc<AtomicBool>);

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Keeps it with the file and, for search, with its message; of one that was taken back meanwhile nothing is kept.
async fn record(tx: &mut TenantTx, attachment_id: Uuid, heard: &Heard) -> Result<(), Error> {
    let (speech, reason) = (heard.as_ref().ok(), heard.as_ref().err());
    sqlx::query(
        "update crm.attachments a set transcription = case when $4::text is null then 'done' else 'none' end, transcript = $2, transcript_language = $3,
                transcript_reason = $4, transcribed_at = app.now()
          where a.tenant_id = app.tenant_id() and a.id = $1 and a.transcription = 'pending'",
    )
    .bind(attachment_id)
    .bind(speech.map(|speech| privacy::mask(&speech.text)))
    .bind(speech.map(|speech| &speech.language))
    .bind(reason)
    .execute(tx.conn())
    .await?;
    let message: Option<Uuid> = sqlx::query_scalar(
        "select a.message_id from crm.attachments a where a.tenant_id = app.tenant_id() and a.id = $1 and a.message_id is not null",
    )
    .bind(attachment_id)
    .fetch_optional(tx.conn())
    .await?;
    if let Some(message) = message {
        said(tx, message).await?;
    }
    fetch::tell(tx, attachment_id).await
}

/// What is said in a message's files is found by search.
pub(super) async fn said(tx: &mut TenantTx, message_id: Uuid) -> Result<(), Error> {
    sqlx::query(
        "update crm.messages m set transcript = s.transcript
           from (select string_agg(a.transcript, ' ' order by a.ordinal, a.id) as transcript from crm.attachments a where a.tenant_id = app.tenant_id() and a.message_id = $1) s
          where m.tenant_id = app.tenant_id() and m.id = $1 and m.unsent_at is null and m.transcript is distinct from s.transcript",
    )
    .bind(message_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What was said in messages that were taken back is gone, as their text is.
pub(in crate::messaging) async fn forget(tx: &mut TenantTx, messages: &[Uuid]) -> Result<(), Error> {
    sqlx::query(
        "update crm.attachments a set transcription = 'none', transcript = null, transcript_language = null, transcript_reason = 'taken_back'
          where a.tenant_id = app.tenant_id() and a.message_id = any($1) and a.transcription is not null",
    )
    .bind(messages)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Transcriptions were given up, called off or are run again: their files say so.
#[derive(Debug, Serialize, Deserialize)]
pub struct FollowTranscripts {
    /// Which jobs.
    pub fates: Vec<Fate>,
}

impl Job<App> for FollowTranscripts {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.follow_transcripts";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let lost = self
            .fates
            .iter()
            .filter_map(|fate| Some((fate.job_id, Transcribe::deserialize(&fate.payload).ok()?.attachment_id)));
        let (jobs, attachments): (Vec<i64>, Vec<Uuid>) = lost.unzip();
        let mut tx = cx.tx().await?;
        let moved: Vec<Uuid> = sqlx::query_scalar(
            "with f as materialized (
               select u.id, jobs.fate(u.job_id) = 'live' as is_live from unnest($1::bigint[], $2::uuid[]) u(job_id, id))
             update crm.attachments a set transcription = case when f.is_live then 'pending' else 'none' end, transcript_reason = case when not f.is_live then 'failed' end
               from f where a.tenant_id = app.tenant_id() and a.id = f.id and a.transcription = case when f.is_live then 'none' else 'pending' end
             returning a.id",
        )
        .bind(jobs)
        .bind(attachments)
        .fetch_all(tx.conn())
        .await?;
        for id in moved {
            fetch::tell(&mut tx, id).await?;
        }
        Ok(Done::with(tx))
    }
}

/// Has written down what came while nobody could; made by the schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TranscribeMissed {}

impl Job<App> for TranscribeMissed {
    type Scope = jobs::Platform;
    const KIND: &'static str = "messaging.transcribe_missed";
    const QUEUE: Queue = queue::DEFAULT;
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, jobs::Platform>) -> JobResult {
        let mut tx = cx.tx().await?;
        // newest first, since that is what people look at
        let missed: Vec<(i32, Uuid)> = sqlx::query_as(
            "update crm.attachments a set transcription = 'pending', transcript_reason = null
               from crm.tenants t
              where t.id = a.tenant_id and a.ctid = any(array(
                select m.ctid from crm.attachments m
                 where m.transcript_reason = 'no_model' and m.created_at > app.now() - make_interval(days => $2) and jobs.is_served($1, $3)
                 order by m.created_at desc limit 200 for update skip locked))
             returning t.number, a.id",
        )
        .bind(queue::TRANSCRIBE.0)
        .bind(CATCH_UP_DAYS)
        .bind(SERVED_WITHIN_S)
        .fetch_all(tx.conn())
        .await?;
        for (tenant_number, attachment_id) in missed {
            let job = Transcribe { attachment_id };
            Enqueue::<App, Transcribe>::new().many_for(&mut tx, tenant_number, std::slice::from_ref(&job)).await?;
        }
        Ok(Done::with(tx))
    }
}

/// Where the model's words are those of its training and not of the speaker: signs for sounds, in brackets.
#[must_use]
pub fn without_sounds(text: &str) -> String {
    let (mut kept, mut depth) = (String::new(), 0_u32);
    for c in text.chars() {
        match c {
            '[' | '(' | '♪' if depth == 0 => depth = 1,
            ']' | ')' | '♪' if depth > 0 => depth = 0,
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_of_a_microphone_is_silence_and_a_word_is_not() {
        let noise: Vec<f32> = (0..RATE * 3).map(|n| if n % 2 == 0 { 0.001 } else { -0.001 }).collect();
        assert!(is_silent(&noise) && is_silent(&[]));
        let mut word = noise;
        word[RATE..RATE + RATE / 2]
            .iter_mut()
            .enumerate()
            .for_each(|(n, sample)| *sample = (n as f32 / 20.0).sin() / 10.0);
        assert!(!is_silent(&word));
    }

    #[test]
    fn signs_for_sounds_are_no_words() {
        assert_eq!(without_sounds(" [BLANK_AUDIO] "), "");
        assert_eq!(without_sounds("Hola (música) Ana. ♪♪"), "Hola Ana.");
        assert_eq!(without_sounds("(perro ladrando"), "");
        assert_eq!(without_sounds("Hasta mañana a las 3."), "Hasta mañana a las 3.");
    }
}
