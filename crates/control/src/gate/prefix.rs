//! Prefixes: who shares an access, as far as fairness needs to know, and how many of each are inside. No address is kept:
//! the tables hold counts under salted hashes.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::limits::{RETURN_TRIES, SEATS_MAX};
pub use super::salt::Salt;

/// Where a knock comes from: /24 of IPv4; /64, /56 and /48 of IPv6. IPv4 in IPv6 counts as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The first 64 bits of IPv6, the first 24 of IPv4.
    bits: u64,
    v6: bool,
}

impl Prefix {
    pub fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, _] = octets;
        Self {
            bits: u64::from_be_bytes([0, 0, 0, 0, 0, a, b, c]),
            v6: false,
        }
    }

    pub fn v6(octets: [u8; 16]) -> Self {
        let mapped = octets[..10] == [0; 10] && octets[10..12] == [0xff; 2];
        if mapped {
            return Self::v4([octets[12], octets[13], octets[14], octets[15]]);
        }
        let bits = octets[..8]
            .iter()
            .fold(0, |bits, octet| bits << 8 | u64::from(*octet));
        Self { bits, v6: true }
    }
}

/// The most listeners of one space inside from one /64 and one /48 of IPv6, in busy and storm. Wide enough for a hall's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    pub fine: u32,
    pub wide: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            fine: 1_024,
            wide: 16_384,
        }
    }
}

/// What a knock's prefix hashes to at one door, a level each: coarse, and for IPv6 /64 and /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    coarse: u64,
    fine: u64,
    wide: u64,
    v6: bool,
}

impl Charge {
    /// `door` is the same after a restart, else the snapshot would speak of others.
    pub(crate) fn new(prefix: Prefix, door: u64, salt: &Salt) -> Self {
        let coarse = if prefix.v6 {
            prefix.bits >> 8
        } else {
            prefix.bits | 1 << 63
        };
        let deeper = |bits, level| {
            if prefix.v6 {
                salt.hash(bits, door.wrapping_add(level))
            } else {
                0
            }
        };
        Self {
            coarse: salt.hash(coarse, door.wrapping_add(1)),
            fine: deeper(prefix.bits, 2),
            wide: deeper(prefix.bits >> 16, 3),
            v6: prefix.v6,
        }
    }

    /// A number of 32 bits for tokens and cohorts; never 0, which means any prefix.
    pub(crate) fn tag(&self) -> u32 {
        (self.coarse >> 32) as u32 | 1
    }

    /// For the count of distinct prefixes and their spread.
    pub(crate) fn spread(&self) -> u64 {
        self.coarse
    }
}

#[derive(Default)]
struct Cell {
    inside: AtomicU32,
    /// Of those, connections whose seat has been taken over by another of the same prefix and that are not closed yet.
    doubled: AtomicU32,
    /// The most that were inside at once lately; sinks by half the way each period.
    peak: AtomicU32,
    /// How often somebody may come back by the connections that were lost: those of this period below, of the one before above.
    owed: AtomicU32,
}

/// Half of a cell's `owed`: more lost connections of one prefix in a period are not remembered.
const OWED_MAX: u32 = u16::MAX as u32;

fn owed(word: u32) -> u32 {
    (word >> 16) + (word & OWED_MAX)
}

/// Takes off the older half first.
fn pay(word: u32, times: u32) -> u32 {
    let (old, new) = (word >> 16, word & OWED_MAX);
    let rest = times.saturating_sub(old);
    old.saturating_sub(times) << 16 | new.saturating_sub(rest)
}

/// Rows of counters. A stranger shares all four cells with others only where a quarter of the cells is in use, and then
/// fewer than one in 200 do.
const ROWS: usize = 4;

/// How many of each prefix are inside. Rows of counters without keys: a prefix may read as more than it is, never as
/// less, and the memory is fixed. A row is four times as wide as there are seats.
pub(crate) struct Prefixes {
    rows: [Box<[Cell]>; ROWS],
    mask: usize,
}

