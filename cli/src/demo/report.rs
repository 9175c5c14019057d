//! How a demo went: the numbers, and what they amount to. Only arithmetic.

use super::audit::Audit;
use super::follow::{arrived, count, number, out};
use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Every eligible recipient got exactly one message.
const ALL_WELL: u8 = 0;
/// Nothing went wrong, but nobody knows of some whether their message left.
const SOME_HELD: u8 = 3;
/// Anything else.
const WRONG: u8 = 1;

/// The numbers of a demo.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Rows of the file; the next four add up to it.
    rows: u64,
    created: u64,
    empty: u64,
    invalid: u64,
    duplicates_in_file: u64,
    /// Contacts that the campaign chose, those that were skipped among them.
    recipients: u64,
    skipped: u64,
    /// Those whose message is out, delivered or not.
    sent: u64,
    delivered: u64,
    failed: u64,
    held: u64,
    /// Messages in the simulator's log that left more than once.
    duplicates_sent: u64,
    /// From the upload's first byte to the completed import.
    import_s: f64,
    /// From the launch request to the frozen audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    launch_s: Option<f64>,
    /// From the launch's answer to the last message that left.
    send_s: f64,
    sends_per_s: f64,
    /// From the launch's answer to the last delivery, as far as any came.
    deliver_s: f64,
    /// Peak of the worker with the highest one.
    worker_rss_mb: Option<f64>,
    /// The same among those that do not import.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_rss_mb_without_import: Option<f64>,
    /// Most sends that the simulator saw at once.
    max_in_flight: u64,
    /// Messages in the simulator's log.
    messages_left: u64,
    kills: u32,
    jobs_left: u64,
    jobs_left_by_kind: BTreeMap<String, u64>,
    jobs_discarded: u64,
    /// Whether the campaign's numbers are those of its recipients' rows.
    counters_equal: bool,
    /// Why recipients got nothing, or nobody knows.
    causes: BTreeMap<String, u64>,
    /// Whether all was settled before the time was up.
    in_time: bool,
    /// What is wrong, in words.
    faults: Vec<String>,
}

/// What the demo itself measured.
pub struct Course {
    /// From the upload's first byte to the completed import.
    pub import_s: f64,
    /// From the launch request to the frozen audience; none: not in time.
    pub launch_s: Option<f64>,
    /// When the launch was answered.
    pub answered_at: DateTime<Utc>,
    /// From then to the last delivery, as far as any came.
    pub deliver_s: f64,
    /// Whether all was settled before the time was up.
    pub in_time: bool,
    /// How often a worker was killed.
    pub kills: u32,
    /// Programs that ended unasked.
    pub crashed: Vec<String>,
    /// Peak of the worker with the highest one.
    pub worker_rss_mb: Option<f64>,
    /// The same among those that do not import.
    pub worker_rss_mb_without_import: Option<f64>,
}

impl Report {
    /// Puts the import, the campaign's own numbers, what was found and what was measured together.
    pub fn new(import: &Value, progress: &Value, audit: &Audit, course: Course) -> Self {
        let send_s = audit.sim.last_at_ms.map_or(0.0, |last| {
            let from = course.answered_at.timestamp_millis();
            (last - from).max(0) as f64 / 1000.0
        });
        let mut report = Self {
            rows: number(&import["row_count"]),
            created: number(&import["created_count"]),
            empty: number(&import["empty_count"]),
            invalid: number(&import["invalid_count"]),
            duplicates_in_file: number(&import["duplicate_count"]),
            recipients: number(&progress["selected"]),
            skipped: count(progress, "skipped"),
            sent: out(progress),
            delivered: arrived(progress),
            failed: count(progress, "failed"),
            held: count(progress, "held"),
            duplicates_sent: audit.sim.duplicates,
            import_s: rounded(course.import_s, 3),
            launch_s: course.launch_s.map(|launch_s| rounded(launch_s, 3)),
            send_s: rounded(send_s, 3),
            sends_per_s: if send_s > 0.0 { rounded(audit.sim.total as f64 / send_s, 1) } else { 0.0 },
            deliver_s: rounded(course.deliver_s, 3),
            worker_rss_mb: course.worker_rss_mb.map(|mb| rounded(mb, 1)),
            worker_rss_mb_without_import: course.worker_rss_mb_without_import.map(|mb| rounded(mb, 1)),
            max_in_flight: audit.sim.max_in_flight,
            messages_left: audit.sim.total,
            kills: course.kills,
            jobs_left: audit.jobs_left.values().sum(),
            jobs_left_by_kind: audit.jobs_left.clone(),
            jobs_discarded: audit.jobs_discarded.values().sum(),
            counters_equal: told(progress) == audit.counts,
            causes: causes(progress),
            in_time: course.in_time,
            faults: Vec::new(),
        };
        report.faults = report.faults();
        report.faults.extend(course.crashed.iter().map(|name| format!("{name} ended unasked")));
        report
    }

