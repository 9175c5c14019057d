//! Fates: a kind whose jobs somebody waits for names a job that is made when some of them were given up, called off, or run again after
//! that, since their own handlers have no say in it. Notes are appended where it happens and handed over by upkeep (0009).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::job::{Job, Tenant};

/// The job that is told.
#[derive(Debug, Clone, Copy)]
pub struct OnFate {
    kind: &'static str,
    queue: &'static str,
    max_attempts: i16,
}

impl OnFate {
    /// Jobs of that kind are told: their payload is `{"fates": […]}`, a list of [`Fate`].
    #[must_use]
    pub const fn tell<S, J: Job<S, Scope = Tenant>>() -> Self {
        Self { kind: J::KIND, queue: J::QUEUE.0, max_attempts: J::RETRY.max_attempts }
    }
    /// As it is stored with the kind.
    pub(crate) fn stored(self) -> Value {
        json!({ "kind": self.kind, "queue": self.queue, "max_attempts": self.max_attempts })
    }
    /// The kind that is told.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        self.kind
    }
}

/// A job of which something has become; `jobs.fate(job_id)` says what holds now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fate {
    /// The job.
    pub job_id: i64,
    /// Its payload, as it was enqueued.
    pub payload: Value,
}
