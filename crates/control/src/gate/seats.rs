//! The seat table: which rights have a seat, so that one right has one. Lock-free: a slot is one word that says whose seat it
//! is, in which lane, and which of the connections that have had it is the present one. Beside it stands a second word: since
//! when this right has been inside, and how often it came in again.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
};

use super::lanes::Lane;
use super::limits::{AGAIN_AT_ONCE, AGAIN_EVERY_S, LEFT_KEPT_S, RACE_TRIES, SEATS_MAX};

/// What a seat is bound to: the id of a token, or of what a listener calls itself. Drawn by the server or hashed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeatId(pub u64);

/// Slots of one cache line; an id has two such lines to be in.
const LINE: usize = 8;
/// state:3 | tag:32 | what the state needs:29.
const REST_BITS: u32 = 29;
const REST: u64 = (1 << REST_BITS) - 1;
const FREE: u64 = 0;
/// A claim that is not yet settled. The rest is the claim's generation.
const CLAIMED: u64 = 1;
/// Nobody sits there; the rest is the second in which it was left.
const LEFT: u64 = 2;
/// The same, but who left showed no right and stayed for a moment only: nothing to come back by.
const VISITED: u64 = 3;
/// Somebody sits there, in lane `state - LIVE`; the rest is the connection's generation.
const LIVE: u64 = 4;

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
    /// The same, but was there for a moment only and had shown no right.
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

fn word(state: u64, hash: u64, rest: u32) -> u64 {
    state << 61 | u64::from(tag_of(hash)) << REST_BITS | u64::from(rest) & REST
}

fn state(word: u64) -> u64 {
    word >> 61
}

fn tag(word: u64) -> u32 {
    (word >> REST_BITS) as u32
}

