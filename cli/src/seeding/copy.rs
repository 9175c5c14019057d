//! Rows on their way into a table: the binary form of COPY, sent in pieces, so that only one is in memory.

use anyhow::Result;
use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;
use uuid::Uuid;

const PIECE: usize = 1 << 20;
/// 2000-01-01 in microseconds since 1970, from where the server counts.
const EPOCH: i64 = 946_684_800_000_000;

/// A table that is being written.
pub struct Copy<'c> {
    into: PgCopyIn<&'c mut PgConnection>,
    piece: Vec<u8>,
    columns: i16,
    count: u64,
}

impl<'c> Copy<'c> {
    /// Begins; `statement` names the table and its columns.
    pub async fn begin(owner: &'c mut PgConnection, statement: &str, columns: i16) -> Result<Self> {
        let into = owner.copy_in_raw(statement).await?;
        let mut piece = Vec::with_capacity(PIECE + (1 << 12));
        piece.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        piece.extend_from_slice(&[0; 8]);
        Ok(Self { into, piece, columns, count: 0 })
    }

    /// Begins a row, and sends what has gathered.
    pub async fn row(&mut self) -> Result<Row<'_>> {
        if self.piece.len() >= PIECE {
            self.into.send(self.piece.as_slice()).await?;
            self.piece.clear();
        }
        self.count += 1;
        self.piece.extend_from_slice(&self.columns.to_be_bytes());
        Ok(Row(&mut self.piece))
    }

    /// Ends, and says how many rows there were.
    pub async fn end(mut self) -> Result<u64> {
        self.piece.extend_from_slice(&(-1_i16).to_be_bytes());
        self.into.send(self.piece.as_slice()).await?;
        self.into.finish().await?;
        Ok(self.count)
    }
}

/// A row; its values are given in the order of the columns.
pub struct Row<'p>(&'p mut Vec<u8>);

impl Row<'_> {
    fn put(self, bytes: &[u8]) -> Self {
        // no text of ours has 2 GiB
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }
    /// No value.
    pub fn null(self) -> Self {
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }
    /// An id.
    pub fn id(self, id: Uuid) -> Self {
        self.put(id.as_bytes())
    }
    /// A text.
    pub fn text(self, text: &str) -> Self {
        self.put(text.as_bytes())
    }
    /// A big number.
    pub fn number(self, number: i64) -> Self {
        self.put(&number.to_be_bytes())
    }
    /// A number.
    pub fn int(self, number: i32) -> Self {
        self.put(&number.to_be_bytes())
    }
    /// Yes or no.
    pub fn fact(self, fact: bool) -> Self {
        self.put(&[u8::from(fact)])
    }
    /// A time, in microseconds since 1970.
    pub fn at(self, at: i64) -> Self {
        self.put(&(at - EPOCH).to_be_bytes())
    }
    /// Bytes.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.put(bytes)
    }
    /// A value, or none.
    pub fn maybe<T>(self, value: Option<T>, put: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => put(self, value),
            None => self.null(),
        }
    }
}
