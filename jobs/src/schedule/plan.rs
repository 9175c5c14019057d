//! A schedule's contract as it is stored, and what it says is to be made now. Pure: the rows are the callers'.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    calendar::{Calendar, CalendarError, Fire},
    contract::{CatchUp, ON_TIME},
};
use crate::admin::ScheduleRow;

/// When a schedule fires, when the jobs of its fires are due, and which fires are made up.
pub(crate) struct Plan {
    name: String,
    calendar: Calendar,
    catch_up: CatchUp,
    jitter: Duration,
}

/// What is to be made of a schedule that is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The fires that make jobs, oldest first.
    pub fires: Vec<DateTime<Utc>>,
    /// The newest of the missed fires that make none.
    pub left_out: Option<DateTime<Utc>>,
    /// When it fires next.
    pub next: DateTime<Utc>,
}

impl Plan {
    /// Where the schedule of that name fires by that calendar.
    pub(crate) fn new(name: &str, calendar: Calendar, catch_up: CatchUp, jitter: Duration) -> Self {
        Self { name: name.to_owned(), calendar, catch_up, jitter }
    }

    /// The plan of a stored schedule.
    pub(crate) fn of(row: &ScheduleRow) -> Result<Self, CalendarError> {
        let words = || CalendarError::Words(row.name.clone());
        let zone = row.time_zone.parse().map_err(|_| CalendarError::Zone(row.time_zone.clone()))?;
        let nonexistent = row.nonexistent.parse().map_err(|_| words())?;
        let ambiguous = row.ambiguous.parse().map_err(|_| words())?;
        let catch_up = CatchUp::of(&row.catch_up, row.catch_up_limit).ok_or_else(words)?;
        let jitter = Duration::from_millis(u64::try_from(row.jitter_ms).unwrap_or(0));
        let calendar = Calendar::new(&row.cron, zone, Some(nonexistent), Some(ambiguous))?;
        Ok(Self::new(&row.name, calendar, catch_up, jitter))
    }

    /// The first fire after `at`.
    pub(crate) fn next_after(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        self.calendar.next_after(at)
    }

    /// When the job of a fire is due.
    pub(crate) fn run_at(&self, fire: DateTime<Utc>) -> DateTime<Utc> {
        fire + jitter(&self.name, fire, self.jitter)
    }

    /// What is due at `now` of a schedule whose next fire is stored as `next`. A stored time that has come is a fire, whatever the
    /// calendar of this version says about it.
    pub(crate) fn due(&self, next: DateTime<Utc>, now: DateTime<Utc>) -> Result<Due, CalendarError> {
        if next > now {
            return Ok(Due { fires: Vec::new(), left_out: None, next });
        }
        let on_time = (now - ON_TIME).max(next);
        let until = now + Duration::from_nanos(1);
        let mut fires = self.calendar.between(on_time, until).collect::<Result<Vec<_>, _>>()?;
        if on_time == next && fires.first() != Some(&next) {
            fires.insert(0, next);
        }
        let keep = match self.catch_up {
            CatchUp::None => 0,
            CatchUp::One => usize::from(fires.is_empty()),
            CatchUp::All(limit) => usize::from(limit),
        };
        let mut missed = self.calendar.newest(keep + 1, next, on_time)?;
        if next < on_time && missed.len() <= keep && missed.first() != Some(&next) {
            missed.insert(0, next);
        }
        let left_out = (missed.len() > keep).then(|| missed.remove(0));
        missed.append(&mut fires);
        Ok(Due { fires: missed, left_out, next: self.calendar.next_after(now)? })
    }

    /// The next fires after `from`.
    pub(crate) fn preview(&self, from: DateTime<Utc>, count: usize) -> Result<Vec<Fire>, CalendarError> {
        let mut at = from;
        let mut fires = Vec::new();
        for _ in 0..count {
            at = self.next_after(at)?;
            fires.push(self.calendar.describe(at, self.run_at(at))?);
        }
        Ok(fires)
    }
}

