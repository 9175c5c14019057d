//! Phone numbers: what people type into a cell becomes a valid E.164 number, or a reason why not.
//! Follows rules D4 and D6. Never guesses: what cannot be read for certain is an error with a stable code.
//! Knows nothing of contacts, files or the database.

mod cell;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat};
use serde::{Deserialize, Serialize};

/// A phone number that exists in its country's plan, written as E.164 (`+13055550142`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[sqlx(transparent)]
#[schema(value_type = String, example = "+13055550142")]
pub struct Phone(String);

impl Phone {
    /// Accepts only a number that already is valid E.164; use [`parse`] for what people type.
    pub fn from_e164(text: &str) -> Result<Self, PhoneError> {
        let digits = text.strip_prefix('+').ok_or(PhoneError::Invalid)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PhoneError::Invalid);
        }
        let number = PHONE_NUMBER_UTIL.parse(text, None).map_err(|_| PhoneError::Invalid)?;
        let phone = valid(&number).ok_or(PhoneError::Invalid)?;
        if phone.0 == text { Ok(phone) } else { Err(PhoneError::Invalid) }
    }

    /// The number as E.164 text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region the number belongs to, as an ISO code; none for numbers without a country (satellites).
    pub fn region_code(&self) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(&self.0, None).ok()?;
        PHONE_NUMBER_UTIL.get_region_for_number(&number).map(|region| region.to_string())
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Phone {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

impl TryFrom<String> for Phone {
    type Error = PhoneError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_e164(&text)
    }
}

/// The region whose dialling habits are assumed for numbers without a country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region(rlibphonenumber::Region);

/// The text is not the ISO code of a region with telephones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a known two-letter region code, such as US or ES")]
pub struct RegionError(pub String);

impl Region {
    /// The ISO code, such as `US`.
    pub fn code(&self) -> String {
        self.0.to_string()
    }

    /// Whether the region shares country code 1, where `011` means abroad.
    fn is_north_american(self) -> bool {
        PHONE_NUMBER_UTIL.is_nanpa_country(self.0)
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || RegionError(text.to_owned());
        let region = rlibphonenumber::Region::from_code(text.trim()).map_err(|_| unknown())?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).ok_or_else(unknown)?;
        if region == rlibphonenumber::Region::World { Err(unknown()) } else { Ok(Self(region)) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a cell held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedPhone {
    /// The first number of the cell.
    pub phone: Phone,
    /// Digits to dial after the call is answered.
    pub extension: Option<String>,
    /// The second number, when the cell held two.
    pub extra: Option<Phone>,
    /// Something was repaired or left out; the first such thing in the order of [`PhoneWarning`].
    pub warning: Option<PhoneWarning>,
}

/// A number was understood, but not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PhoneWarning {
    /// A spreadsheet had turned it into a decimal number; no digit was lost.
    ExpandedNumber,
    /// Another part of the same cell is not a number we can read.
    PartIgnored,
    /// The cell held more than two numbers; the third and later ones were left out.
    MoreThanTwo,
    /// The ninth digit of Brazilian mobiles was added.
    BrazilNinthDigit,
    /// The `1` that Mexican mobiles once had after +52 was removed.
    MexicoMobileOne,
}

impl PhoneWarning {
    /// The stable code of the warning.
    pub fn code(self) -> &'static str {
        match self {
            Self::ExpandedNumber => "phone_expanded",
            Self::PartIgnored => "phone_part_ignored",
            Self::MoreThanTwo => "phone_more_than_two",
            Self::BrazilNinthDigit => "phone_brazil_ninth_digit",
            Self::MexicoMobileOne => "phone_mexico_mobile_one",
        }
    }
}

/// Why a text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PhoneError {
    /// Nothing there, or a stand-in for nothing (`-`, `n/a`).
    #[error("the phone is empty")]
    Empty,
    /// Digits, but no number of any plan.
    #[error("the phone is not a valid number")]
    Invalid,
    /// Excel's scientific notation with digits missing.
    #[error("the phone lost digits in a spreadsheet (scientific notation); format the column as text and export again")]
    ScientificLossy,
    /// Letters inside or instead of a number.
    #[error("the phone contains letters")]
    Letters,
}

impl PhoneError {
    /// The stable code of the error.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "phone_empty",
            Self::Invalid => "phone_invalid",
            Self::ScientificLossy => "phone_scientific_lossy",
            Self::Letters => "phone_letters",
        }
    }
}

/// Reads one cell: a number, perhaps with an extension, perhaps two numbers.
pub fn parse(raw: &str, region: Region) -> Result<ParsedPhone, PhoneError> {
    let text = cell::clean(raw);
    if cell::stands_for_nothing(&text) {
        return Err(PhoneError::Empty);
    }
    let mut warnings = Warnings::default();
    let text = match cell::spreadsheet_number(&text)? {
        Some(digits) => {
            warnings.add(PhoneWarning::ExpandedNumber);
            Cow::Owned(digits)
        }
        None => text,
    };
    let parts = cell::split(&text);
    let parts = match parts.as_slice() {
        [only] => return single(only, region, warnings),
        several if cell::may_be_one_number(&text, several) => match single(&text, region, warnings) {
            Ok(parsed) => return Ok(parsed),
            Err(_) => several,
        },
        several => several,
    };
    several(parts, region, warnings)
}

