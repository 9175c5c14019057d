//! Kinds of values: what may be one, and the form in which it is kept. Where an address may lead is asked of the guard that every call goes through; a name
//! is looked at with each call, since it may mean something else by then.

use clients::Http;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use url::Url;
use utoipa::ToSchema;

use super::{hours, key::Key};
use crate::{App, Error, phone::Region};

/// The longest secret.
const LONGEST_SECRET: usize = 2_000;

/// What the values of a setting are. An empty text and no hours at all are values, each other than null and than nothing set.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = SettingKind)]
pub enum Kind {
    /// A line of text, which may be empty.
    Text {
        /// Most characters.
        most: u32,
    },
    /// A text of several lines, which may be empty.
    LongText {
        /// Most characters.
        most: u32,
    },
    /// One of these.
    Choice {
        /// All there are.
        #[schema(value_type = Vec<String>)]
        choices: &'static [&'static str],
    },
    /// A whole number.
    Number {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// Yes or no.
    Boolean,
    /// A colour, `#1a2b3c`.
    Color,
    /// The name of a time zone, `Europe/Berlin`.
    TimeZone,
    /// A country by its two letters, ISO 3166.
    Region,
    /// Hours of a week: a list, which may be empty, of `{"days": [1, 2], "from": "09:00", "until": "18:00"}`; 1 is Monday, and 24:00 the end of the day.
    Hours,
    /// An address on the public internet.
    Url,
    /// An address at which gateways may stand.
    GatewayUrl,
    /// The name of a host, without a scheme and a port.
    Host,
    /// An e-mail address.
    Email,
    /// A text that is never shown again.
    Secret,
}

impl Kind {
    /// Whether an empty text or list is a value.
    #[must_use]
    pub const fn may_be_empty(self) -> bool {
        matches!(self, Self::Text { .. } | Self::LongText { .. } | Self::Hours)
    }
    /// Whether it says where secrets are sent, or is one: what takes a proof.
    #[must_use]
    pub const fn is_delicate(self) -> bool {
        matches!(self, Self::Secret | Self::Url | Self::GatewayUrl | Self::Host)
    }
}

/// A value that may be kept.
pub(super) enum Taken {
    /// As it is kept.
    Open(Value),
    /// To be sealed.
    Secret(SecretString),
}

/// Through which guard calls to an address would go.
#[derive(Clone, Copy)]
pub(super) struct Guards<'a> {
    /// To the public internet.
    pub outside: &'a Http,
    /// To gateways.
    pub gateways: &'a Http,
}

impl<'a> Guards<'a> {
    pub(super) fn of(app: &'a App) -> Self {
        Self { outside: &app.outgoing.http, gateways: &app.http }
    }
}

fn invalid(key: Key, code: &'static str, message: impl Into<String>) -> Error {
    Error::invalid(format!("set.{key}"), code, message)
}

