//! The seat table: which rights have a seat, so that one right has one. Lock-free: a slot is one word that says whose seat it
//! is, in which lane, and which of the connections that have had it is the present one. Beside it stands a second word: since
//! when this right has been inside, and how often it came in again.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
};

use super::lanes::Lane;
use super::limits::{AGAIN_AT_ONCE, AGAIN_EVERY_S, RACE_TRIES, SEATS_MAX};

mod word;

use word::{
    CLAIMED, FREE, LEFT, LIVE, REST, REST_BITS, VISITED, age, forgotten, lane, paid_after, state,
    tag, tag_of, word,
};

/// What a seat is bound to: the id of a token, or of what a listener calls itself. Drawn by the server or hashed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeatId(pub u64);

/// Slots of one cache line; an id has two such lines to be in.
const LINE: usize = 8;

/// Names one connection's hold on a seat: equal for no two connections of a hall's life (2^29 joins apart).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatKey {
    slot: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Live(Lane),
    /// Left no longer ago than `LEFT_KEPT_S`.
    Left,
    /// The same, but was there for a moment only and had shown no right, or had a seat held and did not come.
    Visited,
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The right has a seat now that it had not before. It counts as inside since this second.
    Sits { key: SeatKey, since: u32 },
    /// The seat was another connection's with the same right, in this lane.
    TookOver {
        key: SeatKey,
        from: SeatKey,
        lane: Lane,
        since: u32,
    },
    /// All slots it may be in are others', or the race with another connection was not settled.
    Crowded,
}

pub(crate) struct Seats {
    slots: Box<[AtomicU64]>,
    /// The second since which the slot's right has been inside, and the one until which its comings are paid for.
    stays: Box<[AtomicU64]>,
    lines: u64,
    generation: AtomicU32,
}

impl Seats {
    pub(crate) fn new(seats: u32) -> Self {
        // At most a quarter is taken. The rest remembers who left; a crowd that comes and goes makes it forget sooner than
        // LEFT_KEPT_S, and then resume tickets and the prefix's allowance are the way back.
        let slots = u64::from(seats.min(SEATS_MAX)) * 4;
        let lines = slots.div_ceil(LINE as u64).next_power_of_two().max(512);
        let words = || {
            (0..lines * LINE as u64)
                .map(|_| AtomicU64::new(0))
                .collect()
        };
        Self {
            slots: words(),
            stays: words(),
            lines,
            generation: AtomicU32::new(0),
        }
    }

    /// Whether the right with this salted hash has a seat, or had one lately. `second` counts from the hall's beginning.
    pub(crate) fn find(&self, hash: u64, second: u32) -> Found {
        let mut found = Found::Nobody;
        for slot in self.candidates(hash) {
            let word = self.slots[slot].load(Acquire);
            if tag(word) != tag_of(hash) {
                continue;
            }
            match state(word) {
                LEFT if !forgotten(word, second) => found = Found::Left,
                VISITED if !forgotten(word, second) => found = Found::Visited,
                LIVE.. => return lane(word).map_or(Found::Nobody, Found::Live),
                _ => {}
            }
        }
        found
    }

    /// Seconds until the right with this salted hash may come in again: 0 at first, and as long as it comes no more often than
    /// `AGAIN_AT_ONCE` times and then once in `AGAIN_EVERY_S`. Only for who has a seat or had one.
    pub(crate) fn again_in(&self, hash: u64, second: u32) -> u32 {
        let paid = self
            .candidates(hash)
            .filter(|slot| {
                let word = self.slots[*slot].load(Acquire);
                tag(word) == tag_of(hash) && state(word) >= LEFT
            })
            .map(|slot| self.stays[slot].load(Relaxed) as u32)
            .max();
        let ahead = paid.unwrap_or(0).saturating_sub(second);
        ahead.saturating_sub((AGAIN_AT_ONCE - 1) * AGAIN_EVERY_S)
    }

    /// Since which second the right has been inside, if it is.
    pub(crate) fn since(&self, hash: u64) -> Option<u32> {
        let (slot, _) = self.live(hash)?;
        Some((self.stays[slot].load(Relaxed) >> 32) as u32)
    }

    /// Takes over the seat if the right has one, else does nothing.
    pub(crate) fn take_over(&self, hash: u64, second: u32) -> Option<Claim> {
        for _ in 0..RACE_TRIES {
            let (slot, word) = self.live(hash)?;
            let generation = self.next();
            let taken = word & !REST | u64::from(generation);
            if self.slots[slot]
                .compare_exchange(word, taken, AcqRel, Relaxed)
                .is_ok()
            {
                let since = self.came_again(slot, second);
                let slot = slot as u32;
                return Some(Claim::TookOver {
                    key: SeatKey { slot, generation },
                    from: SeatKey {
                        slot,
                        generation: (word & REST) as u32,
                    },
                    lane: lane(word)?,
                    since,
                });
            }
        }
        Some(Claim::Crowded)
    }

