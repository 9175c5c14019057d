//! Made-up contacts as CSV, one chunk at a time: each with its own valid phone number of the United States.

/// Rows of a chunk.
const CHUNK: u32 = 1000;
/// Area codes of large cities.
const AREAS: [u16; 20] =
    [201, 206, 212, 213, 214, 303, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 718, 786, 818, 919];
/// The next three digits run from here, past none that stands for a service or a film.
const FIRST_EXCHANGE: u32 = 220;
const EXCHANGES: u32 = 80;
const LINES: u32 = 10_000;
const FIRST_NAMES: [&str; 11] =
    ["Ana", "José", "María", "Íñigo", "Zoë", "James", "Sofía", "Łukasz", "Noël", "Begoña", "Michael"];
const LAST_NAMES: [&str; 13] = [
    "García",
    "Muñoz",
    "Smith",
    "O'Brien",
    "Peña",
    "Núñez",
    "Johnson",
    "Ibáñez",
    "Müller",
    "de la Cruz",
    "Lee",
    "Gómez",
    "Brown",
];

/// The most rows there are numbers for.
pub const MOST: i64 = AREAS.len() as i64 * EXCHANGES as i64 * LINES as i64;

/// The file, with a heading; `phone_column` names the column of the phone.
pub fn csv(rows: u32, phone_column: &str) -> impl Iterator<Item = String> + use<> {
    let heading = format!("first_name,last_name,\"{}\"\n", phone_column.replace('"', "\"\""));
    let chunks = (0..rows).step_by(CHUNK as usize).map(move |first| {
        let last = rows.min(first + CHUNK);
        (first..last).map(row).collect::<String>()
    });
    std::iter::once(heading).chain(chunks)
}

fn row(index: u32) -> String {
    let first_name = FIRST_NAMES[index as usize % FIRST_NAMES.len()];
    let last_name = LAST_NAMES[index as usize % LAST_NAMES.len()];
    format!("{first_name},{last_name},{}\n", phone(index))
}

/// The phone of a row: the area changes first, so that neighbours are not alike.
fn phone(index: u32) -> String {
    let areas = AREAS.len() as u32;
    let (area, rest) = (AREAS[(index % areas) as usize], index / areas);
    let (line, exchange) = (rest % LINES, FIRST_EXCHANGE + rest / LINES % EXCHANGES);
    format!("+1{area}{exchange}{line:04}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_row_has_a_valid_phone_of_its_own() {
        let last = u32::try_from(MOST).unwrap() - 1;
        let sample = (0..60_000).chain((60_000..=last).step_by(997)).chain([last]);
        let mut seen = HashSet::new();
        for phone in sample.map(phone) {
            let parsed = crm::phone::parse(&phone, "US".parse().unwrap()).unwrap();
            assert_eq!(parsed.phone.as_str(), phone);
            assert!(seen.insert(phone.clone()), "{phone} comes twice");
        }
    }

    #[test]
    fn the_file_has_a_heading_and_all_rows() {
        let file: String = csv(2500, "phone").collect();
        assert_eq!(file.lines().count(), 2501);
        assert_eq!(file.lines().next(), Some("first_name,last_name,\"phone\""));
        assert_eq!(file.lines().nth(2), Some("José,Muñoz,+12062200000"));
    }
}