/// The upper half: the lines were chosen by the lower.
fn tag_of(hash: u64) -> u32 {
    ((hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32) as u32
}

fn lane(word: u64) -> Option<Lane> {
    Lane::from_index(state(word).checked_sub(LIVE)? as u8)
}

fn age(word: u64, second: u32) -> u64 {
    u64::from(second).wrapping_sub(word & REST) & REST
}

fn forgotten(word: u64, second: u32) -> bool {
    age(word, second) > u64::from(LEFT_KEPT_S)
}

/// Until when comings are paid for, with one more.
fn paid_after(paid: u32, second: u32) -> u32 {
    paid.max(second).saturating_add(AGAIN_EVERY_S)
}

#[cfg(test)]
mod tests {
    use super::super::prefix::Salt;
    use super::*;

    const SALT: Salt = Salt([8, 9]);

    #[test]
    fn one_right_has_one_seat_and_the_last_connection_has_it() {
        let (seats, hash) = (Seats::new(100), SALT.hash(1, 1));
        let Claim::Sits { key: first, .. } = seats.claim(hash, Lane::Free, 10) else {
            panic!()
        };
        assert_eq!(seats.find(hash, 10), Found::Live(Lane::Free));
        let Claim::TookOver {
            key,
            from,
            lane,
            since,
        } = seats.claim(hash, Lane::Resume, 11)
        else {
            panic!()
        };
        assert_eq!((from, lane, since), (first, Lane::Free, 10));
        assert!(seats.is_taken_over(first) && !seats.is_taken_over(key));
        assert!(!seats.leave(first, 12, false), "it is another's to give");
        assert!(seats.leave(key, 12, false));
        assert!(!seats.leave(key, 12, false), "once");
        assert_eq!(seats.find(hash, 12 + LEFT_KEPT_S), Found::Left);
        assert_eq!(seats.find(hash, 13 + LEFT_KEPT_S), Found::Nobody);
        assert!(seats.take_over(hash, 13).is_none());
        assert!(matches!(
            seats.claim(hash, Lane::Resume, 14),
            Claim::Sits { .. }
        ));
    }

    #[test]
    fn as_many_sit_as_there_are_seats() {
        let seats = Seats::new(40_000);
        for id in 0..40_000 {
            let claim = seats.claim(SALT.hash(id, 0), Lane::Free, 0);
            assert!(matches!(claim, Claim::Sits { .. }), "{id}: {claim:?}");
        }
        assert!((0..40_000).all(|id| seats.find(SALT.hash(id, 0), 0) == Found::Live(Lane::Free)));
        let strangers =
            (50_000..150_000).filter(|id| seats.find(SALT.hash(*id, 0), 0) != Found::Nobody);
        assert_eq!(strangers.count(), 0);
    }

    #[test]
    fn the_left_make_room_for_those_who_come() {
        let seats = Seats::new(1_000);
        for round in 0..40_u32 {
            for id in 0..1_000 {
                let hash = SALT.hash(id, u64::from(round));
                let Claim::Sits { key, .. } = seats.claim(hash, Lane::Free, round) else {
                    panic!("{round} {id}")
                };
                assert!(seats.leave(key, round, false));
            }
        }
    }

    #[test]
    fn a_right_comes_in_again_some_times_at_once_and_then_now_and_then() {
        let (seats, hash, other) = (Seats::new(100), SALT.hash(1, 1), SALT.hash(2, 1));
        let come = |hash: u64, second: u32| {
            let may = seats.again_in(hash, second) == 0;
            match may.then(|| seats.claim(hash, Lane::Free, second)) {
                Some(Claim::Sits { key, .. } | Claim::TookOver { key, .. }) => Some(key),
                _ => None,
            }
        };
        // Whether the seat is left in between or taken over.
        for leaves in [false, true] {
            let from = 1_000 + 1_000 * u32::from(leaves);
            let mut came = 0;
            for _ in 0..10_000 {
                let key = come(hash, from);
                came += u32::from(key.is_some());
                if let Some(key) = key.filter(|_| leaves) {
                    assert!(seats.leave(key, from, false));
                }
            }
            // The very first time it had no seat before.
            assert_eq!(came, AGAIN_AT_ONCE + u32::from(!leaves), "at once");
            assert_eq!(seats.again_in(hash, from), AGAIN_EVERY_S);
            let later = (from..from + 100).filter(|second| come(hash, *second).is_some());
            assert_eq!(
                later.count() as u32,
                99 / AGAIN_EVERY_S,
                "then now and then"
            );
        }
        assert!(come(other, 2_100).is_some(), "another's is another's");
    }

    #[test]
    fn who_was_there_for_a_moment_without_a_right_is_known_and_was_not_inside() {
        let (seats, hash) = (Seats::new(100), SALT.hash(1, 1));
        let Claim::Sits { key, since } = seats.claim(hash, Lane::Free, 10) else {
            panic!()
        };
        assert_eq!(since, 10);
        assert!(seats.leave(key, 12, true));
        assert_eq!(seats.find(hash, 12), Found::Visited);
        let Claim::Sits { key, since } = seats.claim(hash, Lane::Free, 20) else {
            panic!()
        };
        assert_eq!(since, 20, "its stay begins anew");
        assert!(seats.leave(key, 40, false));
        let Claim::Sits { since, .. } = seats.claim(hash, Lane::Free, 41) else {
            panic!()
        };
        assert_eq!(since, 20, "who was inside goes on being inside");
    }

    /// Real cores race: at any moment one connection has the seat, and it is given back once.
    #[test]
    fn cores_that_race_with_one_ticket_share_one_seat() {
        let seats = Seats::new(64);
        for right in 0..300 {
            let hash = SALT.hash(right, 3);
            let counts: Vec<(i32, i32)> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| race(&seats, hash))).collect();
                racers
                    .into_iter()
                    .map(|racer| racer.join().unwrap())
                    .collect()
            });
            let sat: i32 = counts.iter().map(|count| count.0).sum();
            let gave: i32 = counts.iter().map(|count| count.1).sum();
            assert_eq!(sat, gave, "right {right}");
        }
    }

    fn race(seats: &Seats, hash: u64) -> (i32, i32) {
        let (mut sat, mut gave) = (0, 0);
        for _ in 0..20 {
            let key = match seats.claim(hash, Lane::Free, 1) {
                Claim::Sits { key, .. } => {
                    sat += 1;
                    key
                }
                Claim::TookOver { key, .. } => key,
                Claim::Crowded => continue,
            };
            gave += i32::from(seats.leave(key, 1, false));
        }
        (sat, gave)
    }
}
