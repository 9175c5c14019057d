//! The text around a phone number: invisible characters, spreadsheet damage, labels, extensions, second numbers.
//! Only cuts and cleans; whether what is left is a number is decided by the caller.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::PhoneError;

/// The fewest digits a full number has; shorter pieces are formatting or junk.
const FEWEST_DIGITS: usize = 7;
/// E.164 has at most 15 digits; a dialled prefix may add a few.
const MOST_DIGITS: usize = 15;
const MOST_EXTENSION_DIGITS: usize = 7;
const EXTENSION_WORDS: [&str; 12] =
    ["extension", "extensión", "extn", "ext", "ex", "x", "interno", "int", "anexo", "anx", "ramal", "#"];

/// NFKC, without invisible marks, without the quotes a spreadsheet puts in front.
pub(super) fn clean(raw: &str) -> Cow<'_, str> {
    let text: Cow<'_, str> = if raw.is_ascii() {
        Cow::Borrowed(raw)
    } else {
        Cow::Owned(raw.chars().filter(|c| !is_invisible(*c)).nfkc().map(plain_digit).collect())
    };
    if text.bytes().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r' | b'\t')) {
        let kept: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')).collect();
        return Cow::Owned(unquoted(&kept).to_owned());
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(unquoted(text)),
        Cow::Owned(text) => Cow::Owned(unquoted(&text).to_owned()),
    }
}

/// Zero-width and directional marks, soft hyphens and byte-order marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Decimal digits of scripts that NFKC leaves alone.
fn plain_digit(c: char) -> char {
    for zero in ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}'] {
        let distance = (c as u32).wrapping_sub(zero as u32);
        if distance < 10 {
            return char::from(b'0' + distance as u8);
        }
    }
    c
}

fn unquoted(text: &str) -> &str {
    let is_quote = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '´' | '’' | '‘' | '“' | '”' | '=');
    text.trim_start_matches(is_quote).trim_end_matches(|c: char| is_quote(c) && c != '=')
}

/// Empty, only dashes and dots, or one of the words people write for "none".
pub(super) fn stands_for_nothing(text: &str) -> bool {
    let text = text.trim();
    if text.len() > 12 {
        return false;
    }
    text.chars().all(|c| matches!(c, '-' | '–' | '—' | '.' | '_' | '/' | ' ' | '+' | ';' | ',' | '|'))
        || ["n/a", "na", "n.a.", "null", "none", "nil", "s/n", "nan"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Undoes what a spreadsheet does to long numbers, when every digit is still there.
pub(super) fn spreadsheet_number(text: &str) -> Result<Option<String>, PhoneError> {
    let (sign, unsigned) = match text.strip_prefix('+') {
        Some(rest) => ("+", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, None),
        Some((mantissa, exponent)) => match exponent.strip_prefix('+').unwrap_or(exponent).parse::<i32>() {
            Ok(value) if exponent.len() <= 4 => (mantissa, Some(value)),
            _ => return Ok(None),
        },
    };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Ok(None);
    }
    match exponent {
        None if fraction.is_empty() => Ok(None),
        None if whole.len() >= FEWEST_DIGITS && fraction.len() <= 2 && fraction.bytes().all(|b| b == b'0') => {
            Ok(Some(format!("{sign}{whole}")))
        }
        None => Ok(None),
        Some(exponent) => {
            let exponent = usize::try_from(exponent).map_err(|_| PhoneError::Invalid)?;
            if fraction.len() < exponent {
                return Err(PhoneError::ScientificLossy);
            }
            let (digits, rest) = fraction.split_at(exponent);
            if rest.bytes().any(|byte| byte != b'0') {
                return Err(PhoneError::Invalid);
            }
            Ok(Some(format!("{sign}{whole}{digits}")))
        }
    }
}

/// Cuts a cell at the separators people put between two numbers.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::with_capacity(1);
    let mut start = 0;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let separator = separator_at(text, at, start);
        if let Some(length) = separator {
            parts.push(text[start..at].trim());
            start = at + length;
        }
        at += separator.unwrap_or(0).max(c.len_utf8());
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        parts.push("");
    }
    parts
}

