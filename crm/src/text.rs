//! Message templates (rule D15): `{{firstName}}`, `{{firstName|amigo}}`. Values are inserted as text and never read as
//! templates. Pure; which variables exist and what they hold is the caller's knowledge.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// The variables every contact has. Custom attributes come on top.
pub const STANDARD_VARIABLES: [&str; 8] =
    ["firstName", "lastName", "fullName", "phone", "email", "company", "city", "state"];

/// A text with places for values, checked when made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable { name: String, fallback: Option<String> },
}

/// Why a text is not a usable template. Positions count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing but blanks.
    #[error("the message is empty")]
    Empty,
    /// `{{` without `}}`.
    #[error("the braces opened at character {position} are never closed")]
    Unclosed {
        /// Where the `{{` stands.
        position: usize,
    },
    /// `}}` without `{{`.
    #[error("the braces closed at character {position} were never opened")]
    Unopened {
        /// Where the `}}` stands.
        position: usize,
    },
    /// Nothing, or more braces, where a name should be.
    #[error("the braces at character {position} do not hold the name of a variable")]
    Name {
        /// Where the `{{` stands.
        position: usize,
    },
    /// A variable nobody knows.
    #[error("there is no variable \"{name}\"")]
    UnknownVariable {
        /// The name in the template.
        name: String,
    },
}

impl TemplateError {
    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "template_empty",
            Self::Unclosed { .. } => "template_unclosed",
            Self::Unopened { .. } => "template_unopened",
            Self::Name { .. } => "template_variable_name",
            Self::UnknownVariable { .. } => "template_unknown_variable",
        }
    }
}

/// Where the values of a rendering come from. None, empty and blank all mean: no value.
pub trait Variables {
    /// The value of a variable.
    fn value(&self, name: &str) -> Option<Cow<'_, str>>;
}

impl Variables for BTreeMap<String, String> {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(|value| Cow::Borrowed(value.as_str()))
    }
}

impl Variables for HashMap<String, String> {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(|value| Cow::Borrowed(value.as_str()))
    }
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let text = plain(text);
        let mut parts = Vec::new();
        let mut rest = text.as_ref();
        let position = |rest: &str| text[..text.len() - rest.len()].chars().count() + 1;
        while let Some(open) = rest.find("{{") {
            push_text(&mut parts, &rest[..open], || position(rest))?;
            let behind = &rest[open + 2..];
            let at = position(&rest[open..]);
            let close = behind.find("}}").ok_or(TemplateError::Unclosed { position: at })?;
            let inside = &behind[..close];
            if inside.contains("{{") {
                return Err(TemplateError::Unclosed { position: at });
            }
            let (name, fallback) = inside.split_once('|').map_or((inside, None), |(name, text)| (name, Some(text)));
            let name = name.trim();
            if name.is_empty() || inside.contains(['{', '}']) {
                return Err(TemplateError::Name { position: at });
            }
            let fallback = fallback.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
            parts.push(Part::Variable { name: name.to_owned(), fallback });
            rest = &behind[close + 2..];
        }
        push_text(&mut parts, rest, || position(rest))?;
        let blank = parts.iter().all(|part| matches!(part, Part::Text(text) if text.trim().is_empty()));
        if blank { Err(TemplateError::Empty) } else { Ok(Self { parts }) }
    }

    /// The names of the variables, each once, in the order of appearance.
    pub fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for part in &self.parts {
            if let Part::Variable { name, .. } = part
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// Refuses the first variable that is not known.
    pub fn check(&self, known: impl Fn(&str) -> bool) -> Result<(), TemplateError> {
        let unknown = self.variables().into_iter().find(|name| !known(name));
        unknown.map_or(Ok(()), |name| Err(TemplateError::UnknownVariable { name: name.to_owned() }))
    }

    /// The text for one recipient. May be empty, when the template is nothing but variables without values.
    pub fn render(&self, variables: &impl Variables) -> String {
        let mut out = String::new();
        let mut gap = false;
        for part in &self.parts {
            match part {
                Part::Text(text) if gap => {
                    let rest = close_gap(&mut out, text);
                    out.push_str(rest);
                    gap = false;
                }
                Part::Text(text) => out.push_str(text),
                Part::Variable { name, fallback } => {
                    let value = variables.value(name);
                    let value = value.as_deref().map(plain);
                    let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty());
                    match value.or(fallback.as_deref()) {
                        Some(value) => {
                            out.push_str(value);
                            gap = false;
                        }
                        None => gap = true,
                    }
                }
            }
        }
        if gap {
            close_gap(&mut out, "\n");
        }
        out
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str, position: impl Fn() -> usize) -> Result<(), TemplateError> {
    if let Some(stray) = text.find("}}") {
        return Err(TemplateError::Unopened { position: position() + text[..stray].chars().count() });
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

/// Without NULs and other control characters, which gateways refuse or show as boxes; line ends are line feeds.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control() && c != '\n') {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
    Cow::Owned(text.chars().filter(|c| !c.is_control() || *c == '\n').collect())
}

const BLANKS: [char; 3] = [' ', '\u{a0}', '\u{202f}'];

/// Tidies the place where a variable had no value: what stands before it in `out`, and the text that follows, of which
/// the part to keep is returned. Only blanks and one comma at the gap are touched.
fn close_gap<'a>(out: &mut String, text: &'a str) -> &'a str {
    let trim = |out: &mut String| out.truncate(out.trim_end_matches(BLANKS).len());
    let before = out.trim_end_matches(BLANKS).chars().next_back();
    if before.is_none_or(|c| c == '\n') {
        // At the start of a line the comma of an address falls too: "{{firstName}}, hola" is "hola".
        let rest = text.trim_start_matches(BLANKS);
        trim(out);
        return rest.strip_prefix(',').unwrap_or(rest).trim_start_matches(BLANKS);
    }
    match text.chars().next() {
        Some(',') if before.is_some_and(|c| matches!(c, '.' | '!' | '?' | ':' | ';' | '…')) => {
            trim(out);
            &text[1..]
        }
        Some(',') if before.is_some_and(|c| matches!(c, '¡' | '¿' | '(' | '[' | '"' | '“' | '«')) => {
            trim(out);
            text[1..].trim_start_matches(BLANKS)
        }
        Some(',' | '.' | '!' | '?' | ':' | ';' | '\n' | '…') => {
            trim(out);
            if out.ends_with(',') {
                out.pop();
            }
            text
        }
        Some(')' | ']') => {
            trim(out);
            text
        }
        Some(c) if BLANKS.contains(&c) && out.ends_with(BLANKS) => {
            let rest = text.trim_start_matches(BLANKS);
            // "A, {{x}} , B" and a second gap behind the blanks are judged by what comes next.
            if rest.starts_with([',', '.', '!', '?', ':', ';', '\n']) { close_gap(out, rest) } else { rest }
        }
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests;
