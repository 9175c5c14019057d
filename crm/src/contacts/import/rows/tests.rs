use proptest::prelude::*;

use super::*;

fn format(delimiter: u8) -> Format {
    Format { encoding: Encoding::Utf8, delimiter, has_header: true, columns: None }
}

fn read_pieces(format: Format, from: Position, raw: &[u8], piece: usize) -> Vec<Item> {
    let mut reader = RowReader::new(format, from);
    let mut items = Vec::new();
    for piece in raw.chunks(piece.max(1)) {
        reader.push(piece);
        items.extend(std::iter::from_fn(|| reader.next_item()));
    }
    reader.finish();
    items.extend(std::iter::from_fn(|| reader.next_item()));
    items
}

fn read(raw: &[u8]) -> Vec<Item> {
    read_pieces(format(b','), Position::START, raw, raw.len())
}

/// Items as short texts: `H1 a|b`, `R2 c|d`, `column_count@3`.
fn story(items: &[Item]) -> Vec<String> {
    let cells = |row: &Row| row.cells().collect::<Vec<_>>().join("|");
    let lines = items.iter().map(|item| match item {
        Item::Header(row) => format!("H{} {}", row.line, cells(row)),
        Item::Row(row) => format!("R{} {}", row.line, cells(row)),
        Item::Bad(bad) => format!("{}@{}", bad.fault.code(), bad.line),
    });
    lines.collect()
}

#[test]
fn csv_01_a_byte_order_mark_is_no_part_of_the_first_header() {
    let raw = b"\xef\xbb\xbfphone_number,name\r\n+13055550142,Ana\r\n";
    assert_eq!(story(&read(raw)), ["H1 phone_number|name", "R2 +13055550142|Ana"]);
}

#[test]
fn csv_05_a_newline_in_quotes_stays_in_its_cell_and_lines_are_counted() {
    let raw = b"name,phone,address\n\"Ana\",\"+13055550142\",\"Calle 1\nPiso 2\"\nBob,1,\"say \"\"hi\"\", ok\"\n";
    let items = read(raw);
    assert_eq!(story(&items)[1..], ["R2 Ana|+13055550142|Calle 1\nPiso 2", "R4 Bob|1|say \"hi\", ok"]);
}

#[test]
fn csv_13_all_line_ends_give_the_same_rows() {
    for end in ["\n", "\r\n", "\r"] {
        let raw = ["a,b", "1,2", "", "3,4"].join(end);
        for tail in ["", end] {
            let raw = format!("{raw}{tail}");
            for piece in [1, 2, 3, 100] {
                let items = read_pieces(format(b','), Position::START, raw.as_bytes(), piece);
                assert_eq!(story(&items), ["H1 a|b", "R2 1|2", "R4 3|4"], "{end:?} {piece}");
            }
        }
    }
}

#[test]
fn csv_14_a_sep_line_is_not_a_header() {
    let items = read_pieces(format(b';'), Position::START, b"sep=;\r\nname;phone\r\nAna;1\r\n", 4);
    assert_eq!(story(&items), ["H2 name|phone", "R3 Ana|1"]);
    let items = read(b"sep=;\nname,phone\nAna,1\n");
    assert_eq!(story(&items), ["H2 name|phone", "R3 Ana|1"], "also when another delimiter was chosen");
}

#[test]
fn csv_19_ragged_rows_are_errors_and_never_shift_data() {
    let raw = b"a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n1,,\n   \n,,\n";
    assert_eq!(story(&read(raw)), ["H1 a|b|c", "column_count@2", "column_count@3", "R4 1|2|3", "R5 1||", "R7 ||"]);
    let one = Format { columns: Some(1), ..format(b',') };
    let raw_one = b" \nphone\n1\n\n \n2\n";
    assert_eq!(story(&read_pieces(one, Position::START, raw_one, 3)), ["H2 phone", "R3 1", "R5  ", "R6 2"]);
    let Item::Bad(bad) = &read(raw)[2] else { panic!() };
    assert_eq!(bad.cells, ["1", "2", "3", "4"]);
}

#[test]
fn a_nul_byte_is_an_error_of_its_row() {
    assert_eq!(story(&read(b"a,b\n1,2\nx\0,3\n4,5\n")), ["H1 a|b", "R2 1|2", "nul_byte@3", "R4 4|5"]);
}

