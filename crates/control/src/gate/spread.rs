//! How the knocks of a door spread over prefixes: for the flight recorder, which tells a crowd from a flood by it. Of fixed
//! size, a few nanoseconds a knock; no prefix can be read from it, only salted hashes.

/// Bins that hashes of prefixes fall into: entropy is measured up to 8 bits.
const BINS: usize = 256;
/// Registers of the count of distinct prefixes (HyperLogLog: 13 % standard error).
const REGISTERS: usize = 64;
/// The most frequent prefixes that are followed (Space-Saving: none with more than an eighth of the knocks is missed).
const TOP: usize = 8;

/// Knocks by prefix since the flight recorder last took them.
#[derive(Clone, Debug)]
pub struct Spread {
    bins: [u32; BINS],
    registers: [u8; REGISTERS],
    top: [(u64, u32); TOP],
    knocks: u32,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            bins: [0; BINS],
            registers: [0; REGISTERS],
            top: [(0, 0); TOP],
            knocks: 0,
        }
    }
}

impl Spread {
    pub(crate) fn count(&mut self, hash: u64) {
        self.knocks = self.knocks.saturating_add(1);
        let bin = &mut self.bins[hash as usize % BINS];
        *bin = bin.saturating_add(1);
        let register = &mut self.registers[(hash >> 8) as usize % REGISTERS];
        *register = (*register).max((hash >> 14 | 1 << 50).trailing_zeros() as u8 + 1);
        if let Some(known) = self.top.iter_mut().find(|entry| entry.0 == hash) {
            known.1 = known.1.saturating_add(1);
        } else if let Some(least) = self.top.iter_mut().min_by_key(|entry| entry.1) {
            *least = (hash, least.1.saturating_add(1));
        }
    }

    /// Takes in what another gate, or another door, has seen in the same time.
    pub fn add(&mut self, other: &Self) {
        self.knocks = self.knocks.saturating_add(other.knocks);
        for (sum, more) in self.bins.iter_mut().zip(other.bins) {
            *sum = sum.saturating_add(more);
        }
        for (most, also) in self.registers.iter_mut().zip(other.registers) {
            *most = (*most).max(also);
        }
        for (hash, count) in other.top.into_iter().filter(|entry| entry.1 > 0) {
            if let Some(known) = self.top.iter_mut().find(|entry| entry.0 == hash) {
                known.1 = known.1.saturating_add(count);
            } else if let Some(least) = self.top.iter_mut().min_by_key(|entry| entry.1)
                && least.1 < count
            {
                *least = (hash, count);
            }
        }
    }

    /// Knocks counted.
    pub fn knocks(&self) -> u32 {
        self.knocks
    }

    /// Bits: 0 when all come from one prefix, near 8 when from very many alike.
    pub fn entropy(&self) -> f64 {
        let all = f64::from(self.knocks.max(1));
        let of = |count: u32| f64::from(count) / all;
        self.bins
            .iter()
            .filter(|bin| **bin > 0)
            .map(|bin| -of(*bin) * of(*bin).log2())
            .sum()
    }

    /// About how many different prefixes.
    pub fn distinct(&self) -> f64 {
        let registers = REGISTERS as f64;
        let empty = self
            .registers
            .iter()
            .filter(|register| **register == 0)
            .count() as f64;
        let sum: f64 = self
            .registers
            .iter()
            .map(|register| (-f64::from(*register)).exp2())
            .sum();
        let raw = 0.709 * registers * registers / sum;
        if raw < 2.5 * registers && empty > 0.0 {
            registers * (registers / empty).ln()
        } else {
            raw
        }
    }

    /// Salted hash and count of the most frequent prefixes, the most frequent first; counts may be too high by an eighth of
    /// the knocks, never too low.
    pub fn top(&self) -> [(u64, u32); TOP] {
        let mut top = self.top;
        top.sort_by_key(|entry| std::cmp::Reverse(entry.1));
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::prefix::Salt;

    fn spread(prefixes: u64, each: u32) -> Spread {
        let (mut spread, salt) = (Spread::default(), Salt([1, 1]));
        for prefix in 0..prefixes {
            (0..each).for_each(|_| spread.count(salt.hash(prefix, 9)));
        }
        spread
    }

    #[test]
    fn one_prefix_and_many_are_told_apart() {
        let (one, few, many) = (spread(1, 5_000), spread(8, 500), spread(20_000, 1));
        assert!(
            one.entropy() == 0.0 && (2.5..=3.0).contains(&few.entropy()) && many.entropy() > 7.9
        );
        assert!((0.9..1.2).contains(&one.distinct()) && (7.0..9.5).contains(&few.distinct()));
        assert!(
            (14_000.0..26_000.0).contains(&many.distinct()),
            "{}",
            many.distinct()
        );
        assert_eq!(one.top()[0].1, 5_000);
        let mut both = one.clone();
        both.add(&many);
        assert_eq!((both.knocks(), both.top()[0].1), (25_000, 5_000));
        assert!(both.distinct() >= many.distinct() && both.entropy() < many.entropy());
    }
}
