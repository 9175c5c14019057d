//! Schedules: cron lines on a zone's clock that make jobs of the platform, by a stated contract. The next fire time is stored; whoever
//! moves it makes the job in the same commit, so any number of schedulers may run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use db::PlatformTx;
use futures::future::BoxFuture;

use crate::{
    enqueue::{Enqueue, EnqueueError, Enqueued},
    job::Job,
};

mod calendar;
#[cfg(test)]
mod calendar_tests;
mod contract;
mod declare;
mod fire;
mod local;
mod plan;

pub use calendar::{CalendarError, Dst, Fire};
pub use contract::{Ambiguous, CatchUp, MAX_JITTER, Nonexistent, ON_TIME, Overlap};
pub use declare::declare;
pub use fire::{Fired, ScheduleError, fire_due, fire_in, fire_now, run};
pub(crate) use plan::Plan;

use calendar::Calendar;

/// Makes the job of a fire, in the transaction that moves the schedule's time.
type Make =
    Box<dyn for<'a> Fn(&'a mut PlatformTx, Occasion) -> BoxFuture<'a, Result<Enqueued, EnqueueError>> + Send + Sync>;

/// A fire and when its job is due.
#[derive(Debug, Clone, Copy)]
struct Occasion {
    at: DateTime<Utc>,
    run_at: DateTime<Utc>,
}

/// A schedule as declared in code: name, cron line, zone, the job it makes, and what it promises where it has a choice.
pub struct Schedule {
    name: &'static str,
    cron: &'static str,
    time_zone: Tz,
    nonexistent: Option<Nonexistent>,
    ambiguous: Option<Ambiguous>,
    catch_up: CatchUp,
    overlap: Overlap,
    jitter: Duration,
    make: Make,
    kind: &'static str,
    queue: &'static str,
}

impl Schedule {
    /// Makes `job` for the platform at each time of `cron` (five fields, or six with seconds first) in `time_zone`. Unless said
    /// otherwise: missed fires make one job between them, none is made while the last one is live, there is no jitter, and a change of
    /// the zone's clock is met as the line asks for: one that fires in each hour follows real time, any other keeps its fires a day.
    #[must_use]
    pub fn new<S: 'static, J: Job<S> + Clone + Sync>(
        name: &'static str,
        cron: &'static str,
        time_zone: Tz,
        job: J,
    ) -> Self {
        Self::made_by::<S, J>(name, cron, time_zone, move |_| job.clone())
    }

    /// The same where the job is to know for which time it is made: `make` is given the fire's own time, however late it is made, and
    /// whatever jitter and retries do to the job's `run_at`.
    #[must_use]
    pub fn made_by<S: 'static, J: Job<S> + Sync>(
        name: &'static str,
        cron: &'static str,
        time_zone: Tz,
        make: impl Fn(DateTime<Utc>) -> J + Send + Sync + 'static,
    ) -> Self {
        let make: Make = Box::new(move |tx, occasion| {
            let job = make(occasion.at);
            Box::pin(async move {
                let enqueue = Enqueue::<S, J>::new().run_at(occasion.run_at);
                Ok(enqueue.many_for(tx, 0, std::slice::from_ref(&job)).await?[0])
            })
        });
        Self {
            name,
            cron,
            time_zone,
            nonexistent: None,
            ambiguous: None,
            catch_up: CatchUp::One,
            overlap: Overlap::Skip,
            jitter: Duration::ZERO,
            make,
            kind: J::KIND,
            queue: J::QUEUE.0,
        }
    }

    /// What becomes of a time that the zone's clock leaves out.
    #[must_use]
    pub fn nonexistent(self, nonexistent: Nonexistent) -> Self {
        Self { nonexistent: Some(nonexistent), ..self }
    }
    /// What becomes of a time that the zone's clock shows twice.
    #[must_use]
    pub fn ambiguous(self, ambiguous: Ambiguous) -> Self {
        Self { ambiguous: Some(ambiguous), ..self }
    }
    /// What becomes of fires that were missed.
    #[must_use]
    pub fn catch_up(self, catch_up: CatchUp) -> Self {
        Self { catch_up, ..self }
    }
    /// What becomes of a fire while the schedule's last job is live.
    #[must_use]
    pub fn overlap(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }
    /// Each fire's job is due up to that much later, by a delay that belongs to the fire: at most a day.
    #[must_use]
    pub fn jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    fn calendar(&self) -> Result<Calendar, CalendarError> {
        Calendar::new(self.cron, self.time_zone, self.nonexistent, self.ambiguous)
    }

    /// A line for the snapshot.
    ///
    /// # Panics
    /// Where the cron line can't be read: a fault of the program, found by the test that keeps the snapshot.
    #[must_use]
    pub fn line(&self) -> String {
        let calendar = self.calendar().expect("a declared cron line can be read");
        format!(
            "{} cron=\"{}\" zone={} kind={} nonexistent={} ambiguous={} catch_up={}{} overlap={} jitter={}s",
            self.name,
            self.cron,
            self.time_zone,
            self.kind,
            calendar.nonexistent().word(),
            calendar.ambiguous().word(),
            self.catch_up.word(),
            self.catch_up.limit().map(|limit| format!("({limit})")).unwrap_or_default(),
            self.overlap.word(),
            self.jitter.as_secs_f64(),
        )
    }
}

/// The next fires of a cron line that is not stored, for whoever thinks about one.
pub fn preview_line(
    line: &str,
    zone: &str,
    nonexistent: Option<Nonexistent>,
    ambiguous: Option<Ambiguous>,
    from: DateTime<Utc>,
    count: usize,
) -> Result<Vec<Fire>, CalendarError> {
    let zone = zone.parse().map_err(|_| CalendarError::Zone(zone.to_owned()))?;
    let calendar = Calendar::new(line, zone, nonexistent, ambiguous)?;
    Plan::new("", calendar, CatchUp::None, Duration::ZERO).preview(from, count)
}
