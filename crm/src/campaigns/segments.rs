//! How many SMS a text costs, and which letters make it dearer. Pure. A text of GSM-7 letters has 160 in one segment and 153 in each of several;
//! any other letter makes all of it UCS-2, with 70 and 67. A letter of the extension table costs two, and no letter is parted by the end of a segment.

use serde::Serialize;
use utoipa::ToSchema;

/// The letters of GSM 03.38 that cost one.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Those of its extension table, which cost two.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// What a text costs as SMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Segments {
    /// gsm7 or ucs2.
    pub encoding: &'static str,
    /// Units it takes: septets, or UTF-16 units.
    pub length: usize,
    /// Segments it is sent in.
    pub segment_count: usize,
    /// Units that still fit into the last segment.
    pub left: usize,
    /// The letters that make it UCS-2, each once, in their order; none where it is GSM-7.
    pub culprits: Vec<String>,
}

/// Counts.
#[must_use]
pub fn count(text: &str) -> Segments {
    let mut culprits: Vec<String> = Vec::new();
    for letter in text.chars().filter(|letter| septets(*letter).is_none()).map(String::from) {
        if !culprits.contains(&letter) {
            culprits.push(letter);
        }
    }
    let is_gsm = culprits.is_empty();
    let (encoding, one, each) = if is_gsm { ("gsm7", 160, 153) } else { ("ucs2", 70, 67) };
    let units: Vec<usize> =
        text.chars().map(|letter| if is_gsm { septets(letter).unwrap_or(1) } else { letter.len_utf16() }).collect();
    let length: usize = units.iter().sum();
    if length <= one {
        let segment_count = usize::from(length > 0);
        return Segments { encoding, length, segment_count, left: one - length, culprits };
    }
    let (mut segment_count, mut used) = (1, 0);
    for unit in units {
        if used + unit > each {
            segment_count += 1;
            used = 0;
        }
        used += unit;
    }
    Segments { encoding, length, segment_count, left: each - used, culprits }
}

fn septets(letter: char) -> Option<usize> {
    if BASIC.contains(letter) {
        Some(1)
    } else if EXTENDED.contains(letter) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> (&'static str, usize, usize) {
        let counted = count(text);
        (counted.encoding, counted.length, counted.segment_count)
    }

    #[test]
    fn cam_12_spanish_is_counted_by_the_letters_it_has() {
        assert_eq!(of("Hola, tu cita es mañana a las 3. ¿Confirmas? ¡Gracias!"), ("gsm7", 54, 1));
        let dear = count("Hola José, tu cita está confirmada. ¡Te esperamos mañana!");
        assert_eq!((dear.encoding, dear.length, dear.segment_count), ("ucs2", 57, 1));
        assert_eq!(dear.culprits, ["á"]);
        assert_eq!(of(&"a".repeat(161)), ("gsm7", 161, 2));
    }

    #[test]
    fn the_ends_of_segments_are_where_phones_have_them() {
        assert_eq!(of(""), ("gsm7", 0, 0));
        assert_eq!(of(&"a".repeat(160)), ("gsm7", 160, 1));
        assert_eq!(of(&"a".repeat(306)), ("gsm7", 306, 2));
        assert_eq!(of(&"a".repeat(307)), ("gsm7", 307, 3));
        assert_eq!(of(&"€".repeat(80)), ("gsm7", 160, 1));
        // 152 and an escape pair: the pair is not parted
        assert_eq!(of(&format!("{}€{}", "a".repeat(152), "a".repeat(152))), ("gsm7", 306, 3));
        assert_eq!(of(&"á".repeat(70)), ("ucs2", 70, 1));
        assert_eq!(of(&"á".repeat(71)), ("ucs2", 71, 2));
        assert_eq!(of(&"😀".repeat(35)), ("ucs2", 70, 1));
        // 33 pairs are 66 units: the next pair begins another segment
        assert_eq!(of(&"😀".repeat(67)), ("ucs2", 134, 3));
    }

    proptest! {
        #[test]
        fn segments_hold_the_text_and_no_more_are_paid_than_needed(text in "[a-zá€😀 ]{0,400}") {
            let counted = count(&text);
            let (one, each) = if counted.encoding == "gsm7" { (160, 153) } else { (70, 67) };
            prop_assert_eq!(counted.segment_count <= 1, counted.length <= one);
            if counted.segment_count > 1 {
                prop_assert!(counted.length <= counted.segment_count * each);
                prop_assert!(counted.length > (counted.segment_count - 1) * (each - 1));
            }
        }
    }
}
