//! How many of each prefix are inside, and who of it may come back with nothing in hand. Counts under salted hashes.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::limits::{RETURN_TRIES, SEATS_MAX};
use super::prefix::{Caps, Charge};

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

    /// How many of the /48 are inside; of IPv4 nobody.
    pub(crate) fn inside_wide(&self, charge: &Charge) -> u32 {
        if charge.v6 {
            least(self.cells(charge.wide))
        } else {
            0
        }
    }

    /// Whether fewer are inside than were at once lately: somebody with a right of the own may come back.
    pub(crate) fn has_gone(&self, charge: &Charge) -> bool {
        self.cells(charge.coarse).iter().any(|cell| missing(cell))
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
        let cells = self.cells(charge.coarse);
        cells.iter().all(|cell| cell.owed.load(Relaxed) > 0)
            && cells.iter().any(|cell| missing(cell))
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

fn missing(cell: &Cell) -> bool {
    cell.inside.load(Relaxed) < cell.peak.load(Relaxed)
}

fn least(cells: [&Cell; ROWS]) -> u32 {
    let inside = cells.into_iter().map(|cell| cell.inside.load(Relaxed));
    inside.min().unwrap_or(0)
}

#[cfg(test)]
mod tests;
