//! How much processor time the database server and our own processes have used, as Linux counts it.

use std::fs;
use std::time::Duration;

/// The unit of /proc/PID/stat: USER_HZ is 100 wherever Linux runs.
const TICK: Duration = Duration::from_millis(10);

/// Processor time so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// By all processes of the server.
    pub server: Duration,
    /// By ours.
    pub client: Duration,
}

impl Spent {
    /// What was added since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self { server: self.server.saturating_sub(earlier.server), client: self.client.saturating_sub(earlier.client) }
    }
}

/// Reads it; zero where there is no /proc. Backends that have ended are counted by the postmaster, which waited for them.
pub fn spent(postmaster: u32, ours: &[u32]) -> Spent {
    let mut spent = Spent::default();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some(times) = fs::read_to_string(entry.path().join("stat")).ok().and_then(|stat| parse(&stat)) else {
            continue;
        };
        if pid == postmaster {
            spent.server += times.own + times.children;
        } else if times.parent == postmaster {
            spent.server += times.own;
        } else if ours.contains(&pid) {
            spent.client += times.own;
        }
    }
    spent
}

struct Times {
    parent: u32,
    own: Duration,
    children: Duration,
}

/// The fields after the name in brackets, which may itself hold spaces and brackets.
fn parse(stat: &str) -> Option<Times> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
    let own = ticks(11)? + ticks(12)?;
    let children = ticks(13)? + ticks(14)?;
    Some(Times { parent: ticks(1)?, own: TICK * own, children: TICK * children })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "17 (a) b) S 5 17 17 0 -1 4194560 1 0 0 0 7 3 2 1 20 0 1 0";
        let times = parse(stat).unwrap();
        assert_eq!((times.parent, times.own, times.children), (5, TICK * 10, TICK * 3));
    }

    #[test]
    fn our_own_time_is_seen() {
        assert!(spent(0, &[std::process::id()]).client >= Duration::ZERO);
    }
}
