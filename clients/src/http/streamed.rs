//! Answers that are files: written where they are asked to, or handed on piece by piece. No more of one is in memory than a piece.

use std::{fmt, time::Duration};

use bytes::Bytes;
use tokio::{fs::File, io::AsyncWriteExt};
use tracing::Instrument;

use super::{Answer, Call, Effect, Http, StatusCode, Wait, record_outcome, record_status};
use crate::ClientError;

/// What became of a download.
#[derive(Debug)]
pub enum Downloaded {
    /// All of it is there.
    Done {
        /// Its length.
        length: u64,
    },
    /// It is longer than was asked for; what is there of it is of no use.
    TooLong,
    /// There is no file.
    Refused(Answer),
}

/// An answer with success whose body is still to come.
pub struct Opened {
    /// The status.
    pub status: StatusCode,
    response: reqwest::Response,
    patience: Duration,
    effect: Effect,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Opened {
    /// What a header says.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next piece; none at the end. How long all of it takes is up to whoever reads, and each piece has its limit.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        match tokio::time::timeout(self.patience, self.response.chunk()).await {
            Ok(piece) => piece.map_err(|_| self.effect.lost("answer_cut")),
            Err(_) => Err(self.effect.lost("timeout")),
        }
    }
}

impl Http {
    /// Makes one call whose answer is a file, and writes it where it is asked to, up to so many bytes. An answer without success is read as any
    /// other, and nothing is written.
    pub async fn download(&self, call: Call, into: &mut File, limit: u64) -> Result<Downloaded, ClientError> {
        let span = call.span();
        let fetched = async { self.fetch(call, into, limit).await.inspect_err(record_outcome) };
        fetched.instrument(span).await
    }

    async fn fetch(&self, call: Call, into: &mut File, limit: u64) -> Result<Downloaded, ClientError> {
        let effect = call.effect;
        let mut response = self.reach(call, Wait::Whole).await?;
        let status = response.status();
        record_status(status);
        if !status.is_success() {
            return Ok(Downloaded::Refused(Answer {
                status,
                retry_after: None,
                body: self.read(response, effect).await?,
            }));
        }
        let disk = |_| ClientError::Transient { reason: "disk" };
        let mut length = 0;
        while let Some(chunk) = response.chunk().await.map_err(|_| effect.lost("answer_cut"))? {
            length += chunk.len() as u64;
            if length > limit {
                return Ok(Downloaded::TooLong);
            }
            into.write_all(&chunk).await.map_err(disk)?;
        }
        into.flush().await.map_err(disk)?;
        Ok(Downloaded::Done { length })
    }

    /// Makes one call whose answer is handed on while it comes; one without success is read as any other. The call's limit of time holds for the
    /// head, and then for each piece.
    pub async fn open(&self, call: Call) -> Result<Result<Opened, Answer>, ClientError> {
        let span = call.span();
        async {
            let (patience, effect) = (call.timeout, call.effect);
            let response = self.reach(call, Wait::Head).await.inspect_err(record_outcome)?;
            let status = response.status();
            record_status(status);
            if status.is_success() {
                return Ok(Ok(Opened { status, response, patience, effect }));
            }
            match tokio::time::timeout(patience, self.read(response, effect)).await {
                Ok(body) => Ok(Err(Answer { status, retry_after: None, body: body? })),
                Err(_) => Err(effect.lost("timeout")),
            }
        }
        .instrument(span)
        .await
    }
}
