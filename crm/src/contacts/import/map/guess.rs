//! Which field a column holds, judged by its header in English or Spanish.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Field;

/// Headers after [`normalise`], best first within a field: of two phone columns the mobile one wins.
const KNOWN: &[(Field, &[&str])] = &[
    (
        Field::Phone,
        &[
            "cell",
            "cellphone",
            "cell phone",
            "cell number",
            "cell phone number",
            "mobile",
            "mobile phone",
            "mobile number",
            "mobile phone number",
            "celular",
            "celular numero",
            "numero celular",
            "numero de celular",
            "telefono celular",
            "telefono movil",
            "movil",
            "numero movil",
            "numero de movil",
            "whatsapp",
            "whatsapp number",
            "numero de whatsapp",
            "cel",
            "tel movil",
            "tel cel",
            "primary phone",
            "phone primary",
            "telefono principal",
            "phone",
            "phone number",
            "phone no",
            "phonenumber",
            "telephone",
            "telephone number",
            "telefono",
            "numero de telefono",
            "numero telefono",
            "numero telefonico",
            "tel",
            "tlf",
            "tfno",
            "telf",
            "ph",
            "contact number",
            "numero de contacto",
            "msisdn",
            "phone 1 value",
            "home phone",
            "work phone",
            "business phone",
            "telefono casa",
            "telefono trabajo",
            "telefono fijo",
        ],
    ),
    (
        Field::SecondPhone,
        &[
            "second phone",
            "secondary phone",
            "phone secondary",
            "other phone",
            "alternate phone",
            "alternative phone",
            "alt phone",
            "otro telefono",
            "segundo telefono",
            "telefono secundario",
            "telefono alternativo",
            "telefono alterno",
        ],
    ),
    (Field::Labels, &["labels", "label", "tags", "tag", "etiquetas", "etiqueta"]),
    (
        Field::Household,
        &["household", "household members", "hogar", "miembros del hogar", "integrantes del hogar", "nucleo familiar"],
    ),
    (
        Field::FirstName,
        &[
            "first name",
            "firstname",
            "given name",
            "forename",
            "fname",
            "first",
            "nombre",
            "nombres",
            "nombre s",
            "primer nombre",
            "nombre de pila",
        ],
    ),
    (
        Field::LastName,
        &[
            "last name",
            "lastname",
            "surname",
            "family name",
            "lname",
            "last",
            "apellido",
            "apellidos",
            "apellido s",
            "primer apellido",
            "apellido paterno",
        ],
    ),
    (
        Field::FullName,
        &[
            "full name",
            "fullname",
            "name",
            "contact name",
            "contact",
            "customer name",
            "display name",
            "client",
            "customer",
            "nombre completo",
            "nombre y apellido",
            "nombre y apellidos",
            "nombres y apellidos",
            "nombre del cliente",
            "cliente",
            "contacto",
        ],
    ),
    (
        Field::Email,
        &[
            "email",
            "e mail",
            "email address",
            "e mail address",
            "mail",
            "correo",
            "correo electronico",
            "direccion de correo",
            "direccion de correo electronico",
            "correo e",
            "emailaddress",
            "e mail 1 value",
        ],
    ),
    (
        Field::Address,
        &[
            "address",
            "street",
            "street address",
            "address line",
            "mailing address",
            "home address",
            "direccion",
            "domicilio",
            "calle",
            "direccion postal",
            "direccion completa",
        ],
    ),
    (Field::City, &["city", "town", "ciudad", "localidad", "municipio", "poblacion"]),
    (Field::State, &["state", "province", "region", "state province", "estado", "provincia", "departamento", "st"]),
    (
        Field::PostalCode,
        &[
            "zip",
            "zip code",
            "zipcode",
            "postal code",
            "postalcode",
            "postcode",
            "post code",
            "zip postal code",
            "codigo postal",
            "cp",
            "c p",
        ],
    ),
    (
        Field::Company,
        &[
            "company",
            "company name",
            "organization",
            "organisation",
            "organization name",
            "business",
            "business name",
            "employer",
            "empresa",
            "compania",
            "organizacion",
            "razon social",
            "nombre de la empresa",
            "negocio",
        ],
    ),
    (Field::TimeZone, &["time zone", "timezone", "tz", "zona horaria", "huso horario"]),
];

/// The field of a header, with its rank among the headers of that field (0 is best), or None for a custom attribute.
pub(super) fn field_of(header: &str) -> Option<(Field, usize)> {
    let words = normalise(header);
    if let Some(found) = exact(&words) {
        return Some(found);
    }
    let unnumbered = words.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end();
    let number: usize = words[unnumbered.len()..].trim().parse().ok()?;
    let (field, rank) = exact(unnumbered)?;
    match (field, number) {
        (Field::Phone, 0 | 1) => Some((Field::Phone, rank)),
        (Field::Phone | Field::SecondPhone, 2) => Some((Field::SecondPhone, rank)),
        (field, 1) => Some((field, rank)),
        _ => None,
    }
}

fn exact(words: &str) -> Option<(Field, usize)> {
    KNOWN
        .iter()
        .find_map(|(field, headers)| headers.iter().position(|known| *known == words).map(|rank| (field.clone(), rank)))
}

/// Lower-case words without accents or punctuation; `phoneNumber`, `phone_number` and `Phone number` are the same.
pub(super) fn normalise(header: &str) -> String {
    let mut words = String::with_capacity(header.len());
    let mut before_was_lower = false;
    for c in header.nfkd().filter(|c| !is_combining_mark(*c)) {
        if !c.is_alphanumeric() {
            before_was_lower = false;
            if !words.is_empty() && !words.ends_with(' ') && !is_invisible(c) {
                words.push(' ');
            }
            continue;
        }
        if c.is_uppercase() && before_was_lower {
            words.push(' ');
        }
        before_was_lower = c.is_lowercase();
        words.extend(c.to_lowercase());
    }
    words.truncate(words.trim_end().len());
    words
}

/// The name of a custom attribute as templates write it: `Fecha de alta` is `fechaDeAlta`, beside the standard `firstName`.
pub(super) fn camel_case(header: &str) -> String {
    let mut name = String::with_capacity(header.len());
    for word in normalise(header).split(' ') {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !name.is_empty() => name.extend(first.to_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.extend(letters);
    }
    name
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
