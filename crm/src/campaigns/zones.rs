//! Where a contact may be (rule D9): by its own time zone, else its postal code or state, else the beginning of its number, else nobody knows
//! and the zone of the line counts: its organization's, else the tenant's. Pure.

use std::{collections::HashMap, sync::LazyLock};

use chrono_tz::Tz;

use crate::phone::Phone;

/// A number that may be in more zones than this tells nothing of where its owner is.
const MOST: usize = 5;

/// What is known of where a contact is.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub struct Place {
    /// The zone it says itself.
    pub time_zone: Option<String>,
    /// The postal code.
    pub postal_code: Option<String>,
    /// The state, by name or letters.
    pub state: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The number in E.164.
    pub phone: Option<String>,
}

/// The zones it may be in, as IANA names by commas; none: that of the line.
#[must_use]
pub fn of(place: &Place) -> Option<String> {
    let own = place.time_zone.as_deref().and_then(|name| name.trim().parse::<Tz>().ok());
    if let Some(zone) = own {
        return Some(zone.name().to_owned());
    }
    by_state(place).or_else(|| place.phone.as_deref().and_then(by_phone)).map(str::to_owned)
}

/// The zones of [`of`], read back.
#[must_use]
pub fn read(zones: Option<&str>, home: Tz) -> Vec<Tz> {
    let named: Vec<Tz> = zones.unwrap_or_default().split(',').filter_map(|name| name.parse().ok()).collect();
    if named.is_empty() { vec![home] } else { named }
}

/// The regions whose rules hold for it: the country of its number, and its state in the USA (`US,US-FL`).
#[must_use]
pub fn regions(place: &Place) -> Option<String> {
    let mut regions: Vec<String> = country_of_number(place).into_iter().collect();
    if let Some(letters) = state(place) {
        if regions.iter().all(|country| country != "US") {
            regions.push("US".to_owned());
        }
        regions.push(format!("US-{letters}"));
    }
    (!regions.is_empty()).then(|| regions.join(","))
}

/// Whether it is one of the states that [`regions`] answers.
#[must_use]
pub fn is_state(region: &str) -> bool {
    region.strip_prefix("US-").is_some_and(|letters| STATES.iter().any(|(known, ..)| *known == letters))
}

fn by_state(place: &Place) -> Option<&'static str> {
    let letters = state(place)?;
    STATES.iter().find(|(other, ..)| *other == letters).map(|(.., zones)| *zones)
}

fn country_of_number(place: &Place) -> Option<String> {
    Phone::from_e164(place.phone.as_deref()?).ok()?.region_code()
}

/// Countries of numbers whose owners live in one of the [`STATES`].
const AMERICAN: [&str; 6] = ["US", "PR", "VI", "GU", "AS", "MP"];

/// The letters of its state in the USA.
fn state(place: &Place) -> Option<&'static str> {
    let country = place.country.as_deref().map(|country| country.trim().to_uppercase());
    let is_american = match country.as_deref() {
        // +1 is also that of Canada and of the Caribbean, whose postal codes look like ours
        None | Some("") => {
            place.phone.is_none() || country_of_number(place).is_some_and(|country| AMERICAN.contains(&&*country))
        }
        Some(country) => matches!(country, "US" | "USA" | "UNITED STATES" | "ESTADOS UNIDOS" | "EE. UU." | "EEUU"),
    };
    if !is_american {
        return None;
    }
    let by_code = place.postal_code.as_deref().and_then(state_of_postal_code);
    let said = place.state.as_deref().map(|state| state.trim().to_uppercase());
    by_code.or_else(|| {
        let said = said.as_deref()?;
        STATES.iter().find(|(letters, name, _)| *letters == said || *name == said).map(|(letters, ..)| *letters)
    })
}

fn state_of_postal_code(code: &str) -> Option<&'static str> {
    let digits: String = code.trim().chars().take_while(char::is_ascii_digit).collect();
    if digits.len() != 5 && digits.len() != 9 {
        return None;
    }
    let area: u16 = digits[..3].parse().ok()?;
    POSTAL.iter().find(|(from, to, _)| (*from..=*to).contains(&area)).map(|(.., state)| *state)
}

fn by_phone(phone: &str) -> Option<&'static str> {
    let digits = phone.trim_start_matches('+');
    let longest = digits.len().min(5);
    (1..=longest).rev().find_map(|length| PREFIXES.get(digits.get(..length)?)).copied().filter(|zones| {
        // a star: more than anybody could heed
        *zones != "*" && zones.split(',').count() <= MOST
    })
}

