//! What a schedule promises where the clock, a stand-still or a slow job leaves it a choice. The words are those of `jobs.schedules`.

use std::{str::FromStr, time::Duration};

use serde::Serialize;

/// A closed set of words, the same in Rust, SQL and JSON.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }
        impl $name {
            /// As it is stored.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
        impl FromStr for $name {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("one of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

words! {
    /// A time of the line that the zone's clock leaves out, as 02:30 where it goes from 02:00 to 03:00.
    Nonexistent {
        /// It does not fire.
        Skip = "skip",
        /// It fires at the first instant after the gap: once, however many of its times the gap holds.
        NextValid = "next_valid",
    }
}
words! {
    /// A time of the line that the zone's clock shows twice, as 01:30 where it goes back from 02:00 to 01:00.
    Ambiguous {
        /// It fires when the time is shown first.
        First = "first",
        /// It fires when the time is shown again.
        Second = "second",
        /// It fires both times.
        Both = "both",
    }
}
words! {
    /// What happens to a fire whose schedule's last job is still live: waiting, running or to be tried again.
    Overlap {
        /// It makes its job all the same.
        Allow = "allow",
        /// It makes none.
        Skip = "skip",
        /// Its job is made when the last one has ended; one fire waits at most, further ones make none.
        Queue = "queue",
    }
}

/// What happens to fires that were missed: due more than [`ON_TIME`] ago, because no scheduler ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They make nothing.
    None,
    /// They make one job between them, for the newest; none where a fire that is on time makes one anyway.
    One,
    /// Each makes its job; the newest so many, at most 1000, where there are more.
    All(u16),
}

impl CatchUp {
    /// Most jobs that missed fires make at once.
    pub const LIMIT: u16 = 1000;

    /// As it is stored, without the number.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::One => "one",
            Self::All(_) => "all",
        }
    }
    /// How many fires it makes up at most, where it says so.
    #[must_use]
    pub const fn limit(self) -> Option<u16> {
        match self {
            Self::All(limit) => Some(limit),
            Self::None | Self::One => None,
        }
    }
    pub(crate) fn of(word: &str, limit: Option<i32>) -> Option<Self> {
        match (word, limit) {
            ("none", None) => Some(Self::None),
            ("one", None) => Some(Self::One),
            ("all", Some(limit)) => u16::try_from(limit).ok().map(Self::All),
            _ => None,
        }
    }
}

/// A fire found later than this was missed: long enough for schedulers that are rolled over or restarted.
pub const ON_TIME: Duration = Duration::from_secs(60);

/// The longest jitter.
pub const MAX_JITTER: Duration = Duration::from_secs(86_400);
