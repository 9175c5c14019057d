//! Whether the transactions of one piece of work get on. A statement on a connection with nobody at its other end is waited for as long
//! as the work may take, and for some work these are hours.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Watches the transactions of one piece of work ([`crate::Db::watched_by`]).
#[derive(Debug, Default)]
pub struct Pulse {
    beats: Mutex<Vec<Weak<Beat>>>,
}

/// When a transaction was last told to do something; lives as long as the transaction.
#[derive(Debug)]
pub(crate) struct Beat {
    since: Instant,
    last_ms: AtomicU64,
}

impl Pulse {
    /// Whether some transaction has been at one statement, or idle, for so long.
    #[must_use]
    pub fn has_stopped(&self, limit: Duration) -> bool {
        let mut beats = self.beats.lock().expect("nothing panics while it is held");
        beats.retain(|beat| beat.strong_count() > 0);
        beats.iter().filter_map(Weak::upgrade).any(|beat| beat.is_older_than(limit))
    }

    pub(crate) fn beat(&self) -> Arc<Beat> {
        let beat = Arc::new(Beat { since: Instant::now(), last_ms: AtomicU64::new(0) });
        self.beats.lock().expect("nothing panics while it is held").push(Arc::downgrade(&beat));
        beat
    }
}

impl Beat {
    pub fn note(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    fn is_older_than(&self, limit: Duration) -> bool {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed))) > limit
    }
}