static PREFIXES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("zones.txt").lines();
    lines
        .flat_map(|line| {
            let mut words = line.split(' ');
            let zones = words.next().unwrap_or_default();
            words.map(move |prefix| (prefix, zones))
        })
        .collect()
});

/// States of the USA with the zones they lie in.
const STATES: [(&str, &str, &str); 55] = [
    ("AL", "ALABAMA", "America/Chicago"),
    ("AK", "ALASKA", "America/Anchorage,America/Adak"),
    ("AZ", "ARIZONA", "America/Phoenix,America/Denver"),
    ("AR", "ARKANSAS", "America/Chicago"),
    ("CA", "CALIFORNIA", "America/Los_Angeles"),
    ("CO", "COLORADO", "America/Denver"),
    ("CT", "CONNECTICUT", "America/New_York"),
    ("DE", "DELAWARE", "America/New_York"),
    ("DC", "DISTRICT OF COLUMBIA", "America/New_York"),
    ("FL", "FLORIDA", "America/New_York,America/Chicago"),
    ("GA", "GEORGIA", "America/New_York"),
    ("HI", "HAWAII", "Pacific/Honolulu"),
    ("ID", "IDAHO", "America/Boise,America/Los_Angeles"),
    ("IL", "ILLINOIS", "America/Chicago"),
    ("IN", "INDIANA", "America/New_York,America/Chicago"),
    ("IA", "IOWA", "America/Chicago"),
    ("KS", "KANSAS", "America/Chicago,America/Denver"),
    ("KY", "KENTUCKY", "America/New_York,America/Chicago"),
    ("LA", "LOUISIANA", "America/Chicago"),
    ("ME", "MAINE", "America/New_York"),
    ("MD", "MARYLAND", "America/New_York"),
    ("MA", "MASSACHUSETTS", "America/New_York"),
    ("MI", "MICHIGAN", "America/New_York,America/Chicago"),
    ("MN", "MINNESOTA", "America/Chicago"),
    ("MS", "MISSISSIPPI", "America/Chicago"),
    ("MO", "MISSOURI", "America/Chicago"),
    ("MT", "MONTANA", "America/Denver"),
    ("NE", "NEBRASKA", "America/Chicago,America/Denver"),
    ("NV", "NEVADA", "America/Los_Angeles,America/Denver"),
    ("NH", "NEW HAMPSHIRE", "America/New_York"),
    ("NJ", "NEW JERSEY", "America/New_York"),
    ("NM", "NEW MEXICO", "America/Denver"),
    ("NY", "NEW YORK", "America/New_York"),
    ("NC", "NORTH CAROLINA", "America/New_York"),
    ("ND", "NORTH DAKOTA", "America/Chicago,America/Denver"),
    ("OH", "OHIO", "America/New_York"),
    ("OK", "OKLAHOMA", "America/Chicago"),
    ("OR", "OREGON", "America/Los_Angeles,America/Boise"),
    ("PA", "PENNSYLVANIA", "America/New_York"),
    ("RI", "RHODE ISLAND", "America/New_York"),
    ("SC", "SOUTH CAROLINA", "America/New_York"),
    ("SD", "SOUTH DAKOTA", "America/Chicago,America/Denver"),
    ("TN", "TENNESSEE", "America/Chicago,America/New_York"),
    ("TX", "TEXAS", "America/Chicago,America/Denver"),
    ("UT", "UTAH", "America/Denver"),
    ("VT", "VERMONT", "America/New_York"),
    ("VA", "VIRGINIA", "America/New_York"),
    ("WA", "WASHINGTON", "America/Los_Angeles"),
    ("WV", "WEST VIRGINIA", "America/New_York"),
    ("WI", "WISCONSIN", "America/Chicago"),
    ("WY", "WYOMING", "America/Denver"),
    ("PR", "PUERTO RICO", "America/Puerto_Rico"),
    ("VI", "VIRGIN ISLANDS", "America/St_Thomas"),
    ("GU", "GUAM", "Pacific/Guam"),
    ("AS", "AMERICAN SAMOA", "Pacific/Pago_Pago"),
];

