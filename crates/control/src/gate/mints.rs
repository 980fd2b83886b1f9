//! How many places each prefix was given of late. Rows of buckets without keys: a prefix may read as having had more than it
//! had, never fewer, and the memory is fixed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::limits::{MINT_CELLS, PLACES_AT_ONCE, PLACES_AT_ONCE_MIN, PLACES_PART};

const ROWS: usize = 4;

/// A cell is the second in which it was last added to, and above how many places it held then; they drain with time.
pub(crate) struct Mints {
    at_once: u32,
    a_second: u32,
    rows: [Box<[AtomicU64]>; ROWS],
}

impl Mints {
    pub(crate) fn new(seats: u32) -> Self {
        let at_once = (seats / PLACES_PART).clamp(PLACES_AT_ONCE_MIN, PLACES_AT_ONCE);
        let row = || (0..MINT_CELLS).map(|_| AtomicU64::new(0)).collect();
        Self {
            at_once,
            a_second: (at_once / 16).max(PLACES_AT_ONCE_MIN / 8),
            rows: std::array::from_fn(|_| row()),
        }
    }

    /// Counts a place for the prefix of this salted hash. False when it has had its share for this second: then nothing is
    /// counted where there is no room.
    pub(crate) fn take(&self, hash: u64, second: u32) -> bool {
        let step = (hash >> 32) as usize | 1;
        let mut took = false;
        for (row, cells) in self.rows.iter().enumerate() {
            let cell = &cells[(hash as usize).wrapping_add(row * step) % MINT_CELLS];
            let counted = cell.fetch_update(Relaxed, Relaxed, |word| {
                let held = self.left(word, second);
                (held < self.at_once).then(|| u64::from(held + 1) << 32 | u64::from(second))
            });
            // Cells are shared: one of the four in which there is room is enough.
            took |= counted.is_ok();
        }
        took
    }

    /// What a cell holds at this second.
    fn left(&self, word: u64, second: u32) -> u32 {
        let (held, since) = ((word >> 32) as u32, word as u32);
        let drained = second.saturating_sub(since).saturating_mul(self.a_second);
        held.saturating_sub(drained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_so_many_places_at_once_and_then_so_many_a_second() {
        let mints = Mints::new(1_000_000);
        let a_second = PLACES_AT_ONCE as usize / 16;
        let took = |hash, second, tries| (0..tries).filter(|_| mints.take(hash, second)).count();
        let hash = 0x1234_5678_9abc_def1;
        assert_eq!(took(hash, 10, 50_000), PLACES_AT_ONCE as usize);
        assert_eq!(took(hash, 11, 50_000), a_second);
        assert_eq!(took(hash, 13, 50_000), 2 * a_second);
        assert_eq!(took(hash ^ 0xffff_0000_ffff, 13, 10), 10, "another prefix");
        assert_eq!(took(hash, 1_000, 50_000), PLACES_AT_ONCE as usize);
        let small = Mints::new(60);
        let took = (0..1_000).filter(|_| small.take(hash, 10)).count();
        assert_eq!(took, PLACES_AT_ONCE_MIN as usize);
    }
}