fn single(text: &str, region: Region, mut warnings: Warnings) -> Result<ParsedPhone, PhoneError> {
    let (phone, extension) = number(text, region, &mut warnings)?;
    Ok(ParsedPhone { phone, extension, extra: None, warning: warnings.0 })
}

fn several(parts: &[&str], region: Region, mut warnings: Warnings) -> Result<ParsedPhone, PhoneError> {
    let mut found: Option<(Phone, Option<String>)> = None;
    let mut extra = None;
    let mut first_error = None;
    for part in parts.iter().filter(|part| !cell::stands_for_nothing(part)) {
        match (number(part, region, &mut warnings), &found) {
            (Err(error), _) => {
                first_error.get_or_insert(error);
                warnings.add(PhoneWarning::PartIgnored);
            }
            (Ok(number), None) => found = Some(number),
            (Ok((phone, _)), Some((first, _))) if phone == *first || extra.as_ref() == Some(&phone) => {}
            (Ok((phone, _)), Some(_)) if extra.is_none() => extra = Some(phone),
            (Ok(_), Some(_)) => warnings.add(PhoneWarning::MoreThanTwo),
        }
    }
    let (phone, extension) = found.ok_or(first_error.unwrap_or(PhoneError::Empty))?;
    Ok(ParsedPhone { phone, extension, extra, warning: warnings.0 })
}

/// One number, already separated from its neighbours.
fn number(text: &str, region: Region, warnings: &mut Warnings) -> Result<(Phone, Option<String>), PhoneError> {
    let (main, extension) = cell::extension(cell::without_label(text)?)?;
    let dialled = cell::dialled(main)?;
    let phone = candidates(&dialled, region, warnings).ok_or(PhoneError::Invalid)?;
    Ok((phone, extension.map(str::to_owned)))
}

/// Tries the readings of the dialled digits in the order of rule D4.
fn candidates(dialled: &str, region: Region, warnings: &mut Warnings) -> Option<Phone> {
    if let Some(rest) = dialled.strip_prefix("00")
        && let Some(phone) = international(rest.trim_start_matches('0'), warnings)
    {
        return Some(phone);
    }
    if region.is_north_american()
        && let Some(rest) = dialled.strip_prefix("011")
        && let Some(phone) = international(rest, warnings)
    {
        return Some(phone);
    }
    if let Some(rest) = dialled.strip_prefix('+') {
        return international(rest, warnings);
    }
    if region.0 == rlibphonenumber::Region::MX && is_old_mexican_mobile(dialled) {
        return international(dialled, warnings);
    }
    let number = PHONE_NUMBER_UTIL.parse(dialled, Some(region.0)).ok()?;
    valid(&number).or_else(|| with_ninth_digit(&number, warnings))
}

fn international(digits: &str, warnings: &mut Warnings) -> Option<Phone> {
    let mut text = String::with_capacity(digits.len() + 1);
    text.push('+');
    if is_old_mexican_mobile(digits) {
        warnings.add(PhoneWarning::MexicoMobileOne);
        text.push_str("52");
        text.push_str(&digits[3..]);
    } else {
        text.push_str(digits);
    }
    let number = PHONE_NUMBER_UTIL.parse(&text, None).ok()?;
    valid(&number).or_else(|| with_ninth_digit(&number, warnings))
}

fn is_old_mexican_mobile(digits: &str) -> bool {
    digits.len() == 13 && digits.starts_with("521")
}

/// Brazilian mobiles had eight digits after the area code until 2016; they all begin with 6 to 9.
fn with_ninth_digit(number: &PhoneNumber, warnings: &mut Warnings) -> Option<Phone> {
    let national = number.national_number;
    let is_old_mobile = number.country_code == 55 && (1_000_000_000..10_000_000_000).contains(&national);
    let (area, subscriber) = (national / 100_000_000, national % 100_000_000);
    if !is_old_mobile || subscriber < 60_000_000 {
        return None;
    }
    let repaired = PHONE_NUMBER_UTIL.parse(format!("+55{area}9{subscriber:08}"), None).ok()?;
    let phone = valid(&repaired)?;
    warnings.add(PhoneWarning::BrazilNinthDigit);
    Some(phone)
}

fn valid(number: &PhoneNumber) -> Option<Phone> {
    if !PHONE_NUMBER_UTIL.is_valid_number(number) {
        return None;
    }
    Some(Phone(PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164).into_owned()))
}

/// Keeps the weightiest warning, which is the smallest in declaration order.
#[derive(Default, Clone, Copy)]
struct Warnings(Option<PhoneWarning>);

impl Warnings {
    fn add(&mut self, warning: PhoneWarning) {
        self.0 = Some(self.0.map_or(warning, |kept| kept.min(warning)));
    }
}

#[cfg(test)]
mod tests;
