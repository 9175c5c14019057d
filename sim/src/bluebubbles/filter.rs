//! The part of raw SQL that clients put into `where[].statement`: comparisons of known columns with named arguments, joined
//! by `and`. Anything else is an error, as a wrong statement is on the real server.

use serde_json::Value;
use uuid::Uuid;

use super::rows::Row;
use super::wire::upper;

const APPLE_EPOCH_MS: i64 = 978_307_200_000;

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Null,
    Int(i64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    RowId,
    Guid,
    IsFromMe,
    IsDelivered,
    IsSent,
    Error,
    Text,
    Date,
    DateDelivered,
    DateRead,
    DateEdited,
    Service,
    ChatGuid,
    ChatIdentifier,
    HandleId,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(Operand),
    NotEqual(Operand),
    Less(Operand),
    AtMost(Operand),
    Greater(Operand),
    AtLeast(Operand),
    Like(String),
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    IsNull,
    IsNotNull,
}

/// What all rows of an answer have in common.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<(Column, Test)>);

fn column_named(name: &str) -> Option<Column> {
    let name = name.to_ascii_lowercase();
    let (table, column) = name.split_once('.').unwrap_or(("message", &name));
    Some(match (table, column) {
        ("message", "rowid") => Column::RowId,
        ("message", "guid") => Column::Guid,
        ("message", "is_from_me") => Column::IsFromMe,
        ("message", "is_delivered") => Column::IsDelivered,
        ("message", "is_sent") => Column::IsSent,
        ("message", "error") => Column::Error,
        ("message", "text") => Column::Text,
        ("message", "date") => Column::Date,
        ("message", "date_delivered") => Column::DateDelivered,
        ("message", "date_read") => Column::DateRead,
        ("message", "date_edited") => Column::DateEdited,
        ("message", "service") => Column::Service,
        ("chat", "guid") => Column::ChatGuid,
        ("chat", "chat_identifier") => Column::ChatIdentifier,
        ("handle", "id") => Column::HandleId,
        _ => return None,
    })
}

fn apple_ns(ms: i64) -> Operand {
    Operand::Int(if ms == 0 { 0 } else { (ms - APPLE_EPOCH_MS) * 1_000_000 })
}

fn value_of(row: &Row, column: Column) -> Operand {
    let flag = |flag: bool| Operand::Int(i64::from(flag));
    match column {
        Column::RowId => Operand::Int(i64::from(row.rowid)),
        Column::Guid => Operand::Text(upper(row.guid)),
        Column::IsFromMe => flag(row.from_me),
        Column::IsDelivered => flag(row.is_delivered),
        Column::IsSent => flag(row.from_me && row.error == 0),
        Column::Error => Operand::Int(i64::from(row.error)),
        Column::Text => Operand::Text(row.text.to_string()),
        Column::Date => apple_ns(row.created_ms),
        Column::DateDelivered => apple_ns(row.delivered_ms),
        Column::DateRead => apple_ns(row.read_ms),
        Column::DateEdited => apple_ns(row.extra.as_ref().map_or(0, |extra| extra.edited_ms)),
        Column::Service => Operand::Text(row.handle.as_ref().map_or("iMessage", |handle| handle.service).into()),
        Column::ChatGuid => Operand::Text(row.chat.guid.to_string()),
        Column::ChatIdentifier => Operand::Text(row.chat.identifier.to_string()),
        Column::HandleId => {
            row.handle.as_ref().map_or(Operand::Null, |handle| Operand::Text(handle.address.to_string()))
        }
    }
}

fn operand(value: &Value) -> Result<Operand, String> {
    match value {
        Value::Null => Ok(Operand::Null),
        Value::Bool(flag) => Ok(Operand::Int(i64::from(*flag))),
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().map(|n| n as i64)).map(Operand::Int).ok_or("bad number".into())
        }
        Value::String(text) => Ok(Operand::Text(text.clone())),
        Value::Array(_) | Value::Object(_) => Err("SQLITE_ERROR: a list where a value belongs".into()),
    }
}

fn argument<'a>(token: &str, args: &'a Value) -> Result<&'a Value, String> {
    let name = token.trim_start_matches(':').trim_start_matches("...");
    args.get(name).ok_or_else(|| format!("SQLITE_ERROR: no argument named {name}"))
}

fn single(token: &str, args: &Value) -> Result<Operand, String> {
    if token.starts_with(':') {
        operand(argument(token, args)?)
    } else if let Some(text) = token.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Ok(Operand::Text(text.replace("''", "'")))
    } else {
        token.parse().map(Operand::Int).map_err(|_| format!("SQLITE_ERROR: near \"{token}\": syntax error"))
    }
}

fn list(token: &str, args: &Value) -> Result<Vec<Operand>, String> {
    let inner = token.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.ok_or_else(|| format!("SQLITE_ERROR: near \"{token}\": syntax error"))?.trim();
    if inner.starts_with(':')
        && let Value::Array(values) = argument(inner, args)?
    {
        return values.iter().map(operand).collect();
    }
    inner.split(',').map(|token| single(token.trim(), args)).collect()
}