impl Key {
    /// Reads a value that somebody sets.
    pub(super) fn take(self, value: &Value, guards: Guards<'_>) -> Result<Taken, Error> {
        let spec = self.spec();
        if value.is_null() {
            return if spec.is_nullable() {
                Ok(Taken::Open(Value::Null))
            } else {
                Err(invalid(self, "setting_not_null", "this always has a value: unset it to inherit one"))
            };
        }
        let kept = match spec.kind {
            Kind::Secret => return self.secret(value).map(Taken::Secret),
            Kind::Text { most } => self.bounded(value, most, |c| !c.is_control())?.into(),
            Kind::LongText { most } => self.bounded(value, most, |c| !c.is_control() || c == '\n' || c == '\t')?.into(),
            Kind::Choice { choices } => match choices.iter().find(|choice| Some(**choice) == value.as_str()) {
                Some(choice) => (*choice).into(),
                None => {
                    return Err(invalid(self, "setting_choice", format!("choose one of {}", choices.join(", "))));
                }
            },
            Kind::Number { least, most } => match value.as_i64() {
                Some(number) if (least..=most).contains(&number) => number.into(),
                _ => {
                    let message = format!("give a whole number from {least} to {most}");
                    return Err(invalid(self, "setting_range", message));
                }
            },
            Kind::Boolean => match value {
                Value::Bool(is_on) => (*is_on).into(),
                _ => return Err(invalid(self, "setting_boolean", "give true or false")),
            },
            Kind::Color => self.color(value)?.into(),
            Kind::TimeZone => match self.text(value)?.parse::<chrono_tz::Tz>() {
                Ok(zone) => zone.name().into(),
                Err(_) => {
                    return Err(invalid(self, "time_zone_unknown", "a time zone is a name such as Europe/Berlin"));
                }
            },
            Kind::Region => match self.text(value)?.to_uppercase().parse::<Region>() {
                Ok(region) => region.code().into(),
                Err(error) => return Err(invalid(self, "region_unknown", error.to_string())),
            },
            Kind::Hours => match hours::read(value) {
                Some(hours) => hours,
                None => {
                    let message =
                        "give days from 1 (Monday) to 7 and hours such as 09:00 and 18:00 that do not overlap";
                    return Err(invalid(self, "setting_hours", message));
                }
            },
            Kind::Url => self.url(value, guards.outside)?.into(),
            Kind::GatewayUrl => self.url(value, guards.gateways)?.into(),
            Kind::Host => self.host(value, guards.outside)?.into(),
            Kind::Email => self.email(value)?.into(),
        };
        Ok(Taken::Open(kept))
    }

    fn text(self, value: &Value) -> Result<&str, Error> {
        value.as_str().ok_or_else(|| invalid(self, "setting_text", "give a text"))
    }

    fn bounded(self, value: &Value, most: u32, is_allowed: impl Fn(char) -> bool) -> Result<&str, Error> {
        let text = self.text(value)?;
        if text.chars().count() > most as usize || !text.chars().all(is_allowed) {
            let message = format!("give up to {most} characters, none of which is a control character");
            return Err(invalid(self, "setting_length", message));
        }
        Ok(text)
    }

    fn secret(self, value: &Value) -> Result<SecretString, Error> {
        let text = self.text(value)?.trim();
        if text.is_empty() || text.chars().count() > LONGEST_SECRET || text.chars().any(char::is_control) {
            let message = format!("give 1 to {LONGEST_SECRET} characters on one line");
            return Err(invalid(self, "setting_secret", message));
        }
        Ok(text.to_owned().into())
    }

    fn color(self, value: &Value) -> Result<String, Error> {
        let text = self.text(value)?;
        let is_color = text.len() == 7
            && text.strip_prefix('#').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if is_color {
            Ok(text.to_ascii_lowercase())
        } else {
            Err(invalid(self, "setting_color", "a colour is # and six hexadecimal digits, #1a2b3c"))
        }
    }

    fn url(self, value: &Value, guard: &Http) -> Result<String, Error> {
        let refused = || {
            let message = "give an address to which calls may go, without a user, a password and a fragment";
            invalid(self, "setting_url", message)
        };
        let url = Url::parse(self.text(value)?.trim()).map_err(|_| refused())?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !is_plain || url.as_str().len() > 2_000 || !guard.allows(&url) {
            return Err(refused());
        }
        Ok(url.into())
    }

    fn host(self, value: &Value, guard: &Http) -> Result<String, Error> {
        let refused =
            || invalid(self, "setting_host", "give the name of a host to which calls may go, smtp.example.com");
        let text = self.text(value)?.trim().to_lowercase();
        let url = Url::parse(&format!("https://{text}/")).map_err(|_| refused())?;
        match url.host_str() {
            Some(host) if host == text && host.len() <= 253 && guard.allows(&url) => Ok(text),
            _ => Err(refused()),
        }
    }

