//! What a time on a zone's clock stands for: one instant, two where the clock was set back, none where it was set forward.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

/// The instants at which a zone's clock shows a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// One, as nearly always.
    Once(DateTime<Utc>),
    /// Two: the clock was set back and showed this time again.
    Twice(Fold),
    /// None: the clock was set forward and left this time out.
    Never(Gap),
}

/// Times that a clock shows twice, seen from one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// When the clock shows the time first.
    pub first: DateTime<Utc>,
    /// When it shows it again.
    pub second: DateTime<Utc>,
    /// When the clock is set back: after the first pass, at the start of the second.
    pub set_back_at: DateTime<Utc>,
    /// The first of the times shown twice.
    pub from: NaiveDateTime,
    /// The first time after them.
    pub until: NaiveDateTime,
}

/// Times that a clock leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The instant at which the clock is set forward, which is the first valid one.
    pub set_forward_at: DateTime<Utc>,
    /// The first of the times left out.
    pub from: NaiveDateTime,
    /// What the clock shows at that instant.
    pub until: NaiveDateTime,
}

/// What the zone's clock shows at an instant.
pub fn shown(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// When the zone's clock shows a time of whole seconds.
pub fn place(zone: Tz, local: NaiveDateTime) -> Local {
    match zone.offset_from_local_datetime(&local) {
        chrono::LocalResult::Single(offset) => Local::Once(at(local, seconds(&offset))),
        chrono::LocalResult::Ambiguous(before, after) => {
            let (before, after) = (seconds(&before), seconds(&after));
            let (first, second) = (at(local, before), at(local, after));
            let set_back_at = change_in(zone, first, second);
            let (from, until) = (moved(set_back_at, after), moved(set_back_at, before));
            Local::Twice(Fold { first, second, set_back_at, from, until })
        }
        chrono::LocalResult::None => match GapInfo::new(&local, &zone).and_then(|gap| gap.begin) {
            Some((from, before)) => {
                let set_forward_at = at(from, seconds(&before));
                Local::Never(Gap { set_forward_at, from, until: shown(zone, set_forward_at) })
            }
            // a gap has a beginning: only a table of zones that contradicts itself comes here
            None => Local::Once(local.and_utc()),
        },
    }
}

/// The first instant after `before`, and not after `until`, at which the offset is no longer that of `before`.
fn change_in(zone: Tz, before: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
    let offset = seconds(before.with_timezone(&zone).offset());
    let (mut same, mut other) = (before.timestamp(), until.timestamp());
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        let is_same = DateTime::from_timestamp(middle, 0)
            .is_some_and(|middle| seconds(middle.with_timezone(&zone).offset()) == offset);
        if is_same { same = middle } else { other = middle }
    }
    DateTime::from_timestamp(other, 0).unwrap_or(until)
}

fn seconds(offset: &impl Offset) -> i64 {
    i64::from(offset.fix().local_minus_utc())
}
fn at(local: NaiveDateTime, offset: i64) -> DateTime<Utc> {
    (local - TimeDelta::seconds(offset)).and_utc()
}
fn moved(at: DateTime<Utc>, offset: i64) -> NaiveDateTime {
    at.naive_utc() + TimeDelta::seconds(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn lord_howe_moves_its_clock_by_half_an_hour() {
        let zone = chrono_tz::Australia::Lord_Howe;
        let Local::Never(gap) = place(zone, time("2026-10-04T02:10:00")) else { panic!("a gap") };
        assert_eq!((gap.from, gap.until), (time("2026-10-04T02:00:00"), time("2026-10-04T02:30:00")));
        let Local::Twice(fold) = place(zone, time("2026-04-05T01:45:00")) else { panic!("an overlap") };
        assert_eq!((fold.from, fold.until), (time("2026-04-05T01:30:00"), time("2026-04-05T02:00:00")));
        assert_eq!(fold.second - fold.first, TimeDelta::minutes(30));
    }

    #[test]
    fn apia_had_no_thirtieth_of_december_in_2011() {
        let Local::Never(gap) = place(chrono_tz::Pacific::Apia, time("2011-12-30T12:00:00")) else { panic!("a gap") };
        assert_eq!((gap.from, gap.until), (time("2011-12-30T00:00:00"), time("2011-12-31T00:00:00")));
        assert_eq!(gap.set_forward_at, time("2011-12-30T10:00:00").and_utc());
    }
}
