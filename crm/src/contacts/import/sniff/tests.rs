use proptest::prelude::*;

use super::*;

fn look(bytes: &[u8]) -> Sniffed {
    sniff(bytes, true, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(bytes: &[u8]) -> &'static str {
    sniff(bytes, true, &Overrides::default()).unwrap_err().code()
}

fn first_row(sniffed: &Sniffed) -> Vec<&str> {
    sniffed.sample[0].cells().collect()
}

#[test]
fn csv_01_a_byte_order_mark_names_the_encoding_and_is_no_header() {
    let file = look(b"\xef\xbb\xbfphone_number,name\r\n+13055550142,Ana\r\n");
    assert_eq!((file.format.encoding, file.headers), (Encoding::Utf8, vec!["phone_number".into(), "name".into()]));
}

#[test]
fn csv_02_semicolons_are_found() {
    let file = look("Nombre;Teléfono\nJosé;612 34 56 78\n".as_bytes());
    assert_eq!((file.format.delimiter, file.format.columns), (b';', Some(2)));
    assert_eq!(first_row(&file), ["José", "612 34 56 78"]);
}

#[test]
fn csv_03_windows_1252_is_found_and_mac_roman_can_be_chosen() {
    let file = look(b"Nombre,Tel\r\nJos\xe9 Mu\xf1oz,+525512345678");
    assert_eq!(file.format.encoding, Encoding::Windows1252);
    assert_eq!(first_row(&file), ["José Muñoz", "+525512345678"]);
    let overrides = Overrides { encoding: Some(Encoding::MacRoman), ..Overrides::default() };
    let file = sniff(b"Nombre,Tel\rJos\x8e,+525512345678", true, &overrides).unwrap();
    assert_eq!(first_row(&file), ["José", "+525512345678"]);
}

#[test]
fn utf_16_is_found_with_and_without_its_mark() {
    let text = "Nombre\tTel\r\nJosé\t+525512345678\r\n";
    for mark in ["\u{feff}", ""] {
        let marked = format!("{mark}{text}");
        let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, encoding) in [(little, Encoding::Utf16Le), (big, Encoding::Utf16Be)] {
            let file = look(&bytes);
            assert_eq!((file.format.encoding, file.format.delimiter), (encoding, b'\t'));
            assert_eq!(first_row(&file), ["José", "+525512345678"]);
        }
    }
}

#[test]
fn a_few_wrong_bytes_in_good_utf_8_are_bad_rows_and_not_another_encoding() {
    let file = look(b"name,phone\nJos\xc3\xa9,1\nMu\xc3\xb1oz,2\nJos\xe9,3\n");
    assert_eq!(file.format.encoding, Encoding::Utf8);
    assert_eq!((file.sample.len(), file.bad.len(), file.bad[0].line), (2, 1, 4));
}

#[test]
fn csv_14_a_sep_line_decides() {
    let file = look(b"sep=;\r\nname,x;phone\r\na,b;1\r\n");
    assert_eq!((file.format.delimiter, file.headers), (b';', vec!["name,x".into(), "phone".into()]));
}

#[test]
fn every_delimiter_is_found_and_the_one_inside_quotes_or_values_is_not() {
    for delimiter in [",", ";", "\t", "|"] {
        let text =
            ["name", "phone", "note"].join(delimiter) + "\n" + &["\"Gil, Ana; x\"", "1", "a"].join(delimiter) + "\n";
        assert_eq!(look(text.as_bytes()).format.delimiter, delimiter.as_bytes()[0], "{delimiter:?}");
    }
    assert_eq!(look(b"name;phone\nGil, Ana;1\nBo, Al;2\n").format.delimiter, b';');
    assert_eq!(look(b"phone\n3055550142; 3055550143\n").headers, ["phone"]);
}

#[test]
fn a_file_without_a_header_is_noticed() {
    let file = look(b"Ana,+13055550142,a@example.com\nBob,+13055550143,b@example.com\n");
    assert!(!file.format.has_header);
    assert_eq!(file.headers, ["column 1", "phone", "email"]);
    assert_eq!(file.sample.len(), 2);
    let overrides = Overrides { has_header: Some(true), ..Overrides::default() };
    assert_eq!(sniff(b"Ana,+13055550142\nBob,1\n", true, &overrides).unwrap().headers, ["Ana", "+13055550142"]);
}

#[test]
fn what_is_no_csv_file_is_refused() {
    let noise: Vec<u8> = (0..4000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for bytes in [
        &b"PK\x03\x04\x14\0\x06\0"[..],
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        b"\x1f\x8b\x08\0",
        b"<html><body>",
        b"[{\"phone\":1}]",
        &noise,
    ] {
        assert_eq!(refusal(bytes), "not_csv");
    }
    for bytes in [&b""[..], b"\xef\xbb\xbf", b"\r\n \n"] {
        assert_eq!(refusal(bytes), "empty_file");
    }
    assert_eq!(look(b"name,phone\nA\0na,1\n").bad.len(), 1, "one NUL is an error of its row");
}

#[test]
fn a_first_line_without_end_is_refused() {
    let endless = vec![b'x'; HEAD_BYTES + 10];
    assert_eq!(sniff(&endless, false, &Overrides::default()).unwrap_err().code(), "header_unreadable");
    assert_eq!(refusal(b"\"name,phone\nAna,1\n"), "header_unreadable");
}

proptest! {
    #[test]
    fn evidence_does_not_depend_on_how_the_bytes_arrive(text in "[a-zñé😀€,\n]{0,40}", wrong in prop::collection::vec(0x80u8..0xff, 0..3), piece in 1usize..9) {
        let mut bytes = text.into_bytes();
        bytes.extend(wrong);
        bytes.extend(b"abc");
        let mut whole = EncodingEvidence::default();
        whole.push(&bytes);
        let mut parts = EncodingEvidence::default();
        bytes.chunks(piece).for_each(|piece| parts.push(piece));
        prop_assert_eq!(whole.good, parts.good);
        prop_assert_eq!(whole.verdict(true), parts.verdict(true));
    }

    #[test]
    fn any_bytes_are_a_file_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..300), complete in any::<bool>()) {
        if let Ok(file) = sniff(&bytes, complete, &Overrides::default()) {
            prop_assert_eq!(file.format.columns, Some(file.headers.len()));
        }
    }
}
