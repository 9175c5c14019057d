//! The hours of a week in which somebody is there, as a setting holds them. No hours at all are a value: never. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tenancy::week::{are_days, minutes};

/// Spans of one week.
const MOST: usize = 50;

/// On these days, from here to before there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    days: Vec<u32>,
    from: String,
    until: String,
}

/// The hours as they are kept; none: they are no hours of a week, or say a minute twice.
pub(super) fn read(value: &Value) -> Option<Value> {
    let spans: Vec<Span> = serde_json::from_value(value.clone()).ok()?;
    let mut taken: Vec<(u32, u32, u32)> = Vec::new();
    for span in &spans {
        let (from, until) = (minutes(&span.from)?, minutes(&span.until)?);
        if from >= until || !are_days(&span.days) {
            return None;
        }
        for day in &span.days {
            if taken.iter().any(|(other, begin, end)| other == day && from < *end && *begin < until) {
                return None;
            }
            taken.push((*day, from, until));
        }
    }
    (spans.len() <= MOST).then(|| serde_json::to_value(&spans).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hours_may_be_none_may_have_a_break_and_never_overlap() {
        let morning = json!({ "days": [1, 2], "from": "09:00", "until": "13:00" });
        let evening = json!({ "days": [2, 7], "from": "15:00", "until": "24:00" });
        for right in [json!([]), json!([morning]), json!([morning, evening])] {
            assert_eq!(read(&right), Some(right));
        }
        let noon = json!({ "days": [2], "from": "12:59", "until": "14:00" });
        for wrong in [
            json!([morning, noon]),
            json!([{ "days": [], "from": "09:00", "until": "13:00" }]),
            json!([{ "days": [8], "from": "09:00", "until": "13:00" }]),
            json!([{ "days": [1], "from": "13:00", "until": "09:00" }]),
            json!([{ "days": [1], "from": "9:00", "until": "13:00" }]),
            json!([{ "days": [1], "from": "09:00" }]),
            json!([{ "days": [1], "from": "09:00", "until": "13:00", "zone": "x" }]),
            json!({}),
            json!("always"),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }
}
