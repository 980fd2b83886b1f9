//! The listeners of one core. The shell gives each listener a sink; the shard walks a slab and writes from each
//! cursor to the ring's head, many pages in one vectored write. No allocation in a sweep, no task per listener.

use bytes::Bytes;

use super::ahead::Ahead;
use super::listener::{Batch, Listener, Visit};
use super::ring::{Cursor, Ring};
use crate::limits::{JOINED_BYTES_MAX, LISTENING_MS, SHARD_RINGS_MAX};
use crate::page::Page;
use crate::time::Now;

pub use super::cadence::{Cadence, CadenceBounds};
pub use super::sink::{Leave, RingKey, Sink};

/// Key of a listener in its shard: a slot number, given to somebody else after the listener has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerKey(pub usize);

/// What one sweep did. Counts, so that the shell can measure its cost per listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    pub listeners: usize,
    pub bytes: u64,
    pub writes: u64,
    pub full: u64,
    pub skipped: u64,
    pub left: u64,
}

pub struct Shard<S> {
    slots: Vec<Slot<S>>,
    free: Option<usize>,
    listeners: usize,
    listeners_max: usize,
    rings: Vec<Option<RingSlot>>,
    /// The one snapshot, used again for each ring of each sweep.
    pages: Vec<Page>,
    /// The newest pages of that snapshot end to end.
    joined: Vec<u8>,
}

enum Slot<S> {
    Taken(Listener<S>),
    /// Free, with the next free slot.
    Free(Option<usize>),
}

struct RingSlot {
    ring: Ring,
    /// Slots of the ring's listeners, in no order.
    members: Vec<usize>,
    /// No member wants a page before this one.
    lowest: u64,
}

