//! Where a batch can stand. The words are those of the column that Postgres derives from the row (`jobs.batches.state`).

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = BatchState)]
pub enum State {
    /// Waits for the batch it follows.
    Held,
    /// Its jobs start as they come.
    Active,
    /// Nothing of it starts.
    Paused,
    /// It takes and starts no more jobs.
    Cancelled,
    /// All its jobs have ended.
    Completed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Held, Self::Active, Self::Paused, Self::Cancelled, Self::Completed];

    /// As it is stored, and as it is on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
        }
    }
}

impl FromStr for State {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.name() == name);
        found.ok_or_else(|| format!("one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}
