use proptest::prelude::*;

use super::*;

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn read(raw: &str, code: &str) -> ParsedPhone {
    parse(raw, region(code)).unwrap_or_else(|error| panic!("{raw:?} in {code}: {error}"))
}

fn phone(raw: &str, code: &str) -> String {
    read(raw, code).phone.to_string()
}

fn error(raw: &str, code: &str) -> &'static str {
    match parse(raw, region(code)) {
        Ok(parsed) => panic!("{raw:?} was read as {parsed:?}"),
        Err(error) => error.code(),
    }
}

#[test]
fn numbers_are_stored_as_e164_whatever_their_punctuation() {
    for raw in ["(305) 555-0142", "305.555.0142", "1-305-555-0142", "+1 305 555 0142", "305/555-0142", "3055550142"] {
        assert_eq!(phone(raw, "US"), "+13055550142", "{raw}");
    }
    assert_eq!(phone("612 34 56 78", "ES"), "+34612345678");
    assert_eq!(phone("+44 (0)20 7946 0958", "US"), "+442079460958");
    assert_eq!(phone("030/23125000", "DE"), "+493023125000");
    assert_eq!(phone("504-621-8927", "US"), "+15046218927");
}

#[test]
fn csv_10_foreign_prefixes_are_a_plus() {
    assert_eq!(phone("00 34 612 34 56 78", "ES"), "+34612345678");
    assert_eq!(phone("00 34 612 34 56 78", "US"), "+34612345678");
    assert_eq!(phone("011 52 55 1234 5678", "US"), "+525512345678");
    assert_eq!(phone("0041 44 364 35 33", "DE"), "+41443643533");
    assert_eq!(phone("011 52 1 55 1234 5678", "US"), "+525512345678");
}

#[test]
fn csv_06_a_number_expanded_by_excel_is_repaired_only_when_no_digit_is_lost() {
    for raw in
        ["3.055550142E9", "3.055550142e+09", "3,055550142E+09", "3055550142.0", "3055550142.00", "3.0555501420E9"]
    {
        let parsed = read(raw, "US");
        assert_eq!(parsed.phone.as_str(), "+13055550142", "{raw}");
        assert_eq!(parsed.warning, Some(PhoneWarning::ExpandedNumber), "{raw}");
    }
    assert_eq!(error("1.30556E+10", "US"), "phone_scientific_lossy");
    assert_eq!(error("2.12457E+09", "US"), "phone_scientific_lossy");
    assert_eq!(error("3.0555501425E9", "US"), "phone_invalid");
    assert_eq!(error("3.05E-9", "US"), "phone_invalid");
}

#[test]
fn csv_15_the_mexican_mobile_one_is_dropped() {
    for raw in ["+52 1 55 1234 5678", "+525512345678", "0052 1 55 1234 5678"] {
        assert_eq!(phone(raw, "US"), "+525512345678", "{raw}");
    }
    assert_eq!(phone("5215512345678", "MX"), "+525512345678");
    assert_eq!(phone("55 1234 5678", "MX"), "+525512345678");
    assert_eq!(read("+5215512345678", "US").warning, Some(PhoneWarning::MexicoMobileOne));
}

#[test]
fn brazilian_mobiles_of_eight_digits_get_their_nine() {
    let parsed = read("+55 11 8123-4567", "US");
    assert_eq!(parsed.phone.as_str(), "+5511981234567");
    assert_eq!(parsed.warning, Some(PhoneWarning::BrazilNinthDigit));
    assert_eq!(phone("(11) 8123-4567", "BR"), "+5511981234567");
    assert_eq!(phone("(11) 98123-4567", "BR"), "+5511981234567");
    assert_eq!(phone("+55 11 3123-4567", "BR"), "+551131234567", "a landline stays");
}

#[test]
fn invisible_marks_wide_digits_and_leading_quotes_do_not_matter() {
    for raw in [
        "'+13055550142",
        "\u{202a}+13055550142\u{202c}",
        "\u{feff}305\u{200b}5550142",
        "＋１３０５５５５０１４２",
        "=\"3055550142\"",
        "\u{a0}305\u{a0}555\u{2011}0142 ",
        "٣٠٥٥٥٥٠١٤٢",
        "tel: 305-555-0142",
        "Cel. 305-555-0142 (casa)",
        "305-555-0142\0",
    ] {
        assert_eq!(phone(raw, "US"), "+13055550142", "{raw:?}");
    }
}

