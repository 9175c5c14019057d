//! When a message may go out: the hours a campaign was given, and the quiet hours of whoever gets it (rule D9). Pure.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Error,
    tenancy::week::{are_days, minutes},
};

/// Outside the quiet hours it is from here on, in minutes of the day …
const QUIET_UNTIL: u32 = 8 * 60;
/// … to before here.
const QUIET_FROM: u32 = 21 * 60;
const EACH_DAY: [u32; 7] = [1, 2, 3, 4, 5, 6, 7];
/// Days that are looked through. Whoever finds no hour in them finds none.
const AHEAD: u64 = 15;

/// Whose clock the hours are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Wherever the contact is.
    Contact,
    /// The tenant's.
    Tenant,
}

/// Days and hours in which a campaign sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SendingWindow)]
pub struct Window {
    /// Days of the week, 1 is Monday.
    pub days: Vec<u32>,
    /// The first minute, 09:00.
    pub from: String,
    /// The minute it ends before, 18:00; 24:00 is the end of the day.
    pub until: String,
    /// Whose clock.
    pub zone: Clock,
}

impl Window {
    /// Refuses what is no window, or one that the quiet hours leave nothing of.
    pub fn check(&self, quiet: Option<&Quiet>) -> Result<(), Error> {
        let days = are_days(&self.days);
        let (Some(from), Some(until), true) = (minutes(&self.from), minutes(&self.until), days) else {
            let message = "give days from 1 (Monday) to 7, and hours such as 09:00 and 18:00";
            return Err(Error::invalid("window", "window_invalid", message));
        };
        if from >= until {
            return Err(Error::invalid("window", "window_invalid", "it has to end after it begins, on the same day"));
        }
        let is_quiet = |quiet: &Quiet| {
            let days = self.days.iter().any(|day| quiet.days.contains(day));
            !days || until <= quiet.from || from >= quiet.until
        };
        if quiet.is_some_and(is_quiet) {
            let message = "all of it lies in the quiet hours";
            return Err(Error::invalid("window", "window_outside_quiet_hours", message));
        }
        Ok(())
    }

    fn span(&self) -> (u32, u32) {
        (minutes(&self.from).unwrap_or(0), minutes(&self.until).unwrap_or(24 * 60))
    }
}

/// The hours of rule D9 in which somebody may be written to, or stricter ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    days: Vec<u32>,
    from: u32,
    until: u32,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { days: EACH_DAY.to_vec(), from: QUIET_UNTIL, until: QUIET_FROM }
    }
}

impl Quiet {
    /// Takes away what these days and minutes have not.
    pub fn tighten(&mut self, days: &[u32], from: u32, until: u32) {
        self.days.retain(|day| days.contains(day));
        self.from = self.from.max(from);
        self.until = self.until.min(until);
    }

    /// Whether all of these minutes are in it.
    #[must_use]
    pub const fn has(&self, from: u32, until: u32) -> bool {
        self.from <= from && until <= self.until
    }

    /// The days of the week on which there are hours.
    #[must_use]
    pub fn days(&self) -> &[u32] {
        &self.days
    }

    /// The first minute of a day, and the one it ends before.
    #[must_use]
    pub const fn span(&self) -> (u32, u32) {
        (self.from, self.until)
    }
}

/// The hours of a campaign.
#[derive(Debug, Clone, Default)]
pub struct Hours<'a> {
    /// Its own.
    pub window: Option<&'a Window>,
    /// Those in which the contact may be written to, where that is heeded.
    pub quiet: Option<Quiet>,
}

/// What a moment is for a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It may be sent to.
    Now,
    /// Not before then, for this cause.
    Later(DateTime<Utc>, &'static str),
    /// There is no hour in which it may be sent to.
    Never,
}

