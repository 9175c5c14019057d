//! The settings there are, one line each: the name, the kind, what holds where nobody has set it, and whether something in the product heeds it yet.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema},
};

use super::kind::Kind;

/// What a setting is.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// What its values are.
    pub kind: Kind,
    /// What holds where nobody has set it.
    pub initial: Initial,
    /// Whether something in the product does as it says.
    pub is_heeded: bool,
}

/// What holds where nobody has set anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// Nothing: so nothing is a value too.
    Nothing,
    /// It can't come to that: a tenant always has one, in its own row.
    Tenants,
    /// A text.
    Text(&'static str),
    /// A number.
    Number(i64),
    /// Yes or no.
    Boolean(bool),
}

impl Initial {
    /// The value, where there can be one.
    #[must_use]
    pub fn value(self) -> Option<Value> {
        match self {
            Self::Tenants => None,
            Self::Nothing => Some(Value::Null),
            Self::Text(text) => Some(text.into()),
            Self::Number(number) => Some(number.into()),
            Self::Boolean(is_on) => Some(is_on.into()),
        }
    }
}

impl Spec {
    const fn new(kind: Kind) -> Self {
        Self { kind, initial: Initial::Nothing, is_heeded: false }
    }
    const fn from(kind: Kind, initial: Initial) -> Self {
        Self { kind, initial, is_heeded: false }
    }
    /// One that a tenant has in its own row, and that something heeds.
    const fn of_tenant(kind: Kind) -> Self {
        Self { kind, initial: Initial::Tenants, is_heeded: true }
    }
    /// Whether null is a value of it: what always holds something can't be nothing.
    #[must_use]
    pub const fn is_nullable(&self) -> bool {
        matches!(self.initial, Initial::Nothing)
    }
}

/// Keeps variant, name and specification in one line each, as permissions are kept.
macro_rules! keys {
    ($($variant:ident = $name:literal => $spec:expr),+ $(,)?) => {
        /// One setting; named `group.setting`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $(#[doc = concat!("`", $name, "`.")] $variant),+
        }
        impl Key {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The name, `group.setting`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
            /// What it is.
            #[must_use]
            pub const fn spec(self) -> Spec {
                match self { $(Self::$variant => $spec),+ }
            }
        }
    };
}

// the database holds that what ends in `_key` or `_password` is sealed, and nothing else
keys! {
    BrandName = "brand.name" => Spec::new(Kind::Text { most: 200 }),
    BrandLogoUrl = "brand.logo_url" => Spec::new(Kind::Url),
    BrandColor = "brand.color" => Spec::new(Kind::Color),
    LocaleLanguage = "locale.language" => Spec::from(Kind::Choice { choices: &["es", "en"] }, Initial::Text("es")),
    LocaleTimeZone = "locale.time_zone" => Spec::of_tenant(Kind::TimeZone),
    LocaleRegion = "locale.region" => Spec::of_tenant(Kind::Region),
    HoursWeekly = "hours.weekly" => Spec::new(Kind::Hours),
    AiEnabled = "ai.enabled" => Spec::from(Kind::Boolean, Initial::Boolean(false)),
    AiModel = "ai.model" => Spec::new(Kind::Text { most: 100 }),
    AiInstructions = "ai.instructions" => Spec::new(Kind::LongText { most: 8_000 }),
    AiBaseUrl = "ai.base_url" => Spec::new(Kind::Url),
    AiApiKey = "ai.api_key" => Spec::new(Kind::Secret),
    MailSenderName = "mail.sender_name" => Spec::new(Kind::Text { most: 200 }),
    MailSenderAddress = "mail.sender_address" => Spec::new(Kind::Email),
    MailSmtpHost = "mail.smtp_host" => Spec::new(Kind::Host),
    MailSmtpPort = "mail.smtp_port" => Spec::from(Kind::Number { least: 1, most: 65_535 }, Initial::Number(587)),
    MailSmtpSecurity = "mail.smtp_security" => Spec::from(Kind::Choice { choices: &["starttls", "tls"] }, Initial::Text("starttls")),
    MailSmtpUsername = "mail.smtp_username" => Spec::new(Kind::Text { most: 254 }),
    MailSmtpPassword = "mail.smtp_password" => Spec::new(Kind::Secret),
    GroupsGatewayUrl = "groups.gateway_url" => Spec::new(Kind::GatewayUrl),
    GroupsGatewayKey = "groups.gateway_key" => Spec::new(Kind::Secret),
    WasenderApiKey = "wasender.api_key" => Spec::new(Kind::Secret),
    CmsBaseUrl = "cms.base_url" => Spec::new(Kind::Url),
    CmsApiKey = "cms.api_key" => Spec::new(Kind::Secret),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no setting.
#[derive(Debug, thiserror::Error)]
#[error("there is no setting of that name")]
pub struct UnknownKey;

impl FromStr for Key {
    type Err = UnknownKey;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|key| key.name() == name).ok_or(UnknownKey)
    }
}
impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
impl PartialSchema for Key {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|key| key.name());
        ObjectBuilder::new().schema_type(schema::Type::String).enum_values(Some(names)).into()
    }
}
impl ToSchema for Key {
    fn name() -> std::borrow::Cow<'static, str> {
        "SettingKey".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_called_a_key_or_a_password_and_nothing_else_is() {
        for key in Key::ALL {
            let is_named = key.name().ends_with("_key") || key.name().ends_with("_password");
            assert_eq!(matches!(key.spec().kind, Kind::Secret), is_named, "{key}");
        }
    }

    #[test]
    fn a_name_has_a_group_and_is_there_once() {
        for key in Key::ALL {
            let (group, setting) = key.name().split_once('.').unwrap();
            let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_plain(group) && is_plain(setting) && key.name().len() <= 60, "{key}");
            assert_eq!(key.name().parse::<Key>().unwrap(), *key);
        }
    }
}
