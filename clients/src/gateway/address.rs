//! Addresses, chat guids and texts as they are compared: one person in one spelling, whatever a Mac calls the chat.

use unicode_normalization::UnicodeNormalization;

use super::Service;

/// A chat guid taken apart: `service;kind;identifier`, or just the identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatGuid<'a> {
    /// The service it names; `Unknown` for `any` and for a bare identifier.
    pub service: Service,
    /// A group; None when the spelling does not tell.
    pub is_group: Option<bool>,
    /// The address or the group's id.
    pub identifier: &'a str,
}

impl<'a> ChatGuid<'a> {
    /// Takes a guid apart; anything has a reading.
    pub fn parse(guid: &'a str) -> Self {
        let mut parts = guid.splitn(3, ';');
        if let (Some(service), Some(kind @ ("-" | "+")), Some(identifier)) = (parts.next(), parts.next(), parts.next())
        {
            return Self { service: Service::from_name(service), is_group: Some(kind == "+"), identifier };
        }
        let group_id =
            guid.strip_prefix("chat").is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
        let address = guid.starts_with('+') || guid.contains('@') || guid.starts_with("urn:");
        let is_group = if group_id {
            Some(true)
        } else if address {
            Some(false)
        } else {
            None
        };
        Self { service: Service::Unknown, is_group, identifier: guid }
    }

    /// The other side, normalised; None for a group.
    pub fn address(&self) -> Option<String> {
        match self.is_group {
            Some(true) => None,
            Some(false) | None => normalise_address(self.identifier),
        }
    }
}

/// A mail address has at most 64 octets, the sign and 255 more (RFC 5321, 4.5.3.1).
const MAX_ADDRESS: usize = 320;

/// One spelling per address: phones without punctuation, short codes as digits, e-mail in lower case. None when nothing is left.
///
/// One that is longer than any mail address may be is none.
pub fn normalise_address(address: &str) -> Option<String> {
    let address = address.trim();
    if address.len() > MAX_ADDRESS {
        return None;
    }
    let address = ["tel:", "mailto:"].iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
    if address.contains('@') {
        return Some(address.chars().filter(|c| *c != '\0').flat_map(char::to_lowercase).collect());
    }
    let is_phone = address.bytes().any(|b| b.is_ascii_digit())
        && address.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || matches!(c, '+' | '-' | '(' | ')' | '.'));
    let clean: String = if is_phone {
        let plus = if address.starts_with('+') { "+" } else { "" };
        plus.chars().chain(address.chars().filter(char::is_ascii_digit)).collect()
    } else {
        // Business ids and masked numbers are nothing to take apart.
        address.chars().filter(|c| *c != '\0').collect()
    };
    (!clean.is_empty()).then_some(clean)
}

/// The form in which a text read back is compared with the text sent: composed, trimmed, and any white space as one blank.
/// Messages trims texts and may change line ends; letters it leaves alone, so nothing else is folded.
pub fn text_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    let mut gap = false;
    for letter in text.chars().filter(|c| !matches!(c, '\0' | '\u{fffc}')).nfc() {
        if letter.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && !key.is_empty() {
            key.push(' ');
        }
        gap = false;
        key.push(letter);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_direct_chat_is_one_address() {
        for guid in [
            "iMessage;-;+13055550142",
            "any;-;+13055550142",
            "SMS;-;+13055550142",
            "RCS;-;+13055550142",
            "+13055550142",
        ] {
            let chat = ChatGuid::parse(guid);
            assert_eq!(chat.address().as_deref(), Some("+13055550142"), "{guid}");
            assert_eq!(chat.is_group, Some(false), "{guid}");
        }
        assert_eq!(ChatGuid::parse("SMS;-;21525").address().as_deref(), Some("21525"));
        assert_eq!(ChatGuid::parse("iMessage;-;Ana@Example.com").address().as_deref(), Some("ana@example.com"));
        assert_eq!(ChatGuid::parse("iMessage;-;urn:biz:4f-2A").address().as_deref(), Some("urn:biz:4f-2A"));
    }

    #[test]
    fn a_group_has_no_address() {
        for guid in ["iMessage;+;chat123456789", "any;+;chat123456789", "SMS;+;chat1", "chat123456789"] {
            assert_eq!(ChatGuid::parse(guid).is_group, Some(true), "{guid}");
            assert_eq!(ChatGuid::parse(guid).address(), None, "{guid}");
        }
    }

    #[test]
    fn the_service_of_a_guid_is_only_what_it_names() {
        assert_eq!(ChatGuid::parse("SMS;-;+1").service, Service::Sms);
        assert_eq!(ChatGuid::parse("iMessage;-;+1").service, Service::Imessage);
        assert_eq!(ChatGuid::parse("any;-;+1").service, Service::Unknown);
        assert_eq!(ChatGuid::parse("+1").service, Service::Unknown);
    }

    #[test]
    fn phones_lose_their_punctuation_and_nothing_else() {
        assert_eq!(normalise_address(" +1 (305) 555-0142 ").as_deref(), Some("+13055550142"));
        assert_eq!(normalise_address("tel:+13055550142").as_deref(), Some("+13055550142"));
        assert_eq!(normalise_address("+1305*****42").as_deref(), Some("+1305*****42"));
        assert_eq!(normalise_address("a-b+c@X-y.com").as_deref(), Some("a-b+c@x-y.com"));
        assert_eq!(normalise_address("  "), None);
    }

    #[test]
    fn texts_compare_by_letters_not_by_bytes() {
        assert_eq!(text_key("  Hola\r\n\n Jose\u{301} \u{fffc}"), text_key("Hola Jos\u{e9}"));
        assert_eq!(text_key("a\u{fffc}b"), "ab");
        assert_ne!(text_key("Hola"), text_key("hola"));
        assert_ne!(text_key("\u{1f525}"), text_key("\u{2764}"));
        assert_eq!(text_key(" \n"), "");
    }
}
