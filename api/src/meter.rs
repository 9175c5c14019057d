//! What keys may ask: a bucket per key in this process, and the requests of the day, which all processes count together in Postgres.
//!
//! Loose on purpose, so that no request waits for a row: with several api processes a key has its rate in each; and what another process has
//! let through within the last second or so is not in the day's count yet, so a quota can be passed by that much. A process that dies
//! takes a second of its counts with it. Nothing else is let through.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use crm::{
    App, Error,
    access::{
        api_keys::ApiKeyId,
        key_limits::{self, Allowance},
    },
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use uuid::Uuid;

use crate::Settings;

/// The rate's window: a key may make as many requests at once as it may make in a minute.
const MINUTE_S: u64 = 60;
/// A day's window.
const DAY_S: u64 = 86_400;
/// How often what was counted is written.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);
/// More keys than this are not remembered: a bucket that is full again says nothing, and goes first.
const KEYS: usize = 20_000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

struct Entry {
    bucket: Arc<Bucket>,
    rate: NonZeroU32,
    used_at: Instant,
}

/// The buckets and the counts of this process.
pub struct Meter {
    rate: NonZeroU32,
    quota: Option<i64>,
    buckets: Mutex<HashMap<ApiKeyId, Entry>>,
    /// Requests that are not written yet. As long as its database answers, no more keys than were used within a second.
    counts: Mutex<HashMap<(Uuid, ApiKeyId), i64>>,
}

impl Meter {
    /// Counts nothing yet, and writes what it will until the process ends.
    pub fn start(app: App, settings: &Settings) -> Arc<Self> {
        let meter = Arc::new(Self::new(settings));
        tokio::spawn(meter.clone().write_on(app));
        meter
    }

