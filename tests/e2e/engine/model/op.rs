//! What may happen, one step at a time. A step that makes no sense where it comes does nothing, so that any sequence can be cut.

use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// Lanes of the world of the model, and hands that work on them.
pub const LANES: usize = 4;
pub const HANDS: usize = 3;

#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// Due at once, or in so many seconds.
    Enqueue {
        lane: usize,
        priority: i16,
        count: usize,
        wait_s: u64,
    },
    Claim {
        hand: usize,
        most: i32,
    },
    /// Claims as the engine does, until it is told to rest.
    ClaimAll {
        hand: usize,
    },
    /// Claims and never hears the answer.
    LoseAnswer {
        hand: usize,
        most: i32,
    },
    /// Ends some of what the hand holds, the one after the other from a place in its list.
    Settle {
        hand: usize,
        from: usize,
        count: usize,
        outcome: Outcome,
    },
    /// Completes in a transaction of the tenant, which commits or does not.
    Complete {
        hand: usize,
        from: usize,
        commits: bool,
    },
    /// Ends a lease that is over, once more.
    Repeat {
        which: usize,
        outcome: Outcome,
    },
    /// The process dies, its lease runs out and another frees what it held.
    Die {
        hand: usize,
    },
    Advance {
        seconds: u64,
    },
    Pause {
        lane: usize,
    },
    Resume {
        lane: usize,
    },
    CancelLane {
        lane: usize,
    },
    Sweep,
    /// An operator cancels a job, or has one run again.
    Cancel {
        which: usize,
    },
    Retry {
        which: usize,
    },
}

/// How a lease ends, by the numbers of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    Retry,
    RetryLater,
    Snooze,
    Discarded,
    Cancelled,
    Release,
}

impl Outcome {
    pub const fn code(self) -> i16 {
        match self {
            Self::Completed => 1,
            Self::Retry | Self::RetryLater => 2,
            Self::Snooze => 3,
            Self::Discarded => 4,
            Self::Cancelled => 5,
            Self::Release => 6,
        }
    }
    /// After how many seconds the job is due again.
    pub const fn delay(self) -> f64 {
        match self {
            Self::RetryLater => 45.0,
            Self::Snooze => 90.0,
            _ => 0.0,
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use Outcome::{Cancelled, Completed, Discarded, Release, Retry, RetryLater, Snooze};
    prop_oneof![
        4 => Just(Completed), 3 => Just(Retry), 2 => Just(RetryLater), 2 => Just(Snooze), 2 => Just(Discarded),
        1 => Just(Cancelled), 3 => Just(Release),
    ]
}

pub fn op() -> impl Strategy<Value = Op> {
    let (lane, hand) = (0..LANES, 0..HANDS);
    let wait = prop_oneof![4 => Just(0_u64), 1 => Just(25), 1 => Just(70)];
    prop_oneof![
        24 => (lane.clone(), -1_i16..=1, 1_usize..=4, wait)
            .prop_map(|(lane, priority, count, wait_s)| Op::Enqueue { lane, priority, count, wait_s }),
        18 => (hand.clone(), 1..6).prop_map(|(hand, most)| Op::Claim { hand, most }),
        6 => hand.clone().prop_map(|hand| Op::ClaimAll { hand }),
        4 => (hand.clone(), 1..6).prop_map(|(hand, most)| Op::LoseAnswer { hand, most }),
        24 => (hand.clone(), any::<u8>(), 1_usize..=4, outcome())
            .prop_map(|(hand, from, count, outcome)| Op::Settle { hand, from: from.into(), count, outcome }),
        8 => (hand.clone(), any::<u8>(), any::<bool>())
            .prop_map(|(hand, from, commits)| Op::Complete { hand, from: from.into(), commits }),
        8 => (any::<u8>(), outcome()).prop_map(|(which, outcome)| Op::Repeat { which: which.into(), outcome }),
        4 => hand.prop_map(|hand| Op::Die { hand }),
        8 => (1_u64..60).prop_map(|seconds| Op::Advance { seconds }),
        4 => lane.clone().prop_map(|lane| Op::Pause { lane }),
        6 => lane.clone().prop_map(|lane| Op::Resume { lane }),
        1 => lane.prop_map(|lane| Op::CancelLane { lane }),
        3 => Just(Op::Sweep),
        6 => any::<u8>().prop_map(|which| Op::Cancel { which: which.into() }),
        6 => any::<u8>().prop_map(|which| Op::Retry { which: which.into() }),
    ]
}
