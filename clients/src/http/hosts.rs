//! What this process remembers of each host: a breaker that stops calling one that does not answer, and an optional pace.
//! Both are only a first filter inside one process; what holds for the fleet is decided in Postgres.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use failsafe::StateMachine;
use failsafe::backoff::{EqualJittered, equal_jittered};
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::ClientError;

/// Above this many hosts the quiet ones are forgotten.
const KEPT: usize = 4096;
/// Longest pause that smoothing may add to a call; above it the caller is told to come back.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// When the breaker of a host opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerOptions {
    /// So many failures in a row open it.
    pub failures: u32,
    /// First pause, about; it doubles up to `longest_pause`. At least a second.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { failures: 5, first_pause: Duration::from_secs(2), longest_pause: Duration::from_secs(30) }
    }
}

type Breaker = StateMachine<ConsecutiveFailures<EqualJittered>, ()>;

pub(super) struct HostState {
    breaker: Breaker,
    pace: Option<DefaultDirectRateLimiter>,
}

impl HostState {
    /// Waits for the pace, then asks the breaker.
    pub(super) async fn admit(&self) -> Result<(), ClientError> {
        if !self.breaker.is_call_permitted() {
            return Err(ClientError::Transient { reason: "breaker_open" });
        }
        let Some(pace) = &self.pace else { return Ok(()) };
        let clock = DefaultClock::default();
        while let Err(early) = pace.check() {
            let pause = early.wait_time_from(clock.now());
            if pause > LONGEST_PAUSE {
                return Err(ClientError::Paced { wait: pause });
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    pub(super) fn record(&self, answered: bool) {
        if answered { self.breaker.on_success() } else { self.breaker.on_error() }
    }
}

pub(super) struct Hosts {
    known: RwLock<HashMap<String, Arc<HostState>>>,
    breaker: BreakerOptions,
    pace: Option<Quota>,
}

impl Hosts {
    pub(super) fn new(breaker: BreakerOptions, pace: Option<Quota>) -> Self {
        // The crate refuses a first pause below a second by panicking; settings must not be able to do that.
        let first_pause = breaker.first_pause.max(Duration::from_secs(1));
        let longest_pause = breaker.longest_pause.max(first_pause);
        let breaker = BreakerOptions { failures: breaker.failures.max(1), first_pause, longest_pause };
        Self { known: RwLock::new(HashMap::new()), breaker, pace }
    }

    pub(super) fn get(&self, authority: &str) -> Arc<HostState> {
        if let Some(host) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(authority) {
            return Arc::clone(host);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.retain(|_, host| Arc::strong_count(host) > 1);
        }
        Arc::clone(known.entry(authority.to_owned()).or_insert_with(|| Arc::new(self.fresh())))
    }

    fn fresh(&self) -> HostState {
        let backoff = equal_jittered(self.breaker.first_pause, self.breaker.longest_pause);
        let policy = consecutive_failures(self.breaker.failures, backoff);
        HostState { breaker: StateMachine::new(policy, ()), pace: self.pace.map(RateLimiter::direct) }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[tokio::test]
    async fn a_host_that_keeps_failing_is_not_called_and_the_others_are() {
        let hosts = Hosts::new(BreakerOptions { failures: 2, ..BreakerOptions::default() }, None);
        let bad = hosts.get("bad:1");
        bad.record(false);
        bad.record(true);
        bad.record(false);
        assert!(bad.admit().await.is_ok(), "failures must follow each other");
        bad.record(false);
        assert_eq!(hosts.get("bad:1").admit().await, Err(ClientError::Transient { reason: "breaker_open" }));
        assert!(hosts.get("good:1").admit().await.is_ok());
    }

    #[tokio::test]
    async fn a_pace_that_would_take_too_long_says_when_to_come_back() {
        let quota = Quota::with_period(Duration::from_secs(60)).unwrap().allow_burst(NonZeroU32::MIN);
        let host = Hosts::new(BreakerOptions::default(), Some(quota)).get("slow:1");
        assert!(host.admit().await.is_ok());
        let Err(ClientError::Paced { wait: pause }) = host.admit().await else { panic!("not paced") };
        assert!(pause > Duration::from_secs(50), "{pause:?}");
    }
}
