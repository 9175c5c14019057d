//! The validator's rules and its wording. One function a rule; the caller applies them in the order the route lists them.

use serde_json::{Map, Value};

type Body = Map<String, Value>;
/// The detail of a 400.
pub(crate) type Refusal = String;

fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    }
}

pub(crate) fn required(body: &Body, field: &str) -> Result<(), Refusal> {
    if is_blank(body.get(field)) { Err(format!("The {field} field is required.")) } else { Ok(()) }
}

pub(crate) fn present(body: &Body, field: &str) -> Result<(), Refusal> {
    if body.contains_key(field) {
        Ok(())
    } else {
        Err(format!("The {field} field must be present (but can be empty)."))
    }
}

/// A string or nothing; an empty string counts as nothing here, as it passes every rule but `required`.
pub(crate) fn string<'a>(body: &'a Body, field: &str) -> Result<Option<&'a str>, Refusal> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("The {field} must be a string.")),
    }
}

pub(crate) fn one_of<'a>(body: &'a Body, field: &str, choices: &[&str]) -> Result<Option<&'a str>, Refusal> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) if choices.contains(&text.as_str()) => Ok(Some(text)),
        Some(_) => Err(format!("The selected {field} is invalid.")),
    }
}

/// A number, as a number or as digits, within bounds.
pub(crate) fn number(body: &Body, field: &str, min: i64, max: i64) -> Result<Option<i64>, Refusal> {
    number_of(body.get(field), field, min, max)
}

/// The same for a query parameter.
pub(crate) fn number_of(value: Option<&Value>, field: &str, min: i64, max: i64) -> Result<Option<i64>, Refusal> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        Some(value) => value.as_f64(),
    };
    match number {
        None => Err(format!("The {field} must be a number.")),
        Some(number) if number < min as f64 => Err(format!("The {field} must be at least {min}.")),
        Some(number) if number > max as f64 => Err(format!("The {field} may not be greater than {max}.")),
        Some(number) => Ok(Some(number as i64)),
    }
}

pub(crate) fn boolean(body: &Body, field: &str) -> Result<bool, Refusal> {
    match body.get(field) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(Value::Number(number)) if number.as_i64() == Some(0) => Ok(false),
        Some(Value::Number(number)) if number.as_i64() == Some(1) => Ok(true),
        Some(Value::String(text)) if text.trim().is_empty() || text == "false" || text == "0" => Ok(false),
        Some(Value::String(text)) if text == "true" || text == "1" => Ok(true),
        Some(_) => Err(format!("The {field} attribute has errors.")),
    }
}

pub(crate) fn array<'a>(body: &'a Body, field: &str) -> Result<Option<&'a Vec<Value>>, Refusal> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(format!("The {field} attribute has errors.")),
    }
}
