//! When a cron line fires in a zone. Pure: the same answer in every process, for the past and for the future.
//!
//! The line is matched on the zone's clock alone, by croner as if that clock never changed, and each time on the clock is then placed
//! in real time by the contract. croner itself would decide about gaps and overlaps by the look of the line, and from inside an overlap
//! it loses the rest of the second pass or answers a time before the one asked about.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    contract::{Ambiguous, Nonexistent},
    local::{Local, place, shown},
};

/// Why there is no time to tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The line is not a cron line.
    #[error("the cron line {0:?} can't be read: {1}")]
    Line(String, String),
    /// There is no such zone.
    #[error("there is no time zone {0}: a name is Europe/Berlin")]
    Zone(String),
    /// The line has no next time.
    #[error("the cron line {0:?} has no next time: {1}")]
    Never(String, String),
    /// The stored words are not those of this version.
    #[error("the schedule {0} is stored with words that this version does not know")]
    Words(String),
}

/// A cron line on a zone's clock, with what it does where that clock is set.
#[derive(Debug, Clone)]
pub struct Calendar {
    cron: Cron,
    zone: Tz,
    nonexistent: Nonexistent,
    ambiguous: Ambiguous,
}

/// One time at which a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fire {
    /// When.
    pub at: DateTime<Utc>,
    /// What the zone's clock shows then, with its offset.
    pub local: DateTime<FixedOffset>,
    /// When its job is due: later than `at` by the jitter of this fire.
    pub run_at: DateTime<Utc>,
    /// What a change of the zone's clock did to it.
    pub dst: Option<Dst>,
    /// The time of the line that it stands for, where the clock left that time out.
    pub meant: Option<NaiveDateTime>,
}

/// What a change of the zone's clock did to a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dst {
    /// Its time does not exist on this day: it was moved to the end of the gap.
    Moved,
    /// The clock shows its time twice; this is the first of them.
    First,
    /// The clock shows its time twice; this is the second of them.
    Second,
}