    fn new(settings: &Settings) -> Self {
        Self {
            rate: settings.key_rate_per_minute,
            quota: settings.key_quota_per_day.map(|quota| quota.get().into()),
            buckets: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    /// Counts a request of a key, or refuses it; answers how the key stands either way.
    pub fn ask(&self, allowance: &Allowance) -> (Standing, Result<(), Error>) {
        let quota = allowance.quota_per_day.or(self.quota);
        let mut day = quota.map(|quota| Window {
            name: "day",
            quota: quota.unsigned_abs(),
            seconds: DAY_S,
            left: Some(
                quota.saturating_sub(allowance.requests_today + self.unwritten(allowance)).max(0).unsigned_abs(),
            ),
            renews_s: u64::try_from(allowance.day_ends_s).unwrap_or(0).max(1),
        });
        let bucket = self.bucket(allowance);
        let rate = self.rate_of(allowance);
        if let Some(day) = day.as_ref().filter(|day| day.left == Some(0)) {
            let retry_after = Duration::from_secs(day.renews_s);
            return (
                Standing { minute: Window::minute(rate, None), day: Some(*day) },
                Err(Error::RateLimited { retry_after }),
            );
        }
        let (left, outcome) = match bucket.check() {
            Ok(state) => {
                *held(&self.counts).entry((allowance.tenant_id, allowance.id)).or_insert(0) += 1;
                if let Some(day) = &mut day {
                    day.left = day.left.map(|left| left - 1);
                }
                (state.remaining_burst_capacity(), Ok(()))
            }
            Err(not_until) => {
                let retry_after = not_until.wait_time_from(bucket.clock().now()).max(Duration::from_secs(1));
                (0, Err(Error::RateLimited { retry_after }))
            }
        };
        (Standing { minute: Window::minute(rate, Some(left)), day }, outcome)
    }

    fn rate_of(&self, allowance: &Allowance) -> NonZeroU32 {
        allowance.rate_per_minute.and_then(|rate| NonZeroU32::new(rate.unsigned_abs())).unwrap_or(self.rate)
    }

    fn unwritten(&self, allowance: &Allowance) -> i64 {
        held(&self.counts).get(&(allowance.tenant_id, allowance.id)).copied().unwrap_or(0)
    }

    fn bucket(&self, allowance: &Allowance) -> Arc<Bucket> {
        let (rate, now) = (self.rate_of(allowance), Instant::now());
        let mut buckets = held(&self.buckets);
        if let Some(entry) = buckets.get_mut(&allowance.id).filter(|entry| entry.rate == rate) {
            entry.used_at = now;
            return entry.bucket.clone();
        }
        make_room(&mut buckets, now, KEYS);
        let bucket =
            Arc::new(RateLimiter::direct(Quota::per_minute(rate)).with_middleware::<StateInformationMiddleware>());
        buckets.insert(allowance.id, Entry { bucket: bucket.clone(), rate, used_at: now });
        bucket
    }

    async fn write_on(self: Arc<Self>, app: App) {
        loop {
            let is_last = tokio::select! {
                () = tokio::time::sleep(WRITTEN_EVERY) => false,
                () = app.stop.cancelled() => true,
            };
            if let Err(error) = self.write(&app).await {
                // they are kept, and written with the next ones
                tracing::warn!(error = %error, "the requests of keys could not be counted");
            }
            if is_last {
                return;
            }
        }
    }

    async fn write(&self, app: &App) -> Result<(), Error> {
        let counts: Vec<_> = held(&self.counts).iter().map(|((tenant_id, id), n)| (*tenant_id, *id, *n)).collect();
        if counts.is_empty() {
            return Ok(());
        }
        key_limits::add(app, &counts).await?;
        // after the commit: a request in between counts twice for a moment rather than not at all
        let mut held = held(&self.counts);
        for (tenant_id, id, written) in counts {
            if let Some(left) = held.get_mut(&(tenant_id, id)) {
                *left -= written;
            }
        }
        held.retain(|_, left| *left > 0);
        Ok(())
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where there are too many buckets, those that are full again go; where all are in use, all begin anew.
fn make_room(buckets: &mut HashMap<ApiKeyId, Entry>, now: Instant, most: usize) {
    if buckets.len() >= most {
        buckets.retain(|_, entry| now.duration_since(entry.used_at) < Duration::from_secs(MINUTE_S));
    }
    if buckets.len() >= most {
        buckets.clear();
    }
}

/// How much is left in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    name: &'static str,
    quota: u64,
    seconds: u64,
    /// None where it was not asked for.
    left: Option<u64>,
    /// Until all of it is there again.
    renews_s: u64,
}

impl Window {
    fn minute(rate: NonZeroU32, left: Option<u32>) -> Self {
        let (quota, left) = (u64::from(rate.get()), left.map(u64::from));
        let renews_s = (quota.saturating_sub(left.unwrap_or(0)) * MINUTE_S).div_ceil(quota);
        Self { name: "minute", quota, seconds: MINUTE_S, left, renews_s }
    }
}

/// How a key stands, as its answers say in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    minute: Window,
    day: Option<Window>,
}

impl Standing {
    /// Writes the headers.
    pub fn write(&self, headers: &mut HeaderMap) {
        let windows = || [Some(self.minute), self.day].into_iter().flatten();
        let policy: Vec<_> = windows().map(|w| format!("\"{}\";q={};w={}", w.name, w.quota, w.seconds)).collect();
        let left: Vec<_> =
            windows().filter_map(|w| Some(format!("\"{}\";r={};t={}", w.name, w.left?, w.renews_s))).collect();
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            // numbers and names of ours are always a header
            if let Ok(value) = HeaderValue::try_from(value.join(", ")) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(rate: Option<i32>, quota: Option<i64>, today: i64) -> Allowance {
        Allowance {
            id: ApiKeyId::new(),
            tenant_id: Uuid::now_v7(),
            rate_per_minute: rate,
            quota_per_day: quota,
            requests_today: today,
            day_ends_s: 3_600,
        }
    }

    fn said(standing: Standing) -> (String, String) {
        let mut headers = HeaderMap::new();
        standing.write(&mut headers);
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        (text("ratelimit-policy"), text("ratelimit"))
    }

    #[test]
    fn a_key_has_its_own_rate_and_is_told_how_it_stands() {
        let meter = Meter::new(&Settings::default());
        let (slow, other) = (allowance(Some(3), None, 0), allowance(None, Some(10), 7));
        for left in [2, 1, 0] {
            let (standing, outcome) = meter.ask(&slow);
            outcome.unwrap();
            let renews = (3 - left) * 20;
            assert_eq!(said(standing), ("\"minute\";q=3;w=60".into(), format!("\"minute\";r={left};t={renews}")));
        }
        let (standing, outcome) = meter.ask(&slow);
        let Err(Error::RateLimited { retry_after }) = outcome else { panic!("it was let through") };
        assert!((1..=20).contains(&retry_after.as_secs()), "{retry_after:?}");
        assert_eq!(said(standing).1, "\"minute\";r=0;t=60");
        // with what this process has not written yet, until the day's requests are used up
        for left in [2, 1, 0] {
            let (standing, outcome) = meter.ask(&other);
            outcome.unwrap();
            assert!(said(standing).1.ends_with(&format!("\"day\";r={left};t=3600")), "{standing:?}");
        }
        let (_, outcome) = meter.ask(&other);
        assert!(matches!(outcome, Err(Error::RateLimited { retry_after }) if retry_after.as_secs() == 3_600));
        assert_eq!(meter.unwritten(&other), 3, "what is refused is not counted");
    }

    #[test]
    fn however_many_keys_there_are_so_many_are_remembered() {
        let meter = Meter::new(&Settings::default());
        let now = Instant::now();
        let mut buckets = HashMap::new();
        for n in 0..10 {
            let used_at = if n < 4 { now } else { now + Duration::from_secs(90) };
            let bucket = meter.bucket(&allowance(None, None, 0));
            make_room(&mut buckets, now + Duration::from_secs(100), 8);
            buckets.insert(ApiKeyId::new(), Entry { bucket, rate: meter.rate, used_at });
        }
        // the ninth found four that were full again
        assert_eq!(buckets.len(), 6);
    }
}
