//! Reading a file of the store, all of it or some bytes, piece by piece.

use std::{fmt, io, path::Path};

use bytes::Bytes;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::BlobError;
use crate::http::Opened;

/// How much of a file of a folder is in memory.
const PIECE: u64 = 64 << 10;

/// Which bytes of a file are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All of them.
    All,
    /// From there to the end.
    From(u64),
    /// From there to there, both included, or to the end.
    Between(u64, u64),
    /// So many, at the end.
    Last(u64),
}

impl Asked {
    /// The half-open range that this is of a file of that length; none where nothing of it is there.
    #[must_use]
    pub const fn within(self, length: u64) -> Option<(u64, u64)> {
        match self {
            Self::All => Some((0, length)),
            Self::From(first) if first < length => Some((first, length)),
            Self::Between(first, last) if first < length && first <= last => {
                Some((first, if last < length { last + 1 } else { length }))
            }
            Self::Last(count) if count > 0 && length > 0 => Some((length.saturating_sub(count), length)),
            _ => None,
        }
    }
}

/// What there is of what was asked for.
#[derive(Debug)]
pub enum Found {
    /// The bytes.
    Blob(Blob),
    /// The file is there and ends before them.
    Beyond {
        /// How long it is, where the store says it.
        length: Option<u64>,
    },
}

/// Bytes of a file on their way out.
#[derive(Debug)]
pub struct Blob {
    /// How long the file is.
    pub length: u64,
    /// The first that comes.
    pub start: u64,
    /// Behind the last that comes.
    pub end: u64,
    /// Whether they were asked for as a part, be it all of it.
    pub is_part: bool,
    pub(super) left: u64,
    pub(super) source: Source,
}

pub(super) enum Source {
    File(File),
    Answer(Opened),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Answer(_) => "Answer",
        })
    }
}

impl Blob {
    pub(super) fn new(source: Source, (start, end): (u64, u64), length: u64, is_part: bool) -> Self {
        Self { length, start, end, is_part, left: end - start, source }
    }

    /// The next piece; none at the end. A file that ends too early is an error, so that nobody takes a part for all of it.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut piece = match &mut self.source {
            Source::File(file) => {
                let mut piece = vec![0; usize::try_from(self.left.min(PIECE)).unwrap_or(0)];
                let read = file.read(&mut piece).await?;
                piece.truncate(read);
                Bytes::from(piece)
            }
            Source::Answer(answer) => answer.next().await?.unwrap_or_default(),
        };
        if piece.is_empty() {
            return Err(BlobError::Away { reason: "answer_cut" });
        }
        piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= piece.len() as u64;
        Ok(Some(piece))
    }
}

/// Opens a file of a folder.
pub(super) async fn open(path: &Path, asked: Asked) -> Result<Found, BlobError> {
    let mut file = File::open(path).await?;
    let length = file.metadata().await?.len();
    let Some((start, end)) = asked.within(length) else { return Ok(Found::Beyond { length: Some(length) }) };
    file.seek(io::SeekFrom::Start(start)).await?;
    Ok(Found::Blob(Blob::new(Source::File(file), (start, end), length, asked != Asked::All)))
}
