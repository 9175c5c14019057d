//! What the server refuses with a code, the screens say in words: each code has its text in both languages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::sources::{self, root};

/// Codes that no screen can bring about.
const WITHOUT_SCREEN: [(&str, &[&str]); 4] = [
    (
        "lines are made by an API client",
        &[
            "base_url_invalid",
            "limit_range",
            "line_address_taken",
            "method_unknown",
            "on_unknown_unknown",
            "quota_too_small",
            "timeout_range",
        ],
    ),
    (
        "labels and canned replies are made over the API until there are settings for them",
        &["color_malformed", "missing", "shortcut_malformed", "shortcut_taken"],
    ),
    (
        "only clients that enqueue jobs meet these",
        &["batch_not_found", "batches_count", "lane_of_others", "payload_refused", "rows_count"],
    ),
    (
        "the application never sends such a request",
        &[
            "count_range",
            "file_missing",
            "idempotency_key_length",
            "idempotency_key_malformed",
            "one_file",
            "one_of_two",
            "one_of_three",
            "reason_not_allowed",
        ],
    ),
];

/// The code of a call that makes an error: the literal after so many others.
fn code_after(arguments: &str, has_field: bool) -> Option<&str> {
    let rest = if has_field { arguments.split_once(',')?.1 } else { arguments };
    let literal = rest.trim_start().strip_prefix('"')?;
    let code = literal.split_once('"')?.0;
    code.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit()).then_some(code)
}

/// Every code that is made in the product, with a file that makes it.
fn codes() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in ["crm/src", "api/src"].into_iter().flat_map(sources::of) {
        for (call, has_field) in [("invalid(", true), ("conflict(", false)] {
            let made = source.text.split(call).skip(1).filter_map(|after| code_after(after, has_field));
            found.extend(made.map(|code| (code.to_owned(), source.path.clone())));
        }
    }
    found
}

/// The codes that have words in a language: those of every topic.
fn worded(language: &str) -> BTreeSet<String> {
    let folder = root().join("web/src/i18n").join(language);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let topics = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    topics
        .flat_map(|path| {
            let texts: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let is_first = path.file_stem().is_some_and(|stem| stem == "problems");
            let problems = if is_first { texts } else { texts["problems"].clone() };
            problems.as_object().map(|codes| codes.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
        })
        .collect()
}

#[test]
fn every_code_that_a_screen_can_meet_has_words_in_both_languages() {
    let codes = codes();
    assert!(codes.len() > 100, "only {} codes were found", codes.len());
    let excused: BTreeSet<&str> = WITHOUT_SCREEN.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    for language in ["es", "en"] {
        let worded = worded(language);
        let silent: Vec<_> =
            codes.iter().filter(|(code, _)| !worded.contains(*code) && !excused.contains(code.as_str())).collect();
        assert!(silent.is_empty(), "no words in {language}: {silent:?}");
        let idle: Vec<_> =
            excused.iter().filter(|code| worded.contains(**code) || !codes.contains_key(**code)).collect();
        assert!(idle.is_empty(), "excused for nothing: {idle:?}");
    }
}
