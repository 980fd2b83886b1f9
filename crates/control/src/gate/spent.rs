//! What has been spent: two Bloom filters of which one fills while the other is remembered. No locks; eight words of one
//! cache line an id, one bit in each.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::limits::{SPENT_BITS, SPENT_PER_SEAT};

const WORDS: usize = 8;

/// Ids that have been spent in this period or the one before. A false "spent" befalls fewer than 1 in 10,000 fresh ids
/// (tested with as many as the set is made for); such a one gets a new place or a new puzzle. A false "fresh" does not
/// happen within the period, except for two shards that see the first use in the same instant: those meet in the seat table.
pub(crate) struct Spent {
    periods: [Box<[AtomicU64]>; 2],
    filling: AtomicUsize,
    blocks: u64,
    count: AtomicU32,
    most: u32,
}

impl Spent {
    /// For a number of seats: `SPENT_PER_SEAT` ids each, and not fewer than 65,536.
    pub(crate) fn new(seats: u32) -> Self {
        let most = seats.saturating_mul(SPENT_PER_SEAT).max(65_536);
        let blocks = (u64::from(most) * u64::from(SPENT_BITS)).div_ceil(64 * WORDS as u64);
        let period = || {
            (0..blocks * WORDS as u64)
                .map(|_| AtomicU64::new(0))
                .collect()
        };
        Self {
            periods: [period(), period()],
            filling: AtomicUsize::new(0),
            blocks,
            count: AtomicU32::new(0),
            most,
        }
    }

    /// `hash` is a salted hash of the id.
    pub(crate) fn has(&self, hash: u64) -> bool {
        self.periods.iter().any(|words| {
            let (first, bits) = self.place(hash);
            (0..WORDS).all(|at| words[first + at].load(Relaxed) & bits[at] != 0)
        })
    }

    pub(crate) fn add(&self, hash: u64) {
        let words = &self.periods[self.filling.load(Relaxed) & 1];
        let (first, bits) = self.place(hash);
        for (at, bit) in bits.iter().enumerate() {
            words[first + at].fetch_or(*bit, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
    }

    /// Whether as many were spent in this period as the set is made for.
    pub(crate) fn full(&self) -> bool {
        self.count.load(Relaxed) >= self.most
    }

    /// Forgets the period before this one. Called by one thread only.
    pub(crate) fn turn(&self) {
        let older = (self.filling.load(Relaxed) & 1) ^ 1;
        for word in &self.periods[older] {
            word.store(0, Relaxed);
        }
        self.filling.store(older, Relaxed);
        self.count.store(0, Relaxed);
    }

    fn place(&self, hash: u64) -> (usize, [u64; WORDS]) {
        let block = (u128::from(hash) * u128::from(self.blocks)) >> 64;
        // The upper bits chose the block; the bits within come from a mix of all.
        let mut mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = std::array::from_fn(|at| 1 << ((mixed >> (at * 7)) & 63));
        (block as usize * WORDS, bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::prefix::Salt;

    #[test]
    fn what_was_spent_is_known_for_one_to_two_periods() {
        let (spent, salt) = (Spent::new(100), Salt([3, 4]));
        let hash = salt.hash(7, 0);
        assert!(!spent.has(hash));
        spent.add(hash);
        assert!(spent.has(hash));
        spent.turn();
        assert!(spent.has(hash));
        spent.turn();
        assert!(!spent.has(hash));
    }

    #[test]
    fn fewer_than_one_in_ten_thousand_strangers_are_taken_for_spent() {
        let (spent, salt) = (Spent::new(8_192), Salt([5, 6]));
        let mut ids = 0..;
        while !spent.full() {
            spent.add(salt.hash(ids.next().unwrap(), 0));
        }
        // Both periods full: the worst there is.
        spent.turn();
        while !spent.full() {
            spent.add(salt.hash(ids.next().unwrap(), 0));
        }
        let begun = ids.next().unwrap();
        assert!(
            (0..begun).all(|id| spent.has(salt.hash(id, 0))),
            "none is forgotten"
        );
        let wrong = (begun..begun + 1_000_000)
            .filter(|id| spent.has(salt.hash(*id, 0)))
            .count();
        assert!(wrong < 100, "{wrong} of 1,000,000");
    }
}
