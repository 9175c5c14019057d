//! What kind of file an upload is: encoding, delimiter, header. Judged from its beginning, and overridable by people.
//! Refuses what is no CSV file. Reads no further than it is given.

use serde::{Deserialize, Serialize};

use super::decode::{Decoder, Encoding};
use super::map::{self, Field, Mapping};
use super::rows::{BadRow, Format, Item, Position, Row, RowReader};

/// The most bytes of an upload worth giving to [`sniff`].
pub const HEAD_BYTES: usize = 1 << 20;
const SAMPLE_ROWS: usize = 50;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What people may know better than we do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// The encoding of the bytes.
    pub encoding: Option<Encoding>,
    /// The character between cells.
    pub delimiter: Option<char>,
    /// Whether the first row holds the names of the columns.
    pub has_header: Option<bool>,
}

/// A file we can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sniffed {
    /// How to read it; `columns` is set, so it serves for resuming too.
    pub format: Format,
    /// The names of its columns, present and unique.
    pub headers: Vec<String>,
    /// Its first rows, for the preview.
    pub sample: Vec<Row>,
    /// Those of the first rows that cannot be read.
    pub bad: Vec<BadRow>,
}

/// Why a file cannot be imported at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SniffError {
    /// No byte, or nothing but blanks.
    #[error("the file is empty")]
    Empty,
    /// Something else than a CSV file.
    #[error("the file is not a CSV file but {0}; save it as CSV and upload that")]
    NotCsv(&'static str),
    /// The first row cannot be read.
    #[error("the first row cannot be read: {0}")]
    Header(&'static str),
    /// The delimiter asked for is not one.
    #[error("\"{0}\" cannot be a delimiter; use comma, semicolon, tab or |")]
    Delimiter(char),
}

impl SniffError {
    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_file",
            Self::NotCsv(_) => "not_csv",
            Self::Header(_) => "header_unreadable",
            Self::Delimiter(_) => "delimiter_invalid",
        }
    }
}

/// Judges the beginning of an upload. `complete`: there is no more than this.
pub fn sniff(head: &[u8], complete: bool, overrides: &Overrides) -> Result<Sniffed, SniffError> {
    let cut = head.len() > HEAD_BYTES;
    let (head, complete) = if cut { (&head[..HEAD_BYTES], false) } else { (head, complete) };
    if let Some(kind) = foreign_magic(head) {
        return Err(SniffError::NotCsv(kind));
    }
    let mut evidence = EncodingEvidence::default();
    evidence.push(head);
    let encoding = overrides.encoding.unwrap_or_else(|| evidence.verdict(complete));
    let mut text = Vec::new();
    Decoder::new(encoding, true).decode(head, complete, &mut text);
    refuse_foreign_text(&text, complete)?;
    let delimiter = match overrides.delimiter {
        Some(asked) => u8::try_from(asked)
            .ok()
            .filter(|byte| DELIMITERS.contains(byte) || matches!(byte, b':' | b'^' | b'~'))
            .ok_or(SniffError::Delimiter(asked))?,
        None => separator_line(&text).unwrap_or_else(|| likely_delimiter(&text, complete)),
    };
    read_sample(head, complete, encoding, delimiter, overrides.has_header)
}

fn read_sample(
    head: &[u8],
    complete: bool,
    encoding: Encoding,
    delimiter: u8,
    has_header: Option<bool>,
) -> Result<Sniffed, SniffError> {
    let mut format = Format { encoding, delimiter, has_header: true, columns: None };
    let items = first_items(&format, head, complete);
    format.has_header = has_header.unwrap_or_else(|| match items.first() {
        Some(Item::Header(row)) => looks_like_header(row),
        _ => true,
    });
    let items = if format.has_header { items } else { first_items(&format, head, complete) };
    let (mut header, mut sample, mut bad) = (None, Vec::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Item::Header(row) => header = Some(row),
            Item::Row(row) => sample.push(row),
            Item::Bad(row) if index == 0 => return Err(SniffError::Header(row.fault.code())),
            Item::Bad(row) => bad.push(row),
        }
    }
    let headers = match (&header, sample.first()) {
        (Some(header), _) => map::column_names(header.cells()),
        (None, Some(first)) => names_by_content(first.len(), &sample),
        (None, None) if complete => return Err(SniffError::Empty),
        (None, None) => return Err(SniffError::Header("row_too_long")),
    };
    format.columns = Some(headers.len());
    Ok(Sniffed { format, headers, sample, bad })
}

