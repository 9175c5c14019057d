//! Numbers of payment cards that people write or say: of what is stored only the last four digits are left, since whoever keeps the rest answers for it.

use std::borrow::Cow;

use super::card_numbers::is_card;

/// Digits that are left.
const LEFT: usize = 4;
/// What stands for a digit.
const MASK: char = '•';

/// A run of digits in a text: where it begins and ends.
type Group = (usize, usize);

/// The text with the numbers of cards masked, grouped as they were: `4111 1111 1111 1111` is `•••• •••• •••• 1111`.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    let groups = groups(text);
    let mut masked: Option<String> = None;
    let mut copied = 0;
    let mut nth = 0;
    while nth < groups.len() {
        let Some(count) = card_at(text, &groups[nth..]) else {
            nth += 1;
            continue;
        };
        let (from, until) = (groups[nth].0, groups[nth + count - 1].1);
        let out = masked.get_or_insert_with(String::new);
        out.push_str(&text[copied..from]);
        let digits = text[from..until].bytes().filter(u8::is_ascii_digit).count();
        let mut seen = 0;
        for letter in text[from..until].chars() {
            if letter.is_ascii_digit() {
                seen += 1;
            }
            out.push(if letter.is_ascii_digit() && seen + LEFT <= digits { MASK } else { letter });
        }
        copied = until;
        nth += count;
    }
    match masked {
        Some(mut out) => {
            out.push_str(&text[copied..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(text),
    }
}

fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        if byte.is_ascii_digit() {
            match groups.last_mut() {
                Some((_, until)) if *until == at => *until = at + 1,
                _ => groups.push((at, at + 1)),
            }
        }
    }
    groups
}

/// How many of the groups are the number of a card that begins with the first of them; of several the longest.
fn card_at(text: &str, groups: &[Group]) -> Option<usize> {
    if text[..groups[0].0].ends_with(is_part_of_more) {
        return None;
    }
    let mut digits = String::new();
    let mut found = None;
    for (nth, (from, until)) in groups.iter().enumerate() {
        let is_parted = nth > 0 && !matches!(&text[groups[nth - 1].1..*from], " " | "-" | "." | "\u{a0}");
        digits.push_str(&text[*from..*until]);
        if is_parted || digits.len() > 19 {
            break;
        }
        if is_card(&digits) && !text[*until..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '@')) {
            found = Some(nth + 1);
        }
    }
    found
}

/// What stands before digits of an address, a phone number or a name of something.
fn is_part_of_more(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '#' | '&' | '%' | '@' | '?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_cards_keep_their_last_four_digits_and_their_form() {
        // what the networks give out for tests
        for (text, masked) in [
            ("4111111111111111", "••••••••••••1111"),
            ("mi tarjeta es 4111 1111 1111 1111 12/26 cvv 123", "mi tarjeta es •••• •••• •••• 1111 12/26 cvv 123"),
            ("5555-5555-5555-4444.", "••••-••••-••••-4444."),
            ("amex 3782 822463 10005, gracias", "amex •••• •••••• •0005, gracias"),
            ("(6011.1111.1111.1117)", "(••••.••••.••••.1117)"),
            ("2223003122003222", "••••••••••••3222"),
            ("diners 30569309025904", "diners ••••••••••5904"),
            ("6200000000000005", "••••••••••••0005"),
            ("una 4242424242424242 y otra 5105105105105100", "una ••••••••••••4242 y otra ••••••••••••5100"),
        ] {
            assert_eq!(mask(text), masked);
            assert_eq!(mask(masked), masked, "once is enough");
        }
    }

    #[test]
    fn other_numbers_stay_as_they_are() {
        for text in [
            "",
            "hola",
            "4111111111111112",
            "+4915112345678 y 13055550142",
            "llámame al 305 555 0142 o al 305 555 0143",
            "póliza A4111111111111111",
            "https://example.com/4111111111111111?x=1",
            "4111111111111111x",
            "cuenta 0049 1500 05 1234567892",
            "490154203237518",
            "41111111111111111111",
            "4111 1111  1111 1111",
            "4111,1111,1111,1111",
        ] {
            assert!(matches!(mask(text), Cow::Borrowed(same) if same == text), "{text}: {}", mask(text));
        }
    }
}