impl Hours<'_> {
    /// Whether there are any.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.window.is_some() || self.quiet.is_some()
    }

    /// How many minutes of a day are open, where all are in one zone.
    #[must_use]
    pub fn open_minutes(&self) -> u32 {
        let (from, until) = self.window.map_or((0, 24 * 60), Window::span);
        let (from, until) = match &self.quiet {
            Some(quiet) => (from.max(quiet.from), until.min(quiet.until)),
            None => (from, until),
        };
        until.saturating_sub(from).max(1)
    }

    /// What a moment is for one that may be in these zones: its hours have to be open in all of them.
    #[must_use]
    pub fn turn(&self, now: DateTime<Utc>, zones: &[Tz], tenant: Tz) -> Turn {
        if !self.is_any() {
            return Turn::Now;
        }
        let (open, quiet) = self.open(now, zones, tenant);
        let is_quiet = quiet.is_some_and(|spans| !spans.iter().any(|(from, until)| *from <= now && now < *until));
        match open.into_iter().find(|(_, until)| now < *until) {
            None => Turn::Never,
            Some((from, _)) if from <= now => Turn::Now,
            Some((from, _)) => Turn::Later(from, if is_quiet { "quiet_hours" } else { "outside_window" }),
        }
    }

    /// Until when one that may be in these zones may be sent to without a break; none: not at this moment.
    #[must_use]
    pub fn open_until(&self, now: DateTime<Utc>, zones: &[Tz], tenant: Tz) -> Option<DateTime<Utc>> {
        let (open, _) = self.open(now, zones, tenant);
        open.into_iter().find(|(from, until)| *from <= now && now < *until).map(|(_, until)| until)
    }

    /// When work that takes so long is done, if it is done in these hours of one zone alone; none where it takes years.
    #[must_use]
    pub fn done_at(&self, now: DateTime<Utc>, work: TimeDelta, tenant: Tz) -> Option<DateTime<Utc>> {
        if !self.is_any() {
            return now.checked_add_signed(work);
        }
        let (mut at, mut left) = (now, work);
        for _ in 0..60 {
            let (open, _) = self.open(at, &[tenant], tenant);
            for (from, until) in open {
                if until <= at {
                    continue;
                }
                let from = from.max(at);
                if left <= until - from {
                    return Some(from + left);
                }
                left -= until - from;
                at = until;
            }
        }
        None
    }

    /// The hours that are open to one that may be in these zones, and those of them that are not quiet, whatever the window.
    fn open(&self, now: DateTime<Utc>, zones: &[Tz], tenant: Tz) -> (Vec<Span>, Option<Vec<Span>>) {
        let mut open: Option<Vec<Span>> = None;
        let mut quiet: Option<Vec<Span>> = None;
        let both = |all: &mut Option<Vec<Span>>, more: Vec<Span>| {
            *all = Some(match all.take() {
                None => more,
                Some(those) => intersect(&those, &more),
            });
        };
        if let Some(hours) = &self.quiet {
            for zone in zones {
                both(&mut quiet, spans(now, *zone, &hours.days, hours.span()));
            }
            open.clone_from(&quiet);
        }
        if let Some(window) = self.window {
            let of = if window.zone == Clock::Tenant { std::slice::from_ref(&tenant) } else { zones };
            for zone in of {
                both(&mut open, spans(now, *zone, &window.days, window.span()));
            }
        }
        (open.unwrap_or_default(), quiet)
    }
}

type Span = (DateTime<Utc>, DateTime<Utc>);

/// The open hours of a zone from yesterday on, in their order.
fn spans(now: DateTime<Utc>, zone: Tz, days: &[u32], (from, until): (u32, u32)) -> Vec<Span> {
    let today = now.with_timezone(&zone).date_naive();
    let dates =
        (0..AHEAD + 2).filter_map(|ahead| today.checked_sub_days(Days::new(1))?.checked_add_days(Days::new(ahead)));
    let open = dates.filter(|date| days.contains(&date.weekday().number_from_monday()));
    let spans = open.filter_map(|date| Some((instant(zone, date, from, false)?, instant(zone, date, until, true)?)));
    let mut joined: Vec<Span> = Vec::new();
    for span in spans.filter(|(from, until)| from < until) {
        match joined.last_mut() {
            // a day that ends where the next begins
            Some(last) if last.1 >= span.0 => last.1 = last.1.max(span.1),
            _ => joined.push(span),
        }
    }
    joined
}

/// The moment of a wall clock. Where it shows a time twice, the hours begin with the second and end with the first; where it leaves one out, they
/// begin and end right after the gap.
fn instant(zone: Tz, date: NaiveDate, minutes: u32, is_end: bool) -> Option<DateTime<Utc>> {
    let local = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(i64::from(minutes));
    let after =
        (0..=8).find_map(|quarters| match zone.from_local_datetime(&(local + TimeDelta::minutes(15 * quarters))) {
            chrono::LocalResult::Single(at) => Some(at),
            chrono::LocalResult::Ambiguous(first, second) => Some(if is_end { first } else { second }),
            chrono::LocalResult::None => None,
        })?;
    Some(after.to_utc())
}

