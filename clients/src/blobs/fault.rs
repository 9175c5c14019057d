//! Why a store did not do what it was asked, so that the caller can decide without knowing which store it is. Made of words of ours only: what a
//! service answers may name keys.

use std::io;

use crate::{ClientError, http::Answer};

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// The store does not answer, or not now; trying later may help.
    #[error("the store of files can't be reached now ({reason})")]
    Away {
        /// A stable word.
        reason: &'static str,
    },
    /// Nothing helps until somebody has changed a setting, here or there.
    #[error("the store of files refuses: {message} ({code})")]
    Refused {
        /// A stable word.
        code: &'static str,
        /// What to do about it.
        message: &'static str,
    },
    /// A folder of this machine.
    #[error("a folder of files: {0}")]
    Disk(io::Error),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Disk(error) }
    }
}

/// A call is made again as it is: all of them end the same when done twice.
impl From<ClientError> for BlobError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Rejected { code, message } => Self::Refused { code, message },
            other => Self::Away { reason: other.code() },
        }
    }
}

const fn refused(code: &'static str, message: &'static str) -> BlobError {
    BlobError::Refused { code, message }
}

/// An answer that no store of this kind gives.
pub(super) const STRANGE: BlobError =
    refused("answer_not_understood", "what is at PALOMA_S3_ENDPOINT does not answer as S3 does");
/// Found at the start only.
pub(super) const MAY_NOT_LIST: BlobError = refused(
    "may_not_list",
    "the key needs the right to list the bucket, or what is missing can't be told from what is forbidden",
);

/// What an answer without success means. A file that is missing is told from a bucket that is, or the mistake of one letter in a setting would
/// pass for the loss of every file.
pub(super) fn judge(answer: &Answer) -> BlobError {
    let elsewhere = refused(
        "elsewhere",
        "the bucket is in another region or at another address (PALOMA_S3_REGION, PALOMA_S3_ENDPOINT, PALOMA_S3_PATH_STYLE)",
    );
    let body = String::from_utf8_lossy(&answer.body);
    match (answer.status.as_u16(), code(&body)) {
        (404, "NoSuchKey") => BlobError::Missing,
        (_, "NoSuchBucket") => refused("no_bucket", "there is no bucket of that name (PALOMA_S3_BUCKET)"),
        (_, "InvalidAccessKeyId") => refused("key_unknown", "the service does not know the key (PALOMA_S3_KEY_ID)"),
        (_, "SignatureDoesNotMatch") => {
            refused("secret_wrong", "the secret does not belong to the key (PALOMA_S3_SECRET)")
        }
        (_, "RequestTimeTooSkewed") => {
            refused("clock_wrong", "the clocks of this machine and of the service are too far apart")
        }
        (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError") => elsewhere,
        (_, "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage") | (507, _) => {
            refused("store_full", "the store of files is full")
        }
        (429 | 500..=599, _) => BlobError::Away { reason: "store_busy" },
        (408, _) => BlobError::Away { reason: "timeout" },
        (401 | 403, _) => refused("access_denied", "the key may not do that in the bucket"),
        (300..=399, _) => elsewhere,
        _ => STRANGE,
    }
}

/// The word by which the service says it. It is compared and goes no further.
fn code(body: &str) -> &str {
    let word = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    word.map_or("", |(word, _)| word.trim())
}
