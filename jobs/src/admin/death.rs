//! The deaths of workers over one job, as the rescuer noted them among its errors.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A worker that died while the job ran in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WorkerDeath)]
pub struct Death {
    /// When it was found dead.
    pub at: DateTime<Utc>,
    /// The process.
    pub process: Uuid,
    /// Where it ran; empty where it had been forgotten.
    #[serde(default)]
    pub host: String,
    /// The start of the job that was its last.
    pub attempt: i16,
}

impl Death {
    /// The newest deaths among a job's errors, oldest first. A retry forgives those before it: they are told, but no longer counted.
    pub(super) fn newest(errors: Option<&Value>, crashes: i16) -> Vec<Self> {
        let errors = errors.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // other errors name no process
        let mut deaths: Vec<Self> = errors.iter().filter_map(|error| Self::deserialize(error).ok()).collect();
        let counted = usize::try_from(crashes).unwrap_or(0);
        deaths.split_off(deaths.len().saturating_sub(counted))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_deaths_that_count_are_found_among_other_errors() {
        let died = |process: u128, attempt: i16| {
            let (at, process) = ("2027-01-01T00:00:00Z", Uuid::from_u128(process));
            json!({ "at": at, "error": "its worker died", "process": process, "host": "a", "attempt": attempt })
        };
        let failed = json!({ "at": "2027-01-01T00:00:00Z", "error": "no answer", "attempt": 2 });
        let errors = json!([died(1, 1), failed, died(2, 3), died(3, 4)]);
        let found: Vec<_> = Death::newest(Some(&errors), 2).iter().map(|death| death.attempt).collect();
        assert_eq!(found, [3, 4], "one before a retry was forgiven");
        assert_eq!(Death::newest(None, 5), []);
    }
}