impl<S: Sink> Shard<S> {
    pub fn new(listeners_max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: None,
            listeners: 0,
            listeners_max,
            rings: Vec::new(),
            pages: Vec::new(),
            joined: Vec::with_capacity(JOINED_BYTES_MAX),
        }
    }

    pub fn add_ring(&mut self, ring: Ring) -> RingKey {
        self.pages.reserve(ring.pages_max());
        let slot = RingSlot {
            lowest: ring.next_sequence(),
            ring,
            members: Vec::new(),
        };
        let index = self
            .rings
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.rings.len());
        assert!(
            index < SHARD_RINGS_MAX,
            "a shard was given more than {SHARD_RINGS_MAX} rings"
        );
        if index == self.rings.len() {
            self.rings.push(Some(slot));
        } else {
            self.rings[index] = Some(slot);
        }
        RingKey(index as u32)
    }

    /// Forgets a ring that has no listeners; true when forgotten.
    pub fn remove_ring(&mut self, key: RingKey) -> bool {
        match self.rings.get_mut(key.0 as usize) {
            Some(slot) if slot.as_ref().is_some_and(|ring| ring.members.is_empty()) => {
                *slot = None;
                true
            }
            _ => false,
        }
    }

    /// Admits a listener; `opening` (response head and container head) is sent before the cursor's first page.
    /// Gives the sink back when the shard is full, does not know the ring, or the cursor stands inside a page that
    /// has left the ring, for that stream could not be gone on with.
    pub fn join(
        &mut self,
        ring: RingKey,
        cursor: Cursor,
        opening: Bytes,
        sink: S,
        now: Now,
    ) -> Result<ListenerKey, S> {
        if self.listeners >= self.listeners_max {
            return Err(sink);
        }
        let Some(Some(slot)) = self.rings.get_mut(ring.0 as usize) else {
            return Err(sink);
        };
        let partial = if cursor.offset == 0 {
            None
        } else {
            slot.ring.pages_from(cursor.sequence, 1, &mut self.pages);
            match self.pages.first() {
                Some(page)
                    if page.sequence == cursor.sequence
                        && page.bytes.len() > cursor.offset as usize =>
                {
                    Some(page.bytes.clone())
                }
                _ => return Err(sink),
            }
        };
        // As with pages: the counter of fresh `Bytes` is allocated here, not in a sweep.
        drop(opening.clone());
        let listener = Listener::new(
            ring,
            slot.members.len(),
            cursor,
            partial,
            opening,
            sink,
            now,
        );
        slot.lowest = slot.lowest.min(cursor.sequence);
        let key = match self.free {
            Some(key) => {
                let Slot::Free(next) = self.slots[key] else {
                    unreachable!("the free list names a taken slot")
                };
                self.free = next;
                self.slots[key] = Slot::Taken(listener);
                key
            }
            None => {
                self.slots.push(Slot::Taken(listener));
                self.slots.len() - 1
            }
        };
        slot.members.push(key);
        self.listeners += 1;
        Ok(ListenerKey(key))
    }

    /// Takes a listener out (`Leave::Removed` for those who count); `None` when the slot is free.
    pub fn leave(&mut self, key: ListenerKey) -> Option<S> {
        match self.slots.get(key.0) {
            Some(Slot::Taken(_)) => Some(self.take(key.0).sink),
            _ => None,
        }
    }

    /// Takes out those of whom `gone` says so (`Leave::Removed`). A walk over all listeners: for now and then.
    pub fn weed(
        &mut self,
        mut gone: impl FnMut(&S) -> bool,
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
    ) {
        for key in 0..self.slots.len() {
            let Slot::Taken(listener) = &self.slots[key] else {
                continue;
            };
            if gone(&listener.sink) {
                let listener = self.take(key);
                left.push((
                    ListenerKey(key),
                    listener.ring,
                    Leave::Removed,
                    listener.sink,
                ));
            }
        }
    }

    /// Writes one listener at once (its opening and burst), so that a join does not wait for the next sweep.
    /// When it tells a reason to leave, the listener is still here: `leave` takes it out, or the next sweep does.
    pub fn serve(&mut self, key: ListenerKey, now: Now) -> Option<Leave> {
        let Some(Slot::Taken(listener)) = self.slots.get_mut(key.0) else {
            return None;
        };
        let slot = self.rings[listener.ring.0 as usize].as_mut()?;
        let closed = slot.ring.is_closed();
        let next = slot.ring.next_sequence();
        slot.ring.pages_from(
            listener.cursor.sequence,
            slot.ring.pages_max(),
            &mut self.pages,
        );
        // A fallen listener gets everything that is left, for the skip to choose from.
        let ahead = Ahead::new(&self.pages, next, closed);
        let batch = Batch::new(&self.pages, 1, &mut self.joined);
        let visit = listener.visit(&ahead, &batch, now);
        self.pages.clear();
        visit.leave
    }

    /// One pass over all listeners. `left` receives who is gone and why, with their sinks; give it room beforehand and
    /// the sweep allocates nothing.
    pub fn sweep(
        &mut self,
        now: Now,
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
    ) -> SweepReport {
        let mut report = SweepReport {
            listeners: self.listeners,
            ..SweepReport::default()
        };
        let mut pages = std::mem::take(&mut self.pages);
        let mut joined = std::mem::take(&mut self.joined);
        for index in 0..self.rings.len() {
            self.sweep_ring(index, now, (&mut pages, &mut joined), left, &mut report);
        }
        pages.clear();
        self.pages = pages;
        self.joined = joined;
        report
    }

    fn sweep_ring(
        &mut self,
        index: usize,
        now: Now,
        (pages, joined): (&mut Vec<Page>, &mut Vec<u8>),
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
        report: &mut SweepReport,
    ) {
        let Some(slot) = &self.rings[index] else {
            return;
        };
        if slot.members.is_empty() {
            return;
        }
        // Closed is asked first: what the snapshot then holds is all there will ever be.
        let closed = slot.ring.is_closed();
        let next = slot.ring.next_sequence();
        slot.ring
            .pages_from(slot.lowest, slot.ring.pages_max(), pages);
        let ahead = Ahead::new(pages, next, closed);
        let batch = Batch::new(pages, slot.members.len(), joined);
        let mut lowest = ahead.next;
        let mut at = 0;
        while let Some(&key) = self.rings[index]
            .as_ref()
            .and_then(|slot| slot.members.get(at))
        {
            let Slot::Taken(listener) = &mut self.slots[key] else {
                unreachable!("a ring lists a free slot")
            };
            let visit = listener.visit(&ahead, &batch, now);
            report.add(&visit);
            match visit.leave {
                None => {
                    lowest = lowest.min(listener.cursor.sequence);
                    at += 1;
                }
                Some(why) => {
                    // The last member takes this place, so `at` stays.
                    let listener = self.take(key);
                    left.push((ListenerKey(key), listener.ring, why, listener.sink));
                    report.left += 1;
                }
            }
        }
        if let Some(slot) = &mut self.rings[index] {
            slot.lowest = lowest;
        }
    }

    pub fn listeners(&self) -> usize {
        self.listeners
    }

    /// Listeners on one ring that took bytes within the last 10 s (the "listening now" of docs).
    pub fn listening(&self, ring: RingKey, now: Now) -> usize {
        let Some(Some(slot)) = self.rings.get(ring.0 as usize) else {
            return 0;
        };
        let took = |key: &&usize| match &self.slots[**key] {
            Slot::Taken(listener) => listener
                .took
                .is_some_and(|then| now.since(then) <= LISTENING_MS * 1_000),
            Slot::Free(_) => false,
        };
        slot.members.iter().filter(took).count()
    }

    /// The key must be taken.
    fn take(&mut self, key: usize) -> Listener<S> {
        let slot = std::mem::replace(&mut self.slots[key], Slot::Free(self.free));
        let Slot::Taken(listener) = slot else {
            unreachable!("only taken slots are given up")
        };
        self.free = Some(key);
        self.listeners -= 1;
        if let Some(ring) = &mut self.rings[listener.ring.0 as usize] {
            ring.members.swap_remove(listener.place);
            if let Some(&moved) = ring.members.get(listener.place)
                && let Slot::Taken(other) = &mut self.slots[moved]
            {
                other.place = listener.place;
            }
        }
        listener
    }
}

impl SweepReport {
    fn add(&mut self, visit: &Visit) {
        self.bytes += visit.bytes;
        self.writes += u64::from(visit.writes);
        self.full += u64::from(visit.full);
        self.skipped += u64::from(visit.skipped);
    }
}
