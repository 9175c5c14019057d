//! A CSV upload as rows: push bytes, pull rows. Memory stays flat whatever the upload holds.
//! Every row knows where the next one begins, so reading can resume there. Knows nothing of what cells mean.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde::{Deserialize, Serialize};

use super::decode::{Decoder, Encoding};

/// The longest row, in bytes of UTF-8.
pub const MAX_ROW_BYTES: usize = 1 << 20;
/// The longest cell, in bytes of UTF-8.
pub const MAX_CELL_BYTES: usize = 64 << 10;
/// The most cells of a row.
pub const MAX_COLUMNS: usize = 2048;

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The encoding of the bytes.
    pub encoding: Encoding,
    /// The byte between cells.
    pub delimiter: u8,
    /// Whether the first row holds the names of the columns.
    pub has_header: bool,
    /// The number of cells each row must have. None: the first row decides; give it when resuming.
    pub columns: Option<usize>,
}

/// A place between two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes of the upload before this place.
    pub offset: u64,
    /// The physical line that begins here; the first is 1.
    pub line: u64,
}

impl Position {
    /// The beginning of the upload.
    pub const START: Self = Self { offset: 0, line: 1 };
}

/// What the reader found next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The names of the columns; at most once, and only when reading from the start.
    Header(Row),
    /// A row of data.
    Row(Row),
    /// A row that cannot be used. The rows behind it are read as usual.
    Bad(BadRow),
}

/// The cells of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The physical line on which the row begins; the header is line 1.
    pub line: u64,
    /// Where the next row begins: reading may resume there.
    pub end: Position,
    text: String,
    ends: Vec<u32>,
}

impl Row {
    /// One cell, as it was written.
    pub fn cell(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Some(&self.text[start..end])
    }

    /// All cells in order.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).filter_map(|index| self.cell(index))
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the row has no cell.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    #[cfg(test)]
    pub(super) fn of(line: u64, cells: &[&str]) -> Self {
        let ends = cells.iter().scan(0, |end, cell| {
            *end += cell.len() as u32;
            Some(*end)
        });
        Self { line, end: Position { offset: 0, line: line + 1 }, text: cells.concat(), ends: ends.collect() }
    }
}

/// A row that was passed over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The physical line on which the row begins.
    pub line: u64,
    /// Where the next row begins. `end.line - line` lines were passed over.
    pub end: Position,
    /// Why.
    pub fault: RowFault,
    /// The cells as far as they are known and of reasonable size; wrong bytes are shown as U+FFFD.
    pub cells: Vec<String>,
}

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowFault {
    /// Fewer cells than columns, or more with something in them.
    ColumnCount,
    /// A cell above [`MAX_CELL_BYTES`].
    FieldTooLong,
    /// A row above [`MAX_ROW_BYTES`].
    RowTooLong,
    /// A NUL byte in a cell.
    NulByte,
    /// Bytes that are wrong in the file's encoding.
    BadEncoding,
    /// A quote that is opened and never closed.
    UnclosedQuote,
}

impl RowFault {
    /// The stable code of the fault.
    pub fn code(self) -> &'static str {
        match self {
            Self::ColumnCount => "column_count",
            Self::FieldTooLong => "field_too_long",
            Self::RowTooLong => "row_too_long",
            Self::NulByte => "nul_byte",
            Self::BadEncoding => "bad_encoding",
            Self::UnclosedQuote => "unclosed_quote",
        }
    }
}

/// Reads rows from pieces of an upload: `push` a piece, call `next_item` until it gives None, push the next one,
/// and after the last `finish` and pull what is left.
pub struct RowReader {
    format: Format,
    decoder: Decoder,
    csv: Reader,
    /// Decoded bytes not yet read: `input[at..]`.
    input: Vec<u8>,
    at: usize,
    here: Position,
    /// The offset behind the last byte pushed.
    pushed: u64,
    after_cr: bool,
    finished: bool,
    header_due: bool,
    first_row: bool,
    state: State,
    row_line: u64,
    row: Vec<u8>,
    row_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    overflow: Option<RowFault>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    BetweenRows,
    InRow,
    /// The row is complete but for a line feed that may follow its carriage return.
    Complete,
}