#[test]
fn extensions_are_kept_apart() {
    for (raw, extension) in [
        ("305-555-0142 x302", "302"),
        ("305-555-0142 ext. 302", "302"),
        ("305-555-0142, extensión 7", "7"),
        ("(305) 555-0142 #12", "12"),
        ("305-555-0142;ext=44", "44"),
        ("305-555-0142 (ext 9)", "9"),
        ("305-555-0142 x302/x2303", "302"),
    ] {
        let parsed = read(raw, "US");
        assert_eq!((parsed.phone.as_str(), parsed.extension.as_deref()), ("+13055550142", Some(extension)), "{raw}");
        assert_eq!(parsed.extra, None, "{raw}");
    }
}

#[test]
fn two_numbers_in_one_cell_are_split_and_never_an_extension() {
    for raw in [
        "305-555-0142 / 305-555-0143",
        "305-555-0142;305-555-0143",
        "3055550142,3055550143",
        "(305) 555-0142 | (305) 555-0143",
        "305-555-0142 y 305-555-0143",
        "305-555-0142 or 305-555-0143",
        "305-555-0142\n305-555-0143",
        "+13055550142 +13055550143",
        "305-555-0142 / 305-555-0142 / 305-555-0143",
    ] {
        let parsed = read(raw, "US");
        assert_eq!(parsed.phone.as_str(), "+13055550142", "{raw}");
        assert_eq!(parsed.extra.as_ref().map(Phone::as_str), Some("+13055550143"), "{raw}");
        assert_eq!((parsed.extension, parsed.warning), (None, None), "{raw}");
    }
    let short = read("305-555-0142, 123", "US");
    assert_eq!((short.extension, short.extra, short.warning), (None, None, Some(PhoneWarning::PartIgnored)));
    let three = read("305-555-0142; 305-555-0143; 305-555-0144", "US");
    assert_eq!(three.warning, Some(PhoneWarning::MoreThanTwo));
}

#[test]
fn what_is_not_a_number_has_a_code() {
    for raw in ["", "  ", "-", "n/a", "NULL", "\u{200b}", "'", ";"] {
        assert_eq!(error(raw, "US"), "phone_empty", "{raw:?}");
    }
    for raw in ["abc", "212456789O", "1-800-FLOWERS", "ana 305-555-014x", "call Ana"] {
        assert_eq!(error(raw, "US"), "phone_letters", "{raw:?}");
    }
    for raw in ["12345", "911", "+", "3055550142305555014230555501423055550142", "*67 3055550142", "+999 12345678"] {
        let code = error(raw, "US");
        assert!(code == "phone_invalid" || raw == "+", "{raw:?}: {code}");
    }
    assert_eq!(error("555-0142", "US"), "phone_invalid", "possible is not enough");
}

#[test]
fn only_real_regions_are_regions() {
    assert_eq!(region("us").code(), "US");
    for text in ["", "XX", "001", "USA", "ñu"] {
        assert!(text.parse::<Region>().is_err(), "{text}");
    }
}

#[test]
fn a_stored_phone_is_read_back_only_as_valid_e164() {
    let stored = phone("305-555-0142", "US");
    assert_eq!(Phone::from_e164(&stored).unwrap().region_code().as_deref(), Some("US"));
    for text in ["13055550142", "+1 3055550142", "+", "+1305555014", "+5215512345678"] {
        assert!(Phone::from_e164(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Phone>("\"nonsense\"").is_err());
}

proptest! {
    #[test]
    fn any_text_is_either_a_valid_number_or_an_error(raw in "\\PC{0,40}", code in prop::sample::select(vec!["US", "ES", "MX", "BR", "DE"])) {
        if let Ok(parsed) = parse(&raw, region(code)) {
            prop_assert!(Phone::from_e164(parsed.phone.as_str()).is_ok());
        }
    }

    #[test]
    fn phone_like_text_never_panics_and_reading_twice_changes_nothing(raw in "[0-9 +().,;/|xyorE#'\n-]{0,40}") {
        if let Ok(parsed) = parse(&raw, region("US")) {
            let again = parse(parsed.phone.as_str(), region("MX")).unwrap();
            prop_assert_eq!(&again.phone, &parsed.phone);
            if let Some(extra) = parsed.extra {
                prop_assert_ne!(extra, parsed.phone);
            }
        }
    }
}