    fn email(self, value: &Value) -> Result<String, Error> {
        let text = self.text(value)?.trim();
        let (local, domain) = text.split_once('@').unwrap_or_default();
        let is_shaped = !local.is_empty() && !domain.is_empty() && !domain.contains('@') && text.len() <= 254;
        if !is_shaped || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(invalid(self, "email_malformed", "this is not an e-mail address"));
        }
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clients::{Egress, HttpOptions};
    use serde_json::json;

    use super::*;

    fn take(key: &str, value: &Value) -> Result<Value, &'static str> {
        let (outside, gateways) = (Http::new(HttpOptions::new(Egress::Public)), HttpOptions::new(Egress::AllowPrivate));
        let (outside, gateways) = (outside.unwrap(), Http::new(gateways).unwrap());
        let taken = key.parse::<Key>().unwrap().take(value, Guards { outside: &outside, gateways: &gateways });
        match taken {
            Ok(Taken::Open(value)) => Ok(value),
            Ok(Taken::Secret(_)) => Ok(json!("sealed")),
            Err(error) => Err(error.code()),
        }
    }

    #[test]
    fn what_is_a_value_is_kept_in_one_form() {
        for (key, value, kept) in [
            ("brand.name", json!(""), json!("")),
            ("brand.name", Value::Null, Value::Null),
            ("brand.color", json!("#A1B2C3"), json!("#a1b2c3")),
            ("locale.region", json!("mx"), json!("MX")),
            ("locale.time_zone", json!("America/Mexico_City"), json!("America/Mexico_City")),
            ("locale.language", json!("en"), json!("en")),
            ("hours.weekly", json!([]), json!([])),
            ("mail.smtp_port", json!(25), json!(25)),
            ("mail.smtp_host", json!("SMTP.Example.com"), json!("smtp.example.com")),
            ("ai.instructions", json!("one\ntwo"), json!("one\ntwo")),
            ("ai.base_url", json!("https://api.example.com/v1"), json!("https://api.example.com/v1")),
            ("groups.gateway_url", json!("http://10.0.0.5:3000"), json!("http://10.0.0.5:3000/")),
            ("ai.api_key", json!(" sk-1 "), json!("sealed")),
        ] {
            assert_eq!(take(key, &value), Ok(kept), "{key} {value}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_a_reason() {
        for (key, value, code) in [
            ("brand.name", json!(1), "setting_text"),
            ("brand.name", json!("x".repeat(201)), "setting_length"),
            ("mail.sender_name", json!("a\r\nBcc: b"), "setting_length"),
            ("brand.color", json!("red"), "setting_color"),
            ("brand.color", json!("#é12345"), "setting_color"),
            ("locale.region", json!("XX"), "region_unknown"),
            ("locale.region", Value::Null, "setting_not_null"),
            ("locale.time_zone", json!("Mars/Base"), "time_zone_unknown"),
            ("locale.language", json!(""), "setting_choice"),
            ("hours.weekly", json!([{}]), "setting_hours"),
            ("ai.enabled", json!("yes"), "setting_boolean"),
            ("ai.enabled", Value::Null, "setting_not_null"),
            ("mail.smtp_port", json!(0), "setting_range"),
            ("mail.smtp_port", json!(1.5), "setting_range"),
            ("mail.smtp_host", json!("127.0.0.1"), "setting_host"),
            ("mail.smtp_host", json!("smtp.example.com:25"), "setting_host"),
            ("mail.smtp_host", json!("a@b"), "setting_host"),
            ("mail.sender_address", json!("nobody"), "email_malformed"),
            ("ai.base_url", json!(""), "setting_url"),
            ("ai.base_url", json!("http://169.254.169.254/"), "setting_url"),
            ("ai.base_url", json!("https://u:p@example.com/"), "setting_url"),
            ("groups.gateway_url", json!("http://169.254.169.254/"), "setting_url"),
            ("ai.api_key", json!("  "), "setting_secret"),
            ("ai.api_key", json!("a\nb"), "setting_secret"),
        ] {
            assert_eq!(take(key, &value), Err(code), "{key} {value}");
        }
    }
}