impl RowReader {
    /// Starts at the beginning of an upload, or at the `end` of a row read earlier. In the second case the first byte
    /// pushed must be the one at `from.offset`, and `format.columns` must be given.
    pub fn new(format: Format, from: Position) -> Self {
        let at_start = from == Position::START;
        let mut csv = ReaderBuilder::new().delimiter(format.delimiter).build();
        // csv-core drops a byte-order mark from the first input it sees, which is wrong in the middle of a file.
        let _ = csv.read_record(b"\n", &mut [0; 1], &mut [0; 1]);
        Self {
            decoder: Decoder::new(format.encoding, at_start),
            csv,
            input: Vec::new(),
            at: 0,
            here: from,
            pushed: from.offset,
            after_cr: false,
            finished: false,
            header_due: at_start && format.has_header,
            first_row: at_start,
            state: State::BetweenRows,
            row_line: from.line,
            row: vec![0; 4 << 10],
            row_len: 0,
            ends: vec![0; 32],
            ends_len: 0,
            overflow: None,
            format,
        }
    }

    /// Adds the next piece of the upload. Pull all items before pushing more, or memory grows by what is waiting.
    pub fn push(&mut self, raw: &[u8]) {
        self.input.drain(..self.at);
        self.at = 0;
        self.pushed += raw.len() as u64;
        self.here.offset += self.decoder.decode(raw, false, &mut self.input);
    }

    /// Says that the upload ends here.
    pub fn finish(&mut self) {
        if !self.finished {
            self.here.offset += self.decoder.decode(b"", true, &mut self.input);
            self.finished = true;
        }
    }

    /// The number of cells each row must have, once it is known.
    pub fn columns(&self) -> Option<usize> {
        self.format.columns
    }

    /// The next row, or None when another piece is needed (or, after `finish`, when there are no more).
    pub fn next_item(&mut self) -> Option<Item> {
        loop {
            match self.state {
                State::BetweenRows => self.begin_row()?,
                State::InRow if self.at < self.input.len() => self.read_on(),
                State::InRow if self.finished => self.end_of_input(),
                State::InRow => return None,
                State::Complete => {
                    if self.after_cr {
                        match self.input.get(self.at) {
                            Some(b'\n') => self.consume(1),
                            None if !self.finished => return None,
                            Some(_) | None => {}
                        }
                    }
                    self.after_cr = false;
                    if let Some(item) = self.complete_row() {
                        return Some(item);
                    }
                }
            }
        }
    }

    /// Passes over blank lines. They are not rows.
    fn begin_row(&mut self) -> Option<()> {
        while let Some(byte) = self.input.get(self.at) {
            if !matches!(byte, b'\r' | b'\n') {
                self.state = State::InRow;
                self.row_line = self.here.line;
                self.after_cr = false;
                return Some(());
            }
            self.consume(1);
        }
        None
    }