impl Calendar {
    /// Reads a line: five fields, or six with seconds first. What is not given for gaps and overlaps depends on the line. One that
    /// fires in each hour follows real time: a time left out is left out, a time shown twice fires twice. Any other keeps its
    /// number of fires a day: a time left out moves to the end of the gap, a time shown twice fires when it is shown first.
    pub fn new(
        line: &str,
        zone: Tz,
        nonexistent: Option<Nonexistent>,
        ambiguous: Option<Ambiguous>,
    ) -> Result<Self, CalendarError> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(line).map_err(|error| CalendarError::Line(line.to_owned(), error.to_string()))?;
        let is_hourly = (0..24).all(|hour| cron.pattern.hour_match(hour).unwrap_or(false));
        let nonexistent = nonexistent.unwrap_or(if is_hourly { Nonexistent::Skip } else { Nonexistent::NextValid });
        let ambiguous = ambiguous.unwrap_or(if is_hourly { Ambiguous::Both } else { Ambiguous::First });
        let calendar = Self { cron, zone, nonexistent, ambiguous };
        calendar.next_after(DateTime::UNIX_EPOCH)?;
        Ok(calendar)
    }

    /// What becomes of a time that does not exist.
    #[must_use]
    pub const fn nonexistent(&self) -> Nonexistent {
        self.nonexistent
    }
    /// What becomes of a time that exists twice.
    #[must_use]
    pub const fn ambiguous(&self) -> Ambiguous {
        self.ambiguous
    }

    /// The first fire after `at`.
    pub fn next_after(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        // a line knows whole seconds, and what comes after a part of a second comes after its beginning
        let at = at.trunc_subsecs(0);
        let here = shown(self.zone, at);
        let ahead = self.ahead(at, here)?;
        Ok(self.again(at, here)?.map_or(ahead, |again| again.min(ahead)))
    }

    /// Of the times that the clock has shown already and will show again, those it is to fire at then: they lie behind on the clock
    /// and ahead in time. Only during the first pass of an overlap.
    fn again(&self, at: DateTime<Utc>, here: NaiveDateTime) -> Result<Option<DateTime<Utc>>, CalendarError> {
        if self.ambiguous == Ambiguous::First {
            return Ok(None);
        }
        let Local::Twice(fold) = place(self.zone, here) else { return Ok(None) };
        if at >= fold.set_back_at {
            return Ok(None);
        }
        let local = self.matched(fold.from, true)?;
        Ok((local <= here).then(|| fold.set_back_at + (local - fold.from)))
    }

    /// The first fire after `at` for a time that is still ahead on the clock.
    fn ahead(&self, at: DateTime<Utc>, here: NaiveDateTime) -> Result<DateTime<Utc>, CalendarError> {
        let (mut local, mut is_from) = (here, false);
        loop {
            let matched = self.matched(local, is_from)?;
            let (found, further) = match place(self.zone, matched) {
                Local::Once(once) => (Some(once), matched),
                Local::Twice(fold) => {
                    let found = match self.ambiguous {
                        Ambiguous::First => Some(fold.first),
                        Ambiguous::Second => Some(fold.second),
                        Ambiguous::Both if fold.first > at => Some(fold.first),
                        Ambiguous::Both => Some(fold.second),
                    };
                    (found, fold.until)
                }
                Local::Never(gap) => {
                    ((self.nonexistent == Nonexistent::NextValid).then_some(gap.set_forward_at), gap.until)
                }
            };
            if let Some(found) = found.filter(|found| *found > at) {
                return Ok(found);
            }
            // whatever else of this overlap or gap is ahead on the clock has the same answer
            is_from = further > matched;
            local = further;
        }
    }

    /// The first time of the line on the clock after `local`, or from it on.
    fn matched(&self, local: NaiveDateTime, is_from: bool) -> Result<NaiveDateTime, CalendarError> {
        let found = self.cron.find_next_occurrence(&local.and_utc(), is_from);
        found
            .map(|found| found.naive_utc())
            .map_err(|error| CalendarError::Never(self.cron.as_str().to_owned(), error.to_string()))
    }

    /// The fires from `from` on, before `until`.
    pub(crate) fn between(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = Result<DateTime<Utc>, CalendarError>> {
        let mut after = Some(from - TimeDelta::nanoseconds(1));
        std::iter::from_fn(move || {
            let next = self.next_after(after?);
            after = next.as_ref().ok().copied();
            (next.as_ref().map_or(true, |next| *next < until)).then_some(next)
        })
    }

    /// The newest `most` fires from `from` on, before `until`, oldest first. Its cost depends on `most`, not on how far it is.
    pub(crate) fn newest(
        &self,
        most: usize,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, CalendarError> {
        let mut span = TimeDelta::seconds(60);
        loop {
            let start = from.max(until - span);
            let mut found = self.between(start, until).collect::<Result<Vec<_>, _>>()?;
            if found.len() >= most || start == from {
                return Ok(found.split_off(found.len().saturating_sub(most)));
            }
            span = span * 2;
        }
    }

    /// A fire, looked at closely.
    pub(crate) fn describe(&self, at: DateTime<Utc>, run_at: DateTime<Utc>) -> Result<Fire, CalendarError> {
        let zoned = at.with_timezone(&self.zone);
        let local = zoned.with_timezone(&zoned.offset().fix());
        let (dst, meant) = match place(self.zone, local.naive_local()) {
            Local::Twice(fold) if at < fold.set_back_at => (Some(Dst::First), None),
            Local::Twice(_) => (Some(Dst::Second), None),
            Local::Once(_) | Local::Never(_) if self.cron.is_time_matching(&local).unwrap_or(true) => (None, None),
            // the clock shows a time that is no time of the line: the fire stands for one that was left out just before
            Local::Once(_) | Local::Never(_) => {
                let second_before = TimeDelta::seconds(1);
                let from = shown(self.zone, at - second_before) + second_before;
                (Some(Dst::Moved), Some(self.matched(from, true)?))
            }
        };
        Ok(Fire { at, local, run_at, dst, meant })
    }
}
