//! Makes what every browser shows or plays of a file, and a small picture of it: by ffmpeg, a child with limits of time, processor, memory and
//! length, which may open nothing but the one file, as the one thing that its bytes are. Where there is none, or it fails, the file stays and
//! says why.

use std::{path::Path, process::Stdio, time::Duration};

use clients::{
    blobs::{BlobError, BlobKey, Form},
    gateway::Fetched,
};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{io::AsyncReadExt, process::Command};
use uuid::Uuid;

use super::{LIMIT, fetch, memo, sniff, store};
use crate::{
    App, Error,
    messaging::lines::{self, LineId},
    queue,
};

/// The longest a child may take.
const TIME: Duration = Duration::from_secs(180);
/// The limits that a child gets from the shell that becomes it: seconds of processor, KiB of memory, blocks of 512 bytes in a file.
const LIMITS: &str = "ulimit -t 120; ulimit -v 3000000; ulimit -f 409600; exec nice -n 10 \"$@\"";
/// The longer side of a small picture.
const SMALL: &str = "scale='min(480,iw)':-2:force_original_aspect_ratio=decrease";

/// Makes the other forms of one file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prepare {
    /// Our id of it.
    pub attachment_id: Uuid,
}

pub(super) async fn enqueue(tx: &mut TenantTx, attachment_id: Uuid) -> Result<(), Error> {
    Enqueue::<App, Prepare>::new().one(tx, &Prepare { attachment_id }).await?;
    Ok(())
}

/// Why a form could not be made: a stable code.
pub(super) type Fault = &'static str;

/// What was made of a file.
#[derive(Default)]
struct Made {
    thumbnail: Option<Result<(), Fault>>,
    playable: Option<Result<&'static str, Fault>>,
    voice: Option<Result<(), Fault>>,
    facts: Facts,
}

/// What a file is besides its type.
#[derive(Default)]
struct Facts {
    duration_ms: Option<i64>,
    width: Option<i32>,
    height: Option<i32>,
}

#[derive(sqlx::FromRow)]
struct Wanted {
    line_id: Option<LineId>,
    guid: Option<String>,
    wants_thumbnail: bool,
    wants_playable: bool,
    wants_voice: bool,
    kind: String,
}

impl Wanted {
    /// Nothing of it can be made.
    fn none(&self, fault: Fault) -> Made {
        Made {
            thumbnail: self.wants_thumbnail.then_some(Err(fault)),
            playable: self.wants_playable.then_some(Err(fault)),
            voice: self.wants_voice.then_some(Err(fault)),
            facts: Facts::default(),
        }
    }
}

impl Job<App> for Prepare {
    type Scope = Tenant;
    const KIND: &'static str = "messaging.prepare_file";
    const QUEUE: Queue = queue::MEDIA;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(4).from_secs(5).up_to_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(900);

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.attachment_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        let tenant_id = tx.tenant_id();
        let wanted: Option<Wanted> = sqlx::query_as(
            "select line_id, guid, coalesce(thumbnail = 'pending', false) as wants_thumbnail, coalesce(playable = 'pending', false) as wants_playable,
                    coalesce(voice = 'pending', false) as wants_voice, kind
               from crm.attachments where tenant_id = app.tenant_id() and id = $1 and state = 'stored'",
        )
        .bind(self.attachment_id)
        .fetch_optional(tx.conn())
        .await?;
        let Some(wanted) = wanted else { return Ok(Done::with(tx)) };
        drop(tx);
        let made = match self.make(&cx, tenant_id, &wanted).await {
            Err(JobError::Retry { .. }) if cx.is_last_attempt() => wanted.none("not_convertible"),
            made => made?,
        };
        let mut tx = cx.tx().await?;
        self.record(&mut tx, &made).await?;
        Ok(Done::with(tx))
    }
}

