//! The seat table: which rights have a seat, so that one right has one. Lock-free: a slot is one word that says whose seat it
//! is, in which lane, and which of the connections that have had it is the present one.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
};

use super::lanes::Lane;
use super::limits::{LEFT_KEPT_S, RACE_TRIES, SEATS_MAX};

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
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The right has a seat now that it had not before.
    Sits(SeatKey),
    /// The seat was another connection's with the same right, in this lane.
    TookOver {
        key: SeatKey,
        from: SeatKey,
        lane: Lane,
    },
    /// All slots it may be in are others', or the race with another connection was not settled.
    Crowded,
}

pub(crate) struct Seats {
    slots: Box<[AtomicU64]>,
    lines: u64,
    generation: AtomicU32,
}

impl Seats {
    pub(crate) fn new(seats: u32) -> Self {
        // At most a quarter is taken. The rest remembers who left; a crowd that comes and goes makes it forget sooner than
        // LEFT_KEPT_S, and then resume tickets and the prefix's allowance are the way back.
        let slots = u64::from(seats.min(SEATS_MAX)) * 4;
        let lines = slots.div_ceil(LINE as u64).next_power_of_two().max(512);
        Self {
            slots: (0..lines * LINE as u64)
                .map(|_| AtomicU64::new(FREE))
                .collect(),
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
                LIVE.. => return lane(word).map_or(Found::Nobody, Found::Live),
                _ => {}
            }
        }
        found
    }

    /// Takes over the seat if the right has one, else does nothing.
    pub(crate) fn take_over(&self, hash: u64) -> Option<Claim> {
        for _ in 0..RACE_TRIES {
            let (slot, word) = self.live(hash)?;
            let generation = self.next();
            let taken = word & !REST | u64::from(generation);
            if self.slots[slot]
                .compare_exchange(word, taken, AcqRel, Relaxed)
                .is_ok()
            {
                let slot = slot as u32;
                return Some(Claim::TookOver {
                    key: SeatKey { slot, generation },
                    from: SeatKey {
                        slot,
                        generation: (word & REST) as u32,
                    },
                    lane: lane(word)?,
                });
            }
        }
        Some(Claim::Crowded)
    }

    /// Gives the right a seat, or takes over the one it got from another core in the meantime.
    pub(crate) fn claim(&self, hash: u64, lane: Lane, second: u32) -> Claim {
        for _ in 0..RACE_TRIES {
            if let Some(taken) = self.take_over(hash) {
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
                // A mark of one who left may be lost here.
                let _ = self.slots[slot].compare_exchange(claimed, FREE, AcqRel, Relaxed);
                continue;
            }
            let live = word(LIVE + lane as u64, hash, generation);
            if self.slots[slot]
                .compare_exchange(claimed, live, AcqRel, Relaxed)
                .is_ok()
            {
                return Claim::Sits(SeatKey {
                    slot: slot as u32,
                    generation,
                });
            }
        }
        Claim::Crowded
    }

    /// Gives the seat back if it still is this connection's. False if it was taken over: then it is another's to give.
    pub(crate) fn leave(&self, key: SeatKey, second: u32) -> bool {
        let slot = &self.slots[key.slot as usize];
        let seen = slot.load(Acquire);
        if state(seen) < LIVE || seen & REST != u64::from(key.generation) {
            return false;
        }
        let left = seen & (0xffff_ffff << REST_BITS) | LEFT << 61 | u64::from(second) & REST;
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
                LEFT if tag(word) == tag_of(hash) => 0,
                FREE => 1 + LINE as u64 - free[at / LINE],
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

#[cfg(test)]
mod tests {
    use super::super::prefix::Salt;
    use super::*;

    const SALT: Salt = Salt([8, 9]);

    #[test]
    fn one_right_has_one_seat_and_the_last_connection_has_it() {
        let (seats, hash) = (Seats::new(100), SALT.hash(1, 1));
        let Claim::Sits(first) = seats.claim(hash, Lane::Free, 10) else {
            panic!()
        };
        assert_eq!(seats.find(hash, 10), Found::Live(Lane::Free));
        let Claim::TookOver { key, from, lane } = seats.claim(hash, Lane::Resume, 11) else {
            panic!()
        };
        assert_eq!((from, lane), (first, Lane::Free));
        assert!(seats.is_taken_over(first) && !seats.is_taken_over(key));
        assert!(!seats.leave(first, 12), "it is another's to give");
        assert!(seats.leave(key, 12));
        assert!(!seats.leave(key, 12), "once");
        assert_eq!(seats.find(hash, 12 + LEFT_KEPT_S), Found::Left);
        assert_eq!(seats.find(hash, 13 + LEFT_KEPT_S), Found::Nobody);
        assert!(seats.take_over(hash).is_none());
        assert!(matches!(
            seats.claim(hash, Lane::Resume, 14),
            Claim::Sits(_)
        ));
    }

    #[test]
    fn as_many_sit_as_there_are_seats() {
        let seats = Seats::new(40_000);
        for id in 0..40_000 {
            let claim = seats.claim(SALT.hash(id, 0), Lane::Free, 0);
            assert!(matches!(claim, Claim::Sits(_)), "{id}: {claim:?}");
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
                let Claim::Sits(key) = seats.claim(hash, Lane::Free, round) else {
                    panic!("{round} {id}")
                };
                assert!(seats.leave(key, round));
            }
        }
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
                Claim::Sits(key) => {
                    sat += 1;
                    key
                }
                Claim::TookOver { key, .. } => key,
                Claim::Crowded => continue,
            };
            gave += i32::from(seats.leave(key, 1));
        }
        (sat, gave)
    }
}
