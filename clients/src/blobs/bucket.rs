//! A bucket of a service that speaks S3: each request signed for itself, bodies streamed both ways. Who may see a file is decided before; nothing
//! of the bucket is public, and no address of it leaves this process.

use std::time::Duration;

use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use secrecy::{ExposeSecret, SecretString};
use tokio::{fs::File, io::AsyncWriteExt};
use url::Url;

use super::{
    Asked, Blob, BlobError, Found, LONGEST,
    fault::{STRANGE, judge},
    read::Source,
};
use crate::{
    Egress, Http, HttpOptions,
    http::{Call, Effect, Method, Outgoing},
};

/// How long a signature holds: as far as the service lets the clocks be apart, so that ours may be behind.
const SIGNED: Duration = Duration::from_secs(900);
/// The longest that a file may take on its way here; jobs that read one have more.
const FETCH: Duration = Duration::from_secs(600);
/// Bytes a second: a way out that is slower is given up.
const SLOWEST: u64 = 256 << 10;

/// Which bucket, and by what right.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    /// Where the service is.
    pub endpoint: Url,
    /// The bucket, which is there already.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The name of the key.
    pub key_id: String,
    /// Its secret.
    pub secret: SecretString,
    /// Whether the bucket is part of the path and not of the host's name.
    pub is_in_path: bool,
    /// How long an answer may be waited for, and each piece of it.
    pub patience: Duration,
}

impl BucketOptions {
    /// The usual patience: a service that has to look on slow disks answers within it.
    pub const PATIENCE: Duration = Duration::from_secs(30);
}

/// The bucket.
pub(super) struct Store {
    bucket: Bucket,
    credentials: Credentials,
    http: Http,
    patience: Duration,
}

impl Store {
    pub fn new(options: BucketOptions) -> Result<Self, BlobError> {
        let style = if options.is_in_path { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let unusable = |_| BlobError::Refused {
            code: "bad_endpoint",
            message: "PALOMA_S3_ENDPOINT is no http or https address, or PALOMA_S3_BUCKET no name of a bucket",
        };
        let bucket = Bucket::new(options.endpoint, style, options.bucket, options.region).map_err(unusable)?;
        let credentials = Credentials::new(options.key_id, options.secret.expose_secret());
        // whoever runs the installation says where it is, which may well be in their own network
        let http = Http::new(HttpOptions::new(Egress::AllowPrivate))
            .map_err(|_| BlobError::Refused { code: "no_client", message: "no HTTP client can be made here" })?;
        Ok(Self { bucket, credentials, http, patience: options.patience })
    }

    /// Keeps a file under that name; one that is there is replaced. The service keeps none of which it did not get every byte.
    pub async fn put(&self, name: &str, file: File, mime: &'static str) -> Result<(), BlobError> {
        let length = file.metadata().await?.len();
        let action = self.bucket.put_object(Some(&self.credentials), name);
        let mut call = self.call("put", Method::PUT, action.sign(SIGNED));
        call.timeout += Duration::from_secs(length / SLOWEST);
        call.file = Some(Outgoing { file, length, mime });
        // even one that is opened at the service itself runs nothing
        call.headers = &[("content-disposition", "attachment")];
        let answer = self.http.call(call).await?;
        if answer.status.is_success() { Ok(()) } else { Err(judge(&answer)) }
    }

    /// Opens a file, or those bytes of it.
    pub async fn open(&self, name: &str, asked: Asked) -> Result<Found, BlobError> {
        // services do not agree on what the last 0 bytes are
        if asked == Asked::Last(0) {
            return Ok(Found::Beyond { length: None });
        }
        let action = self.bucket.get_object(Some(&self.credentials), name);
        let mut call = self.call("get", Method::GET, action.sign(SIGNED));
        call.range = match asked {
            Asked::All => None,
            Asked::From(first) => Some(format!("bytes={first}-")),
            Asked::Between(first, last) => Some(format!("bytes={first}-{last}")),
            Asked::Last(count) => Some(format!("bytes=-{count}")),
        };
        let answer = match self.http.open(call).await? {
            Ok(answer) => answer,
            Err(refusal) if refusal.status.as_u16() == 416 => return Ok(Found::Beyond { length: None }),
            Err(refusal) => return Err(judge(&refusal)),
        };
        let number = |text: &str| text.parse::<u64>().ok();
        if answer.status.as_u16() != 206 {
            // all of it, also where a part was asked for and the service knows no parts
            let length = answer.header("content-length").and_then(number).ok_or(STRANGE)?;
            return Ok(Found::Blob(Blob::new(Source::Answer(answer), (0, length), length, false)));
        }
        let said = answer.header("content-range").and_then(|said| {
            let (range, length) = said.strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = range.split_once('-')?;
            Some((number(first)?, number(last)?.checked_add(1)?, number(length)?))
        });
        match said {
            Some((start, end, length)) if asked.within(length) == Some((start, end)) => {
                Ok(Found::Blob(Blob::new(Source::Answer(answer), (start, end), length, true)))
            }
            _ => Err(STRANGE),
        }
    }

    /// Brings a file here.
    pub async fn fetch(&self, name: &str, into: &mut File) -> Result<(), BlobError> {
        let bring = async {
            let Found::Blob(mut blob) = self.open(name, Asked::All).await? else { return Err(STRANGE) };
            if blob.length > LONGEST {
                return Err(BlobError::Refused { code: "too_large", message: "a file is longer than any of ours" });
            }
            while let Some(piece) = blob.next().await? {
                into.write_all(&piece).await?;
            }
            Ok(into.flush().await?)
        };
        tokio::time::timeout(FETCH, bring).await.map_err(|_| BlobError::Away { reason: "timeout" })?
    }

    /// Removes a file.
    pub async fn remove(&self, name: &str) -> Result<(), BlobError> {
        let action = self.bucket.delete_object(Some(&self.credentials), name);
        let answer = self.http.call(self.call("delete", Method::DELETE, action.sign(SIGNED))).await?;
        if answer.status.is_success() { Ok(()) } else { Err(judge(&answer)) }
    }

    fn call(&self, op: &'static str, method: Method, url: Url) -> Call {
        Call {
            service: "s3",
            op,
            method,
            url,
            json: None,
            form: None,
            file: None,
            headers: &[],
            own_headers: Vec::new(),
            range: None,
            timeout: self.patience,
            effect: Effect::Repeatable,
        }
    }
}
