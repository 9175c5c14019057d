//! Why a job does not run, in words for programs and for people, and when it can be expected to. Pure: what is looked up is `explain`'s.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Death, State};

/// One thing that keeps a job from running, or what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// It runs.
    Running {
        /// In which process.
        process: Uuid,
        /// That process as `name@host:pid`; told to operators only, and while it has not been given up.
        worker: Option<String>,
        /// Since when.
        since: DateTime<Utc>,
        /// Its worker has let the lease run out: it is rescued within seconds.
        is_lease_over: bool,
    },
    /// It is not due.
    NotDue {
        /// When it is.
        run_at: DateTime<Utc>,
    },
    /// Its lane is paused.
    LanePaused {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Its lane is cancelled: it leaves without having run.
    LaneCancelled {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Its lane names a gate that is not there, or is somebody else's: nothing passes.
    GateMissing {
        /// Which one.
        gate_id: i64,
    },
    /// A gate is paused.
    GatePaused {
        /// Which one.
        gate_id: i64,
        /// Its key.
        gate: String,
        /// Since when.
        since: DateTime<Utc>,
        /// Why.
        reason: Option<String>,
    },
    /// A gate has no token left for it yet.
    GateWithoutTokens {
        /// Which one.
        gate_id: i64,
        /// Its key.
        gate: String,
        /// Tokens a second.
        rate: f64,
        /// When the gate lets through the next job, whichever it is.
        next_token_at: DateTime<Utc>,
        /// Jobs that take their token first, in this lane and in the gate's other lanes.
        before: i64,
        /// There are more of them; counting has stopped.
        is_more: bool,
    },
    /// As many jobs run behind a gate as may.
    CapReached {
        /// Which one.
        gate_id: i64,
        /// Its key.
        gate: String,
        /// How many run.
        running: i64,
        /// How many may.
        cap: i32,
    },
    /// A gate's breaker is open: the service behind it does not answer.
    BreakerOpen {
        /// Which one.
        gate_id: i64,
        /// Its key.
        gate: String,
        /// When one job may try again.
        until: DateTime<Utc>,
        /// Why it opened.
        reason: Option<String>,
    },
    /// A gate has started as many as its hour or day allows.
    GateSpent {
        /// The gate.
        gate_id: i64,
        /// Its key.
        gate: String,
        /// When the next hour or day begins.
        until: DateTime<Utc>,
    },
    /// The service behind a gate asked to be left alone.
    GateRests {
        /// Which one.
        gate_id: i64,
        /// Its key.
        gate: String,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// It has failed, and another job holds its unique key: that one does the work.
    KeyHeld {
        /// The other job.
        job_id: i64,
    },
    /// No live process serves its queue.
    NoWorkerForQueue {
        /// The queue.
        queue: String,
    },
    /// The worker that took it last did not know its kind: a newer version has to run.
    NoWorkerForKind {
        /// The kind.
        kind: String,
    },
    /// Others of its lane start first.
    BehindOthers {
        /// How many.
        before: i64,
        /// There are more of them; counting has stopped.
        is_more: bool,
    },
    /// Nothing keeps it: it starts as soon as a worker has a free slot.
    Ready,
    /// Too many workers died over it, so it was given up.
    Quarantined {
        /// When.
        at: Option<DateTime<Utc>>,
        /// The workers that died over it since it was last run again, oldest first.
        deaths: Vec<Death>,
    },
    /// It was given up.
    Discarded {
        /// When.
        at: Option<DateTime<Utc>>,
        /// Its errors, newest last.
        evidence: Option<Value>,
    },
    /// It was cancelled.
    Cancelled {
        /// When.
        at: Option<DateTime<Utc>>,
        /// Its errors, newest last; the last one says by whom and why.
        evidence: Option<Value>,
    },
    /// It is done.
    Completed {
        /// When.
        at: Option<DateTime<Utc>>,
    },
}

/// A cause, told to people too.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Explained {
    /// What it is.
    #[serde(flatten)]
    pub cause: Cause,
    /// The same in plain words.
    pub sentence: String,
    /// When it ends, where that can be told.
    pub expected_at: Option<DateTime<Utc>>,
}

/// Why a job does not run, or what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    /// The job.
    pub job_id: i64,
    /// Where it is in its life.
    pub state: State,
    /// When this was looked up.
    pub at: DateTime<Utc>,
    /// All that holds at once; never empty.
    pub causes: Vec<Explained>,
    /// When the job can be expected to start, if nobody changes anything; absent where that can't be told.
    pub expected_at: Option<DateTime<Utc>>,
}

