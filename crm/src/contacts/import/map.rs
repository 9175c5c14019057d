//! Columns to fields, and a row to the draft of a contact, or the reason why it cannot be one.
//! Pure: duplicates, blacklists and stored contacts are somebody else's matter.

mod guess;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::report::{REPORT_COLUMNS, unneutralise};
use super::rows::Row;
use crate::phone::{self, Phone, PhoneError, Region};

/// The longest value of a standard field, in characters.
pub const MAX_VALUE_CHARS: usize = 1000;
/// What parts the names of a cell that holds several: labels, members of a household.
pub const LIST_SEPARATORS: [char; 4] = [';', ',', '|', '\n'];

/// What a column holds. As text: `phone`, `first_name`, …, or `attribute:Name` for a custom attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Field {
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// Whole name in one column.
    FullName,
    /// The phone messages go to.
    Phone,
    /// Another phone of the same person.
    SecondPhone,
    /// E-mail address.
    Email,
    /// Street and number.
    Address,
    /// City.
    City,
    /// State or province.
    State,
    /// Postal code.
    PostalCode,
    /// Company.
    Company,
    /// IANA time zone.
    TimeZone,
    /// Names of labels.
    Labels,
    /// Names of household members.
    Household,
    /// A custom attribute of this name.
    Attribute(String),
    /// The column is left out.
    Ignore,
}

const NAMES: [(Field, &str); 15] = [
    (Field::FirstName, "first_name"),
    (Field::LastName, "last_name"),
    (Field::FullName, "full_name"),
    (Field::Phone, "phone"),
    (Field::SecondPhone, "second_phone"),
    (Field::Email, "email"),
    (Field::Address, "address"),
    (Field::City, "city"),
    (Field::State, "state"),
    (Field::PostalCode, "postal_code"),
    (Field::Company, "company"),
    (Field::TimeZone, "time_zone"),
    (Field::Labels, "labels"),
    (Field::Household, "household"),
    (Field::Ignore, "ignore"),
];

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => write!(f, "attribute:{name}"),
            field => f.write_str(NAMES.iter().find(|(known, _)| known == field).map_or("", |(_, name)| name)),
        }
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

impl TryFrom<String> for Field {
    type Error = MappingError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Field {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix("attribute:").map(str::trim).filter(|name| !name.is_empty()) {
            return Ok(Self::Attribute(name.to_owned()));
        }
        let known = NAMES.iter().find(|(_, name)| *name == text);
        known.map(|(field, _)| field.clone()).ok_or_else(|| MappingError::UnknownField { field: text.to_owned() })
    }
}

/// A mapping that cannot be used, found before the import starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The file has no column of this name.
    #[error("the file has no column \"{column}\"")]
    UnknownColumn {
        /// The name that was asked for.
        column: String,
    },
    /// There is no field of this name.
    #[error("there is no field \"{field}\"; custom attributes are written attribute:name")]
    UnknownField {
        /// The name that was asked for.
        field: String,
    },
    /// Two columns for one field.
    #[error("the columns \"{first}\" and \"{second}\" are both mapped to {field}")]
    Conflict {
        /// The field wanted twice.
        field: String,
        /// The first of the columns.
        first: String,
        /// The second of the columns.
        second: String,
    },
    /// Neither a phone nor an e-mail column.
    #[error("no column holds a phone number or an e-mail address; map one of them to phone or email")]
    NoAddress,
}

impl MappingError {
    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownColumn { .. } => "column_unknown",
            Self::UnknownField { .. } => "field_unknown",
            Self::Conflict { .. } => "column_conflict",
            Self::NoAddress => "no_address_column",
        }
    }
}

/// What each column of a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    fields: Vec<Field>,
}

impl Mapping {
    /// Judges by the headers alone. Columns nobody recognises become custom attributes.
    pub fn guess(headers: &[String]) -> Self {
        Self::complete(headers, vec![None; headers.len()])
    }

    /// Takes the columns as asked (column name to field), and guesses the columns not mentioned.
    pub fn from_request(headers: &[String], asked: &BTreeMap<String, Field>) -> Result<Self, MappingError> {
        let mapping = Self::of(headers, asked)?;
        mapping.check()?;
        Ok(mapping)
    }

