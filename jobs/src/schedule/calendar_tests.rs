//! The calendar against a clock read minute by minute, in every zone and over each change of its clock from 2024 to 2028.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use proptest::prelude::*;

use super::{
    calendar::{Calendar, Dst},
    contract::{Ambiguous, Nonexistent},
    local::shown,
};

const NONEXISTENT: [Nonexistent; 2] = [Nonexistent::Skip, Nonexistent::NextValid];
const AMBIGUOUS: [Ambiguous; 3] = [Ambiguous::First, Ambiguous::Second, Ambiguous::Both];

/// A zone's clock is set: its offset before and after, in seconds.
#[derive(Debug, Clone, Copy)]
struct Change {
    zone: Tz,
    at: DateTime<Utc>,
    before: i32,
    after: i32,
}

impl Change {
    /// A time on the clock in the middle of what is left out or shown twice.
    fn inside(&self) -> NaiveDateTime {
        self.at.naive_utc() + TimeDelta::seconds(i64::from(self.before + self.after) / 2)
    }
    fn window(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let around = TimeDelta::hours(2) + TimeDelta::seconds(i64::from(self.before - self.after).abs());
        (self.at - around, self.at + around)
    }
}

/// Every change of every zone's clock from 2024 to 2028.
static CHANGES: LazyLock<Vec<Change>> = LazyLock::new(|| {
    let (from, until) = (time("2024-01-01T00:00:00Z").timestamp(), time("2029-01-01T00:00:00Z").timestamp());
    let offset = |zone: Tz, at: i64| {
        let at = DateTime::from_timestamp(at, 0).unwrap().with_timezone(&zone);
        at.offset().fix().local_minus_utc()
    };
    let mut changes = Vec::new();
    for zone in TZ_VARIANTS {
        let mut before = offset(zone, from);
        for step in (from..until).step_by(43_200) {
            let after = offset(zone, step + 43_200);
            if before == after {
                continue;
            }
            let (mut same, mut other) = (step, step + 43_200);
            while other - same > 1 {
                let middle = same + (other - same) / 2;
                if offset(zone, middle) == before { same = middle } else { other = middle }
            }
            changes.push(Change { zone, at: DateTime::from_timestamp(other, 0).unwrap(), before, after });
            before = after;
        }
    }
    changes
});

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What a zone's clock shows in each minute of a while: read forwards only, so it shares nothing with what it judges.
struct Clock {
    shows: BTreeMap<NaiveDateTime, Vec<DateTime<Utc>>>,
    left_out: Vec<(NaiveDateTime, DateTime<Utc>)>,
}

impl Clock {
    fn read(zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let minute = TimeDelta::minutes(1);
        let (mut shows, mut left_out) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
        // a gap or an overlap that lies across an end of the while is read whole
        let (mut at, end) = (from - TimeDelta::hours(4), until + TimeDelta::hours(4));
        let mut last: Option<NaiveDateTime> = None;
        while at < end {
            let local = shown(zone, at);
            assert_eq!(local.second(), 0, "{zone} keeps whole minutes");
            let mut skipped = last.map_or(local, |last| last + minute);
            while skipped < local {
                left_out.push((skipped, at));
                skipped += minute;
            }
            shows.entry(local).or_default().push(at);
            (last, at) = (Some(local), at + minute);
        }
        Self { shows, left_out }
    }

