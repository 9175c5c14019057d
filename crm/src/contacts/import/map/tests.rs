use proptest::prelude::*;

use super::*;

fn headers(text: &str) -> Vec<String> {
    column_names(text.split(','))
}

fn guess(text: &str) -> Vec<String> {
    Mapping::guess(&headers(text)).fields().iter().map(Field::to_string).collect()
}

fn us() -> Region {
    "US".parse().unwrap()
}

fn apply(header: &str, cells: &[&str]) -> Result<ContactDraft, RowProblem> {
    Mapping::guess(&headers(header)).apply(&Row::of(2, cells), us())
}

fn asked(pairs: &[(&str, &str)]) -> BTreeMap<String, Field> {
    pairs.iter().map(|(column, field)| ((*column).to_owned(), field.parse().unwrap())).collect()
}

#[test]
fn csv_18_spanish_and_english_headers_are_recognised() {
    assert_eq!(guess("Celular,Correo electrónico,Apellidos,Nombre(s)"), ["phone", "email", "last_name", "first_name"]);
    assert_eq!(guess("Nombre,Teléfono"), ["full_name", "phone"]);
    assert_eq!(guess("\u{feff}phone_number,name"), ["phone", "full_name"]);
    assert_eq!(
        guess("First Name,lastName,E-mail,ZIP code,Time Zone"),
        ["first_name", "last_name", "email", "postal_code", "time_zone"]
    );
    assert_eq!(guess("Name,Last name,Tel"), ["first_name", "last_name", "phone"]);
    assert_eq!(
        guess("first_name,last_name,company_name,address,city,county,state,zip,phone1,phone2,email,web"),
        [
            "first_name",
            "last_name",
            "company",
            "address",
            "city",
            "attribute:county",
            "state",
            "postal_code",
            "phone",
            "second_phone",
            "email",
            "attribute:web"
        ]
    );
}

#[test]
fn the_mobile_column_is_the_phone_and_no_field_is_guessed_twice() {
    assert_eq!(guess("Teléfono,Celular,Tel"), ["second_phone", "phone", "attribute:tel"]);
    assert_eq!(guess("phone2,email"), ["phone", "email"]);
    assert_eq!(guess("phone,phone,"), ["phone", "second_phone", "attribute:column3"]);
    assert_eq!(guess("import_line,import_code,phone"), ["ignore", "ignore", "phone"], "a mended error file");
    assert_eq!(guess("Color favorito"), ["attribute:colorFavorito"]);
}

#[test]
fn csv_09_a_mapping_that_cannot_work_is_refused_before_the_start() {
    let headers = headers("Tel1,Tel2,Nombre");
    let code = |pairs: &[(&str, &str)]| Mapping::from_request(&headers, &asked(pairs)).unwrap_err().code();
    assert_eq!(code(&[("Tel1", "phone"), ("Tel2", "phone")]), "column_conflict");
    assert_eq!(code(&[("Tel9", "phone")]), "column_unknown");
    assert_eq!(code(&[("Tel1", "ignore"), ("Tel2", "ignore")]), "no_address_column");
    assert_eq!("fone".parse::<Field>().unwrap_err().code(), "field_unknown");
    let mapping = Mapping::from_request(&headers, &asked(&[("Tel2", "phone"), ("Tel1", "ignore")])).unwrap();
    assert_eq!(mapping.fields(), [Field::Ignore, Field::Phone, Field::FullName]);
}

#[test]
fn an_asked_phone_column_wins_over_the_guess() {
    let headers = headers("phone1,phone2");
    let mapping = Mapping::from_request(&headers, &asked(&[("phone2", "phone")])).unwrap();
    assert_eq!(mapping.fields(), [Field::SecondPhone, Field::Phone]);
    let headers = self::headers("phone,color,tint");
    let mapping = Mapping::from_request(&headers, &asked(&[("tint", "attribute:color")])).unwrap();
    assert_eq!(mapping.fields()[1], Field::Attribute("color2".into()), "nothing is written twice");
}

