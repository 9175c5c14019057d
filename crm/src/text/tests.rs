use proptest::prelude::*;

use super::*;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn render(template: &str, pairs: &[(&str, &str)]) -> String {
    Template::parse(template).unwrap().render(&values(pairs))
}

fn error(template: &str) -> TemplateError {
    Template::parse(template).unwrap_err()
}

#[test]
fn cam_08_no_recipient_sees_a_placeholder() {
    assert_eq!(render("Hola {{firstName|amigo}},", &[]), "Hola amigo,");
    assert_eq!(render("Hola {{firstName}}, gracias", &[]), "Hola, gracias");
    let typo = Template::parse("Hola {{fistName}}").unwrap();
    let error = typo.check(|name| STANDARD_VARIABLES.contains(&name)).unwrap_err();
    assert_eq!(error, TemplateError::UnknownVariable { name: "fistName".into() });
    assert_eq!(error.code(), "template_unknown_variable");
}

#[test]
fn values_and_fallbacks_are_inserted() {
    assert_eq!(render("Hola {{firstName}},", &[("firstName", "Ana")]), "Hola Ana,");
    assert_eq!(render("Hola {{ firstName | querida amiga }}!", &[]), "Hola querida amiga!");
    assert_eq!(render("{{firstName}} {{lastName}}", &[("firstName", " Ana "), ("lastName", "Gil")]), "Ana Gil");
    for blank in ["", "  ", "\t\n", "\0"] {
        assert_eq!(render("Hola {{firstName|amigo}}", &[("firstName", blank)]), "Hola amigo", "{blank:?}");
    }
}

#[test]
fn a_missing_value_takes_its_space_and_comma_along() {
    for (template, text) in [
        ("Hola {{x}},", "Hola,"),
        ("Hola {{x}}!", "Hola!"),
        ("Hola {{x}} y {{y}}", "Hola y"),
        ("Hola {{x}} {{y}}, buenas", "Hola, buenas"),
        ("Hola, {{x}}. Adiós", "Hola. Adiós"),
        ("Hola, {{x}}, adiós", "Hola, adiós"),
        ("{{x}}, tenemos algo", "tenemos algo"),
        ("{{x}} {{y}} tenemos algo", "tenemos algo"),
        ("Gracias, {{x}}", "Gracias"),
        ("Gracias, {{x}}\nPaloma", "Gracias\nPaloma"),
        ("Buenas.\n{{x}}, tenemos algo", "Buenas.\ntenemos algo"),
        ("¡{{x}}, oferta!", "¡oferta!"),
        ("¡Hola! {{x}}, mira", "¡Hola! mira"),
        ("Casa {{x}} en venta", "Casa en venta"),
        ("(de {{x}})", "(de)"),
        ("Dos  espacios, {{x}} fin", "Dos  espacios, fin"),
        ("{{x}}{{y}}", ""),
    ] {
        assert_eq!(render(template, &[]), text, "{template}");
    }
    assert_eq!(render("Hola {{x}} {{y}}, ok", &[("y", "Gil")]), "Hola Gil, ok");
    assert_eq!(render("Hola {{x}} {{y}}, ok", &[("x", "Ana")]), "Hola Ana, ok");
}

#[test]
fn values_are_text_and_never_read_again() {
    assert_eq!(render("Hola {{x}}", &[("x", "{{y}}"), ("y", "secret")]), "Hola {{y}}");
    assert_eq!(render("Hola {{x}}.", &[("x", "A\0n\u{7}a\r\nB")]), "Hola Ana\nB.");
    assert_eq!(render("a\0b\r\nc", &[]), "ab\nc");
}

#[test]
fn single_braces_are_ordinary_text() {
    assert_eq!(render("{x} } { ok", &[]), "{x} } { ok");
}

#[test]
fn broken_templates_say_where() {
    assert_eq!(error("Hola {{firstName"), TemplateError::Unclosed { position: 6 });
    assert_eq!(error("¡Ñu! {{a {{b}}"), TemplateError::Unclosed { position: 6 });
    assert_eq!(error("Hola firstName}} x"), TemplateError::Unopened { position: 15 });
    assert_eq!(error("{{a}} b}}"), TemplateError::Unopened { position: 8 });
    assert_eq!(error("Hi {{}}"), TemplateError::Name { position: 4 });
    assert_eq!(error("{{ |x}}"), TemplateError::Name { position: 1 });
    assert_eq!(error("{{{a}}}"), TemplateError::Name { position: 1 });
    for empty in ["", " \n ", "\0"] {
        assert_eq!(error(empty), TemplateError::Empty);
    }
}

#[test]
fn variables_are_listed_once() {
    assert_eq!(
        Template::parse("{{b}} {{a|x}} {{b}} {{Fecha de alta}}").unwrap().variables(),
        ["b", "a", "Fecha de alta"]
    );
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error_with_a_place_in_it(text in "[a{}| ,.\né]{0,30}") {
        match Template::parse(&text) {
            Ok(template) => prop_assert!(!template.render(&values(&[])).contains("{{")),
            Err(TemplateError::Unclosed { position } | TemplateError::Unopened { position } | TemplateError::Name { position }) => {
                let at: String = text.chars().skip(position - 1).take(2).collect();
                prop_assert!(at == "{{" || at == "}}");
            }
            Err(_) => {}
        }
    }

    #[test]
    fn a_text_without_braces_is_sent_as_it_is(text in "[^{}\\x00-\\x1f\\x7f-\u{9f}]{1,40}") {
        if let Ok(template) = Template::parse(&text) {
            prop_assert_eq!(template.render(&values(&[])), text);
        }
    }

    #[test]
    fn a_value_appears_exactly_as_given(value in "[^\\x00-\\x1f\\x7f-\u{9f}\\s]{1,20}", front in "[a-z ,.]{0,10}", back in "[a-z ,.]{0,10}") {
        let text = render(&format!("{front}{{{{x}}}}{back}"), &[("x", &value)]);
        prop_assert_eq!(text, format!("{front}{value}{back}"));
    }

    #[test]
    fn closing_a_gap_removes_only_blanks_and_commas(front in "[a-z ,.!¡(]{0,12}", back in "[a-z ,.!)]{0,12}") {
        let template = format!("{front}{{{{x}}}}{back}");
        let kept = |text: &str| text.chars().filter(|c| !matches!(c, ' ' | ',')).collect::<String>();
        let text = render(&template, &[]);
        prop_assert_eq!(kept(&text), kept(&format!("{front}{back}")));
        let commas = |text: &str| text.matches(',').count();
        prop_assert!(commas(&text) + 1 >= commas(&front) + commas(&back));
    }
}