    fn read_on(&mut self) {
        let (row_from, ends_from) = if self.overflow.is_some() { (0, 0) } else { (self.row_len, self.ends_len) };
        let (result, read, written, ended) =
            self.csv.read_record(&self.input[self.at..], &mut self.row[row_from..], &mut self.ends[ends_from..]);
        self.consume(read);
        if self.overflow.is_none() {
            self.row_len += written;
            self.ends_len += ended;
        }
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            ReadRecordResult::OutputFull if self.overflow.is_some() => {}
            ReadRecordResult::OutputEndsFull if self.overflow.is_some() => {}
            ReadRecordResult::OutputFull if self.row.len() < MAX_ROW_BYTES => self.row.resize(self.row.len() * 2, 0),
            ReadRecordResult::OutputFull => self.overflow = Some(RowFault::RowTooLong),
            ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_COLUMNS => {
                self.ends.resize(self.ends.len() * 2, 0)
            }
            ReadRecordResult::OutputEndsFull => self.overflow = Some(RowFault::ColumnCount),
            ReadRecordResult::Record => self.state = State::Complete,
        }
    }

    /// Ends the last row, which has no line end of its own. A line feed ends a row everywhere but inside quotes.
    fn end_of_input(&mut self) {
        if self.ends_len == self.ends.len() {
            self.ends.push(0);
        }
        let ends_from = if self.overflow.is_some() { 0 } else { self.ends_len };
        let (result, _, _, ended) = self.csv.read_record(b"\n", &mut [0; 2], &mut self.ends[ends_from..]);
        self.ends_len += ended;
        if result != ReadRecordResult::Record {
            self.overflow = Some(RowFault::UnclosedQuote);
        }
        self.after_cr = false;
        self.state = State::Complete;
    }

    fn consume(&mut self, count: usize) {
        let bytes = &self.input[self.at..self.at + count];
        for byte in bytes {
            self.here.line += u64::from(*byte == b'\r' || (*byte == b'\n' && !self.after_cr));
            self.after_cr = *byte == b'\r';
        }
        // Half a UTF-16 unit at the very end counts as a whole one.
        self.here.offset = (self.here.offset + self.format.encoding.raw_len(bytes)).min(self.pushed);
        self.at += count;
    }

    /// The row just read, or None when it turns out to be no row at all.
    fn complete_row(&mut self) -> Option<Item> {
        let (row_len, ends_len) = (std::mem::take(&mut self.row_len), std::mem::take(&mut self.ends_len));
        let overflow = self.overflow.take();
        let header = std::mem::take(&mut self.header_due);
        let first = std::mem::take(&mut self.first_row);
        self.state = State::BetweenRows;
        // A last line without a line end still ends before a new line.
        let end = Position { offset: self.here.offset, line: self.here.line.max(self.row_line + 1) };
        let line = self.row_line;
        if let Some(fault) = overflow {
            return Some(Item::Bad(BadRow { line, end, fault, cells: Vec::new() }));
        }
        let (bytes, ends) = (&self.row[..row_len], &self.ends[..ends_len]);
        if first && is_separator_line(bytes, ends_len) {
            (self.header_due, self.first_row) = (header, false);
            return None;
        }
        if ends_len == 1 && bytes.trim_ascii().is_empty() && (first || self.format.columns != Some(1)) {
            (self.header_due, self.first_row) = (header, first);
            return None;
        }
        let kept = kept_cells(bytes, ends, if header { Some(0) } else { self.format.columns });
        if header || self.format.columns.is_none() {
            self.format.columns = Some(kept);
        }
        let columns = self.format.columns.unwrap_or(kept);
        let fault = fault_of(bytes, ends).or((kept != columns).then_some(RowFault::ColumnCount));
        let ends = &ends[..kept.min(ends_len)];
        match (fault, std::str::from_utf8(bytes)) {
            (None, Ok(text)) => {
                let text = text[..ends.last().copied().unwrap_or(0)].to_owned();
                let row = Row { line, end, text, ends: ends.iter().map(|end| *end as u32).collect() };
                Some(if header { Item::Header(row) } else { Item::Row(row) })
            }
            (fault, _) => {
                let fault = fault.unwrap_or(RowFault::BadEncoding);
                Some(Item::Bad(BadRow { line, end, fault, cells: readable_cells(bytes, ends) }))
            }
        }
    }
}

/// `sep=;`, which Excel writes and reads to name the delimiter.
fn is_separator_line(bytes: &[u8], cells: usize) -> bool {
    let tag = bytes.get(..4).is_some_and(|tag| tag.eq_ignore_ascii_case(b"sep="));
    tag && ((cells == 2 && bytes.len() == 4) || (cells == 1 && bytes.len() == 5))
}

/// The number of cells without empty ones beyond the expected columns.
fn kept_cells(bytes: &[u8], ends: &[usize], columns: Option<usize>) -> usize {
    let mut kept = ends.len();
    let Some(columns) = columns else { return kept };
    while kept > columns.max(1) && bytes[ends[kept - 2]..ends[kept - 1]].trim_ascii().is_empty() {
        kept -= 1;
    }
    kept
}

fn fault_of(bytes: &[u8], ends: &[usize]) -> Option<RowFault> {
    let mut start = 0;
    for end in ends {
        if end - start > MAX_CELL_BYTES {
            return Some(RowFault::FieldTooLong);
        }
        start = *end;
    }
    if bytes.contains(&0) {
        return Some(RowFault::NulByte);
    }
    match std::str::from_utf8(bytes) {
        // Halves of a character on both sides of a delimiter would look like one.
        Ok(text) => ends.iter().any(|end| !text.is_char_boundary(*end)).then_some(RowFault::BadEncoding),
        Err(_) => Some(RowFault::BadEncoding),
    }
}

/// Enough of the cells for a person to find the row again.
fn readable_cells(bytes: &[u8], ends: &[usize]) -> Vec<String> {
    const SHOWN: usize = 512;
    let mut start = 0;
    let cells = ends.iter().take(256).map(|end| {
        let cell = &bytes[start..(*end).min(start + SHOWN)];
        start = *end;
        String::from_utf8_lossy(cell).replace('\0', "\u{fffd}")
    });
    cells.collect()
}

#[cfg(test)]
mod tests;
