//! What somebody looks for: words, a number, and operators such as `from:ana has:voice before:2026-03-01`. Pure.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::{
    Error,
    phone::{self, Region},
};

/// Most characters of a search.
const MOST_TEXT: usize = 200;
/// Words of a search that count.
const MOST_WORDS: usize = 10;
/// What `has:` may name, in either language, and the kind of file that is meant.
const FILES: [(&str, &str); 11] = [
    ("image", "image"),
    ("imagen", "image"),
    ("foto", "image"),
    ("video", "video"),
    ("audio", "audio"),
    ("voice", "voice"),
    ("voz", "voice"),
    ("file", "file"),
    ("document", "file"),
    ("archivo", "file"),
    ("documento", "file"),
];

/// What somebody looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// The words, as they were written, without what is around them.
    pub words: Vec<String>,
    /// Whether the last word may be the beginning of one.
    is_open: bool,
    /// The digits of a number.
    pub digits: Option<String>,
    /// The number as it was written.
    written: String,
    /// Who said it.
    pub from: Option<From>,
    /// With a link in it.
    pub has_link: bool,
    /// With a file of that kind.
    pub file: Option<&'static str>,
    /// Said before that day.
    pub before: Option<DateTime<Utc>>,
    /// Said after that day.
    pub after: Option<DateTime<Utc>>,
}

/// Who said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// One of us.
    Us,
    /// Anybody else.
    Them,
    /// Whoever has that name or number.
    Named(Box<Query>),
}

impl Query {
    /// Reads a search; days are those of the tenant's clock.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, Error> {
        if text.trim().is_empty() || text.chars().count() > MOST_TEXT {
            return Err(Error::invalid("q", "query_length", format!("a search has 1 to {MOST_TEXT} characters")));
        }
        let (mut query, mut plain) = (Self::default(), Vec::new());
        for token in tokens(text) {
            let operator = token.split_once(':').filter(|(_, value)| !value.is_empty());
            match operator.map(|(name, value)| (name.to_lowercase(), value.trim_matches('"'))) {
                Some((name, who)) if name == "from" => query.from = Some(From::read(who)),
                Some((name, what)) if name == "has" => query.has(what)?,
                Some((name, day)) if name == "before" => query.before = Some(midnight(day, zone, 0)?),
                Some((name, day)) if name == "after" => query.after = Some(midnight(day, zone, 1)?),
                _ => plain.push(token),
            }
        }
        let has_operator = query != Self::default();
        query.read_plain(&plain.join(" "));
        query.is_open = !text.ends_with(char::is_whitespace);
        if query.words.is_empty() && !has_operator {
            return Err(Error::invalid("q", "query_empty", "a search has a letter or a digit"));
        }
        Ok(query)
    }

    fn read_plain(&mut self, text: &str) {
        let words = text
            .split(|c: char| !c.is_alphanumeric() && !is_mark(c))
            .filter(|word| word.chars().any(char::is_alphanumeric));
        self.words = words.take(MOST_WORDS).map(str::to_owned).collect();
        let is_number = text.chars().all(|c| c.is_ascii_digit() || " +-.()/\u{a0}".contains(c));
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        // without what is dialled before a number: 00, 011 or the 0 of a trunk
        let digits = digits.trim_start_matches("011").trim_start_matches('0').to_owned();
        self.digits = (is_number && digits.len() >= 4).then_some(digits);
        text.trim().clone_into(&mut self.written);
    }

    fn has(&mut self, what: &str) -> Result<(), Error> {
        match FILES.into_iter().find(|(name, _)| what.eq_ignore_ascii_case(name)) {
            Some((_, kind)) => self.file = Some(kind),
            None if what.eq_ignore_ascii_case("link") => self.has_link = true,
            None => {
                return Err(Error::invalid(
                    "q",
                    "operator_unknown",
                    "has: knows link, image, video, audio, voice and file",
                ));
            }
        }
        Ok(())
    }

    /// Whether it asks for anything but words and numbers: then only messages are meant.
    pub fn is_plain(&self) -> bool {
        self.from.is_none() && !self.has_link && self.file.is_none() && self.before.is_none() && self.after.is_none()
    }

    /// The whole words, and what may be the beginning of one.
    pub fn text(&self) -> (Option<String>, Option<&str>) {
        let (whole, open) = match self.words.split_last() {
            Some((last, rest)) if self.is_open && last.chars().count() > 2 => (rest, Some(last.as_str())),
            Some(_) | None => (&self.words[..], None),
        };
        ((!whole.is_empty()).then(|| whole.join(" ")), open)
    }

    /// The number that is meant, if it is a whole one.
    pub fn number(&self, region: Region) -> Option<String> {
        self.digits.as_ref()?;
        Some(phone::parse(&self.written, region).ok()?.phone.as_str().to_owned())
    }
}