    /// The fires of a line of whole minutes by the words of the contract, from `from` on and before `until`.
    fn fires(
        &self,
        line: &str,
        nonexistent: Nonexistent,
        ambiguous: Ambiguous,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Vec<DateTime<Utc>> {
        let cron: Cron = line.parse().unwrap();
        let matches = |local: &NaiveDateTime| {
            cron.pattern.minute_match(local.minute()).unwrap()
                && cron.pattern.hour_match(local.hour()).unwrap()
                && cron.is_time_matching(&local.and_utc()).unwrap()
        };
        let mut fires: Vec<DateTime<Utc>> = Vec::new();
        for (_, at) in self.shows.iter().filter(|(local, _)| matches(local)) {
            match (ambiguous, at.as_slice()) {
                (_, [once]) => fires.push(*once),
                (Ambiguous::First, [first, _]) => fires.push(*first),
                (Ambiguous::Second, [_, second]) => fires.push(*second),
                (Ambiguous::Both, [first, second]) => fires.extend([*first, *second]),
                _ => panic!("a clock that shows a time {} times", at.len()),
            }
        }
        if nonexistent == Nonexistent::NextValid {
            fires.extend(self.left_out.iter().filter(|(local, _)| matches(local)).map(|(_, at)| *at));
        }
        fires.retain(|at| (from..until).contains(at));
        fires.sort();
        fires.dedup();
        fires
    }
}

fn calendar(line: &str, zone: Tz, nonexistent: Nonexistent, ambiguous: Ambiguous) -> Calendar {
    Calendar::new(line, zone, Some(nonexistent), Some(ambiguous)).unwrap()
}
fn listed(calendar: &Calendar, (from, until): (DateTime<Utc>, DateTime<Utc>)) -> Vec<DateTime<Utc>> {
    calendar.between(from, until).collect::<Result<_, _>>().unwrap()
}

#[test]
fn in_every_zone_a_daily_line_meets_each_change_of_the_clock_as_the_contract_says() {
    let zones: std::collections::BTreeSet<&str> = CHANGES.iter().map(|change| change.zone.name()).collect();
    assert!(zones.len() > 150 && CHANGES.len() > 1500, "{} zones, {} changes", zones.len(), CHANGES.len());
    for change in CHANGES.iter() {
        let inside = change.inside();
        let line = format!("{} {} * * *", inside.minute(), inside.hour());
        let half_a_day = TimeDelta::hours(12);
        let window = (change.at - half_a_day, change.at + half_a_day);
        let (first, second) = (
            (inside - TimeDelta::seconds(i64::from(change.before))).and_utc(),
            (inside - TimeDelta::seconds(i64::from(change.after))).and_utc(),
        );
        for nonexistent in NONEXISTENT {
            for ambiguous in AMBIGUOUS {
                let fires = listed(&calendar(&line, change.zone, nonexistent, ambiguous), window);
                let wanted = match (change.after < change.before, nonexistent, ambiguous) {
                    (false, Nonexistent::Skip, _) => vec![],
                    (false, Nonexistent::NextValid, _) => vec![change.at],
                    (true, _, Ambiguous::First) => vec![first],
                    (true, _, Ambiguous::Second) => vec![second],
                    (true, _, Ambiguous::Both) => vec![first, second],
                };
                assert_eq!(fires, wanted, "{line} {change:?} {nonexistent:?} {ambiguous:?}");
            }
        }
    }
}

#[test]
fn over_each_change_no_fire_is_lost_or_doubled_and_the_next_one_is_the_first_of_those_listed() {
    for change in CHANGES.iter() {
        let window = change.window();
        let clock = Clock::read(change.zone, window.0, window.1);
        for line in ["*/20 * * * *", "10 0-3 * * *"] {
            for nonexistent in NONEXISTENT {
                for ambiguous in AMBIGUOUS {
                    let calendar = calendar(line, change.zone, nonexistent, ambiguous);
                    let wanted = clock.fires(line, nonexistent, ambiguous, window);
                    assert_eq!(listed(&calendar, window), wanted, "{line} {change:?} {nonexistent:?} {ambiguous:?}");
                    let mut at = window.0;
                    while at < window.1 {
                        if let Some(next) = wanted.iter().find(|fire| **fire > at) {
                            assert_eq!(calendar.next_after(at).unwrap(), *next, "{line} {change:?} after {at}");
                        }
                        at += TimeDelta::milliseconds(2_399_500);
                    }
                }
            }
        }
    }
}

#[test]
fn unless_said_otherwise_a_daily_line_fires_once_on_each_day_of_every_zone() {
    let zones: BTreeMap<&str, Tz> = CHANGES.iter().map(|change| (change.zone.name(), change.zone)).collect();
    for (name, zone) in zones {
        let calendar = Calendar::new("30 2 * * *", zone, None, None).unwrap();
        let mut at = calendar.next_after(time("2026-01-02T12:00:00Z")).unwrap();
        while at < time("2026-12-30T00:00:00Z") {
            let day = shown(zone, at).date();
            at = calendar.next_after(at).unwrap();
            assert_eq!(shown(zone, at).date(), day.succ_opt().unwrap(), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn any_line_near_any_change_fires_as_the_contract_says(
        change in prop::sample::select(CHANGES.clone()),
        minutes in prop::sample::select(vec!["*", "*/7", "0", "30", "59", "0,15,30", "10-20"]),
        hours in prop::sample::select(vec!["*", "0", "1", "2", "23", "*/2", "0-3", "1,2,3", "22-23"]),
        days in prop::sample::select(vec!["* * *", "* * SUN", "L * *", "*/2 * *", "* * 6,0"]),
        nonexistent in prop::sample::select(NONEXISTENT.to_vec()),
        ambiguous in prop::sample::select(AMBIGUOUS.to_vec()),
        offset_ms in -6 * 3_600_000_i64..6 * 3_600_000,
    ) {
        let line = format!("{minutes} {hours} {days}");
        let at = change.at + TimeDelta::milliseconds(offset_ms);
        let until = change.at + TimeDelta::hours(30);
        let calendar = calendar(&line, change.zone, nonexistent, ambiguous);
        let clock = Clock::read(change.zone, change.at - TimeDelta::hours(6), until);
        let fires = clock.fires(&line, nonexistent, ambiguous, (change.at - TimeDelta::hours(6), until));
        let next = calendar.next_after(at).unwrap();
        prop_assert!(next > at);
        match fires.iter().find(|fire| **fire > at) {
            Some(wanted) => prop_assert_eq!(next, *wanted, "{} {:?} after {}", line, change, at),
            None => prop_assert!(next >= until, "{} {:?} after {}: {}", line, change, at, next),
        }
    }
}

proptest! {
    #[test]
    fn the_newest_fires_of_a_while_are_the_last_of_those_listed(
        change in prop::sample::select(CHANGES.clone()),
        line in prop::sample::select(vec!["*/5 * * * *", "30 1,2 * * *", "* 3 * * SUN", "0 0 1 * *"]),
        ambiguous in prop::sample::select(AMBIGUOUS.to_vec()),
        most in 0_usize..40,
        minutes in 0_i64..3_000,
    ) {
        let calendar = calendar(line, change.zone, Nonexistent::NextValid, ambiguous);
        let window = (change.at - TimeDelta::minutes(minutes), change.at + TimeDelta::minutes(minutes / 2));
        let all = listed(&calendar, window);
        prop_assert_eq!(calendar.newest(most, window.0, window.1).unwrap(), &all[all.len().saturating_sub(most)..]);
    }
}

/// The first three fires after a time, as UTC, with what a change did to them.
fn three(calendar: &Calendar, from: &str) -> Vec<(String, Option<Dst>)> {
    let mut at = time(from);
    (0..3)
        .map(|_| {
            at = calendar.next_after(at).unwrap();
            (at.format("%m-%d %H:%M").to_string(), calendar.describe(at, at).unwrap().dst)
        })
        .collect()
}
fn fires(times: [(&str, Option<Dst>); 3]) -> Vec<(String, Option<Dst>)> {
    times.map(|(at, dst)| (at.to_owned(), dst)).to_vec()
}

#[test]
fn half_past_two_in_new_york_on_the_day_that_has_none() {
    let zone = chrono_tz::America::New_York;
    let (before, skip, moved) = (
        "2026-03-07T00:00:00Z",
        calendar("30 2 * * *", zone, Nonexistent::Skip, Ambiguous::First),
        calendar("30 2 * * *", zone, Nonexistent::NextValid, Ambiguous::First),
    );
    assert_eq!(three(&skip, before), fires([("03-07 07:30", None), ("03-09 06:30", None), ("03-10 06:30", None)]));
    let wanted = fires([("03-07 07:30", None), ("03-08 07:00", Some(Dst::Moved)), ("03-09 06:30", None)]);
    assert_eq!(three(&moved, before), wanted);
    let at = time("2026-03-08T07:00:00Z");
    let fire = moved.describe(at, at).unwrap();
    assert_eq!(fire.meant, Some("2026-03-08T02:30:00".parse().unwrap()));
    assert_eq!(fire.local.to_rfc3339(), "2026-03-08T03:00:00-04:00");
}

#[test]
fn half_past_one_in_new_york_on_the_day_that_has_two() {
    let of = |ambiguous| calendar("30 1 * * *", chrono_tz::America::New_York, Nonexistent::Skip, ambiguous);
    let (first, second) = (("11-01 05:30", Some(Dst::First)), ("11-01 06:30", Some(Dst::Second)));
    let before = "2026-10-31T12:00:00Z";
    let (next, last) = (("11-02 06:30", None), ("11-03 06:30", None));
    assert_eq!(three(&of(Ambiguous::First), before), fires([first, next, last]));
    assert_eq!(three(&of(Ambiguous::Second), before), fires([second, next, last]));
    assert_eq!(three(&of(Ambiguous::Both), before), fires([first, second, next]));
}

#[test]
fn lord_howe_shows_half_an_hour_twice() {
    let calendar = Calendar::new("*/15 * * * *", chrono_tz::Australia::Lord_Howe, None, None).unwrap();
    let fires: Vec<String> = listed(&calendar, (time("2026-04-04T14:30:00Z"), time("2026-04-04T15:46:00Z")))
        .into_iter()
        .map(|at| calendar.describe(at, at).unwrap().local.to_rfc3339()[11..].to_owned())
        .collect();
    assert_eq!(
        fires,
        ["01:30:00+11:00", "01:45:00+11:00", "01:30:00+10:30", "01:45:00+10:30", "02:00:00+10:30", "02:15:00+10:30"]
    );
}

#[test]
fn apia_went_from_thursday_to_saturday() {
    let of = |nonexistent| calendar("0 9 * * *", chrono_tz::Pacific::Apia, nonexistent, Ambiguous::First);
    let before = "2011-12-29T00:00:00Z";
    let skip = fires([("12-29 19:00", None), ("12-30 19:00", None), ("12-31 19:00", None)]);
    assert_eq!(three(&of(Nonexistent::Skip), before), skip);
    let moved = fires([("12-29 19:00", None), ("12-30 10:00", Some(Dst::Moved)), ("12-30 19:00", None)]);
    assert_eq!(three(&of(Nonexistent::NextValid), before), moved);
    // a line of each second, over a day that has none of its 86,400
    let seconds = calendar("* * * * * *", chrono_tz::Pacific::Apia, Nonexistent::NextValid, Ambiguous::Both);
    let at = time("2011-12-30T09:59:59Z");
    assert_eq!(seconds.next_after(at).unwrap(), time("2011-12-30T10:00:00Z"));
}

#[test]
fn every_second_goes_on_through_both_passes_of_an_overlap() {
    let calendar = Calendar::new("* * * * * *", chrono_tz::Europe::Berlin, None, None).unwrap();
    let window = (time("2026-10-25T00:59:58Z"), time("2026-10-25T01:00:02Z"));
    assert_eq!(listed(&calendar, window).len(), 4);
    let window = (time("2026-10-25T01:59:58Z"), time("2026-10-25T02:00:02Z"));
    assert_eq!(listed(&calendar, window).len(), 4);
}

#[test]
fn croner_itself_would_lose_the_second_pass_and_go_back_in_time() {
    let (cron, zone): (Cron, _) = ("*/30 * * * *".parse().unwrap(), chrono_tz::America::New_York);
    let at = |text| time(text).with_timezone(&zone);
    let lost = cron.find_next_occurrence(&at("2026-11-01T05:30:00Z"), false).unwrap();
    assert_eq!(lost.with_timezone(&Utc), time("2026-11-01T07:00:00Z"), "an hour and a half later");
    let back = cron.find_next_occurrence(&at("2026-11-01T06:10:00Z"), false).unwrap();
    assert_eq!(back.with_timezone(&Utc), time("2026-11-01T05:30:00Z"), "before the time asked about");
}

#[test]
fn a_line_says_why_it_can_not_be_used() {
    for line in ["", "61 * * * *", "0 0 30 2 *", "0 0 0 1 1 * 2027", "* * * *"] {
        assert!(Calendar::new(line, chrono_tz::UTC, None, None).is_err(), "{line}");
    }
    let calendar = Calendar::new("0 0 29 2 *", chrono_tz::UTC, None, None).unwrap();
    assert_eq!(calendar.next_after(time("2024-03-01T00:00:00Z")).unwrap(), time("2028-02-29T00:00:00Z"));
}
