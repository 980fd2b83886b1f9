//! A pass is a seat while somebody has it. It is given back when dropped, once, wherever it is dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use hustings_media::time::Now;

use super::door::Door;
use super::lanes::Lane;
use super::limits::{HELD_MAX, SEAT_HELD_MS, STAY_MIN_S};
use super::prefix::Charge;
use super::seats::SeatKey;

/// The seat of one connection. The shell keeps it beside the socket and drops it with the socket.
pub struct Pass {
    pub(crate) door: Arc<Door>,
    pub(crate) lane: Lane,
    pub(crate) key: Option<SeatKey>,
    pub(crate) charge: Charge,
    /// The hall's second since which the right, or without one the connection, has been inside.
    pub(crate) since: u32,
    /// Came in by a right, not with nothing in hand.
    pub(crate) proven: bool,
    /// Held for a ticket that never came: nobody was inside.
    pub(crate) unused: bool,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pass({}, {:?})", self.door.space(), self.lane)
    }
}

impl Pass {
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// None for who showed nothing: such a seat cannot be taken over.
    pub fn key(&self) -> Option<SeatKey> {
        self.key
    }

    /// Whether the same right has come again and has the seat now: the shell closes this connection. One atomic load.
    pub fn is_taken_over(&self) -> bool {
        self.key
            .is_some_and(|key| self.door.hall.seats.is_taken_over(key))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let hall = &self.door.hall;
        let second = hall.second.load(Relaxed);
        let stayed = !self.unused && second.saturating_sub(self.since) >= STAY_MIN_S;
        let visited = self.unused || !stayed && !self.proven;
        let own = self
            .key
            .is_none_or(|key| hall.seats.leave(key, second, visited));
        hall.prefixes.leave(&self.charge, !own);
        if own && stayed {
            hall.prefixes.lost(&self.charge);
            self.door.lost.fetch_add(1, Relaxed);
        }
        if own {
            self.door.lanes[self.lane as usize]
                .inside
                .fetch_sub(1, Relaxed);
            self.door.taken.fetch_sub(1, AcqRel);
            hall.leave();
        }
    }
}

/// Seats held for tickets that have just been given out: each for at most 30 s. The ticket's connection takes its seat over.
#[derive(Debug, Default)]
pub struct Held {
    /// None: taken over meanwhile.
    passes: VecDeque<(Now, Option<Pass>)>,
    /// Where the search for those taken over goes on.
    at: usize,
}

/// Entries looked at for being taken over, a call: what is not yet found counts against its prefix a little longer.
const LOOKED_AT: usize = 1_024;

impl Held {
    /// Holds the seat; with `HELD_MAX` held the oldest goes early.
    pub fn hold(&mut self, pass: Pass, now: Now) {
        if self.passes.len() >= HELD_MAX
            && let Some((_, Some(mut oldest))) = self.passes.pop_front()
        {
            oldest.unused = true;
        }
        self.passes.push_back((now, Some(pass)));
    }

    /// Every 100 ms: lets go of what is due or taken over; returns how many seats were let go unused.
    pub fn let_go(&mut self, now: Now) -> usize {
        for _ in 0..self.passes.len().min(LOOKED_AT) {
            self.at = (self.at + 1) % self.passes.len();
            if let Some((_, pass)) = self.passes.get_mut(self.at) {
                pass.take_if(|pass| pass.is_taken_over());
            }
        }
        let mut unused = 0;
        while let Some((since, pass)) = self.passes.front_mut() {
            if pass.is_some() && now.since(*since) < SEAT_HELD_MS * 1_000 {
                break;
            }
            if let Some(pass) = pass {
                pass.unused = true;
                unused += usize::from(!pass.is_taken_over());
            }
            self.passes.pop_front();
        }
        unused
    }

    /// Entries, those included that were taken over and not yet found.
    pub fn len(&self) -> usize {
        self.passes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.passes.is_empty()
    }
}