impl From {
    fn read(who: &str) -> Self {
        match who.to_lowercase().as_str() {
            "me" | "us" | "yo" | "nosotros" => Self::Us,
            "them" | "contact" | "ellos" | "contacto" => Self::Them,
            _ => {
                let mut query = Query::default();
                query.read_plain(who);
                Self::Named(Box::new(query))
            }
        }
    }
}

/// Combining marks belong to the letter before them.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Parts between blanks; what stands in quotation marks is one.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c.is_whitespace() && !quoted {
            tokens.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    tokens.push(&text[start..]);
    tokens.retain(|token| !token.is_empty());
    tokens
}

/// When a day begins where the tenant is, or the one so many days later.
fn midnight(day: &str, zone: Tz, later: i64) -> Result<DateTime<Utc>, Error> {
    let refuse = || Error::invalid("q", "day_malformed", "a day is written 2026-01-31");
    let day: NaiveDate = day.parse().map_err(|_| refuse())?;
    let day = day.checked_add_signed(chrono::TimeDelta::days(later)).ok_or_else(refuse)?;
    let local = day.and_time(NaiveTime::MIN);
    // where clocks change at midnight the day begins an hour later
    let at = zone.from_local_datetime(&local).earliest();
    let at = at.or_else(|| zone.from_local_datetime(&(local + chrono::TimeDelta::hours(1))).earliest());
    at.map(|at| at.with_timezone(&Utc)).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Query {
        Query::parse(text, chrono_tz::America::New_York).unwrap()
    }
    fn code(text: &str) -> &'static str {
        Query::parse(text, chrono_tz::UTC).unwrap_err().code()
    }

    #[test]
    fn words_are_told_from_numbers_and_operators() {
        let query = parse("¿Cita, mañana?");
        assert_eq!((query.words, query.digits), (vec!["Cita".to_owned(), "mañana".to_owned()], None));
        let query = parse("cita from:\"Ana María\" before:2026-03-08 after:2026-03-01 has:link");
        assert_eq!(query.words, ["cita"]);
        assert!(!query.is_plain() && query.has_link);
        assert_eq!(query.before.unwrap().to_rfc3339(), "2026-03-08T05:00:00+00:00");
        assert_eq!(query.after.unwrap().to_rfc3339(), "2026-03-02T05:00:00+00:00");
        let Some(From::Named(who)) = query.from else { panic!("no sender") };
        assert_eq!(who.words, ["Ana", "María"]);
        assert_eq!(parse("from:me x").from, Some(From::Us));
        assert_eq!(parse("from:ellos").from, Some(From::Them));
        assert_eq!(
            (parse("has:Voz cita").file, parse("has:image").file, parse("cita").file),
            (Some("voice"), Some("image"), None)
        );
        assert!(!parse("has:voice").is_plain());
        // what is no operator of ours is text
        assert_eq!(parse("a las 10:30").words, ["a", "las", "10", "30"]);
    }

    #[test]
    fn a_number_is_one_however_it_is_written() {
        for text in ["(305) 555-0142", "305.555.0142", "3055550142", "0 305 555 0142"] {
            assert_eq!(parse(text).digits.as_deref(), Some("3055550142"), "{text}");
        }
        for text in ["+1 305-555-0142", "0013055550142", "011 1 305 555 0142"] {
            assert_eq!(parse(text).digits.as_deref(), Some("13055550142"), "{text}");
        }
        assert_eq!(parse("123").digits, None);
        assert_eq!(parse("cita 3055550142").digits, None);
        assert_eq!(parse("(305) 555-0142").number("US".parse().unwrap()).as_deref(), Some("+13055550142"));
        assert_eq!(parse("5550142").number("US".parse().unwrap()), None);
    }

    #[test]
    fn the_last_word_may_go_on_unless_a_blank_ends_it() {
        assert_eq!(parse("hola ami").text(), (Some("hola".to_owned()), Some("ami")));
        assert_eq!(parse("hola ami ").text(), (Some("hola ami".to_owned()), None));
        assert_eq!(parse("hola a").text(), (Some("hola a".to_owned()), None));
        assert_eq!(parse("from:me").text(), (None, None));
    }

    #[test]
    fn what_asks_for_nothing_is_refused_with_a_reason() {
        assert_eq!(code("  "), "query_length");
        assert_eq!(code("¿?"), "query_empty");
        assert_eq!(code("has:cake"), "operator_unknown");
        assert_eq!(code("before:yesterday"), "day_malformed");
        assert_eq!(code(&"x".repeat(201)), "query_length");
    }
}
