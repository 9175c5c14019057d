//! Whether the next round trip begins, and for what the cycle waits if it does not.

use std::time::Instant;

/// What there is to do about a trip that may start at some time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It starts.
    Now,
    /// It starts then, if nothing happens before.
    At(Instant),
    /// Nothing, before something happens.
    Told,
}

impl Next {
    /// By one reading of the clock: by two, a start that becomes due between them is neither begun nor waited for, and if nothing else happens the
    /// process claims and writes nothing any more.
    pub fn of(start_at: Option<Instant>, now: Instant) -> Self {
        match start_at {
            Some(at) if at <= now => Self::Now,
            Some(at) => Self::At(at),
            None => Self::Told,
        }
    }

    /// Waits for its time; without one for ever.
    pub async fn reached(self) {
        match self {
            Self::Now => {}
            Self::At(at) => tokio::time::sleep_until(at.into()).await,
            Self::Told => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_start_is_begun_or_waited_for_however_near_it_is() {
        let now = Instant::now();
        let nanosecond = Duration::from_nanos(1);
        assert_eq!(Next::of(Some(now - nanosecond), now), Next::Now);
        assert_eq!(Next::of(Some(now), now), Next::Now);
        assert_eq!(Next::of(Some(now + nanosecond), now), Next::At(now + nanosecond));
        assert_eq!(Next::of(None, now), Next::Told);
    }
}
