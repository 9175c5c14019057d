//! What verbs answer: aligned columns for people, one line of JSON for programs. Knows nothing of what is in them. The only place that
//! writes to standard output.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use db::Page;
use serde::Serialize;
use std::fmt;
use std::io::{ErrorKind, Write};

/// A heading and how its cell is made.
pub type Column<T> = (&'static str, fn(&T) -> String);

/// Nobody reads standard output any more: `paloma … | head` has seen what it wanted.
#[derive(Debug)]
pub struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}
impl std::error::Error for ReaderGone {}

/// Writes text as it is, and has it out when it returns.
pub fn text(text: impl fmt::Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("writing to standard output"),
    }
}

/// Writes a line.
pub fn line(line: impl fmt::Display) -> Result<()> {
    text(format_args!("{line}\n"))
}

/// How a verb ends. One whose reader has gone has done what was wanted of it, and says nothing.
pub fn ended(outcome: Result<()>) -> Result<()> {
    outcome.or_else(|error| if error.chain().any(|cause| cause.is::<ReaderGone>()) { Ok(()) } else { Err(error) })
}

/// One JSON document on one line.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string(value)?)
}

/// A page of a list: a table with the cursor of the next page below it, or JSON.
pub fn page<T: Serialize>(as_json: bool, page: &Page<T>, columns: &[Column<T>]) -> Result<()> {
    if as_json {
        return json(page);
    }
    let more = page.next_cursor.as_ref().map(|cursor| format!("\nmore: --cursor {cursor}\n"));
    text(format_args!("{}{}", table(&page.items, columns), more.unwrap_or_default()))
}

/// One thing: a line a column, or JSON.
pub fn one<T: Serialize>(as_json: bool, thing: &T, columns: &[Column<T>]) -> Result<()> {
    if as_json {
        return json(thing);
    }
    let width = columns.iter().map(|(heading, _)| heading.chars().count()).max().unwrap_or(0);
    text(columns.iter().map(|(heading, cell)| format!("{heading:<width$}  {}\n", cell(thing))).collect::<String>())
}

/// Aligned columns with a heading; says so where there is nothing.
pub fn table<T>(rows: &[T], columns: &[Column<T>]) -> String {
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, cell)| cell(row)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(headings).chain(cells).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let padded: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A time to the second, or a dash.
pub fn time(at: Option<DateTime<Utc>>) -> String {
    or_dash(at.map(|at| at.format("%Y-%m-%d %H:%M:%SZ")))
}

/// What there is, or a dash.
pub fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [(1, "short"), (1000, "grüße")];
        let columns: [Column<(i32, &str)>; 2] = [("id", |row| row.0.to_string()), ("word", |row| row.1.to_owned())];
        assert_eq!(table(&rows, &columns), "id    word\n1     short\n1000  grüße\n");
        assert_eq!(table(&rows[..0], &columns), "none\n");
    }
}
