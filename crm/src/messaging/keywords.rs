//! The words by which people leave and rejoin (rule D8): exact matches only, anything looser goes to a human.
//! Decides what a text says; what follows from it (suppression, confirmation) is decided elsewhere.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What an incoming text means for the sender's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keyword {
    /// Wants no more messages.
    OptOut,
    /// Wants messages again.
    OptIn,
    /// Means opt-in only from somebody who is opted out now; otherwise it is an ordinary answer ("yes").
    OptInIfOut,
    /// Contains an opt-out word among others: kept out of campaigns until a human decides.
    Review,
    /// Nothing of the kind.
    None,
}

const OPT_OUT: [&str; 18] = [
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "opt out",
    "alto",
    "baja",
    "dar de baja",
    "parar",
    "detener",
    "cancelar",
    "salir",
    "no mas",
];
const OPT_IN: [&str; 3] = ["start", "unstop", "alta"];
const OPT_IN_IF_OUT: [&str; 2] = ["yes", "si"];

/// Classifies a message; upper case, accents, punctuation and spacing do not matter.
pub fn classify(text: &str) -> Keyword {
    let text = normalise(text);
    let text = text.as_str();
    if OPT_OUT.contains(&text) {
        Keyword::OptOut
    } else if OPT_IN.contains(&text) {
        Keyword::OptIn
    } else if OPT_IN_IF_OUT.contains(&text) {
        Keyword::OptInIfOut
    } else if contains_opt_out(text) {
        Keyword::Review
    } else {
        Keyword::None
    }
}

/// Whether the word by which somebody leaves or rejoins is Spanish: the confirmation answers in the same language.
#[must_use]
pub fn is_spanish(text: &str) -> bool {
    const SPANISH: [&str; 10] =
        ["alto", "baja", "dar de baja", "parar", "detener", "cancelar", "salir", "no mas", "alta", "si"];
    SPANISH.contains(&normalise(text).as_str())
}

/// Lower-case words of letters and digits, separated by single spaces.
fn normalise(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            words.push(c);
        } else if matches!(c, '\'' | '’' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
        {
            // "don't" is one word, and invisible marks do not part words.
        } else if !words.ends_with(' ') && !words.is_empty() {
            words.push(' ');
        }
    }
    words.truncate(words.trim_end().len());
    words
}

fn contains_opt_out(text: &str) -> bool {
    let padded = format!(" {text} ");
    OPT_OUT.iter().any(|keyword| {
        padded
            .match_indices(keyword)
            .any(|(at, found)| padded[..at].ends_with(' ') && padded[at + found.len()..].starts_with(' '))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cam_06_a_stop_word_alone_is_an_opt_out_and_inside_a_sentence_is_for_a_human() {
        for text in [
            "Stop.",
            " STOP!! ",
            "stop",
            "¡Alto!",
            "BAJA",
            "No más",
            "no  mas.",
            "Opt-out",
            "opt out",
            "STOP\n",
            "Ｓｔｏｐ",
        ] {
            assert_eq!(classify(text), Keyword::OptOut, "{text}");
        }
        for text in [
            "Count me in! We have got to STOP this",
            "please stop",
            "quiero darme de baja ya",
            "Stop - it",
            "no más mensajes",
        ] {
            assert_eq!(classify(text), Keyword::Review, "{text}");
        }
    }

    #[test]
    fn a_keyword_inside_a_word_is_nothing() {
        for text in
            ["stopwatch", "nonstop flight", "the weekend", "salieron", "", "  ", "👍", "trabaja bien", "endless"]
        {
            assert_eq!(classify(text), Keyword::None, "{text}");
        }
    }

    #[test]
    fn yes_and_si_count_only_for_those_who_are_out() {
        for text in ["Yes", "SÍ", "si!", "yes."] {
            assert_eq!(classify(text), Keyword::OptInIfOut, "{text}");
        }
        for text in ["START", "alta", "Unstop"] {
            assert_eq!(classify(text), Keyword::OptIn, "{text}");
        }
        for text in ["yes please", "si quieres", "start now"] {
            assert_eq!(classify(text), Keyword::None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn case_spaces_and_punctuation_never_change_the_answer(
            keyword in prop::sample::select(OPT_OUT.to_vec()), front in "[ .!¡*\\-\n]{0,4}", back in "[ .!?\n…]{0,4}", upper in any::<bool>(),
        ) {
            let word = if upper { keyword.to_uppercase() } else { keyword.to_owned() };
            let text = format!("{}{}{}", front, word, back);
            prop_assert_eq!(classify(&text), Keyword::OptOut);
        }

        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,60}") {
            let _ = classify(&text);
        }
    }
}