    /// The same, whether or not a contact could be reached by it.
    pub fn of(headers: &[String], asked: &BTreeMap<String, Field>) -> Result<Self, MappingError> {
        let mut fields: Vec<Option<Field>> = vec![None; headers.len()];
        for (column, field) in asked {
            let index = headers.iter().position(|header| header == column);
            let index = index.or_else(|| headers.iter().position(|header| header.trim() == column.trim()));
            let index = index.ok_or_else(|| MappingError::UnknownColumn { column: column.clone() })?;
            fields[index] = Some(field.clone());
        }
        for (second, field) in fields.iter().enumerate() {
            let first = fields[..second].iter().position(|other| other == field);
            if let (Some(first), Some(field)) = (first, field)
                && *field != Field::Ignore
            {
                let (first, second) = (headers[first].clone(), headers[second].clone());
                return Err(MappingError::Conflict { field: field.to_string(), first, second });
            }
        }
        Ok(Self::complete(headers, fields))
    }

    /// Refuses a mapping by which no contact could be reached.
    pub fn check(&self) -> Result<(), MappingError> {
        let reachable = self.fields.contains(&Field::Phone) || self.fields.contains(&Field::Email);
        if reachable { Ok(()) } else { Err(MappingError::NoAddress) }
    }

    /// The fields in the order of the columns.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn complete(headers: &[String], mut fields: Vec<Option<Field>>) -> Self {
        let asked: Vec<bool> = fields.iter().map(Option::is_some).collect();
        let guesses: Vec<Option<(Field, usize)>> = headers.iter().map(|header| guess::field_of(header)).collect();
        let mut order: Vec<usize> = (0..headers.len()).collect();
        order.sort_by_key(|index| guesses[*index].as_ref().map_or(usize::MAX, |(_, rank)| *rank));
        let phone_expected = fields.contains(&Some(Field::Phone))
            || guesses.iter().zip(&fields).any(|(guess, field)| {
                field.is_none() && guess.as_ref().is_some_and(|(guess, _)| *guess == Field::Phone)
            });
        for index in order {
            if fields[index].is_some() {
                continue;
            }
            let wanted: &[Field] = match &guesses[index] {
                Some((Field::Phone, _)) => &[Field::Phone, Field::SecondPhone],
                Some((Field::SecondPhone, _)) if !phone_expected => &[Field::Phone, Field::SecondPhone],
                Some((field, _)) => std::slice::from_ref(field),
                None => &[],
            };
            fields[index] = wanted.iter().find(|field| !fields.contains(&Some((*field).clone()))).cloned();
        }
        rename_by_company(headers, &asked, &mut fields);
        for (index, header) in headers.iter().enumerate() {
            if fields[index].is_none() {
                let names = std::iter::once(header.clone()).chain((2..).map(|count| format!("{header} ({count})")));
                let free = |field: &Field| *field == Field::Ignore || !fields.contains(&Some(field.clone()));
                fields[index] = names.map(|name| attribute(&name)).find(free);
            }
        }
        Self { fields: fields.into_iter().map(|field| field.unwrap_or(Field::Ignore)).collect() }
    }

    /// Reads one row.
    pub fn apply(&self, row: &Row, region: Region) -> Result<ContactDraft, RowProblem> {
        let mut draft = ContactDraft::default();
        let mut phone = None;
        for (index, field) in self.fields.iter().enumerate() {
            let raw = row.cell(index).unwrap_or_default();
            match field {
                Field::Ignore => continue,
                Field::Phone => phone = Some(raw),
                Field::SecondPhone => draft.add_second_phone(raw, region),
                Field::Email => draft.email = value(raw, field)?.map(|text| text.to_lowercase()),
                Field::TimeZone => draft.set_time_zone(value(raw, field)?),
                Field::Attribute(name) => {
                    if let Some(text) = value(raw, field)? {
                        draft.attributes.insert(name.clone(), text);
                    }
                }
                Field::FirstName => draft.first_name = value(raw, field)?,
                Field::LastName => draft.last_name = value(raw, field)?,
                Field::FullName => draft.full_name = value(raw, field)?,
                Field::Address => draft.address = value(raw, field)?,
                Field::City => draft.city = value(raw, field)?,
                Field::State => draft.state = value(raw, field)?,
                Field::PostalCode => draft.postal_code = value(raw, field)?,
                Field::Company => draft.company = value(raw, field)?,
                Field::Labels => draft.labels = list(value(raw, field)?, MAX_LABEL_CHARS)?,
                Field::Household => draft.household = list(value(raw, field)?, MAX_MEMBER_CHARS)?,
            }
        }
        draft.complete_names();
        draft.reach(phone, region)?;
        Ok(draft)
    }
}

