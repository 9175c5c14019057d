//! Which contacts are meant: of a list, of an audience, of a change of many. Read once into the terms that the search behind the wall takes.

use chrono::{DateTime, Utc};
use db::TenantTx;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{contact::ContactId, home_region, import::ImportId, labels::LabelId};
use crate::{
    Error,
    phone::{self, Region},
};

/// The most contacts that may be named one by one.
pub const MAX_IDS: usize = 10_000;

/// Whether an address is on the list of those nobody may write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suppressed {
    /// On no list.
    None,
    /// For whatever reason.
    Any,
    /// Its owner said stop.
    OptedOut,
    /// The tenant does not want to write to it.
    Blacklisted,
    /// A person has to decide.
    OptOutReview,
}

/// Which contacts are meant; what is absent narrows nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContactFilter {
    /// Beginnings of names, of the company or of the e-mail address, or digits of a number in any spelling; case and accents don't matter.
    pub text: Option<String>,
    /// Those of this phone, however it is written.
    pub phone: Option<String>,
    /// Those that this import made.
    #[schema(value_type = Option<Uuid>)]
    pub import_id: Option<ImportId>,
    /// Those with one of these labels.
    #[schema(value_type = Vec<Uuid>)]
    pub label_ids: Vec<LabelId>,
    /// Whether they have a phone.
    pub has_phone: Option<bool>,
    /// Whether they may be written to.
    pub suppression: Option<Suppressed>,
    /// Made at or after.
    pub created_from: Option<DateTime<Utc>>,
    /// Made before.
    pub created_before: Option<DateTime<Utc>>,
    /// These, of up to 10,000.
    #[schema(value_type = Option<Vec<Uuid>>)]
    pub ids: Option<Vec<ContactId>>,
}

impl ContactFilter {
    /// What `crm.match_contacts` takes.
    pub(crate) async fn terms(&self, tx: &mut TenantTx) -> Result<Value, Error> {
        if self.ids.as_ref().is_some_and(|ids| ids.len() > MAX_IDS) {
            return Err(Error::invalid(
                "ids",
                "too_many_ids",
                format!("name {MAX_IDS} contacts at most, or use a filter"),
            ));
        }
        let region = home_region(tx).await?;
        let mut terms = json!({
            "import_id": self.import_id, "has_phone": self.has_phone, "suppression": self.suppression,
            "created_from": self.created_from, "created_before": self.created_before,
        });
        if let Some(text) = &self.phone {
            let parsed =
                phone::parse(text, region).map_err(|error| Error::invalid("phone", error.code(), error.to_string()))?;
            terms["phone"] = json!(parsed.phone.as_str());
        }
        if !self.label_ids.is_empty() {
            terms["label_ids"] = json!(self.label_ids);
        }
        if let Some(ids) = &self.ids {
            // no list and an empty one are not the same
            terms["ids"] = if ids.is_empty() { json!([Uuid::nil()]) } else { json!(ids) };
        }
        if let Some(found) = self.text.as_deref().and_then(|text| Terms::of(text, region)) {
            if !found.words.is_empty() {
                terms["words"] = json!(found.words);
            }
            terms["digits"] = json!(found.digits);
            terms["email"] = json!(found.email);
        }
        // what is null is not said
        if let Value::Object(map) = &mut terms {
            map.retain(|_, value| !value.is_null());
        }
        Ok(terms)
    }
}

/// What somebody typed, as it is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Beginnings of words of the name.
    pub words: Vec<String>,
    /// Digits of a number, without its plus.
    pub digits: Option<String>,
    /// The beginning of an e-mail address.
    pub email: Option<String>,
}

impl Terms {
    /// None: nothing that could be looked for.
    pub fn of(typed: &str, region: Region) -> Option<Self> {
        let typed = typed.trim();
        if typed.contains('@') {
            return Some(Self { words: Vec::new(), digits: None, email: Some(typed.to_lowercase()) });
        }
        let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= 3 && !typed.chars().any(char::is_alphabetic) {
            let digits = match phone::parse(typed, region) {
                Ok(parsed) => parsed.phone.as_str().trim_start_matches('+').to_owned(),
                Err(_) => digits.trim_start_matches('0').to_owned(),
            };
            return Some(Self { words: Vec::new(), digits: Some(digits), email: None });
        }
        // no name holds the wildcards of the search
        let plain = |word: &str| word.chars().filter(|c| !matches!(c, '%' | '_' | '\\' | '\0')).collect::<String>();
        let words: Vec<String> = typed.split_whitespace().map(plain).filter(|word| !word.is_empty()).take(8).collect();
        let email = match typed.split_whitespace().collect::<Vec<_>>()[..] {
            [only] => Some(only.to_lowercase()),
            _ => None,
        };
        if words.is_empty() { None } else { Some(Self { words, digits: None, email }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_number_an_address_or_words() {
        let us: Region = "US".parse().unwrap();
        let of = |typed| Terms::of(typed, us).unwrap();
        assert_eq!(of("(305) 555-0142").digits.as_deref(), Some("13055550142"));
        assert_eq!(of("+1 305 555").digits.as_deref(), Some("1305555"));
        assert_eq!(of("0142").digits.as_deref(), Some("142"));
        assert_eq!(of("Ana_M@x").email.as_deref(), Some("ana_m@x"));
        assert_eq!(of("José  Mu%").words, ["José", "Mu"]);
        assert_eq!((of("José").email.as_deref(), of("José M").email), (Some("josé"), None));
        assert_eq!(Terms::of(" % ", us), None);
    }
}
