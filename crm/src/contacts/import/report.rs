//! The error file: one line per refused row with its line, code and reason, safe to open in a spreadsheet, and fit to
//! be imported again once mended. Written row by row; keeps nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The language of the reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
}

/// The names of the columns the error file has before those of the upload.
pub const REPORT_COLUMNS: [&str; 3] = ["import_line", "import_code", "import_reason"];

/// Writes the lines of an error file.
#[derive(Debug, Clone)]
pub struct ErrorFile {
    delimiter: char,
    language: Language,
}

impl ErrorFile {
    /// Use the delimiter of the upload, which is the one its owner's spreadsheet understands.
    pub fn new(delimiter: u8, language: Language) -> Self {
        Self { delimiter: char::from(delimiter), language }
    }

    /// The first line, with the mark by which Excel knows UTF-8.
    pub fn header(&self, columns: impl IntoIterator<Item: AsRef<str>>) -> String {
        let mut out = String::from("\u{feff}");
        self.line(&mut out, &REPORT_COLUMNS, columns);
        out
    }

    /// Appends the line of one refused row: `detail` is put behind the reason in brackets, unless empty.
    pub fn row(
        &self,
        out: &mut String,
        line: u64,
        code: &str,
        detail: &str,
        cells: impl IntoIterator<Item: AsRef<str>>,
    ) {
        let line = line.to_string();
        let mut text = reason(code, self.language).to_owned();
        if !detail.is_empty() {
            let _ = write!(text, " ({detail})");
        }
        self.line(out, &[&line, code, &text], cells);
    }

    fn line(&self, out: &mut String, front: &[&str], cells: impl IntoIterator<Item: AsRef<str>>) {
        for (index, cell) in front.iter().enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            write_cell(out, cell, self.delimiter);
        }
        for cell in cells {
            out.push(self.delimiter);
            write_cell(out, cell.as_ref(), self.delimiter);
        }
        out.push_str("\r\n");
    }
}

/// Appends one cell of a CSV file, neutralised and quoted where needed. For every export, not only error files.
pub fn write_cell(out: &mut String, cell: &str, delimiter: char) {
    let cell = neutralise(cell);
    let special = |c: char| c == delimiter || matches!(c, '"' | '\r' | '\n' | ',' | ';' | '\t' | '|');
    if !cell.contains(special) && cell.trim().len() == cell.len() {
        out.push_str(&cell);
        return;
    }
    out.push('"');
    for part in cell.split_inclusive('"') {
        out.push_str(part);
        if part.ends_with('"') {
            out.push('"');
        }
    }
    out.push('"');
}

/// Appends a row of cells parted by commas.
pub fn write_row<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (nth, cell) in cells.into_iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        write_cell(out, cell, ',');
    }
    out.push_str("\r\n");
}

/// Puts a `'` before what a spreadsheet would run as a formula, also behind blanks and in full-width writing; drops
/// NULs.
pub fn neutralise(cell: &str) -> Cow<'_, str> {
    let cell = if cell.contains('\0') { Cow::Owned(cell.replace('\0', "")) } else { Cow::Borrowed(cell) };
    if is_dangerous(&cell) { Cow::Owned(format!("'{cell}")) } else { cell }
}

/// Takes back [`neutralise`], so that an exported file can be imported.
pub(super) fn unneutralise(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_dangerous(rest)).unwrap_or(cell)
}

fn is_dangerous(cell: &str) -> bool {
    if cell.starts_with(['\t', '\r', '\n']) {
        return true;
    }
    let blank = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let first = cell.trim_start_matches(blank).chars().next();
    first.is_some_and(|c| {
        matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '−' | '﹢' | '﹣' | '﹦' | '﹫' | '|' | '%')
    })
}

/// The reason behind a code, in words.
pub fn reason(code: &str, language: Language) -> &'static str {
    let known = REASONS.iter().find(|(known, ..)| *known == code);
    let (_, english, spanish) = known.unwrap_or(&("", "the row was refused", "la fila fue rechazada"));
    match language {
        Language::En => english,
        Language::Es => spanish,
    }
}