impl Explanation {
    pub(super) fn new(job_id: i64, state: State, at: DateTime<Utc>, causes: Vec<Cause>) -> Self {
        let causes: Vec<Explained> = causes
            .into_iter()
            .map(|cause| Explained { sentence: cause.sentence(), expected_at: cause.expected_at(at), cause })
            .collect();
        let expected_at = expected(&causes);
        Self { job_id, state, at, causes, expected_at }
    }
}

/// The latest of all times, if each cause has one. How long the others of a lane take is told by the gate that spaces them.
fn expected(causes: &[Explained]) -> Option<DateTime<Utc>> {
    let is_spaced = causes.iter().any(|told| matches!(told.cause, Cause::GateWithoutTokens { .. }));
    let covered = |told: &&Explained| !(is_spaced && matches!(told.cause, Cause::BehindOthers { .. }));
    let times: Option<Vec<_>> = causes.iter().filter(covered).map(|told| told.expected_at).collect();
    times?.into_iter().max()
}

impl Cause {
    fn expected_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::NotDue { run_at } => Some(*run_at),
            Self::BreakerOpen { until, .. } | Self::GateSpent { until, .. } | Self::GateRests { until, .. } => {
                Some((*until).max(now))
            }
            Self::GateWithoutTokens { is_more: false, .. } => self.token_at(),
            Self::Ready => Some(now),
            Self::GateWithoutTokens { is_more: true, .. }
            | Self::Running { .. }
            | Self::LanePaused { .. }
            | Self::LaneCancelled { .. }
            | Self::GateMissing { .. }
            | Self::GatePaused { .. }
            | Self::CapReached { .. }
            | Self::KeyHeld { .. }
            | Self::NoWorkerForQueue { .. }
            | Self::NoWorkerForKind { .. }
            | Self::BehindOthers { .. }
            | Self::Quarantined { .. }
            | Self::Discarded { .. }
            | Self::Cancelled { .. }
            | Self::Completed { .. } => None,
        }
    }

    /// When the job's own token comes: after one for each job before it.
    fn token_at(&self) -> Option<DateTime<Utc>> {
        let Self::GateWithoutTokens { rate, next_token_at, before, .. } = self else { return None };
        after(*next_token_at, *before as f64 / rate)
    }

    /// The cause in plain words, with what can be done where that helps.
    fn sentence(&self) -> String {
        match self {
            Self::Running { worker, since, is_lease_over, process } => {
                let place = worker.clone().unwrap_or_else(|| format!("process {process}"));
                let lost = if *is_lease_over {
                    "; its worker was not heard of for a whole lease and is being given up"
                } else {
                    ""
                };
                format!("it has run on {place} since {}{lost}", time(*since))
            }
            Self::NotDue { run_at } => format!("it is due at {}", time(*run_at)),
            Self::LanePaused { since } => format!("its lane has been paused since {}: resume the lane", time(*since)),
            Self::LaneCancelled { since } => {
                format!("its lane was cancelled at {}: it leaves without running", time(*since))
            }
            Self::GateMissing { gate_id } => {
                format!(
                    "its lane names the gate {gate_id}, which is not there: nothing passes until the lane is configured anew"
                )
            }
            Self::GatePaused { gate, since, reason, .. } => {
                format!("the gate {gate} has been paused since {}{}: resume the gate", time(*since), because(reason))
            }
            Self::GateWithoutTokens { gate, rate, before, is_more, .. } => {
                let (more, when) = if *is_more { ("more than ", "not before") } else { ("", "at about") };
                let own = self.token_at().map_or_else(String::new, |at| format!("; its own comes {when} {}", time(at)));
                format!("the gate {gate} gives {rate} tokens a second and {more}{before} jobs take theirs first{own}")
            }
            Self::CapReached { gate, running, cap, .. } => {
                format!("{running} jobs run behind the gate {gate}, which lets {cap} run at once")
            }
            Self::GateSpent { gate, until, .. } => {
                format!("the gate {gate} has started as many as its hour or day allows, until {}", time(*until))
            }
            Self::GateRests { gate, until, .. } => {
                format!("the service behind the gate {gate} asked to be left alone until {}", time(*until))
            }
            Self::BreakerOpen { gate, until, reason, .. } => {
                format!(
                    "the breaker of the gate {gate} is open{}; one job tries again at {}",
                    because(reason),
                    time(*until)
                )
            }
            Self::KeyHeld { job_id } => format!("job {job_id} holds its unique key and does the work in its place"),
            Self::NoWorkerForQueue { queue } => format!("no live worker serves the queue {queue}: start one"),
            Self::NoWorkerForKind { kind } => {
                format!("the worker that took it last does not know the kind {kind}: start one of a newer version")
            }
            Self::BehindOthers { before, is_more } => {
                format!("{}{before} jobs of its lane start before it", if *is_more { "more than " } else { "" })
            }
            Self::Ready => "nothing keeps it: it starts as soon as a worker has a free slot".to_owned(),
            Self::Quarantined { at, deaths } => {
                format!(
                    "{} workers died over it, so it was given up{}: find out why before running it again",
                    deaths.len(),
                    when(*at)
                )
            }
            Self::Discarded { at, evidence } => format!("it was given up{}{}", when(*at), last_error(evidence)),
            Self::Cancelled { at, evidence } => format!("it was cancelled{}{}", when(*at), last_error(evidence)),
            Self::Completed { at } => format!("it is done{}", when(*at)),
        }
    }
}