fn first_items(format: &Format, head: &[u8], complete: bool) -> Vec<Item> {
    let mut reader = RowReader::new(format.clone(), Position::START);
    reader.push(head);
    if complete {
        reader.finish();
    }
    std::iter::from_fn(|| reader.next_item()).take(SAMPLE_ROWS + 1).collect()
}

/// What a file is by its first bytes, when it is a well-known kind of something else.
fn foreign_magic(head: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 19] = [
        (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
        (b"PK\x05\x06", "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "an image"),
        (b"\xff\xd8\xff", "an image"),
        (b"GIF8", "an image"),
        (b"RIFF", "an audio or video file"),
        (b"\x1f\x8b", "a compressed file"),
        (b"BZh", "a compressed file"),
        (b"\xfd7zXZ", "a compressed file"),
        (b"7z\xbc\xaf", "a compressed file"),
        (b"\x28\xb5\x2f\xfd", "a compressed file"),
        (b"Rar!", "a compressed file"),
        (b"\x7fELF", "a program"),
        (b"MZ\x90", "a program"),
        (b"SQLite format 3", "a database"),
        (b"{\\rtf", "a text document"),
        (b"BEGIN:VCARD", "a vCard file"),
    ];
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind)
}

fn refuse_foreign_text(text: &[u8], complete: bool) -> Result<(), SniffError> {
    let start = text.trim_ascii_start();
    if start.is_empty() && complete {
        return Err(SniffError::Empty);
    }
    let begins = |tag: &[u8]| start.get(..tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag));
    if begins(b"<!doctype") || begins(b"<html") || begins(b"<?xml") {
        return Err(SniffError::NotCsv("a web page or an XML file"));
    }
    let second = start.get(1..).unwrap_or_default().trim_ascii_start().first();
    if (start.starts_with(b"{") && matches!(second, Some(b'"' | b'}')))
        || (start.starts_with(b"[") && second == Some(&b'{'))
    {
        return Err(SniffError::NotCsv("a JSON file"));
    }
    // C1 controls are 0xc2 0x80..=0x9f in UTF-8; Windows-1252 yields them for bytes that mean nothing.
    let c1 = text.windows(2).filter(|pair| pair[0] == 0xc2 && pair[1] < 0xa0).count();
    let c0 = text.iter().filter(|byte| matches!(byte, 0..=8 | 14..=31 | 127)).count();
    if c0 + c1 >= 4 && (c0 + c1) * 33 > text.len() {
        return Err(SniffError::NotCsv("a binary file"));
    }
    Ok(())
}

/// The delimiter a `sep=` line names.
fn separator_line(text: &[u8]) -> Option<u8> {
    let rest = text.get(4..).filter(|_| text[..4].eq_ignore_ascii_case(b"sep="))?;
    let delimiter = *rest.first().filter(|byte| byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | b'"'))?;
    matches!(rest.get(1), None | Some(b'\r' | b'\n')).then_some(delimiter)
}