impl Prepare {
    async fn make(&self, cx: &Cx<App, Tenant>, tenant_id: Uuid, wanted: &Wanted) -> Result<Made, JobError> {
        let (blobs, tool) = (&cx.app.blobs, cx.app.config.ffmpeg.as_str());
        let key = |form| BlobKey { tenant_id, id: self.attachment_id, form };
        let local = match blobs.local(key(Form::Original)).await {
            Ok(local) => local,
            Err(BlobError::Missing) if cx.is_last_attempt() => return Ok(wanted.none("file_lost")),
            Err(error) => return Err(store::later(error)),
        };
        let original = local.path();
        let sniffed = head(original).await?;
        let mut made = Made::default();
        if let Some(reader) = sniffed.reader {
            made.facts = facts(tool, reader, original).await;
        }
        let playable = blobs.draft(tenant_id).await.map_err(JobError::retry)?;
        if wanted.wants_playable {
            made.playable = Some(match (sniffed.reader, &wanted.guid, wanted.line_id) {
                (Some(reader), _, _) => convert(tool, reader, &wanted.kind, original, playable.path()).await,
                // what our tool can't read the Mac itself turns into something that it can
                (None, Some(guid), Some(line_id)) => by_the_mac(cx, line_id, guid, playable.path()).await?,
                _ => Err("not_convertible"),
            });
        }
        if wanted.wants_voice {
            let draft = blobs.draft(tenant_id).await.map_err(JobError::retry)?;
            let result = match sniffed.reader {
                Some(reader) => memo::make(tool, reader, original, draft.path()).await,
                None => Err("not_convertible"),
            };
            if result.is_ok() {
                blobs.keep(&draft, key(Form::Voice), "audio/x-caf").await.map_err(store::later)?;
            }
            made.voice = Some(result);
        }
        if wanted.wants_thumbnail {
            let source = if matches!(made.playable, Some(Ok(_))) { playable.path() } else { original };
            let draft = blobs.draft(tenant_id).await.map_err(JobError::retry)?;
            let result = match head(source).await?.reader {
                Some(reader) => picture(tool, reader, source, draft.path()).await,
                None => Err("not_convertible"),
            };
            if result.is_ok() {
                blobs.keep(&draft, key(Form::Thumbnail), "image/jpeg").await.map_err(store::later)?;
            }
            made.thumbnail = Some(result);
        }
        // last: a folder takes the draft away
        if let Some(Ok(mime)) = made.playable {
            blobs.keep(&playable, key(Form::Playable), mime).await.map_err(store::later)?;
        }
        Ok(made)
    }

    async fn record(&self, tx: &mut TenantTx, made: &Made) -> Result<(), Error> {
        let word = |is_made: bool| if is_made { "stored" } else { "failed" };
        let faults = [
            made.voice.and_then(Result::err),
            made.playable.and_then(Result::err),
            made.thumbnail.and_then(Result::err),
        ];
        sqlx::query(
            "update crm.attachments a set thumbnail = coalesce($2, a.thumbnail), playable = coalesce($3, a.playable), playable_mime = coalesce($4, a.playable_mime),
                    prepare_reason = $5, duration_ms = coalesce($6, a.duration_ms), width = coalesce($7, a.width), height = coalesce($8, a.height), voice = coalesce($9, a.voice)
              where a.tenant_id = app.tenant_id() and a.id = $1",
        )
        .bind(self.attachment_id)
        .bind(made.thumbnail.map(|result| word(result.is_ok())))
        .bind(made.playable.map(|result| word(result.is_ok())))
        .bind(made.playable.and_then(Result::ok))
        .bind(faults.into_iter().flatten().next())
        .bind(made.facts.duration_ms)
        .bind(made.facts.width)
        .bind(made.facts.height)
        .bind(made.voice.map(|result| word(result.is_ok())))
        .execute(tx.conn())
        .await?;
        fetch::tell(tx, self.attachment_id).await
    }
}

/// Has the Mac turn a picture into one that every browser shows.
async fn by_the_mac(
    cx: &Cx<App, Tenant>,
    line_id: LineId,
    guid: &str,
    to: &Path,
) -> Result<Result<&'static str, Fault>, JobError> {
    let mut tx = cx.tx().await?;
    let line = lines::open(&cx.app, &mut tx, line_id).await?;
    drop(tx);
    let mut file = tokio::fs::File::options().write(true).truncate(true).open(to).await.map_err(JobError::retry)?;
    match line.gateway.download(guid, false, &mut file, LIMIT).await {
        Ok(Fetched::Done { .. }) if head(to).await?.mime == "image/jpeg" => Ok(Ok("image/jpeg")),
        Ok(Fetched::Done { .. }) => Ok(Err("not_converted")),
        Ok(_) => Ok(Err("not_on_gateway")),
        Err(error) if cx.is_last_attempt() => Ok(Err(error.code())),
        Err(error) => Err(JobError::retry(error.code())),
    }
}

pub(super) async fn head(path: &Path) -> Result<sniff::Sniffed, JobError> {
    let mut file = tokio::fs::File::open(path).await.map_err(JobError::retry)?;
    let mut head = vec![0; sniff::HEAD];
    let read = file.read(&mut head).await.map_err(JobError::retry)?;
    Ok(sniff::sniff(&head[..read]))
}