const REASONS: [(&str, &str, &str); 24] = [
    ("phone_empty", "the phone is empty", "el teléfono está vacío"),
    ("no_address", "neither a phone nor an e-mail address", "sin teléfono ni correo electrónico"),
    ("phone_invalid", "the phone is not a valid number", "el teléfono no es un número válido"),
    ("phone_letters", "the phone contains letters", "el teléfono contiene letras"),
    (
        "phone_scientific_lossy",
        "a spreadsheet dropped digits of the phone (scientific notation); format the column as text and export again",
        "una hoja de cálculo perdió dígitos del teléfono (notación científica); dé formato de texto a la columna y exporte de nuevo",
    ),
    ("email_invalid", "the e-mail address is not valid", "el correo electrónico no es válido"),
    ("value_too_long", "a value is too long", "un valor es demasiado largo"),
    ("duplicate_in_file", "the same phone is in an earlier line", "el mismo teléfono está en una línea anterior"),
    ("contact_exists", "there already is a contact with this phone", "ya existe un contacto con este teléfono"),
    ("blacklisted", "the phone is on the blacklist", "el teléfono está en la lista negra"),
    (
        "column_count",
        "the row has more or fewer cells than the header",
        "la fila tiene más o menos celdas que el encabezado",
    ),
    ("field_too_long", "a cell is longer than 64 KiB", "una celda supera los 64 KiB"),
    ("row_too_long", "the row is longer than 1 MiB", "la fila supera 1 MiB"),
    ("nul_byte", "the row contains a NUL byte", "la fila contiene un byte NUL"),
    (
        "bad_encoding",
        "the row has bytes that are wrong in the file's encoding",
        "la fila tiene bytes que no corresponden a la codificación del archivo",
    ),
    (
        "unclosed_quote",
        "a quote is opened in this row and never closed",
        "en esta fila se abre una comilla que nunca se cierra",
    ),
    (
        "household_kept",
        "a confirmed household member was left unchanged",
        "un miembro confirmado del hogar quedó sin cambios",
    ),
    (
        "second_phone_invalid",
        "the second phone was left out: it is not a valid number",
        "el segundo teléfono se dejó fuera: no es válido",
    ),
    (
        "time_zone_unknown",
        "the time zone was left out: there is none of that name",
        "la zona horaria se dejó fuera: no existe",
    ),
    (
        "phone_expanded",
        "a spreadsheet had made a decimal number of the phone; no digit was lost",
        "una hoja de cálculo había convertido el teléfono en un decimal; no se perdió ningún dígito",
    ),
    ("phone_part_ignored", "another part of the cell is not a phone", "otra parte de la celda no es un teléfono"),
    (
        "phone_more_than_two",
        "only the first two phones of the cell were taken",
        "solo se tomaron los dos primeros teléfonos",
    ),
    (
        "phone_brazil_ninth_digit",
        "the ninth digit of a Brazilian mobile was added",
        "se añadió el noveno dígito del móvil brasileño",
    ),
    ("phone_mexico_mobile_one", "the old 1 after +52 was removed", "se quitó el antiguo 1 después de +52"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decode::Encoding;
    use super::super::rows::{Format, Item, Position, RowReader};
    use super::*;
    use crate::phone::PhoneWarning;

    fn read_back(file: &str) -> Vec<Vec<String>> {
        let format = Format { encoding: Encoding::Utf8, delimiter: b',', has_header: false, columns: None };
        let mut reader = RowReader::new(format, Position::START);
        reader.push(file.as_bytes());
        reader.finish();
        let rows = std::iter::from_fn(|| reader.next_item()).map(|item| match item {
            Item::Row(row) | Item::Header(row) => row.cells().map(str::to_owned).collect(),
            Item::Bad(bad) => panic!("{bad:?}"),
        });
        rows.collect()
    }

    #[test]
    fn sec_04_what_begins_like_a_formula_is_neutralised() {
        for cell in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "＝1+1",
            "＋1",
            "－1",
            "＠x",
            " =1",
            "\u{feff}=1",
            "\u{200b}@x",
            "=a,b",
        ] {
            let mut out = String::new();
            write_cell(&mut out, cell, ',');
            assert!(out.starts_with('\'') || out.starts_with("\"'"), "{cell:?} {out}");
        }
        for cell in ["", "Ana", "1", "a=b", "José", "'=1"] {
            assert_eq!(neutralise(cell), cell);
        }
    }

    #[test]
    fn an_error_file_names_line_code_and_reason_and_keeps_the_cells() {
        let file = ErrorFile::new(b',', Language::Es);
        let mut out = file.header(["name", "phone"]);
        file.row(&mut out, 7, "phone_letters", "abc", ["=cmd,\"x\"", "abc"]);
        file.row(&mut out, 9, "no_address", "", ["Ana\nB", ""]);
        let rows = read_back(&out);
        assert_eq!(rows[0], ["import_line", "import_code", "import_reason", "name", "phone"]);
        assert_eq!(rows[1], ["7", "phone_letters", "el teléfono contiene letras (abc)", "'=cmd,\"x\"", "abc"]);
        assert_eq!(rows[2], ["9", "no_address", "sin teléfono ni correo electrónico", "Ana\nB", ""]);
    }

    #[test]
    fn an_unknown_code_still_has_words() {
        assert_eq!(reason("something_new", Language::En), "the row was refused");
        // of a row that was taken nothing else may be said
        let repaired = [
            PhoneWarning::ExpandedNumber,
            PhoneWarning::PartIgnored,
            PhoneWarning::MoreThanTwo,
            PhoneWarning::BrazilNinthDigit,
            PhoneWarning::MexicoMobileOne,
        ];
        for code in repaired.map(PhoneWarning::code).into_iter().chain(["second_phone_invalid", "time_zone_unknown"]) {
            assert_ne!(reason(code, Language::En), "the row was refused", "{code}");
            assert_ne!(reason(code, Language::Es), "la fila fue rechazada", "{code}");
        }
    }

    proptest! {
        #[test]
        fn any_cell_survives_the_file_and_comes_back(cells in prop::collection::vec("[^\0\u{feff}]{0,12}", 1..5)) {
            let file = ErrorFile::new(b',', Language::En);
            let mut out = String::new();
            file.row(&mut out, 2, "phone_invalid", "", &cells);
            let rows = read_back(&out);
            prop_assert_eq!(rows.len(), 1);
            for (read, cell) in rows[0][3..].iter().zip(&cells) {
                prop_assert!(!is_dangerous(read));
                let expected = neutralise(cell);
                prop_assert_eq!(read.as_str(), expected.as_ref());
                if !cell.starts_with('\'') {
                    prop_assert_eq!(unneutralise(read), cell.as_str());
                }
            }
        }
    }
}