/// How many of each prefix were inside, by salted hash: what the allowance of those without script lives on over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InsideSnapshot {
    width: usize,
    cells: Vec<(u8, u32, u32)>,
}

impl InsideSnapshot {
    /// Whether nobody was inside.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

impl Prefixes {
    pub(crate) fn new(seats: u32) -> Self {
        let width = (seats.min(SEATS_MAX) as usize * 4)
            .next_power_of_two()
            .max(1_024);
        let row = || (0..width).map(|_| Cell::default()).collect();
        Self {
            rows: std::array::from_fn(|_| row()),
            mask: width - 1,
        }
    }

    fn cells(&self, hash: u64) -> [&Cell; ROWS] {
        let step = (hash >> 32) as usize | 1;
        std::array::from_fn(|row| {
            &self.rows[row][(hash as usize).wrapping_add(row * step) & self.mask]
        })
    }

    /// `again`: the seat was another connection's of this prefix, which is still counted.
    pub(crate) fn enter(&self, charge: &Charge, again: bool) {
        for cell in self.cells(charge.coarse) {
            let inside = cell.inside.fetch_add(1, Relaxed) + 1;
            let doubled = cell.doubled.fetch_add(u32::from(again), Relaxed) + u32::from(again);
            cell.peak.fetch_max(inside.saturating_sub(doubled), Relaxed);
        }
        if charge.v6 {
            for cell in self.deeper(charge) {
                cell.inside.fetch_add(1, Relaxed);
            }
        }
    }

    /// `taken_over`: the seat is another connection's now. If that came from another prefix the count of the doubled stays
    /// at what it is or at nothing, and the allowance is the smaller for a while.
    pub(crate) fn leave(&self, charge: &Charge, taken_over: bool) {
        for cell in self.cells(charge.coarse) {
            cell.inside.fetch_sub(1, Relaxed);
            if taken_over {
                let _ = cell
                    .doubled
                    .fetch_update(Relaxed, Relaxed, |doubled| doubled.checked_sub(1));
            }
        }
        if charge.v6 {
            for cell in self.deeper(charge) {
                cell.inside.fetch_sub(1, Relaxed);
            }
        }
    }

    /// Who leaves was inside long enough: one of the prefix may come back for it.
    pub(crate) fn lost(&self, charge: &Charge) {
        for cell in self.cells(charge.coarse) {
            // The closure always gives a word, here and below.
            let _ = cell.owed.fetch_update(Relaxed, Relaxed, |word| {
                let new = (word & OWED_MAX) + RETURN_TRIES;
                Some(word & !OWED_MAX | new.min(OWED_MAX))
            });
        }
    }

    /// One has come back: with nothing in hand, which is a try, or by a right of its own, which makes the loss good.
    pub(crate) fn came_back(&self, charge: &Charge, with_nothing: bool) {
        let times = if with_nothing { 1 } else { RETURN_TRIES };
        for cell in self.cells(charge.coarse) {
            if cell.owed.load(Relaxed) > 0 {
                let paid = |word| Some(pay(word, times));
                let _ = cell.owed.fetch_update(Relaxed, Relaxed, paid);
            }
        }
    }

    fn deeper(&self, charge: &Charge) -> impl Iterator<Item = &Cell> {
        let [fine, wide] = [charge.fine, charge.wide].map(|hash| self.cells(hash));
        fine.into_iter().chain(wide)
    }

    /// How many of the coarse prefix are inside.
    pub(crate) fn inside(&self, charge: &Charge) -> u32 {
        least(self.cells(charge.coarse))
    }

    /// Whether the caps on /64 and /48 are reached.
    pub(crate) fn capped(&self, charge: &Charge, caps: &Caps) -> bool {
        charge.v6
            && (least(self.cells(charge.fine)) >= caps.fine
                || least(self.cells(charge.wide)) >= caps.wide)
    }