#[test]
fn csv_07_rows_nobody_can_be_reached_by_are_empty_and_unreadable_ones_invalid() {
    assert_eq!(apply("name,phone", &["Ana", "305-555-0142"]).unwrap().phone.unwrap().as_str(), "+13055550142");
    for (cells, code, empty) in [
        (["Bob", ""], "no_address", true),
        (["", " - "], "phone_empty", true),
        (["Carl", "abc"], "phone_letters", false),
        (["Dora", "123"], "phone_invalid", false),
        (["Eva", "1.30556E+10"], "phone_scientific_lossy", false),
    ] {
        let problem = apply("name,phone", &cells).unwrap_err();
        assert_eq!((problem.code, problem.is_empty()), (code, empty));
    }
}

#[test]
fn csv_12_a_row_with_a_name_only_is_refused() {
    assert_eq!(apply("name,phone,email", &["Ana", "", ""]).unwrap_err().code, "no_address");
}

#[test]
fn an_e_mail_address_is_enough_and_a_wrong_one_is_not() {
    let draft = apply("name,phone,email", &["Ana", "", "Ana@Example.com"]).unwrap();
    assert_eq!((draft.phone, draft.email.as_deref()), (None, Some("ana@example.com")));
    assert_eq!(apply("phone,email", &["", "ana@"]).unwrap_err().code, "email_invalid");
    let draft = apply("phone,email", &["3055550142", "ana at example"]).unwrap();
    assert_eq!((draft.email, draft.warnings), (None, vec!["email_invalid"]));
}

#[test]
fn names_are_parted_and_joined() {
    let name = |header: &str, cells: &[&str]| {
        let draft = apply(header, cells).unwrap();
        [draft.first_name, draft.last_name, draft.full_name].map(Option::unwrap_or_default)
    };
    assert_eq!(name("name,phone", &["José Muñoz Gil", "3055550142"]), ["José", "Muñoz Gil", "José Muñoz Gil"]);
    assert_eq!(name("name,phone", &["Pérez, Ana", "3055550142"]), ["Ana", "Pérez", "Pérez, Ana"]);
    assert_eq!(name("first name,last name,phone", &["Ana", "Gil", "3055550142"]), ["Ana", "Gil", "Ana Gil"]);
    assert_eq!(name("first name,last name,phone", &[" ", "NULL", "3055550142"]), ["", "", ""]);
}

#[test]
fn second_phones_extensions_and_warnings_are_kept() {
    let draft = apply("phone", &["305-555-0142 x7 / 305-555-0143"]).unwrap();
    assert_eq!(draft.extension.as_deref(), Some("7"));
    assert_eq!(draft.second_phone.unwrap().as_str(), "+13055550143");
    let draft = apply("phone1,phone2,time zone", &["3055550142.0", "junk", "Mars"]).unwrap();
    assert_eq!(draft.warnings, ["second_phone_invalid", "time_zone_unknown", "phone_expanded"]);
}

#[test]
fn values_are_clean_and_neutralised_ones_come_back() {
    let draft = apply("name,phone,note", &["'=Ana\u{7}", "'+13055550142", "  Jose\u{301} "]).unwrap();
    assert_eq!(draft.first_name.as_deref(), Some("=Ana"));
    assert_eq!(draft.phone.unwrap().as_str(), "+13055550142");
    assert_eq!(draft.attributes["note"], "José");
    let long = "x".repeat(MAX_VALUE_CHARS + 1);
    assert_eq!(apply("name,phone", &[&long, "3055550142"]).unwrap_err().code, "value_too_long");
}

proptest! {
    #[test]
    fn any_headers_and_cells_give_a_draft_or_a_problem(header in "[a-zA-Z, _12é]{0,40}", cells in prop::collection::vec("\\PC{0,20}", 0..6)) {
        let names = headers(&header);
        let mapping = Mapping::guess(&names);
        prop_assert_eq!(mapping.fields().len(), names.len());
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        match mapping.apply(&Row::of(2, &cells), us()) {
            Ok(draft) => prop_assert!(draft.phone.is_some() || draft.email.is_some()),
            Err(problem) => prop_assert!(!problem.code.is_empty()),
        }
    }
}
