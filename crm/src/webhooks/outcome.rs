//! What came of one attempt, and what follows from it: the curve of the attempts, how a `Retry-After` bends it, and what of an answer is kept.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clients::{ClientError, http::Answer};

/// Seconds between two attempts. With the last one the third day is nearly over.
const WAITS_S: [i64; 10] = [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 72_000];
/// A receiver may ask for this much at the most.
const LONGEST_REST: Duration = Duration::from_secs(12 * 3600);
/// Characters of an answer that are kept.
const KEPT: usize = 500;

/// One attempt.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
    /// The status; none where there was no answer.
    pub status: Option<u16>,
    /// Why there was none: a stable code.
    pub error: Option<&'static str>,
    /// How the answer began.
    pub answer: Option<String>,
    retry_after: Option<Duration>,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It was taken.
    Delivered,
    /// Once more, then.
    Again(DateTime<Utc>),
    /// Never again, for that reason.
    GivenUp(&'static str),
}

impl Attempt {
    /// Of the call's result. What can't be reached and what may not be are one: who asks learns nothing of names and addresses inside.
    pub(super) fn of(at: DateTime<Utc>, duration: Duration, result: Result<Answer, ClientError>) -> Self {
        match result {
            Ok(answer) => Self {
                at,
                duration,
                status: Some(answer.status.as_u16()),
                error: None,
                answer: Some(redacted(&String::from_utf8_lossy(&answer.body))).filter(|text| !text.is_empty()),
                retry_after: answer.retry_after,
            },
            Err(error) => {
                let code = match error.code() {
                    "egress_refused" | "dns" | "bad_address" => "address_refused",
                    other => other,
                };
                Self { at, duration, status: None, error: Some(code), answer: None, retry_after: None }
            }
        }
    }

    /// Whether the receiver has taken it. A redirect is none of ours to follow.
    pub(super) fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver says that it is gone for good.
    pub(super) fn is_gone(&self) -> bool {
        self.status == Some(410)
    }

    /// What follows from it, being that many-th since the delivery was made or replayed.
    pub(super) fn next(&self, number: usize, now: DateTime<Utc>, give_up_at: DateTime<Utc>) -> Next {
        if self.is_taken() {
            return Next::Delivered;
        }
        if self.is_gone() {
            return Next::GivenUp("gone");
        }
        let Some(wait) = number.checked_sub(1).and_then(|index| WAITS_S.get(index)) else {
            return Next::GivenUp("exhausted");
        };
        let asked = self.retry_after.filter(|_| matches!(self.status, Some(429 | 503))).unwrap_or_default();
        let asked = TimeDelta::from_std(asked.min(LONGEST_REST)).unwrap_or_default();
        let at = now + TimeDelta::seconds(*wait).max(asked);
        if at > give_up_at { Next::GivenUp("exhausted") } else { Next::Again(at) }
    }
}

/// The beginning of an answer as people may read it: without what looks like a secret, a phone or a control character.
fn redacted(text: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while !rest.is_empty() && clean.chars().count() < KEPT {
        let end = rest.find(|c: char| !is_of_token(c)).unwrap_or(rest.len());
        if end == 0 {
            let first = rest.chars().next().unwrap_or(' ');
            clean.push(if first.is_control() { ' ' } else { first });
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..end];
        clean.push_str(if is_secret(word) { "***" } else { word });
        rest = &rest[end..];
    }
    clean.chars().take(KEPT).collect::<String>().trim().to_owned()
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-' | '.' | '@')
}

/// Long and of letters with digits, or with as many digits as a phone has, or an e-mail address.
fn is_secret(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    (word.len() >= 20 && digits > 0) || digits >= 7 || word.contains('@') || word.starts_with("whsec_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clients::http::StatusCode;

    fn answered(status: u16, retry_after_s: Option<u64>) -> Attempt {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after_s.map(Duration::from_secs),
            body: Vec::new(),
        };
        Attempt::of(DateTime::UNIX_EPOCH, Duration::ZERO, Ok(answer))
    }

    fn next(attempt: &Attempt, number: usize) -> Next {
        attempt.next(number, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(3))
    }

    fn after_s(seconds: i64) -> Next {
        Next::Again(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds))
    }

    #[test]
    fn the_attempts_fill_three_days_and_no_more() {
        let whole: i64 = WAITS_S.iter().sum();
        assert!((70 * 3600..=72 * 3600).contains(&whole), "{whole}");
        assert!(WAITS_S.is_sorted());
        assert_eq!(next(&answered(500, None), WAITS_S.len() + 1), Next::GivenUp("exhausted"));
    }

    #[test]
    fn what_is_not_success_is_tried_again_and_410_is_not() {
        for status in [200, 204, 299] {
            assert_eq!(next(&answered(status, None), 1), Next::Delivered, "{status}");
        }
        for status in [302, 307, 400, 404, 429, 500, 503] {
            assert_eq!(next(&answered(status, None), 1), after_s(5), "{status}");
        }
        assert_eq!(next(&answered(410, None), 1), Next::GivenUp("gone"));
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it_within_bounds() {
        assert_eq!(next(&answered(429, Some(90)), 1), after_s(90));
        assert_eq!(next(&answered(503, Some(1)), 2), after_s(60), "the curve is the least");
        assert_eq!(next(&answered(503, Some(86_400)), 1), after_s(12 * 3600));
        assert_eq!(next(&answered(500, Some(90)), 1), after_s(5));
    }

    #[test]
    fn nothing_begins_after_the_end() {
        let (now, attempt) = (DateTime::UNIX_EPOCH, answered(500, None));
        assert_eq!(attempt.next(1, now, now + TimeDelta::seconds(4)), Next::GivenUp("exhausted"));
    }

    #[test]
    fn an_answer_is_kept_without_what_may_be_secret() {
        let shown =
            redacted("ok\n\u{0}token=sk_live_0123456789abcdefghij call +13055550142 or ana@example.com whsec_abc");
        assert_eq!(shown, "ok  *** call *** or *** ***");
        assert_eq!(redacted("{\"error\":\"no such thing\"}"), "{\"error\":\"no such thing\"}");
        assert_eq!(redacted(&"é".repeat(2000)).chars().count(), KEPT);
    }

    #[test]
    fn what_may_not_be_reached_looks_like_what_is_not_there() {
        let of = |error| Attempt::of(DateTime::UNIX_EPOCH, Duration::ZERO, Err(error)).error;
        assert_eq!(of(ClientError::Transient { reason: "dns" }), Some("address_refused"));
        assert_eq!(of(ClientError::Transient { reason: "timeout" }), Some("timeout"));
    }
}