    /// Gives the right a seat, or takes over the one it got from another core in the meantime.
    pub(crate) fn claim(&self, hash: u64, lane: Lane, second: u32) -> Claim {
        for _ in 0..RACE_TRIES {
            if let Some(taken) = self.take_over(hash, second) {
                return taken;
            }
            let Some((slot, seen)) = self.vacant(hash, second) else {
                return Claim::Crowded;
            };
            let generation = self.next();
            let claimed = word(CLAIMED, hash, generation);
            if self.slots[slot]
                .compare_exchange(seen, claimed, SeqCst, Relaxed)
                .is_err()
            {
                continue;
            }
            // Another core may have claimed another slot for the same right meanwhile: nobody settles while a rival stands.
            if self.rival(hash, slot) {
                // What was there stands again: whoever left has not come back yet.
                let _ = self.slots[slot].compare_exchange(claimed, seen, AcqRel, Relaxed);
                continue;
            }
            let since = self.sits(slot, seen, hash, second);
            let live = word(LIVE + lane as u64, hash, generation);
            if self.slots[slot]
                .compare_exchange(claimed, live, AcqRel, Relaxed)
                .is_ok()
            {
                let slot = slot as u32;
                let key = SeatKey { slot, generation };
                return Claim::Sits { key, since };
            }
        }
        Claim::Crowded
    }

    /// What the slot remembers of its right from now on. Only who has claimed it calls this.
    fn sits(&self, slot: usize, seen: u64, hash: u64, second: u32) -> u32 {
        let known = state(seen) != FREE && tag(seen) == tag_of(hash) && !forgotten(seen, second);
        if known && state(seen) == LEFT {
            return self.came_again(slot, second);
        }
        let paid = if known {
            paid_after(self.stays[slot].load(Relaxed) as u32, second)
        } else {
            second
        };
        let stay = u64::from(second) << 32 | u64::from(paid);
        self.stays[slot].store(stay, Relaxed);
        second
    }

    /// Counts that the right came in again; gives the second since which it has been inside.
    fn came_again(&self, slot: usize, second: u32) -> u32 {
        let stay = &self.stays[slot];
        let again = |stay: u64| {
            let paid = paid_after(stay as u32, second);
            Some(stay & !u64::from(u32::MAX) | u64::from(paid))
        };
        // The closure always gives a word.
        let before = stay
            .fetch_update(Relaxed, Relaxed, again)
            .unwrap_or_default();
        (before >> 32) as u32
    }

    /// Gives the seat back if it still is this connection's. False if it was taken over: then it is another's to give.
    /// `visited`: it was there for a moment only and had shown no right.
    pub(crate) fn leave(&self, key: SeatKey, second: u32, visited: bool) -> bool {
        let slot = &self.slots[key.slot as usize];
        let seen = slot.load(Acquire);
        if state(seen) < LIVE || seen & REST != u64::from(key.generation) {
            return false;
        }
        let state = if visited { VISITED } else { LEFT };
        let left = seen & (0xffff_ffff << REST_BITS) | state << 61 | u64::from(second) & REST;
        slot.compare_exchange(seen, left, AcqRel, Relaxed).is_ok()
    }

    /// Whether the seat is no longer this connection's, for the same right has come again.
    pub(crate) fn is_taken_over(&self, key: SeatKey) -> bool {
        let seen = self.slots[key.slot as usize].load(Acquire);
        state(seen) < LIVE || seen & REST != u64::from(key.generation)
    }

    fn live(&self, hash: u64) -> Option<(usize, u64)> {
        self.candidates(hash)
            .map(|slot| (slot, self.slots[slot].load(Acquire)))
            .find(|(_, word)| state(*word) >= LIVE && tag(*word) == tag_of(hash))
    }

    /// The right's own left slot, else a free one in the emptier line, else the one that was left first.
    fn vacant(&self, hash: u64, second: u32) -> Option<(usize, u64)> {
        let (mut best, mut best_rank) = (None, u64::MAX);
        let mut free = [0_u64; 2];
        for (at, slot) in self.candidates(hash).enumerate() {
            free[at / LINE] += u64::from(self.slots[slot].load(Relaxed) == FREE);
        }
        for (at, slot) in self.candidates(hash).enumerate() {
            let word = self.slots[slot].load(Acquire);
            let rank = match state(word) {
                LEFT | VISITED if tag(word) == tag_of(hash) => 0,
                FREE => 1 + LINE as u64 - free[at / LINE],
                VISITED => 2 + LINE as u64,
                LEFT => 100 + REST - age(word, second),
                _ => continue,
            };
            if rank < best_rank {
                (best, best_rank) = (Some((slot, word)), rank);
            }
        }
        best
    }

    /// Whether another slot holds the same right. Two may see each other; then both step back and try again.
    fn rival(&self, hash: u64, own: usize) -> bool {
        self.candidates(hash)
            .filter(|slot| *slot != own)
            .any(|slot| {
                // With the claim before it in one order for all cores: of two rivals at least one sees the other.
                let word = self.slots[slot].load(SeqCst);
                tag(word) == tag_of(hash) && (state(word) >= LIVE || state(word) == CLAIMED)
            })
    }

    fn candidates(&self, hash: u64) -> impl Iterator<Item = usize> {
        let first = hash & (self.lines - 1);
        let second = (hash >> 24) & (self.lines - 1);
        // Two equal lines would be looked through twice.
        let second = if first == second { first ^ 1 } else { second };
        [first, second].into_iter().flat_map(|line| {
            let from = line as usize * LINE;
            from..from + LINE
        })
    }

    fn next(&self) -> u32 {
        self.generation.fetch_add(1, Relaxed) & REST as u32
    }
}

#[cfg(test)]
mod tests;
