//! When a roster travels: at most each 500 ms, and never for more bytes than its container may add to the sound.

use crate::limits::{ROSTER_BYTES_MAX, ROSTER_PAGES_MIN};

/// Holds the newest roster until it may go.
#[derive(Debug)]
pub(super) struct RosterPurse {
    waiting: Option<Vec<u8>>,
    /// Bytes that each page earns.
    earned_per_page: i64,
    /// Bytes that rosters cost more than was earned so far; above zero the next one waits.
    debt: i64,
    pages_since: u64,
}

impl RosterPurse {
    pub(super) fn new(earned_per_page: i64) -> Self {
        Self {
            waiting: None,
            earned_per_page,
            debt: 0,
            pages_since: ROSTER_PAGES_MIN,
        }
    }

    /// Replaces a roster that has not gone; one that is too long is not taken.
    pub(super) fn put(&mut self, json: &[u8]) {
        if json.len() <= ROSTER_BYTES_MAX {
            self.waiting = Some(json.to_vec());
        }
    }

    /// Asked once a page: the roster that goes with it. `cost` tells its bytes, wrapping included.
    pub(super) fn take(&mut self, cost: impl FnOnce(usize) -> usize) -> Option<Vec<u8>> {
        self.debt = (self.debt - self.earned_per_page).max(0);
        self.pages_since = self.pages_since.saturating_add(1);
        if self.debt > 0 || self.pages_since < ROSTER_PAGES_MIN {
            return None;
        }
        let json = self.waiting.take()?;
        self.debt += cost(json.len()) as i64;
        self.pages_since = 0;
        Some(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages at which rosters of `len` bytes go when there is a new one each page.
    fn pages(len: usize, count: usize) -> Vec<usize> {
        let mut purse = RosterPurse::new(30);
        (0..count)
            .filter(|_| {
                purse.put(&vec![b'x'; len]);
                purse.take(|len| len + 10).is_some()
            })
            .collect()
    }

    #[test]
    fn short_rosters_go_each_500_ms_and_long_ones_when_they_are_paid() {
        assert_eq!(pages(100, 16), [0, 5, 10, 15]);
        assert_eq!(pages(590, 45), [0, 20, 40]);
        assert!(pages(ROSTER_BYTES_MAX + 1, 10).is_empty());
    }

    #[test]
    fn the_newest_goes_and_goes_once() {
        let mut purse = RosterPurse::new(30);
        purse.put(b"old");
        purse.put(b"new");
        assert_eq!(purse.take(|len| len).as_deref(), Some(&b"new"[..]));
        assert!((0..20).all(|_| purse.take(|len| len).is_none()));
    }
}