/// That many seconds later; none where that is past what can be written down.
pub(super) fn after(at: DateTime<Utc>, seconds: f64) -> Option<DateTime<Utc>> {
    let ms = (seconds * 1e3).ceil();
    // as far as centuries, no conversion can overflow
    (0.0..=1e13).contains(&ms).then(|| at.checked_add_signed(TimeDelta::milliseconds(ms as i64))).flatten()
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn when(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(String::new, |at| format!(" at {}", time(at)))
}

fn because(reason: &Option<String>) -> String {
    reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"))
}

fn last_error(evidence: &Option<Value>) -> String {
    let last = evidence.as_ref().and_then(Value::as_array).and_then(|errors| errors.last());
    last.and_then(|error| error["error"].as_str()).map_or_else(String::new, |error| format!(": {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }
    fn tokens(rate: f64, before: i64, is_more: bool) -> Cause {
        let gate = "line/a".to_owned();
        Cause::GateWithoutTokens { gate_id: 1, gate, rate, next_token_at: at(2), before, is_more }
    }
    fn expected_of(causes: Vec<Cause>) -> Option<DateTime<Utc>> {
        Explanation::new(1, State::Available, at(0), causes).expected_at
    }

    #[test]
    fn a_job_s_token_comes_after_those_of_the_jobs_before_it() {
        let behind = Cause::BehindOthers { before: 9, is_more: false };
        assert_eq!(expected_of(vec![tokens(0.5, 9, false), behind]), Some(at(20)));
        assert_eq!(expected_of(vec![tokens(0.5, 10_000, true)]), None, "more were not counted");
        assert_eq!(expected_of(vec![tokens(1e-300, 9, false)]), None, "past all calendars");
    }

    #[test]
    fn what_has_no_end_of_its_own_leaves_the_whole_without_a_time() {
        assert_eq!(expected_of(vec![Cause::NotDue { run_at: at(60) }]), Some(at(60)));
        assert_eq!(expected_of(vec![Cause::NotDue { run_at: at(60) }, Cause::LanePaused { since: at(0) }]), None);
        assert_eq!(expected_of(vec![Cause::BehindOthers { before: 1, is_more: false }]), None);
        assert_eq!(expected_of(vec![Cause::Ready]), Some(at(0)));
    }

    #[test]
    fn the_wire_names_the_cause_beside_its_facts_and_its_sentence() {
        let told = Explanation::new(7, State::Available, at(0), vec![Cause::NotDue { run_at: at(60) }]);
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(json["causes"][0]["cause"], "not_due");
        assert_eq!(json["causes"][0]["run_at"], json["expected_at"]);
        assert!(json["causes"][0]["sentence"].as_str().unwrap().starts_with("it is due at 2027-"));
    }
}
