//! Waiting for a state, never for a time: asks again until it holds, within a bound that only a failure reaches. The machine's own clock alone
//! is waited for, by tests that a schedule or the turn of an hour would disturb.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::World;

/// The longest that anything may take: twice what the product gives a connection whose other end is gone (25 s, `docs/operating.md`), and then some.
const BOUND: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(10);
/// The same of a clock.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Waits until `holds` answers true.
///
/// # Panics
/// When it still does not after a minute.
pub async fn eventually<F, Fut>(what: &str, holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    assert!(in_time(holds).await, "not within {BOUND:?}: {what}");
}

/// Whether `holds` answers true within a minute: for one who has more to say of it when it does not.
pub async fn in_time<F, Fut>(mut holds: F) -> bool
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let until = Instant::now() + BOUND;
    while !holds().await {
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    true
}

/// Waits until `find` answers something, and answers that.
///
/// # Panics
/// When it still answers nothing after a minute.
pub async fn eventually_some<T, F, Fut>(what: &str, mut find: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let until = Instant::now() + BOUND;
    loop {
        if let Some(found) = find().await {
            return found;
        }
        assert!(Instant::now() < until, "not within {BOUND:?}: {what}");
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Waits until twenty seconds of a minute are left, for a test in which no schedule of the minute may fire before it moves the time. It is
/// called before the world is made, whose clock starts as the machine's.
pub async fn early_in_the_minute() {
    while World::machine_ms() / 1000 % 60 >= 40 {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Waits out the last minute of an hour, for what is said of the hour that it is and looked at a moment later.
pub async fn before_the_hour_s_last_minute() {
    while World::machine_ms() / 60_000 % 60 == 59 {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