fn intersect(one: &[Span], other: &[Span]) -> Vec<Span> {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    let mut spans: Vec<Span> = pairs.filter(|(from, until)| from < until).collect();
    spans.sort_unstable();
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW_YORK: Tz = chrono_tz::America::New_York;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn window(days: &[u32], from: &str, until: &str, zone: Clock) -> Window {
        Window { days: days.to_vec(), from: from.to_owned(), until: until.to_owned(), zone }
    }

    fn quiet() -> Hours<'static> {
        Hours { window: None, quiet: Some(Quiet::default()) }
    }

    #[test]
    fn quiet_hours_end_at_eight_and_begin_at_nine_in_the_evening() {
        for (time, turn) in [
            ("2026-07-01T07:59:59-04:00", Turn::Later(at("2026-07-01T08:00:00-04:00"), "quiet_hours")),
            ("2026-07-01T08:00:00-04:00", Turn::Now),
            ("2026-07-01T20:59:59-04:00", Turn::Now),
            ("2026-07-01T21:00:00-04:00", Turn::Later(at("2026-07-02T08:00:00-04:00"), "quiet_hours")),
            // the night in which clocks go forward, and the one in which they go back
            ("2026-03-07T22:00:00-05:00", Turn::Later(at("2026-03-08T08:00:00-04:00"), "quiet_hours")),
            ("2026-10-31T22:00:00-04:00", Turn::Later(at("2026-11-01T08:00:00-05:00"), "quiet_hours")),
        ] {
            assert_eq!(quiet().turn(at(time), &[NEW_YORK], chrono_tz::UTC), turn, "{time}");
        }
    }

    #[test]
    fn one_that_may_be_in_two_zones_is_written_to_when_both_are_awake() {
        let both = [NEW_YORK, chrono_tz::America::Chicago];
        let eight = at("2026-07-01T08:30:00-04:00");
        assert_eq!(quiet().turn(eight, &both, NEW_YORK), Turn::Later(at("2026-07-01T09:00:00-04:00"), "quiet_hours"));
        assert_eq!(
            quiet().turn(at("2026-07-01T20:30:00-05:00"), &both, NEW_YORK),
            Turn::Later(at("2026-07-02T08:00:00-05:00"), "quiet_hours")
        );
    }

    #[test]
    fn a_window_of_days_waits_for_the_next_of_them() {
        let week = window(&[1, 2, 3, 4, 5], "09:00", "18:00", Clock::Tenant);
        let hours = Hours { window: Some(&week), quiet: Some(Quiet::default()) };
        // a Friday evening
        let monday = Turn::Later(at("2026-07-06T09:00:00-04:00"), "outside_window");
        assert_eq!(hours.turn(at("2026-07-03T18:00:00-04:00"), &[NEW_YORK], NEW_YORK), monday);
        // three hours earlier it is three in the afternoon here, and noon there
        assert_eq!(
            hours.turn(at("2026-07-03T15:00:00-04:00"), &[chrono_tz::America::Los_Angeles], NEW_YORK),
            Turn::Now
        );
        // nine here is six there: their quiet hours last
        let quiet = Turn::Later(at("2026-07-03T08:00:00-07:00"), "quiet_hours");
        assert_eq!(hours.turn(at("2026-07-03T09:00:00-04:00"), &[chrono_tz::America::Los_Angeles], NEW_YORK), quiet);
        assert_eq!(hours.open_minutes(), 9 * 60);
        let early = window(&[1], "08:00", "10:00", Clock::Tenant);
        let never = Hours { window: Some(&early), quiet: Some(Quiet::default()) };
        assert_eq!(never.turn(at("2026-07-03T15:00:00-04:00"), &[chrono_tz::Pacific::Honolulu], NEW_YORK), Turn::Never);
    }

    #[test]
    fn stricter_hours_leave_out_days_and_evenings() {
        let mut strict = Quiet::default();
        strict.tighten(&[1, 2, 3, 4, 5], 10 * 60, 20 * 60);
        let hours = Hours { window: None, quiet: Some(strict.clone()) };
        // a Friday, a little after eight in the evening: until Monday at ten
        let monday = Turn::Later(at("2026-07-06T10:00:00-04:00"), "quiet_hours");
        assert_eq!(hours.turn(at("2026-07-03T20:00:00-04:00"), &[NEW_YORK], NEW_YORK), monday);
        assert_eq!(hours.turn(at("2026-07-03T19:59:59-04:00"), &[NEW_YORK], NEW_YORK), Turn::Now);
        assert_eq!(hours.open_minutes(), 10 * 60);
        let sunday = window(&[7], "09:00", "18:00", Clock::Contact);
        assert_eq!(sunday.check(Some(&strict)).unwrap_err().code(), "window_outside_quiet_hours");
        assert!(sunday.check(Some(&Quiet::default())).is_ok());
        strict.tighten(&[6, 7], 0, 24 * 60);
        let never = Hours { window: None, quiet: Some(strict) };
        assert_eq!(never.turn(at("2026-07-03T12:00:00-04:00"), &[NEW_YORK], NEW_YORK), Turn::Never);
    }

    #[test]
    fn work_goes_on_the_next_day_where_the_hours_end() {
        let day = TimeDelta::hours(13);
        let evening = at("2026-07-01T20:00:00-04:00");
        assert_eq!(quiet().done_at(evening, TimeDelta::hours(1), NEW_YORK), Some(at("2026-07-01T21:00:00-04:00")));
        assert_eq!(quiet().done_at(evening, TimeDelta::hours(2), NEW_YORK), Some(at("2026-07-02T09:00:00-04:00")));
        assert_eq!(quiet().done_at(evening, day * 40, NEW_YORK), Some(at("2026-08-10T20:00:00-04:00")));
        assert_eq!(Hours::default().done_at(evening, day, NEW_YORK), Some(evening + day));
    }

    #[test]
    fn whole_days_have_no_seam_and_what_is_no_window_is_refused() {
        let all = window(&[1, 2, 3, 4, 5, 6, 7], "00:00", "24:00", Clock::Contact);
        let hours = Hours { window: Some(&all), quiet: None };
        assert_eq!(hours.turn(at("2026-07-03T23:59:59-04:00"), &[NEW_YORK], NEW_YORK), Turn::Now);
        for (days, from, until) in [
            (&[][..], "09:00", "18:00"),
            (&[8], "09:00", "18:00"),
            (&[1, 1], "09:00", "18:00"),
            (&[1], "9", "18:00"),
            (&[1], "18:00", "09:00"),
            (&[1], "09:00", "25:00"),
            (&[1], "09:00", "09:60"),
        ] {
            let refused = window(days, from, until, Clock::Tenant).check(None).unwrap_err();
            assert_eq!(refused.code(), "window_invalid", "{days:?} {from} {until}");
        }
        let night = window(&[1], "21:00", "24:00", Clock::Tenant);
        assert_eq!(night.check(Some(&Quiet::default())).unwrap_err().code(), "window_outside_quiet_hours");
        assert!(night.check(None).is_ok());
    }

    proptest! {
        #[test]
        fn what_has_to_wait_may_be_sent_when_its_time_comes(
            seconds in 1_700_000_000_i64..1_900_000_000, zone in 0_usize..4, other in 0_usize..4, from in 0_u32..20, length in 1_u32..4, day in 1_u32..8,
        ) {
            let all = [NEW_YORK, chrono_tz::America::Los_Angeles, chrono_tz::Europe::Madrid, chrono_tz::Australia::Lord_Howe];
            let span = window(&[day, day % 7 + 1], &format!("{from:02}:00"), &format!("{:02}:30", from + length), Clock::Contact);
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            for hours in [Hours { window: Some(&span), quiet: None }, Hours { window: Some(&span), quiet: Some(Quiet::default()) }, quiet()] {
                let zones = [all[zone], all[other]];
                if let Turn::Later(then, _) = hours.turn(now, &zones, NEW_YORK) {
                    prop_assert!(then > now);
                    prop_assert_eq!(hours.turn(then, &zones, NEW_YORK), Turn::Now);
                    prop_assert_eq!(hours.open_until(now, &zones, NEW_YORK), None);
                    let until = hours.open_until(then, &zones, NEW_YORK).unwrap();
                    prop_assert_eq!(hours.turn(until - TimeDelta::seconds(1), &zones, NEW_YORK), Turn::Now);
                    prop_assert!(hours.turn(until, &zones, NEW_YORK) != Turn::Now);
                    prop_assert!(hours.turn(then - TimeDelta::seconds(1), &zones, NEW_YORK) != Turn::Now);
                }
            }
        }
    }
}
