//! What is the number of a payment card.

/// Digits of a card's number: which it begins with, and how many it has (ISO/IEC 7812; Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay,
/// Maestro). Numbers of other things pass the check digit by chance, one in ten: the beginnings keep most of those out.
const CARDS: [(u32, u32, &[usize]); 19] = [
    (4, 4, &[16, 19]),
    (51, 55, &[16]),
    (2221, 2720, &[16]),
    (34, 34, &[15]),
    (37, 37, &[15]),
    (300, 305, &[14, 16]),
    (36, 36, &[14, 16]),
    (38, 39, &[14, 16]),
    (6011, 6011, &[16, 19]),
    (644, 659, &[16, 19]),
    (3528, 3589, &[16, 17, 18, 19]),
    (62, 62, &[16, 17, 18, 19]),
    (5018, 5018, &[16, 17, 18, 19]),
    (5020, 5020, &[16, 17, 18, 19]),
    (5038, 5038, &[16, 17, 18, 19]),
    (5893, 5893, &[16, 17, 18, 19]),
    (6304, 6304, &[16, 17, 18, 19]),
    (6759, 6759, &[16, 17, 18, 19]),
    (6761, 6763, &[16, 17, 18, 19]),
];
/// Whether digits are the number of a card.
pub(super) fn is_card(digits: &str) -> bool {
    let begins = |(least, most, lengths): &(u32, u32, &[usize])| {
        let width = least.to_string().len();
        lengths.contains(&digits.len())
            && digits
                .get(..width)
                .and_then(|head| head.parse().ok())
                .is_some_and(|head: u32| (*least..=*most).contains(&head))
    };
    CARDS.iter().any(begins) && has_check_digit(digits)
}

/// Luhn's check digit (ISO/IEC 7812-1, annex B).
fn has_check_digit(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(nth, byte)| {
            let digit = u32::from(byte - b'0');
            match nth % 2 {
                0 => digit,
                _ if digit > 4 => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}
