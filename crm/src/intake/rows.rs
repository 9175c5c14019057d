//! The rows of a request, one by one and without the database: their shape, their limits, their payload. A row that can't be taken is answered with
//! a code and the place of the fault; the others are not touched by it.

use std::{borrow::Cow, fmt::Write};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use utoipa::ToSchema;

use super::kinds::{PublicKind, PublicPayload};
use crate::access::Permissions;

/// Rows of one request at most.
pub const MOST_ROWS: usize = 1_000;
/// Values inside one another in a payload at most.
const MOST_DEPTH: usize = 32;
/// Characters of a unique key at most.
const MOST_KEY: usize = 200;
/// How far ahead a job may be due.
const MOST_AHEAD: TimeDelta = TimeDelta::days(366);
/// Priorities that may be asked for: smaller goes first.
const PRIORITIES: std::ops::RangeInclusive<i16> = -100..=100;

/// A job to be enqueued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// What it does.
    #[schema(value_type = PublicKind)]
    pub kind: String,
    /// What it works on, in the kind's shape: 64 KiB and 32 levels at most.
    #[schema(value_type = PublicPayload)]
    pub payload: Value,
    /// When it is due; at once where it is absent.
    pub run_at: Option<DateTime<Utc>>,
    /// Inside its lane smaller goes first; -100 to 100, 0 by default.
    #[schema(minimum = -100, maximum = 100)]
    pub priority: Option<i16>,
    /// A second row with this key within seven days is a duplicate, whatever became of the first. For `messaging.send_text` only.
    #[schema(min_length = 1, max_length = 200)]
    pub unique_key: Option<String>,
    /// The batch it is counted in and paused and cancelled with.
    pub batch_id: Option<i64>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowAnswer {
    /// The place of the row in the request, from 0.
    pub index: usize,
    /// What became of it.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What became of a row of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
#[schema(as = JobAnswer)]
pub enum Answer {
    /// A job was made.
    Enqueued {
        /// The job.
        id: i64,
    },
    /// A job with that key was there already.
    Duplicate {
        /// The job that holds the key.
        id: i64,
    },
    /// The row can't be taken.
    Refused(Refusal),
}

/// Why a row can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobRefusal)]
pub struct Refusal {
    /// Stable code.
    pub code: &'static str,
    /// What to do, for people.
    pub detail: String,
    /// The place in the row, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub pointer: Option<Cow<'static, str>>,
}

impl Refusal {
    pub(super) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), pointer: None }
    }
    pub(super) fn at(code: &'static str, detail: impl Into<String>, pointer: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), pointer: Some(pointer.into()) }
    }
}

/// A row that is well-formed.
#[derive(Debug)]
pub(super) struct Taken {
    pub index: usize,
    pub payload: PublicPayload,
    pub run_at: Option<DateTime<Utc>>,
    pub priority: i16,
    pub unique_key: Option<String>,
    pub batch_id: Option<i64>,
}