/// The length of the separator that begins here; zero in front of a second plus sign.
fn separator_at(text: &str, at: usize, start: usize) -> Option<usize> {
    let rest = &text[at..];
    let byte = *rest.as_bytes().first()?;
    match byte {
        b',' | b';' if announces_extension(&rest[1..]) => None,
        // A comma is never a dial pause here: rule D4 wants numbers split, not made into extensions.
        b';' | b'|' | b'\n' | b'\r' | b'/' | b',' => Some(1),
        b'+' if digits(&text[start..at]) >= FEWEST_DIGITS => Some(0),
        b' ' => [" y ", " or ", " o ", " and ", " e "]
            .iter()
            .find(|word| rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))
            .map(|word| word.len()),
        _ => None,
    }
}

fn announces_extension(rest: &str) -> bool {
    let rest = rest.trim_start_matches(' ');
    EXTENSION_WORDS.iter().any(|word| rest.get(..word.len()).is_some_and(|found| found.to_lowercase() == *word))
}

/// A slash or comma may also be punctuation inside one number, as in `030/1234567`.
pub(super) fn may_be_one_number(text: &str, parts: &[&str]) -> bool {
    !text.contains([';', '|', '\n', '\r'])
        && !text.get(1..).is_some_and(|rest| rest.contains('+'))
        && digits(text) <= MOST_DIGITS
        && parts.iter().any(|part| digits(part) < FEWEST_DIGITS)
        && parts.iter().all(|part| digits(part) > 0 && !part.contains(char::is_alphabetic))
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Drops a word in front (`Tel: `) and a note in brackets behind (` (casa)`).
pub(super) fn without_label(text: &str) -> Result<&str, PhoneError> {
    let text = text.trim();
    let first =
        text.find(|c: char| c.is_ascii_digit() || c == '+').ok_or(match text.contains(char::is_alphabetic) {
            true => PhoneError::Letters,
            false => PhoneError::Invalid,
        })?;
    let label = text[..first].trim_end_matches(['(', '[', ' ']);
    let text = match label.contains(char::is_alphabetic) {
        true if label.ends_with([':', '.']) || text[..first].ends_with(' ') => text[first..].trim_start(),
        true => return Err(PhoneError::Letters),
        false => text,
    };
    let note = text.strip_suffix([')', ']']).and_then(|open| open.rfind(['(', '[']).map(|at| (at, &open[at + 1..])));
    match note {
        Some((at, note)) if note.contains(char::is_alphabetic) && digits(note) == 0 => Ok(text[..at].trim_end()),
        _ => Ok(text),
    }
}

/// Separates an extension, which must be announced by a word or by `#`. Any other letter is an error.
pub(super) fn extension(text: &str) -> Result<(&str, Option<&str>), PhoneError> {
    let Some(at) = text.find(|c: char| c.is_alphabetic() || c == '#') else {
        return Ok((text, None));
    };
    let main = text[..at].trim_end_matches([' ', ',', ';', '.', '-', '(']);
    let suffix = text[at..].to_lowercase();
    let digits_behind = EXTENSION_WORDS.iter().find_map(|word| {
        let rest = suffix.strip_prefix(word)?.trim_start_matches(['.', ':', '=', ' ', '-', '#']);
        let rest = rest.trim_end_matches([' ', ')', '.']);
        (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())).then_some(rest.len())
    });
    match digits_behind {
        Some(length) if length <= MOST_EXTENSION_DIGITS && digits(main) >= FEWEST_DIGITS => {
            let end = text.trim_end_matches([' ', ')', '.']).len();
            Ok((main, Some(&text[end - length..end])))
        }
        _ if text.contains(char::is_alphabetic) => Err(PhoneError::Letters),
        _ => Err(PhoneError::Invalid),
    }
}

/// The keys one would press: digits with at most one plus in front. Anything but punctuation is refused.
pub(super) fn dialled(text: &str) -> Result<String, PhoneError> {
    let mut keys = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' => keys.push(c),
            '+' if keys.is_empty() => keys.push('+'),
            // A trunk zero in brackets, "+44 (0)20", is left for the library, which knows the countries that have one.
            ' ' | '\t' | '\u{a0}' | '-' | '.' | '(' | ')' | '[' | ']' | '/' | ',' | '~' | '·' | '\'' => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30fc}' | '\u{2043}' => {}
            _ if c.is_alphabetic() => return Err(PhoneError::Letters),
            _ => return Err(PhoneError::Invalid),
        }
    }
    if keys.len() > MOST_DIGITS + 5 { Err(PhoneError::Invalid) } else { Ok(keys) }
}