    /// Whether fewer are inside now than were lately, for a connection was lost that nobody has come back for: then one who
    /// shows nothing may come back.
    pub(crate) fn may_come_back(&self, charge: &Charge) -> bool {
        // A stranger who shares one cell and came in by it shuts nobody out: one row in which somebody is missing is enough.
        let missing = |cell: &&Cell| cell.inside.load(Relaxed) < cell.peak.load(Relaxed);
        let cells = self.cells(charge.coarse);
        cells.iter().all(|cell| cell.owed.load(Relaxed) > 0) && cells.iter().any(missing)
    }

    /// Begins a new period: what is owed lasts for one to two of them.
    pub(crate) fn turn(&self) {
        for cell in self.rows.iter().flatten() {
            cell.doubled.store(0, Relaxed);
            let (inside, peak) = (cell.inside.load(Relaxed), cell.peak.load(Relaxed));
            if peak > inside {
                // Upwards: who was the only one is not forgotten before what is owed is.
                cell.peak
                    .store(inside + (peak - inside).div_ceil(2), Relaxed);
            }
            if cell.owed.load(Relaxed) > 0 {
                let older = |word: u32| Some(word << 16);
                let _ = cell.owed.fetch_update(Relaxed, Relaxed, older);
            }
        }
    }

    pub(crate) fn snapshot(&self) -> InsideSnapshot {
        let cells = self.rows.iter().zip(0_u8..).flat_map(|(row, at)| {
            let full = row.iter().zip(0_u32..).filter_map(move |(cell, index)| {
                // Who is inside now would be owed, were the node to end now.
                let inside = cell.inside.load(Relaxed);
                let own = inside.saturating_sub(cell.doubled.load(Relaxed));
                let lost = owed(cell.owed.load(Relaxed)).div_ceil(RETURN_TRIES);
                let all = own.saturating_add(lost).min(SEATS_MAX);
                (all > 0).then_some((at, index, all))
            });
            full.collect::<Vec<_>>()
        });
        InsideSnapshot {
            width: self.mask + 1,
            cells: cells.collect(),
        }
    }

    /// Of another width it says nothing and is left. Hostile numbers only widen the allowance of their prefix.
    pub(crate) fn restore(&self, snapshot: &InsideSnapshot) -> bool {
        if snapshot.width != self.mask + 1 {
            return false;
        }
        for (row, index, inside) in &snapshot.cells {
            let row = self.rows.get(usize::from(*row));
            if let Some(cell) = row.and_then(|row| row.get(*index as usize)) {
                cell.peak.fetch_max((*inside).min(SEATS_MAX), Relaxed);
                let owed = inside.saturating_mul(RETURN_TRIES).min(OWED_MAX);
                cell.owed.fetch_max(owed, Relaxed);
            }
        }
        true
    }
}

fn least(cells: [&Cell; ROWS]) -> u32 {
    let inside = cells.into_iter().map(|cell| cell.inside.load(Relaxed));
    inside.min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt([1, 2]);

    fn v6(third: u16, fourth: u16) -> Prefix {
        let mut octets = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9];
        octets[4..6].copy_from_slice(&third.to_be_bytes());
        octets[6..8].copy_from_slice(&fourth.to_be_bytes());
        Prefix::v6(octets)
    }

    #[test]
    fn prefixes_are_cut_where_said() {
        assert_eq!(Prefix::v4([192, 0, 2, 1]), Prefix::v4([192, 0, 2, 200]));
        assert_ne!(Prefix::v4([192, 0, 2, 1]), Prefix::v4([192, 0, 3, 1]));
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
        assert_eq!(Prefix::v6(mapped), Prefix::v4([192, 0, 2, 9]));
        let (a, b) = (v6(1, 0x1200), v6(1, 0x12ff));
        let tag = |prefix| Charge::new(prefix, 1, &SALT).tag();
        assert_eq!(tag(a), tag(b), "one /56");
        assert_ne!(tag(a), tag(v6(1, 0x1300)));
    }