/// "Nombre" alone holds whole names; "Name" beside "Last name" holds first names.
fn rename_by_company(headers: &[String], asked: &[bool], fields: &mut [Option<Field>]) {
    let has = |field: Field| fields.contains(&Some(field));
    let (first, last, full) = (has(Field::FirstName), has(Field::LastName), has(Field::FullName));
    for (index, header) in headers.iter().enumerate().filter(|(index, _)| !asked[*index]) {
        match (&fields[index], guess::normalise(header).as_str()) {
            (Some(Field::FirstName), "nombre") if !last && !full => fields[index] = Some(Field::FullName),
            (Some(Field::FullName), "name") if last && !first => fields[index] = Some(Field::FirstName),
            _ => {}
        }
    }
}

fn attribute(header: &str) -> Field {
    if REPORT_COLUMNS.contains(&header) {
        return Field::Ignore;
    }
    match (guess::camel_case(header), value(header, &Field::Ignore).ok().flatten()) {
        (name, _) if !name.is_empty() => Field::Attribute(name),
        (_, name) => name.map_or(Field::Ignore, Field::Attribute),
    }
}

/// A contact as one row describes it. Empty cells are None.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactDraft {
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Whole name: as given, else first and last name.
    pub full_name: Option<String>,
    /// The phone; None only when there is an e-mail address.
    pub phone: Option<Phone>,
    /// Extension of the phone.
    pub extension: Option<String>,
    /// A second phone, from its own column or from the same cell.
    pub second_phone: Option<Phone>,
    /// E-mail address in lower case.
    pub email: Option<String>,
    /// Street and number.
    pub address: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// Time zone, in the form of an IANA name; whether it exists is not checked here.
    pub time_zone: Option<String>,
    /// Custom attributes.
    pub attributes: BTreeMap<String, String>,
    /// Names of labels, each once.
    pub labels: Vec<String>,
    /// Names of household members, each once.
    pub household: Vec<String>,
    /// Codes of what was repaired or left out.
    pub warnings: Vec<&'static str>,
}

/// Why a row is no contact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct RowProblem {
    /// The stable code.
    pub code: &'static str,
    /// The value or the column it is about.
    pub detail: String,
}

impl RowProblem {
    fn new(code: &'static str, detail: &str) -> Self {
        Self { code, detail: detail.chars().take(200).collect() }
    }

    /// Whether the row counts as empty (there is nothing to reach anybody by) rather than invalid.
    pub fn is_empty(&self) -> bool {
        matches!(self.code, "phone_empty" | "no_address")
    }
}

impl ContactDraft {
    fn add_second_phone(&mut self, raw: &str, region: Region) {
        match phone::parse(raw, region) {
            Ok(parsed) => self.second_phone = Some(parsed.phone),
            Err(PhoneError::Empty) => {}
            Err(_) => self.warnings.push("second_phone_invalid"),
        }
    }

