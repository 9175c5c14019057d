//! The part of a text that shows why it was found. Pure.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Characters that are shown.
const SHOWN: usize = 160;
/// Of these, characters before the word.
const BEFORE: usize = 40;

/// The text around the first of the words, whatever its case and accents; the beginning where none is in it.
pub(super) fn around(text: &str, words: &[String]) -> String {
    let letters: Vec<char> = text.chars().collect();
    // each folded letter with the place of the one it came from
    let folded: Vec<(char, usize)> =
        letters.iter().enumerate().flat_map(|(at, c)| fold(*c).map(move |folded| (folded, at))).collect();
    let place = words.iter().filter_map(|word| find(&folded, word)).min().unwrap_or(0);
    let from = place.saturating_sub(BEFORE);
    let until = letters.len().min(from + SHOWN);
    let shown: String = letters[from..until].iter().map(|c| if c.is_whitespace() { ' ' } else { *c }).collect();
    let (start, end) = (if from > 0 { "…" } else { "" }, if until < letters.len() { "…" } else { "" });
    format!("{start}{}{end}", shown.trim())
}

fn fold(c: char) -> impl Iterator<Item = char> {
    std::iter::once(c)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Where a word begins in the text.
fn find(folded: &[(char, usize)], word: &str) -> Option<usize> {
    let word: Vec<char> = word.chars().flat_map(fold).collect();
    let starts = |at: usize| at == 0 || !folded[at - 1].0.is_alphanumeric();
    let mut windows = folded.windows(word.len().max(1)).enumerate();
    windows.find(|(at, window)| starts(*at) && window.iter().map(|(c, _)| c).eq(&word)).map(|(_, window)| window[0].1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str, words: &[&str]) -> String {
        around(text, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_word_is_shown_with_what_is_around_it() {
        assert_eq!(of("Hola José", &["jose"]), "Hola José");
        let long = format!("{} la cita del señor MUÑOZ {}", "x ".repeat(100), "y ".repeat(200));
        let shown = of(&long, &["munoz"]);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("MUÑOZ"), "{shown}");
        assert_eq!(of("a\n\nb", &["zzz"]), "a  b");
        assert_eq!(of("", &["a"]), "");
    }

    proptest! {
        #[test]
        fn any_text_has_a_short_snippet(text in "\\PC{0,400}", word in "\\PC{0,10}") {
            prop_assert!(around(&text, &[word]).chars().count() <= SHOWN + 2);
        }
    }
}
