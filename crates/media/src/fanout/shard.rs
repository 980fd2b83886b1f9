//! The listeners of one core. The shell gives each listener a sink; the shard walks a slab and writes from each
//! cursor to the ring's head, many pages in one vectored write. No allocation in a sweep, no task per listener.

use std::ops::Range;

use bytes::Bytes;

use super::ahead::Ahead;
use super::listener::{Batch, Listener};
use super::ring::{Cursor, Ring};
use super::sweep::UnderWay;
use crate::limits::{JOINED_BYTES_MAX, SHARD_RINGS_MAX};
use crate::page::Page;
use crate::time::Now;

pub use super::cadence::{Cadence, CadenceBounds};
pub use super::sink::{Leave, RingKey, Sink};
pub use super::sweep::SweepReport;

/// Key of a listener in its shard: a slot number, given to somebody else after the listener has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerKey(pub usize);

pub struct Shard<S> {
    pub(super) slots: Vec<Slot<S>>,
    free: Option<usize>,
    listeners: usize,
    listeners_max: usize,
    pub(super) rings: Vec<Option<RingSlot>>,
    /// A sweep that stopped between two listeners.
    pub(super) under_way: Option<UnderWay>,
    /// The one snapshot, used again for each ring of each sweep.
    pub(super) pages: Vec<Page>,
    /// The newest pages of that snapshot end to end.
    pub(super) joined: Vec<u8>,
}

pub(super) enum Slot<S> {
    Taken(Listener<S>),
    /// Free, with the next free slot.
    Free(Option<usize>),
}

pub(super) struct RingSlot {
    pub(super) ring: Ring,
    /// Slots of the ring's listeners, in no order but this: those visited by the sweep under way come first.
    pub(super) members: Vec<usize>,
    /// No member wants a page before this one.
    pub(super) lowest: u64,
    /// Members who had taken bytes of late when the last sweep visited them.
    pub(super) hear: usize,
}

impl<S: Sink> Shard<S> {
    pub fn new(listeners_max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: None,
            listeners: 0,
            listeners_max,
            rings: Vec::new(),
            under_way: None,
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
            hear: 0,
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
                // Another ring may come to this place before the sweep goes on.
                if let Some(way) = &mut self.under_way
                    && way.ring == key.0 as usize
                {
                    *way = UnderWay::at_ring(way.ring);
                }
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
            Some(Slot::Taken(_)) => Some(self.take(key.0).1),
            _ => None,
        }
    }

    /// Slots, the free ones with them; the last key is below.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Takes out those of whom `gone` says so (`Leave::Removed`), among some of the slots: all are many.
    pub fn weed(
        &mut self,
        slots: Range<usize>,
        mut gone: impl FnMut(&S) -> bool,
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
    ) {
        for key in slots.start..slots.end.min(self.slots.len()) {
            let Slot::Taken(listener) = &self.slots[key] else {
                continue;
            };
            if gone(&listener.sink) {
                let (ring, sink) = self.take(key);
                left.push((ListenerKey(key), ring, Leave::Removed, sink));
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

    pub fn listeners(&self) -> usize {
        self.listeners
    }

    /// Listeners on one ring that had taken bytes within the last 10 s when they were last visited (the "listening now"
    /// of docs). Newcomers count from their first sweep on.
    pub fn listening(&self, ring: RingKey) -> usize {
        match self.rings.get(ring.0 as usize) {
            Some(Some(slot)) => slot.hear.min(slot.members.len()),
            _ => 0,
        }
    }

    /// Each listener's sink with the sequence of its next page, among some of the slots: all are many.
    pub fn progress(&mut self, slots: Range<usize>, mut each: impl FnMut(RingKey, &mut S, u64)) {
        let slots = self.slots.iter_mut().take(slots.end).skip(slots.start);
        for slot in slots {
            if let Slot::Taken(listener) = slot {
                each(listener.ring, &mut listener.sink, listener.cursor.sequence);
            }
        }
    }

    /// The key must be taken. Inlined, for as a call it would copy the whole listener once more.
    #[inline(always)]
    pub(super) fn take(&mut self, key: usize) -> (RingKey, S) {
        let slot = std::mem::replace(&mut self.slots[key], Slot::Free(self.free));
        let Slot::Taken(mut listener) = slot else {
            unreachable!("only taken slots are given up")
        };
        listener.sink.parted(listener.cursor.sequence);
        self.free = Some(key);
        self.listeners -= 1;
        let (ring, mut place) = (listener.ring.0 as usize, listener.place);
        if self.under_way.is_some() {
            place = self.behind_the_visited(ring, place);
        }
        if let Some(ring) = &mut self.rings[ring] {
            ring.members.swap_remove(place);
            if let Some(&moved) = ring.members.get(place)
                && let Slot::Taken(other) = &mut self.slots[moved]
            {
                other.place = place;
            }
        }
        (listener.ring, listener.sink)
    }

    /// Where a member can be taken out so that all whom the sweep under way has visited stay before all others: the last of
    /// those visited takes the place of one of them.
    #[cold]
    fn behind_the_visited(&mut self, ring: usize, place: usize) -> usize {
        let Some(way) = &mut self.under_way else {
            return place;
        };
        if way.ring != ring || place >= way.at {
            return place;
        }
        way.at -= 1;
        let last = way.at;
        if let Some(ring) = &mut self.rings[ring]
            && let Some(&moved) = ring.members.get(last)
            && let Slot::Taken(other) = &mut self.slots[moved]
        {
            ring.members[place] = moved;
            other.place = place;
        }
        last
    }
}