    fn set_time_zone(&mut self, zone: Option<String>) {
        let plausible = |zone: &str| {
            zone == "UTC"
                || (zone.contains('/') && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b)))
        };
        match zone {
            Some(zone) if plausible(&zone) => self.time_zone = Some(zone),
            Some(_) => self.warnings.push("time_zone_unknown"),
            None => {}
        }
    }

    /// A whole name is parted at its first space (or its comma, "Pérez, José"); two parts make a whole name.
    fn complete_names(&mut self) {
        match (&self.full_name, &self.first_name, &self.last_name) {
            (Some(full), None, None) => {
                let (first, last) = match full.split_once(',') {
                    Some((last, first)) => (first, last),
                    None => full.split_once(char::is_whitespace).unwrap_or((full, "")),
                };
                let some = |part: &str| Some(part.trim().to_owned()).filter(|part| !part.is_empty());
                (self.first_name, self.last_name) = (some(first), some(last));
            }
            (None, Some(first), Some(last)) => self.full_name = Some(format!("{first} {last}")),
            (None, Some(only), None) | (None, None, Some(only)) => self.full_name = Some(only.clone()),
            (Some(_), _, _) | (None, None, None) => {}
        }
    }

    fn reach(&mut self, phone: Option<&str>, region: Region) -> Result<(), RowProblem> {
        if self.email.as_deref().is_some_and(|email| !is_email(email)) {
            let email = self.email.take().unwrap_or_default();
            if phone.is_none_or(|raw| raw.trim().is_empty()) {
                return Err(RowProblem::new("email_invalid", &email));
            }
            self.warnings.push("email_invalid");
        }
        match phone::parse(phone.unwrap_or_default(), region) {
            Ok(parsed) => {
                self.warnings.extend(parsed.warning.map(phone::PhoneWarning::code));
                self.second_phone = self.second_phone.take().or(parsed.extra).filter(|second| *second != parsed.phone);
                (self.phone, self.extension) = (Some(parsed.phone), parsed.extension);
                Ok(())
            }
            Err(PhoneError::Empty) if self.email.is_some() => Ok(()),
            Err(PhoneError::Empty) => {
                let name = self.full_name.as_deref().or(self.company.as_deref());
                Err(name.map_or(RowProblem::new("phone_empty", ""), |name| RowProblem::new("no_address", name)))
            }
            Err(error) => Err(RowProblem::new(error.code(), phone.unwrap_or_default())),
        }
    }
}

/// Whether a text has the form of an e-mail address.
pub(in crate::contacts) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let labels = || domain.split('.');
    !local.is_empty()
        && text.len() <= 254
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"' | '(' | ')'))
        && !local.contains('@')
        && labels().count() >= 2
        && labels().all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
}

/// A cell as it is stored: trimmed, composed, without control characters and without a spreadsheet's quote.
fn value(raw: &str, field: &Field) -> Result<Option<String>, RowProblem> {
    let raw = unneutralise(raw.trim().trim_matches(['\u{feff}', '\u{200b}'])).trim();
    if raw.is_empty() || matches!(raw, "NULL" | "null") {
        return Ok(None);
    }
    let kept = raw.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let text: String = if is_nfc(raw) { kept.collect() } else { kept.nfc().collect() };
    if text.len() > MAX_VALUE_CHARS && !matches!(field, Field::Attribute(_)) && text.chars().count() > MAX_VALUE_CHARS {
        return Err(RowProblem::new("value_too_long", &field.to_string()));
    }
    Ok(Some(text))
}

/// The longest name of a label, and of a household member.
const MAX_LABEL_CHARS: usize = crate::contacts::labels::MAX_NAME_CHARS;
const MAX_MEMBER_CHARS: usize = 200;

/// The names in a cell, each once as it is spelled.
fn list(cell: Option<String>, most_chars: usize) -> Result<Vec<String>, RowProblem> {
    let mut names: Vec<String> = Vec::new();
    for name in cell.unwrap_or_default().split(LIST_SEPARATORS) {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.chars().count() > most_chars {
            return Err(RowProblem::new("value_too_long", &name));
        }
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The names of the columns: those of the header, made present and unique, or `column 1`, … without one.
pub fn column_names<'a>(cells: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (index, cell) in cells.enumerate() {
        let name = value(cell, &Field::Ignore).ok().flatten().unwrap_or_else(|| format!("column {}", index + 1));
        let repeats = (2..).map(|count| format!("{name} ({count})"));
        let unique = std::iter::once(name.clone()).chain(repeats).find(|name| !names.contains(name));
        names.extend(unique);
    }
    names
}

#[cfg(test)]
mod tests;
