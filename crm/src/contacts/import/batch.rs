//! Some thousand rows read and understood, ready for one transaction. Pure; whether a phone is known already is the stage's matter.

use super::{
    map::{ContactDraft, Mapping},
    rows::{Item, Position, Row, RowReader},
};
use crate::phone::Region;

/// Rows of one transaction at most.
pub(super) const MOST_ROWS: usize = 5000;

/// A row that can become a contact.
#[derive(Debug)]
pub(super) struct Taken {
    /// The row as it was written, for the error file should it be a duplicate.
    pub row: Row,
    /// The contact it describes.
    pub draft: ContactDraft,
}

impl Taken {
    /// The line on which the row begins.
    pub(super) fn line(&self) -> i64 {
        number(self.row.line)
    }
}

/// Something to be told about a row: why it was refused, or a warning.
#[derive(Debug)]
pub(super) struct Remark {
    pub line: i64,
    pub code: &'static str,
    pub is_warning: bool,
    pub detail: String,
    pub cells: Vec<String>,
}

impl Remark {
    /// About a row whose cells are known.
    pub(super) fn about(row: &Row, code: &'static str, is_warning: bool, detail: impl Into<String>) -> Self {
        let cells = row.cells().map(str::to_owned).collect();
        Self { line: number(row.line), code, is_warning, detail: detail.into(), cells }
    }
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub taken: Vec<Taken>,
    pub refused: Vec<Remark>,
    pub empty: i64,
    pub invalid: i64,
    /// Where the next batch begins.
    pub end: Option<Position>,
}

/// The next rows of what was pushed; none: another piece is needed, or there are no more.
pub(super) fn next(reader: &mut RowReader, mapping: &Mapping, region: Region) -> Option<Batch> {
    let mut batch = Batch::default();
    while batch.taken.len() + batch.refused.len() < MOST_ROWS {
        match reader.next_item() {
            None => break,
            Some(Item::Header(row)) => batch.end = Some(row.end),
            Some(Item::Row(row)) => {
                batch.end = Some(row.end);
                batch.read(row, mapping, region);
            }
            Some(Item::Bad(bad)) => {
                batch.end = Some(bad.end);
                batch.invalid += 1;
                let detail = format!("{} lines", bad.end.line.saturating_sub(bad.line));
                let detail = if bad.end.line > bad.line + 1 { detail } else { String::new() };
                let (line, code) = (number(bad.line), bad.fault.code());
                batch.refused.push(Remark { line, code, is_warning: false, detail, cells: bad.cells });
            }
        }
    }
    batch.end.is_some().then_some(batch)
}

impl Batch {
    fn read(&mut self, row: Row, mapping: &Mapping, region: Region) {
        match mapping.apply(&row, region) {
            Ok(mut draft) => {
                let known = |zone: &String| zone.parse::<chrono_tz::Tz>().is_ok();
                if draft.time_zone.as_ref().is_some_and(|zone| !known(zone)) {
                    draft.time_zone = None;
                    draft.warnings.push("time_zone_unknown");
                }
                self.taken.push(Taken { row, draft });
            }
            Err(problem) => {
                let count = if problem.is_empty() { &mut self.empty } else { &mut self.invalid };
                *count += 1;
                self.refused.push(Remark::about(&row, problem.code, false, problem.detail));
            }
        }
    }
}

/// A count of the reader as a column of the database.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