/// Runs a tool on one file; answers its standard output.
pub(super) async fn run(tool: &str, arguments: &[&str]) -> Result<Vec<u8>, Fault> {
    let mut command = Command::new("sh");
    command.args(["-c", LIMITS, "sh", tool]).args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(TIME, command.output()).await {
        Err(_) => return Err("took_too_long"),
        Ok(Err(_)) => return Err("no_ffmpeg"),
        Ok(Ok(output)) => output,
    };
    match output.status.code() {
        Some(0) => Ok(output.stdout),
        // as shells say that there is no such program
        Some(126 | 127) => Err("no_ffmpeg"),
        _ => Err("not_convertible"),
    }
}

pub(super) fn text(path: &Path) -> Result<&str, Fault> {
    path.to_str().ok_or("not_convertible")
}

async fn convert(tool: &str, reader: &str, kind: &str, from: &Path, to: &Path) -> Result<&'static str, Fault> {
    let mut arguments =
        vec!["-nostdin", "-loglevel", "error", "-protocol_whitelist", "file", "-f", reader, "-i", text(from)?];
    arguments.extend(["-map_metadata", "-1", "-threads", "1"]);
    let mime = match kind {
        "image" => {
            arguments.extend(["-frames:v", "1", "-q:v", "3", "-c:v", "mjpeg", "-f", "mjpeg"]);
            "image/jpeg"
        }
        "audio" => {
            arguments.extend(["-vn", "-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart", "-f", "ipod"]);
            "audio/mp4"
        }
        _ => {
            arguments.extend([
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-pix_fmt",
                "yuv420p",
                "-vf",
                "scale='min(1280,iw)':-2",
            ]);
            arguments.extend(["-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", "-f", "mp4"]);
            "video/mp4"
        }
    };
    arguments.extend(["-y", text(to)?]);
    run(tool, &arguments).await.map(|_| mime)
}

/// Sound as models take it: 16 bits, 16 kHz, mono, and no more than so much of it.
pub(super) async fn decode(tool: &str, reader: &str, from: &Path, to: &Path, most: Duration) -> Result<(), Fault> {
    let most = most.as_secs().to_string();
    let mut arguments =
        vec!["-nostdin", "-loglevel", "error", "-protocol_whitelist", "file", "-f", reader, "-i", text(from)?];
    arguments.extend(["-map_metadata", "-1", "-threads", "1", "-vn", "-t", &most, "-ar", "16000", "-ac", "1"]);
    arguments.extend(["-f", "s16le", "-y", text(to)?]);
    run(tool, &arguments).await.map(|_| ())
}

async fn picture(tool: &str, reader: &str, from: &Path, to: &Path) -> Result<(), Fault> {
    let mut arguments =
        vec!["-nostdin", "-loglevel", "error", "-protocol_whitelist", "file", "-f", reader, "-i", text(from)?];
    arguments.extend(["-map_metadata", "-1", "-threads", "1", "-an", "-frames:v", "1", "-vf", SMALL, "-q:v", "4"]);
    arguments.extend(["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "-y", text(to)?]);
    run(tool, &arguments).await.map(|_| ())
}

/// Length and size, where the tool beside the tool can tell.
async fn facts(tool: &str, reader: &str, path: &Path) -> Facts {
    let probe = tool.strip_suffix("ffmpeg").map(|folder| format!("{folder}ffprobe"));
    let (Some(probe), Ok(path)) = (probe, text(path)) else { return Facts::default() };
    let mut arguments = vec!["-v", "error", "-protocol_whitelist", "file", "-f", reader];
    arguments.extend(["-show_entries", "format=duration:stream=width,height", "-of", "json", path]);
    let Ok(output) = run(&probe, &arguments).await else { return Facts::default() };
    let said: Value = serde_json::from_slice(&output).unwrap_or_default();
    let side = |name: &str| {
        let streams = said["streams"].as_array()?;
        i32::try_from(streams.iter().find_map(|stream| stream[name].as_i64())?).ok()
    };
    let seconds = said["format"]["duration"].as_str().and_then(|text| text.parse::<f64>().ok());
    let lasts = !reader.ends_with("_pipe") && reader != "gif";
    Facts {
        duration_ms: seconds.filter(|_| lasts).map(|seconds| (seconds * 1000.0) as i64),
        width: side("width"),
        height: side("height"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tool_that_is_not_there_or_fails_says_so() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(picture("/nonexistent/ffmpeg", "mov", nowhere, nowhere).await, Err("no_ffmpeg"));
        assert_eq!(convert("false", "mov", "video", nowhere, nowhere).await, Err("not_convertible"));
        assert_eq!(run("sh", &["-c", "ulimit -v"]).await.map(|out| out.trim_ascii().to_vec()), Ok(b"3000000".to_vec()));
    }
}
