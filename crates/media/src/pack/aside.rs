//! What is said beside the sound: the roster, at most each 500 ms, and between two rosters the levels, at most each 200 ms;
//! and never more bytes than the container may add to the sound.

use crate::limits::{LEVELS_BYTES_MAX, LEVELS_PAGES_MIN, ROSTER_BYTES_MAX, ROSTER_PAGES_MIN};

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    Roster(Vec<u8>),
    Levels(Vec<u8>),
}

/// Holds the newest of each until it may go.
#[derive(Debug)]
pub struct AsidePurse {
    roster: Option<Vec<u8>>,
    levels: Option<Vec<u8>>,
    /// Bytes that each page earns.
    earned_per_page: i64,
    /// Bytes that asides cost more than was earned so far; above zero the next roster waits. Levels do not wait for what
    /// rosters cost, or plates would stand still after each.
    debt: i64,
    since_roster: u64,
    since_levels: u64,
}

impl AsidePurse {
    pub(super) fn new(earned_per_page: i64) -> Self {
        Self {
            roster: None,
            levels: None,
            earned_per_page,
            debt: 0,
            since_roster: ROSTER_PAGES_MIN,
            since_levels: LEVELS_PAGES_MIN,
        }
    }

    /// Replaces a roster that has not gone; one that is too long is not taken.
    pub(super) fn put_roster(&mut self, json: &[u8]) {
        if json.len() <= ROSTER_BYTES_MAX {
            self.roster = Some(json.to_vec());
        }
    }

    /// Replaces levels that have not gone; too long ones are not taken.
    pub(super) fn put_levels(&mut self, message: &[u8]) {
        if message.len() <= LEVELS_BYTES_MAX {
            self.levels = Some(message.to_vec());
        }
    }

    /// Asked once a page: what goes with it. `cost` tells its bytes, wrapping included.
    pub(super) fn take(&mut self, cost: impl FnOnce(&Aside) -> usize) -> Option<Aside> {
        self.debt = (self.debt - self.earned_per_page).max(0);
        self.since_roster = self.since_roster.saturating_add(1);
        self.since_levels = self.since_levels.saturating_add(1);
        let aside = if self.debt == 0 && self.since_roster >= ROSTER_PAGES_MIN {
            self.roster.take().map(Aside::Roster)
        } else {
            None
        };
        let aside = match aside {
            None if self.since_levels >= LEVELS_PAGES_MIN => self.levels.take().map(Aside::Levels),
            roster => roster,
        }?;
        self.debt += cost(&aside) as i64;
        self.since_levels = 0;
        if let Aside::Roster(_) = aside {
            self.since_roster = 0;
            // A roster has levels of its own, at least as new.
            self.levels = None;
        }
        Some(aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(aside: &Aside) -> usize {
        let (Aside::Roster(bytes) | Aside::Levels(bytes)) = aside;
        bytes.len() + 10
    }

    /// Pages at which rosters of `len` bytes go when there is a new one each page.
    fn pages(length: usize, count: usize) -> Vec<usize> {
        let mut purse = AsidePurse::new(30);
        (0..count)
            .filter(|_| {
                purse.put_roster(&vec![b'x'; length]);
                purse.take(len).is_some()
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
    fn levels_go_each_200_ms_and_do_not_wait_for_what_a_roster_cost() {
        let mut purse = AsidePurse::new(30);
        let said: Vec<_> = (0..300)
            .map(|_| {
                purse.put_roster(&[b'x'; 590]);
                purse.put_levels(b"level");
                purse.take(len)
            })
            .collect();
        let rosters = |said: &[Option<Aside>]| {
            said.iter()
                .filter(|one| matches!(one, Some(Aside::Roster(_))))
                .count()
        };
        let silent = said
            .windows(3)
            .filter(|three| three.iter().all(Option::is_none));
        assert_eq!(silent.count(), 0, "plates stood still");
        assert!((9..=12).contains(&rosters(&said)), "{}", rosters(&said));
        let spent: usize = said.iter().flatten().map(len).sum();
        assert!(spent <= 300 * 30 + 600, "{spent}");
    }

    #[test]
    fn the_newest_goes_and_goes_once() {
        let mut purse = AsidePurse::new(30);
        purse.put_levels(b"of before the roster");
        purse.put_roster(b"old");
        purse.put_roster(b"new");
        assert_eq!(purse.take(len), Some(Aside::Roster(b"new".to_vec())));
        assert!((0..20).all(|_| purse.take(len).is_none()));
        purse.put_levels(&[0; LEVELS_BYTES_MAX + 1]);
        assert_eq!(purse.take(len), None);
        purse.put_levels(b"old");
        purse.put_levels(b"new");
        assert_eq!(purse.take(len), Some(Aside::Levels(b"new".to_vec())));
    }
}
