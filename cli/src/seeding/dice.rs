//! Chance that repeats itself: what comes out depends on the seed and on what it is asked for, and on nothing that was asked before. So a
//! conversation's traits are known anywhere without being kept.

/// Numbers that follow from a seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of one thing: its kind, its tenant and its number.
    pub fn of(seed: u64, kind: u64, tenant: u32, number: u64) -> Self {
        let mut dice = Self(seed ^ kind.rotate_left(56) ^ u64::from(tenant).rotate_left(40));
        dice.0 = dice.roll() ^ number;
        dice.roll();
        dice
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, and without, `end`; 0 where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll().checked_rem(end).unwrap_or(0)
    }

    /// Whether what happens so often in a thousand happens.
    pub fn happens(&mut self, in_a_thousand: u64) -> bool {
        self.below(1000) < in_a_thousand
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }

    /// One of several, the earlier ones more often: the first of a hundred eight times as often as the middle one.
    pub fn lean<T: Copy>(&mut self, from: &[T]) -> T {
        let place = self.share().powi(3) * from.len() as f64;
        from[(place as usize).min(from.len() - 1)]
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Bits for an id.
    pub fn wide(&mut self) -> u128 {
        u128::from(self.roll()) << 64 | u128::from(self.roll())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_gets_the_same_and_another_thing_something_else() {
        let of = |seed, kind, tenant, number| Dice::of(seed, kind, tenant, number).roll();
        assert_eq!(of(1, 2, 3, 4), of(1, 2, 3, 4));
        let mut all = vec![of(1, 2, 3, 4), of(2, 2, 3, 4), of(1, 3, 3, 4), of(1, 2, 4, 4), of(1, 2, 3, 5)];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn what_happens_once_in_five_times_does_so() {
        let happened = (0..100_000).filter(|n| Dice::of(7, 1, 1, *n).happens(200)).count();
        assert!((19_500..20_500).contains(&happened), "{happened}");
    }
}
