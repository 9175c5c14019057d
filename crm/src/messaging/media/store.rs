//! Which store an installation keeps its files in, by its settings, and what it means for people and for jobs when the store does not do its part.

use std::{path::Path, time::Duration};

use clap::Args;
use clients::blobs::{Asked, BlobError, BlobKey, Blobs, BucketOptions, Draft, Found};
use jobs::JobError;
use secrecy::SecretString;

use crate::{App, Error};

/// How long a job waits for a store that does not do its part; no attempt is lost by it, so that an outage costs time and no file.
const AGAIN: Duration = Duration::from_secs(60);
/// No file takes so long to be written.
const ABANDONED: Duration = Duration::from_secs(86_400);
/// The pauses before somebody who waits for an answer is told that there is none.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// A bucket of a service that speaks S3, instead of the folder. The key needs GetObject, PutObject, DeleteObject and ListBucket there.
#[derive(Debug, Clone, Default, Args)]
pub struct BucketConfig {
    /// The bucket that keeps files of messages; without it they are kept in the folder.
    #[arg(id = "s3_bucket", long = "s3-bucket", env = "PALOMA_S3_BUCKET")]
    pub bucket: Option<String>,
    /// Where the service is, such as <https://s3.eu-central-1.amazonaws.com>.
    #[arg(id = "s3_endpoint", long = "s3-endpoint", env = "PALOMA_S3_ENDPOINT")]
    pub endpoint: Option<url::Url>,
    /// The region that signatures name.
    #[arg(id = "s3_region", long = "s3-region", env = "PALOMA_S3_REGION", default_value = "us-east-1")]
    pub region: String,
    /// The name of the key.
    #[arg(id = "s3_key_id", long = "s3-key-id", env = "PALOMA_S3_KEY_ID", hide_env_values = true)]
    pub key_id: Option<String>,
    /// Its secret.
    #[arg(id = "s3_secret", long = "s3-secret", env = "PALOMA_S3_SECRET", hide_env_values = true)]
    pub secret: Option<SecretString>,
    /// Whether the bucket stands in the path of addresses, as every service knows it, or in the name of the host.
    #[arg(id = "s3_path_style", long = "s3-path-style", env = "PALOMA_S3_PATH_STYLE", default_value_t = true, action = clap::ArgAction::Set)]
    pub is_in_path: bool,
}

impl BucketConfig {
    /// The store that these settings mean. All that is missing is told at once.
    pub fn store(&self, folder: &Path) -> anyhow::Result<Blobs> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let Some(bucket) = given(&self.bucket) else {
            anyhow::ensure!(
                self.endpoint.is_none() && self.secret.is_none(),
                "PALOMA_S3_BUCKET is missing: other settings of a bucket are there"
            );
            return Ok(Blobs::folder(folder));
        };
        let (Some(endpoint), Some(key_id), Some(secret)) =
            (self.endpoint.clone(), given(&self.key_id), self.secret.clone())
        else {
            let all = [
                ("PALOMA_S3_ENDPOINT", self.endpoint.is_some()),
                ("PALOMA_S3_KEY_ID", given(&self.key_id).is_some()),
                ("PALOMA_S3_SECRET", self.secret.is_some()),
            ];
            let missing: Vec<&str> = all.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect();
            anyhow::bail!("PALOMA_S3_BUCKET is set, and {} missing", missing.join(", "));
        };
        let (region, is_in_path) = (self.region.clone(), self.is_in_path);
        let patience = BucketOptions::PATIENCE;
        Ok(Blobs::bucket(folder, BucketOptions { endpoint, bucket, region, key_id, secret, is_in_path, patience })?)
    }
}

/// Refuses to start on a store whose settings are wrong. One that does not answer for the moment stops nobody: messages go on without it, and files
/// wait.
pub async fn check(blobs: &Blobs) -> anyhow::Result<()> {
    match blobs.check().await {
        Err(error @ BlobError::Away { .. }) => {
            tracing::warn!(%error, "files wait until it answers");
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Throws away what earlier processes on this machine had begun to write when they were killed.
pub async fn sweep(blobs: &Blobs) {
    match blobs.sweep(ABANDONED).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "files that were begun and never ended are swept away"),
        Err(error) => tracing::warn!(%error, "files that were begun and never ended could not be swept away"),
    }
}

/// Keeps a file while somebody waits for it.
pub(super) async fn keep(app: &App, draft: &Draft, key: BlobKey, mime: &'static str) -> Result<(), Error> {
    Ok(patiently(|| app.blobs.keep(draft, key, mime)).await?)
}

/// Opens a file while somebody waits for it.
pub async fn open(app: &App, key: BlobKey, asked: Asked) -> Result<Found, Error> {
    Ok(patiently(|| app.blobs.open(key, asked)).await?)
}

/// Each call of a store ends the same when it is made twice.
async fn patiently<T, F: Future<Output = Result<T, BlobError>>>(call: impl Fn() -> F) -> Result<T, BlobError> {
    for pause in PAUSES {
        match call().await {
            Err(BlobError::Away { .. }) => tokio::time::sleep(pause).await,
            other => return other,
        }
    }
    call().await
}

/// What becomes of a job.
pub(crate) fn later(error: BlobError) -> JobError {
    match error {
        BlobError::Away { .. } | BlobError::Refused { .. } => {
            tracing::warn!(%error, "a job waits for the store of files");
            JobError::Snooze { wait: AGAIN }
        }
        BlobError::Missing | BlobError::Disk(_) => JobError::retry(error),
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing => Self::NotFound,
            BlobError::Away { .. } | BlobError::Refused { .. } => {
                tracing::warn!(%error, "somebody was told to come back");
                Self::Unavailable
            }
            BlobError::Disk(_) => Self::Internal(error.into()),
        }
    }
}