/// A row of somebody with these permissions.
pub(super) fn take(index: usize, row: &Value, permissions: Permissions, now: DateTime<Utc>) -> Result<Taken, Refusal> {
    let job: NewJob = serde_path_to_error::deserialize(row).map_err(|error| {
        let pointer = pointer("", error.path());
        Refusal::at("row_invalid", error.into_inner().to_string(), pointer)
    })?;
    let kind = PublicKind::ALL.into_iter().find(|kind| kind.name() == job.kind);
    let kind = kind.ok_or_else(|| Refusal::at("kind_unknown", "there is no such kind for clients", "/kind"))?;
    if !permissions.contains(kind.permission()) {
        let detail = format!("this kind needs the permission {}", kind.permission());
        return Err(Refusal::at("forbidden", detail, "/kind"));
    }
    if depth(&job.payload) > MOST_DEPTH {
        let detail = format!("a payload has {MOST_DEPTH} levels at most");
        return Err(Refusal::at("payload_too_deep", detail, "/payload"));
    }
    if job.payload.to_string().len() > jobs::MAX_PAYLOAD {
        let detail = format!("a payload has {} bytes at most", jobs::MAX_PAYLOAD);
        return Err(Refusal::at("payload_too_large", detail, "/payload"));
    }
    let payload = kind.parse(&job.payload)?;
    let priority = job.priority.unwrap_or(0);
    if !PRIORITIES.contains(&priority) {
        return Err(Refusal::at("priority_range", "a priority is between -100 and 100", "/priority"));
    }
    if job.run_at.is_some_and(|at| at > now + MOST_AHEAD) {
        return Err(Refusal::at("run_at_range", "a job is due within a year", "/run_at"));
    }
    if let Some(key) = &job.unique_key {
        if kind != PublicKind::SendText {
            return Err(Refusal::at(
                "unique_key_not_taken",
                "jobs of this kind have a key of their own",
                "/unique_key",
            ));
        }
        if key.is_empty() || key.chars().count() > MOST_KEY {
            let detail = format!("a key has 1 to {MOST_KEY} characters");
            return Err(Refusal::at("unique_key_length", detail, "/unique_key"));
        }
    }
    let NewJob { run_at, unique_key, batch_id, .. } = job;
    // what is past is due at once, behind what has come before it
    let run_at = run_at.filter(|at| *at > now);
    Ok(Taken { index, payload, run_at, priority, unique_key, batch_id })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A path of the reader as a JSON pointer (RFC 6901).
pub(super) fn pointer(before: &str, path: &Path) -> String {
    let mut pointer = before.to_owned();
    for segment in path {
        // writing to a String does not fail
        let _ = match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    pointer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(row: &Value) -> (&'static str, String) {
        let refusal = take(0, row, Permissions::all(), DateTime::UNIX_EPOCH).unwrap_err();
        (refusal.code, refusal.pointer.unwrap_or_default().into_owned())
    }

    #[test]
    fn a_row_is_refused_with_a_code_and_the_place_of_the_fault() {
        let line = "018f0000-0000-7000-8000-000000000000";
        let good = json!({ "kind": "messaging.sweep", "payload": { "line_id": line } });
        assert!(take(0, &good, Permissions::all(), DateTime::UNIX_EPOCH).is_ok());
        assert_eq!(take(0, &good, Permissions::NONE, DateTime::UNIX_EPOCH).unwrap_err().code, "forbidden");
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!([deep]);
        }
        let send = |payload: Value| json!({ "kind": "messaging.send_text", "payload": payload });
        for (row, code, place) in [
            (json!(1), "row_invalid", ""),
            (json!({ "kind": "messaging.sweep" }), "row_invalid", ""),
            (json!({ "kind": "messaging.sweep", "payload": {}, "priority": "high" }), "row_invalid", "/priority"),
            (
                json!({ "kind": "messaging.sweep", "payload": { "line_id": line }, "run_at": "1972-01-01T00:00:00Z" }),
                "run_at_range",
                "/run_at",
            ),
            (json!({ "kind": "campaigns.send", "payload": {} }), "kind_unknown", "/kind"),
            (send(json!({ "line_id": 7, "address": "a", "text": "t" })), "payload_invalid", "/payload/line_id"),
            (send(json!({ "line_id": line, "address": "a" })), "payload_invalid", "/payload"),
            (
                send(json!({ "line_id": line, "address": "a", "text": "t", "url": 1 })),
                "payload_invalid",
                "/payload/url",
            ),
            (send(json!({ "line_id": line, "address": "a", "text": " " })), "text_length", "/payload/text"),
            (
                send(json!({ "line_id": line, "address": "a", "text": "x".repeat(70_000) })),
                "payload_too_large",
                "/payload",
            ),
            (send(deep), "payload_too_deep", "/payload"),
            (
                json!({ "kind": "messaging.sweep", "payload": { "line_id": line }, "unique_key": "k" }),
                "unique_key_not_taken",
                "/unique_key",
            ),
        ] {
            assert_eq!(refusal(&row), (code, place.to_owned()), "{row}");
        }
    }
}
