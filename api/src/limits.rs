//! How much and how long: bodies, requests, and guesses at secrets of hooks.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::settings::Settings;

/// Largest body of an ordinary request.
pub const BODY: usize = 1 << 20;
/// Longest time for an ordinary request, body included.
pub const TIME: Duration = Duration::from_secs(30);

/// Largest upload, in bytes.
#[must_use]
pub const fn upload(settings: &Settings) -> usize {
    settings.upload_limit_mib << 20
}

/// Wrong guesses of one address at hooks within the window.
const GUESSES: u32 = 20;
/// How long wrong guesses count.
const WINDOW: Duration = Duration::from_secs(60);
/// More addresses than this are not remembered: the oldest windows go first.
const ADDRESSES: usize = 10_000;

/// Counts wrong guesses per address, in this process: a stranger who tries secrets is slowed down, while a line whose gateway has
/// shown the right one goes on, even from the stranger's address.
#[derive(Debug, Default)]
pub struct Guesses {
    counts: Mutex<HashMap<IpAddr, (u32, Instant)>>,
    lines: Mutex<HashSet<Uuid>>,
}

impl Guesses {
    /// Whether the address has guessed wrong too often of late; answers how long to wait.
    pub fn blocked(&self, address: IpAddr, line_id: Uuid, now: Instant) -> Option<Duration> {
        let (count, since) = self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(&address).copied()?;
        let left = WINDOW.checked_sub(now.duration_since(since))?;
        let is_known = || self.lines.lock().unwrap_or_else(PoisonError::into_inner).contains(&line_id);
        (count >= GUESSES && !is_known()).then_some(left)
    }
    /// Remembers that the line's gateway has shown the right secret.
    pub fn right(&self, line_id: Uuid) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).insert(line_id);
    }
    /// Counts a wrong guess.
    pub fn wrong(&self, address: IpAddr, now: Instant) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ADDRESSES {
            counts.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        }
        if counts.len() >= ADDRESSES {
            counts.clear();
        }
        let entry = counts.entry(address).or_insert((0, now));
        if now.duration_since(entry.1) >= WINDOW {
            *entry = (0, now);
        }
        entry.0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_too_often_waits_and_others_do_not() {
        let guesses = Guesses::default();
        let (start, stranger, line) = (Instant::now(), IpAddr::from([203, 0, 113, 9]), Uuid::now_v7());
        for _ in 0..GUESSES {
            assert_eq!(guesses.blocked(stranger, line, start), None);
            guesses.wrong(stranger, start);
        }
        assert_eq!(guesses.blocked(stranger, line, start), Some(WINDOW));
        assert_eq!(guesses.blocked(IpAddr::from([203, 0, 113, 10]), line, start), None);
        assert_eq!(guesses.blocked(stranger, line, start + WINDOW + Duration::from_secs(1)), None);
        guesses.right(line);
        assert_eq!(guesses.blocked(stranger, line, start), None);
    }
}