/// The delimiter by which most rows have as many cells as the first; then the one with more headers we know.
fn likely_delimiter(text: &[u8], complete: bool) -> u8 {
    let mut best = (b',', (0, 0, 0));
    for delimiter in DELIMITERS {
        let format = Format { encoding: Encoding::Utf8, delimiter, has_header: true, columns: None };
        let items = first_items(&format, text, complete);
        let Some(Item::Header(header)) = items.first() else { continue };
        if header.len() < 2 {
            continue;
        }
        let fitting = items.iter().filter(|item| !matches!(item, Item::Bad(_))).count();
        let names = map::column_names(header.cells());
        let guess = Mapping::guess(&names);
        let known = guess.fields().iter().filter(|field| !matches!(field, Field::Attribute(_) | Field::Ignore)).count();
        let score = (fitting * 10 / items.len(), known, header.len());
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

/// A header names things; a row of data has a phone number or an e-mail address in it.
fn looks_like_header(row: &Row) -> bool {
    let names = map::column_names(row.cells());
    let known =
        Mapping::guess(&names).fields().iter().any(|field| !matches!(field, Field::Attribute(_) | Field::Ignore));
    known || !row.cells().any(|cell| looks_like_phone(cell) || cell.contains('@'))
}

fn looks_like_phone(cell: &str) -> bool {
    cell.bytes().filter(u8::is_ascii_digit).count() >= 7 && !cell.contains(char::is_alphabetic)
}

/// Names for the columns of a file without a header, such that the right ones are recognised.
fn names_by_content(columns: usize, sample: &[Row]) -> Vec<String> {
    let share = |index: usize, test: &dyn Fn(&str) -> bool| {
        let filled = || sample.iter().filter_map(|row| row.cell(index)).filter(|cell| !cell.trim().is_empty());
        filled().count() > 0 && filled().filter(|cell| test(cell)).count() * 10 >= filled().count() * 8
    };
    let names = (0..columns).map(|index| match index {
        index if share(index, &looks_like_phone) => "phone".to_owned(),
        index if share(index, &|cell| cell.contains('@')) => "email".to_owned(),
        index => format!("column {}", index + 1),
    });
    let names: Vec<String> = names.collect();
    map::column_names(names.iter().map(String::as_str))
}

/// Collects what speaks for an encoding. Push the beginning of an upload, or all of it in pieces for a firm verdict.
#[derive(Debug, Clone, Default)]
pub struct EncodingEvidence {
    bytes: u64,
    first: Vec<u8>,
    nul_even: u64,
    nul_odd: u64,
    good: u64,
    wrong: u64,
    /// The beginning of a character that the next piece may complete.
    cut: Vec<u8>,
}

impl EncodingEvidence {
    /// Adds the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.first.extend(piece.iter().take(3 - self.first.len().min(3)));
        for (index, _) in piece.iter().enumerate().filter(|(_, byte)| **byte == 0) {
            let even = (self.bytes + index as u64).is_multiple_of(2);
            *(if even { &mut self.nul_even } else { &mut self.nul_odd }) += 1;
        }
        self.bytes += piece.len() as u64;
        let mut seam = 0;
        while !self.cut.is_empty() && seam < piece.len() {
            let mut joined = std::mem::take(&mut self.cut);
            joined.push(piece[seam]);
            seam += 1;
            self.weigh(&joined);
        }
        self.weigh(&piece[seam..]);
    }

    fn weigh(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (valid, error) = match std::str::from_utf8(bytes) {
                Ok(text) => (text, None),
                Err(error) => {
                    (std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), Some(error.error_len()))
                }
            };
            self.good += valid.bytes().filter(|byte| *byte >= 0xc0).count() as u64;
            let rest = &bytes[valid.len()..];
            match error {
                None => return,
                Some(None) => {
                    self.cut = rest.to_vec();
                    return;
                }
                Some(Some(length)) => {
                    self.wrong += 1;
                    bytes = &rest[length..];
                }
            }
        }
    }

    /// The most likely encoding. `complete`: all bytes of the upload were pushed, so a cut character is a wrong one.
    pub fn verdict(&self, complete: bool) -> Encoding {
        let marked = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be];
        if let Some(encoding) = marked.into_iter().find(|encoding| self.first.starts_with(encoding.bom())) {
            return encoding;
        }
        // Latin text in UTF-16 is nearly every second byte NUL.
        let many = |count: u64| count * 2 * 10 >= self.bytes * 3 && count >= 2;
        let few = |count: u64, other: u64| count * 10 <= other;
        if many(self.nul_odd) && few(self.nul_even, self.nul_odd) {
            return Encoding::Utf16Le;
        }
        if many(self.nul_even) && few(self.nul_odd, self.nul_even) {
            return Encoding::Utf16Be;
        }
        let wrong = self.wrong + u64::from(complete && !self.cut.is_empty());
        // A few wrong bytes among good characters are mistakes: accents of Windows-1252 hardly ever look like UTF-8.
        if wrong <= self.good { Encoding::Utf8 } else { Encoding::Windows1252 }
    }
}

#[cfg(test)]
mod tests;