/// How much later than its fire a job is due: drawn from name and time, so that every scheduler, every try and every preview has the same.
fn jitter(name: &str, fire: DateTime<Utc>, most: Duration) -> Duration {
    let seed = name.bytes().chain(fire.timestamp().to_le_bytes());
    // FNV-1a, then the finish of murmur: neighbouring seconds must not have neighbouring delays
    let mut hash =
        seed.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis((hash ^ (hash >> 33)) % most.saturating_add(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }
    fn hourly(catch_up: CatchUp) -> Plan {
        Plan::new("x", Calendar::new("0 * * * *", chrono_tz::UTC, None, None).unwrap(), catch_up, Duration::ZERO)
    }

    #[test]
    fn what_is_on_time_is_made_whatever_is_said_of_what_was_missed() {
        for catch_up in [CatchUp::None, CatchUp::One, CatchUp::All(2)] {
            let due = hourly(catch_up).due(time("2026-01-01T10:00:00Z"), time("2026-01-01T10:00:59.5Z")).unwrap();
            assert_eq!(due.fires, [time("2026-01-01T10:00:00Z")]);
            assert_eq!((due.left_out, due.next), (None, time("2026-01-01T11:00:00Z")));
        }
    }

    #[test]
    fn missed_fires_make_none_or_one_or_all_up_to_a_limit() {
        let (next, now) = (time("2026-01-01T02:00:00Z"), time("2026-01-01T10:30:00Z"));
        let none = hourly(CatchUp::None).due(next, now).unwrap();
        assert_eq!((none.fires, none.left_out), (vec![], Some(time("2026-01-01T10:00:00Z"))));
        let one = hourly(CatchUp::One).due(next, now).unwrap();
        assert_eq!((one.fires, one.left_out), (vec![time("2026-01-01T10:00:00Z")], Some(time("2026-01-01T09:00:00Z"))));
        let some = hourly(CatchUp::All(2)).due(next, now).unwrap();
        assert_eq!(some.fires, [time("2026-01-01T09:00:00Z"), time("2026-01-01T10:00:00Z")]);
        assert_eq!(some.left_out, Some(time("2026-01-01T08:00:00Z")));
        let all = hourly(CatchUp::All(1000)).due(next, now).unwrap();
        assert_eq!((all.fires.len(), all.left_out, all.next), (9, None, time("2026-01-01T11:00:00Z")));
    }

    #[test]
    fn one_for_all_that_was_missed_is_the_one_that_is_on_time_where_there_is_one() {
        let due = hourly(CatchUp::One).due(time("2026-01-01T02:00:00Z"), time("2026-01-01T10:00:05Z")).unwrap();
        assert_eq!(due.fires, [time("2026-01-01T10:00:00Z")]);
    }

    #[test]
    fn a_line_of_each_second_that_was_away_for_ten_years_is_caught_up_at_once() {
        let calendar = Calendar::new("* * * * * *", chrono_tz::UTC, None, None).unwrap();
        let plan = Plan::new("x", calendar, CatchUp::All(100), Duration::ZERO);
        let due = plan.due(time("2016-01-01T00:00:00Z"), time("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(due.fires.len(), 100 + 61);
        assert_eq!(due.fires[0], time("2025-12-31T23:57:20Z"));
        assert!(due.fires.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_stored_time_that_is_none_of_the_line_fires_once() {
        let due = hourly(CatchUp::None).due(time("2026-01-01T10:07:00Z"), time("2026-01-01T10:07:30Z")).unwrap();
        assert_eq!(due.fires, [time("2026-01-01T10:07:00Z")]);
        let due = hourly(CatchUp::One).due(time("2026-01-01T10:07:00Z"), time("2026-01-01T10:30:00Z")).unwrap();
        assert_eq!(due.fires, [time("2026-01-01T10:07:00Z")]);
    }

    #[test]
    fn jitter_is_the_same_for_everybody_and_spread_over_what_is_allowed() {
        let most = Duration::from_secs(600);
        let at = |hour| time("2026-01-01T00:00:00Z") + chrono::TimeDelta::hours(hour);
        let delays: Vec<Duration> = (0..1000).map(|hour| jitter("reports", at(hour), most)).collect();
        assert_eq!(delays, (0..1000).map(|hour| jitter("reports", at(hour), most)).collect::<Vec<_>>());
        assert!(delays.iter().all(|delay| *delay <= most));
        let mean = delays.iter().sum::<Duration>().as_secs_f64() / 1000.0;
        assert!((280.0..320.0).contains(&mean), "{mean}");
        assert_ne!(jitter("a", at(0), most), jitter("b", at(0), most));
        assert_eq!(jitter("a", at(0), Duration::ZERO), Duration::ZERO);
    }
}
