//! What is waiting to be told to the database: how leases have ended.

use crate::dispatch::Finished;

/// Ends of leases, as columns.
#[derive(Default)]
pub(super) struct Outbox {
    pub ids: Vec<i64>,
    pub fences: Vec<i64>,
    pub outcomes: Vec<i16>,
    pub delays: Vec<f64>,
    pub errors: Vec<Option<String>>,
    /// Ended by the handler's own commit: only the slot is to be freed.
    pub settled: Vec<(i64, i64)>,
}

impl Outbox {
    pub fn push(&mut self, finished: Finished) {
        match finished.outcome {
            None => self.settled.push((finished.job_id, finished.fence)),
            Some(outcome) => {
                self.ids.push(finished.job_id);
                self.fences.push(finished.fence);
                self.outcomes.push(outcome.code as i16);
                self.delays.push(outcome.delay);
                self.errors.push(outcome.error);
            }
        }
    }
    /// Takes back what could not be told.
    pub fn append(&mut self, mut other: Self) {
        self.ids.append(&mut other.ids);
        self.fences.append(&mut other.fences);
        self.outcomes.append(&mut other.outcomes);
        self.delays.append(&mut other.delays);
        self.errors.append(&mut other.errors);
        self.settled.append(&mut other.settled);
    }
    pub fn len(&self) -> usize {
        self.ids.len() + self.settled.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Everything that has ended, as (job, fence): a process that was stopped for longer than a lease may hold the same job anew.
    pub fn ended(&self) -> impl Iterator<Item = (i64, i64)> {
        self.ids.iter().copied().zip(self.fences.iter().copied()).chain(self.settled.iter().copied())
    }
}