#[test]
fn wrong_bytes_are_an_error_of_their_row() {
    let items = read(b"a,b\nJos\xe9,2\nJos\xc3,\xa9\nJos\xc3\xa9,3\n");
    assert_eq!(story(&items), ["H1 a|b", "bad_encoding@2", "bad_encoding@3", "R4 José|3"]);
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_of_its_row() {
    assert_eq!(story(&read(b"a,b\n1,2\n\"x,3\n4,5\n")), ["H1 a|b", "R2 1|2", "unclosed_quote@3"]);
    assert_eq!(story(&read(b"a,b\n1,\"2\"")), ["H1 a|b", "R2 1|2"]);
}

#[test]
fn a_cell_or_a_row_above_the_limit_is_an_error_and_the_rows_behind_it_are_read() {
    let cell = format!("a,b\n1,{}\n2,3\n", "x".repeat(MAX_CELL_BYTES + 1));
    assert_eq!(story(&read(cell.as_bytes()))[1..], ["field_too_long@2", "R3 2|3"]);
    let fits = format!("a,b\n1,{}\n2,3\n", "x".repeat(MAX_CELL_BYTES));
    assert!(story(&read(fits.as_bytes()))[1].starts_with("R2 1|xxx"));
    let commas = format!("a,b\n{}\n2,3\n", ",x".repeat(MAX_COLUMNS + 1));
    assert_eq!(story(&read(commas.as_bytes()))[1..], ["column_count@2", "R3 2|3"]);
}

#[test]
fn a_line_of_200_mebibytes_is_passed_over_in_flat_memory() {
    let mut reader = RowReader::new(format(b','), Position::START);
    let piece = vec![b'x'; 1 << 20];
    reader.push(b"a,b\n1,2\n");
    let mut items: Vec<Item> = std::iter::from_fn(|| reader.next_item()).collect();
    for _ in 0..200 {
        reader.push(&piece);
        items.extend(std::iter::from_fn(|| reader.next_item()));
        assert!(reader.input.capacity() + reader.row.capacity() < 4 << 20);
    }
    reader.push(b",y\n3,4\n");
    reader.finish();
    items.extend(std::iter::from_fn(|| reader.next_item()));
    assert_eq!(story(&items), ["H1 a|b", "R2 1|2", "row_too_long@3", "R4 3|4"]);
    let Item::Bad(bad) = &items[2] else { panic!() };
    assert_eq!(bad.end, Position { offset: 8 + (200 << 20) + 3, line: 4 });
}

fn end_of(item: &Item) -> Position {
    match item {
        Item::Header(row) | Item::Row(row) => row.end,
        Item::Bad(bad) => bad.end,
    }
}

/// Files with everything in them: quotes, all line ends, accents, wrong bytes, NULs, ragged rows.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec!["a", "José", ",", ",", "\n", "\r\n", "\"", "\"\"", " ", "😀", "12"]).prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::sample::select(vec![&b"\r"[..], b"\0", b"\xe9", b"\xef\xbb\xbf", b"\"q\nq\",", b"\n\n"]).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn any_encoding() -> impl Strategy<Value = Encoding> {
    prop::sample::select(vec![
        Encoding::Utf8,
        Encoding::Windows1252,
        Encoding::MacRoman,
        Encoding::Utf16Le,
        Encoding::Utf16Be,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn csv_17_resuming_at_the_end_of_any_row_gives_the_same_rows(file in any_file(), encoding in any_encoding(), piece in 1usize..20) {
        let format = Format { encoding, delimiter: b',', has_header: true, columns: None };
        let whole = read_pieces(format.clone(), Position::START, &file, file.len());
        prop_assert_eq!(&read_pieces(format.clone(), Position::START, &file, piece), &whole);
        let columns = match whole.first() {
            Some(Item::Header(row)) => Some(row.len()),
            Some(Item::Bad(bad)) => Some(bad.cells.len().max(1)),
            Some(Item::Row(_)) | None => None,
        };
        for (index, item) in whole.iter().enumerate() {
            if whole[..=index].iter().any(|item| matches!(item, Item::Bad(bad) if bad.fault == RowFault::UnclosedQuote)) {
                continue;
            }
            let from = end_of(item);
            prop_assert!(from.offset <= file.len() as u64);
            let resumed = Format { columns, ..format.clone() };
            let rest = read_pieces(resumed, from, &file[from.offset as usize..], piece);
            prop_assert_eq!(&rest[..], &whole[index + 1..]);
        }
    }

    #[test]
    fn what_is_written_by_the_rules_is_read_back(cells in prop::collection::vec(prop::collection::vec("[a-zé \",;\n\r']{0,8}", 2..3), 1..8)) {
        let mut file = String::from("x,y\n");
        for row in &cells {
            let quoted: Vec<String> = row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            file.push_str(&quoted.join(","));
            file.push_str("\r\n");
        }
        let items = read(file.as_bytes());
        let rows: Vec<Vec<String>> = items[1..].iter().map(|item| match item {
            Item::Row(row) => row.cells().map(str::to_owned).collect(),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(rows, cells);
    }
}
