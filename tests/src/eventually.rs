//! Waiting for a state, never for a time: asks again until it holds, within a bound that only a failure reaches.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// The longest that anything may take: twice what the product gives a connection whose other end is gone (25 s, `docs/operating.md`), and then some.
const BOUND: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(10);

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