/// First three digits of postal codes, with their states.
const POSTAL: [(u16, u16, &str); 60] = [
    (5, 5, "NY"),
    (6, 7, "PR"),
    (8, 8, "VI"),
    (9, 9, "PR"),
    (10, 27, "MA"),
    (28, 29, "RI"),
    (30, 38, "NH"),
    (39, 49, "ME"),
    (50, 59, "VT"),
    (60, 69, "CT"),
    (70, 89, "NJ"),
    (100, 149, "NY"),
    (150, 196, "PA"),
    (197, 199, "DE"),
    (200, 205, "DC"),
    (206, 219, "MD"),
    (220, 246, "VA"),
    (247, 268, "WV"),
    (270, 289, "NC"),
    (290, 299, "SC"),
    (300, 319, "GA"),
    (320, 349, "FL"),
    (350, 369, "AL"),
    (370, 385, "TN"),
    (386, 397, "MS"),
    (398, 399, "GA"),
    (400, 427, "KY"),
    (430, 459, "OH"),
    (460, 479, "IN"),
    (480, 499, "MI"),
    (500, 528, "IA"),
    (530, 549, "WI"),
    (550, 567, "MN"),
    (570, 577, "SD"),
    (580, 588, "ND"),
    (590, 599, "MT"),
    (600, 629, "IL"),
    (630, 658, "MO"),
    (660, 679, "KS"),
    (680, 693, "NE"),
    (700, 714, "LA"),
    (716, 729, "AR"),
    (730, 732, "OK"),
    (733, 733, "TX"),
    (734, 749, "OK"),
    (750, 799, "TX"),
    (800, 816, "CO"),
    (820, 831, "WY"),
    (832, 838, "ID"),
    (840, 847, "UT"),
    (850, 865, "AZ"),
    (870, 884, "NM"),
    (885, 885, "TX"),
    (889, 898, "NV"),
    (900, 961, "CA"),
    (967, 968, "HI"),
    (969, 969, "GU"),
    (970, 979, "OR"),
    (980, 994, "WA"),
    (995, 999, "AK"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn place(time_zone: &str, postal_code: &str, state: &str, phone: &str) -> Place {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Place {
            time_zone: some(time_zone),
            postal_code: some(postal_code),
            state: some(state),
            country: None,
            phone: some(phone),
        }
    }

    fn zones(place: &Place) -> String {
        of(place).unwrap_or_default()
    }

    #[test]
    fn a_contact_is_where_it_says_and_else_where_its_address_or_its_number_says() {
        assert_eq!(zones(&place("Europe/Madrid", "94105", "CA", "+13055550100")), "Europe/Madrid");
        assert_eq!(zones(&place("nowhere", "94105", "", "+13055550100")), "America/Los_Angeles");
        assert_eq!(zones(&place("", "", "hawaii", "+13055550100")), "Pacific/Honolulu");
        assert_eq!(zones(&place("", "", "HI", "")), "Pacific/Honolulu");
        // +1 as well, and a postal code that New York has too
        assert_eq!(zones(&place("", "10101", "", "+18092345678")), "America/Santo_Domingo");
        assert_eq!(regions(&place("", "10101", "", "+18092345678")).as_deref(), Some("DO"));
        assert_eq!(regions(&place("", "33101", "", "+13055550100")).as_deref(), Some("US,US-FL"));
        assert_eq!(zones(&place("", "", "", "+13055550100")), "America/New_York");
        assert_eq!(zones(&place("", "", "", "+18505550100")), "America/Chicago,America/New_York");
        assert_eq!(zones(&place("", "28001", "Madrid", "+34600000000")), "Atlantic/Canary,Europe/Madrid");
        assert_eq!(zones(&place("", "", "", "+5592991234567")), "America/Manaus");
        for nobody_knows in ["+18005550100", "+79161234567", "+61412345678"] {
            assert_eq!(of(&place("", "", "", nobody_knows)), None, "{nobody_knows}");
        }
    }

    #[test]
    fn each_name_of_the_tables_is_a_zone() {
        let by_phone = PREFIXES.values().filter(|zones| **zones != "*");
        for zones in STATES.iter().map(|(.., zones)| zones).chain(by_phone) {
            for name in zones.split(',') {
                assert!(name.parse::<Tz>().is_ok(), "{name}");
            }
        }
        for (from, to, state) in POSTAL {
            assert!(from <= to && STATES.iter().any(|(letters, ..)| *letters == state), "{state}");
        }
        assert_eq!(read(Some("America/Chicago,America/New_York"), chrono_tz::UTC).len(), 2);
        assert_eq!(read(None, chrono_tz::UTC), [chrono_tz::UTC]);
    }
}