fn parse_condition(text: &str, args: &Value) -> Result<(Column, Test), String> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let column = column_named(name).ok_or_else(|| format!("SQLITE_ERROR: no such column: {name}"))?;
    let rest = rest.trim();
    let upper_rest = rest.to_ascii_uppercase();
    let test = if upper_rest == "IS NULL" {
        Test::IsNull
    } else if upper_rest == "IS NOT NULL" {
        Test::IsNotNull
    } else if upper_rest.starts_with("NOT IN") {
        Test::NotIn(list(&rest[6..], args)?)
    } else if upper_rest.starts_with("IN") {
        Test::In(list(&rest[2..], args)?)
    } else if upper_rest.starts_with("LIKE ") {
        match single(rest[5..].trim(), args)? {
            Operand::Text(pattern) => Test::Like(pattern),
            Operand::Null | Operand::Int(_) => return Err("SQLITE_ERROR: LIKE wants a text".into()),
        }
    } else {
        let width = rest.find(|c: char| !"<>=!".contains(c)).unwrap_or(rest.len());
        let value = single(rest[width..].trim(), args)?;
        match &rest[..width] {
            "=" | "==" => Test::Equal(value),
            "!=" | "<>" => Test::NotEqual(value),
            "<" => Test::Less(value),
            "<=" => Test::AtMost(value),
            ">" => Test::Greater(value),
            ">=" => Test::AtLeast(value),
            other => return Err(format!("SQLITE_ERROR: near \"{other}\": syntax error")),
        }
    };
    Ok((column, test))
}

fn split_and(statement: &str) -> Vec<&str> {
    let lower = statement.to_ascii_lowercase();
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in lower.match_indices(" and ") {
        parts.push(&statement[start..at]);
        start = at + 5;
    }
    parts.push(&statement[start..]);
    parts
}

fn compare(value: &Operand, other: &Operand) -> Option<std::cmp::Ordering> {
    match (value, other) {
        (Operand::Int(a), Operand::Int(b)) => Some(a.cmp(b)),
        (Operand::Text(a), Operand::Text(b)) => Some(a.cmp(b)),
        // A numeric column takes digits as a number.
        (Operand::Int(a), Operand::Text(b)) => b.parse().ok().map(|b| a.cmp(&b)),
        (Operand::Text(_), Operand::Int(_)) | (Operand::Null, _) | (_, Operand::Null) => None,
    }
}

fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let core = pattern.trim_matches('%');
    match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (true, true) => text.contains(core),
        (true, false) => text.ends_with(core),
        (false, true) => text.starts_with(core),
        (false, false) => text == core,
    }
}

impl Test {
    fn holds(&self, value: &Operand) -> bool {
        let order = |other: &Operand| compare(value, other);
        match self {
            Test::Equal(other) => order(other).is_some_and(|order| order.is_eq()),
            Test::NotEqual(other) => order(other).is_some_and(|order| order.is_ne()),
            Test::Less(other) => order(other).is_some_and(|order| order.is_lt()),
            Test::AtMost(other) => order(other).is_some_and(|order| order.is_le()),
            Test::Greater(other) => order(other).is_some_and(|order| order.is_gt()),
            Test::AtLeast(other) => order(other).is_some_and(|order| order.is_ge()),
            Test::Like(pattern) => matches!(value, Operand::Text(text) if is_like(text, pattern)),
            Test::In(others) => others.iter().any(|other| order(other).is_some_and(|order| order.is_eq())),
            Test::NotIn(others) => !others.iter().any(|other| order(other).is_some_and(|order| order.is_eq())),
            Test::IsNull => *value == Operand::Null,
            Test::IsNotNull => *value != Operand::Null,
        }
    }
}

impl Filter {
    /// Reads the `where` list of a query.
    pub fn parse(list: &[Value]) -> Result<Self, String> {
        let mut conditions = Vec::new();
        for entry in list {
            let statement = entry.get("statement").and_then(Value::as_str).ok_or("Each where needs a statement")?;
            let args = entry.get("args").unwrap_or(&Value::Null);
            for part in split_and(statement) {
                conditions.push(parse_condition(part, args)?);
            }
        }
        Ok(Self(conditions))
    }

    pub fn holds(&self, row: &Row) -> bool {
        self.0.iter().all(|(column, test)| test.holds(&value_of(row, *column)))
    }

    /// The GUIDs a row must be one of, if the filter says so. Spares the scan.
    pub fn guids(&self) -> Option<Vec<Uuid>> {
        let parse = |value: &Operand| match value {
            Operand::Text(text) => Uuid::parse_str(text).ok(),
            Operand::Null | Operand::Int(_) => None,
        };
        self.0.iter().find_map(|(column, test)| match (column, test) {
            (Column::Guid, Test::Equal(value)) => Some(parse(value).into_iter().collect()),
            (Column::Guid, Test::In(values)) => Some(values.iter().filter_map(parse).collect()),
            _ => None,
        })
    }

    /// The ROWID all rows are above.
    pub fn above_rowid(&self) -> u32 {
        let floors = self.0.iter().filter_map(|(column, test)| match (column, test) {
            (Column::RowId, Test::Greater(Operand::Int(id))) => Some(*id),
            (Column::RowId, Test::AtLeast(Operand::Int(id))) => Some(id.saturating_sub(1)),
            _ => None,
        });
        u32::try_from(floors.max().unwrap_or(0).max(0)).unwrap_or(u32::MAX)
    }
}