    #[test]
    fn who_was_inside_may_come_back_and_no_more() {
        let prefixes = Prefixes::new(100);
        let charge = Charge::new(Prefix::v4([10, 0, 0, 1]), 1, &SALT);
        assert!(!prefixes.may_come_back(&charge));
        for _ in 0..3 {
            prefixes.enter(&charge, false);
        }
        assert!(!prefixes.may_come_back(&charge));
        prefixes.leave(&charge, false);
        assert!(!prefixes.may_come_back(&charge), "it was no loss");
        prefixes.lost(&charge);
        assert!(prefixes.may_come_back(&charge));
        prefixes.enter(&charge, false);
        prefixes.came_back(&charge, true);
        assert!(!prefixes.may_come_back(&charge), "as many as were inside");
        prefixes.leave(&charge, false);
        prefixes.turn();
        assert!(prefixes.may_come_back(&charge), "one period later, again");
        prefixes.turn();
        assert!(!prefixes.may_come_back(&charge), "two periods later");
    }

    #[test]
    fn a_loss_is_made_good_once() {
        let prefixes = Prefixes::new(100);
        let charge = Charge::new(Prefix::v4([10, 0, 0, 1]), 1, &SALT);
        let lose = || {
            prefixes.enter(&charge, false);
            prefixes.leave(&charge, false);
            prefixes.lost(&charge);
        };
        lose();
        for _ in 0..RETURN_TRIES {
            assert!(prefixes.may_come_back(&charge));
            prefixes.enter(&charge, false);
            prefixes.came_back(&charge, true);
            prefixes.leave(&charge, false);
        }
        assert!(!prefixes.may_come_back(&charge), "after so many tries");
        lose();
        prefixes.came_back(&charge, false);
        assert!(!prefixes.may_come_back(&charge), "by a right of its own");
        (0..100_000).for_each(|_| prefixes.lost(&charge));
        prefixes.turn();
        prefixes.came_back(&charge, false);
        assert!(prefixes.may_come_back(&charge), "nothing runs over");
    }

    #[test]
    fn a_restart_keeps_the_allowance() {
        let before = Prefixes::new(100);
        let charge = Charge::new(Prefix::v4([10, 0, 0, 1]), 1, &SALT);
        before.enter(&charge, false);
        let text = serde_json::to_string(&before.snapshot()).unwrap();
        let after = Prefixes::new(100);
        assert!(after.restore(&serde_json::from_str(&text).unwrap()));
        assert!(after.may_come_back(&charge));
        after.enter(&charge, false);
        after.came_back(&charge, true);
        assert!(!after.may_come_back(&charge));
        assert!(!Prefixes::new(10_000).restore(&before.snapshot()));
        let other = Charge::new(Prefix::v4([10, 0, 0, 1]), 2, &SALT);
        assert!(!after.may_come_back(&other), "another door");
    }

    #[test]
    fn the_wide_prefix_is_capped_across_its_parts() {
        let prefixes = Prefixes::new(100);
        let caps = Caps { fine: 2, wide: 5 };
        for fourth in 0..5 {
            let charge = Charge::new(v6(7, fourth), 1, &SALT);
            assert!(!prefixes.capped(&charge, &caps));
            prefixes.enter(&charge, false);
        }
        assert!(prefixes.capped(&Charge::new(v6(7, 0x900), 1, &SALT), &caps));
        assert!(!prefixes.capped(&Charge::new(v6(8, 0), 1, &SALT), &caps));
        let one = Charge::new(v6(9, 0), 1, &SALT);
        prefixes.enter(&one, false);
        prefixes.enter(&one, false);
        assert!(prefixes.capped(&one, &caps), "the /64");
    }
}