    /// The exit code.
    pub fn verdict(&self) -> u8 {
        match (self.faults.is_empty(), self.held) {
            (false, _) => WRONG,
            (true, 0) => ALL_WELL,
            (true, _) => SOME_HELD,
        }
    }

    /// The numbers for a person.
    pub fn summary(&self) -> Result<String> {
        // by way of the text, as that keeps the order of the fields
        let json = serde_json::to_string_pretty(self)?;
        let mut text = String::new();
        for line in json.lines().filter_map(|line| line.strip_prefix("  ")) {
            let line = line.trim_end_matches(',').replace('"', "");
            match line.split_once(": ") {
                Some((name, figure)) => writeln!(text, "{name:<28} {figure}")?,
                None => writeln!(text, "{line}")?,
            }
        }
        text.push_str(match self.verdict() {
            ALL_WELL => "\nEvery eligible recipient got exactly one message.\n",
            SOME_HELD => "\nNobody got a message twice; some are held, as nobody knows whether theirs left.\n",
            _ => "\nSomething is wrong: see faults.\n",
        });
        Ok(text)
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        let (sent, held, left) = (self.sent, self.held, self.messages_left);
        let accounted = self.created + self.empty + self.invalid + self.duplicates_in_file;
        expect(accounted == self.rows, format!("{} rows, but {accounted} accounted for", self.rows));
        let eligible = self.recipients.saturating_sub(self.skipped);
        expect(eligible > 0, "there is no eligible recipient".to_owned());
        expect(sent + held == eligible, format!("{eligible} eligible recipients, but {sent} sent and {held} held"));
        expect(self.failed == 0, format!("{} failed", self.failed));
        expect(self.duplicates_sent == 0, format!("{} messages left more than once", self.duplicates_sent));
        // whether that of a held one left is exactly what is not known
        let range = sent..=sent + held;
        expect(range.contains(&left), format!("{sent} sent and {held} held, but {left} messages left"));
        expect(self.jobs_left == 0, format!("jobs left behind: {:?}", self.jobs_left_by_kind));
        expect(self.counters_equal, "the campaign's numbers are not those of its recipients".to_owned());
        expect(self.in_time, "not done in time".to_owned());
        faults
    }
}

/// The campaign's own count of recipients by state.
fn told(progress: &Value) -> BTreeMap<String, u64> {
    let counts = progress["counts"].as_object().into_iter().flatten();
    counts.map(|(state, count)| (state.clone(), number(count))).filter(|(_, count)| *count > 0).collect()
}

fn causes(progress: &Value) -> BTreeMap<String, u64> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let skipped = progress["skipped"].as_object().into_iter().flatten();
    let skipped = skipped.map(|(reason, count)| (format!("skipped: {reason}"), number(count)));
    let causes = progress["causes"].as_array().into_iter().flatten();
    let causes =
        causes.map(|cause| (format!("{}: {}", text(&cause["state"]), text(&cause["reason"])), number(&cause["count"])));
    skipped.chain(causes).collect()
}

fn rounded(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Report {
        Report {
            rows: 10,
            created: 8,
            invalid: 2,
            recipients: 8,
            skipped: 1,
            sent: 7,
            messages_left: 7,
            counters_equal: true,
            in_time: true,
            ..Report::default()
        }
    }

    fn judged(mut report: Report) -> u8 {
        report.faults = report.faults();
        report.verdict()
    }

    #[test]
    fn exactly_one_message_each_is_all_well() {
        assert_eq!(judged(well()), ALL_WELL);
    }

    #[test]
    fn held_ones_are_told_apart_whether_or_not_their_message_left() {
        for messages_left in [6, 7] {
            assert_eq!(judged(Report { sent: 6, held: 1, messages_left, ..well() }), SOME_HELD);
        }
        assert_eq!(judged(Report { sent: 6, held: 1, messages_left: 5, ..well() }), WRONG);
    }

    #[test]
    fn anything_else_is_wrong() {
        let wrong = [
            Report { created: 7, ..well() },
            Report { sent: 6, ..well() },
            Report { sent: 6, failed: 1, ..well() },
            Report { duplicates_sent: 1, messages_left: 8, ..well() },
            Report { jobs_left: 1, ..well() },
            Report { counters_equal: false, ..well() },
            Report { in_time: false, ..well() },
            Report::default(),
        ];
        for report in wrong {
            assert_eq!(judged(report), WRONG);
        }
    }
}
