//! One pass over all listeners, whole or in slices. Between two slices the shell has its turn: it takes newcomers in, and
//! everybody is visited once a sweep all the same.

use super::ahead::Ahead;
use super::listener::{Batch, Visit};
use super::shard::{ListenerKey, Shard, Slot};
use super::sink::{Leave, RingKey, Sink};
use crate::page::Page;
use crate::time::Now;

/// What one sweep, or one slice of it, did. Counts, so that the shell can measure its cost per listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    pub listeners: usize,
    pub bytes: u64,
    pub writes: u64,
    pub full: u64,
    pub skipped: u64,
    pub left: u64,
    /// False while this sweep has listeners left to visit.
    pub whole: bool,
}

/// How far a sweep has come: rings before `ring` are done, and of its members those before `at`.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    pub(super) ring: usize,
    pub(super) at: usize,
    lowest: u64,
    hear: usize,
}

impl UnderWay {
    pub(super) fn at_ring(ring: usize) -> Self {
        Self {
            ring,
            at: 0,
            lowest: u64::MAX,
            hear: 0,
        }
    }
}

impl<S: Sink> Shard<S> {
    /// Visits all listeners, or those whom the sweep under way has not visited yet. `left` receives who is gone and why,
    /// with their sinks; give it room beforehand and the sweep allocates nothing.
    pub fn sweep(
        &mut self,
        now: Now,
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
    ) -> SweepReport {
        self.sweep_slice(now, usize::MAX, left)
    }

    /// Visits at most `at_most` listeners: those who are next in the sweep under way, or the first of a new one. Joins and
    /// leaves may come in between; whoever stays is visited once a sweep.
    pub fn sweep_slice(
        &mut self,
        now: Now,
        at_most: usize,
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
    ) -> SweepReport {
        let mut report = SweepReport::default();
        // Put back only at the end: after a panic the next sweep begins anew.
        let mut way = self.under_way.take().unwrap_or(UnderWay::at_ring(0));
        let mut pages = std::mem::take(&mut self.pages);
        let mut joined = std::mem::take(&mut self.joined);
        while way.ring < self.rings.len()
            && self.sweep_ring(
                &mut way,
                now,
                at_most,
                (&mut pages, &mut joined),
                left,
                &mut report,
            )
        {
            way = UnderWay::at_ring(way.ring + 1);
        }
        pages.clear();
        self.pages = pages;
        self.joined = joined;
        report.whole = way.ring >= self.rings.len();
        if !report.whole {
            self.under_way = Some(way);
        }
        report
    }

    /// True when all of the ring's listeners were visited.
    fn sweep_ring(
        &mut self,
        way: &mut UnderWay,
        now: Now,
        at_most: usize,
        (pages, joined): (&mut Vec<Page>, &mut Vec<u8>),
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
        report: &mut SweepReport,
    ) -> bool {
        let Some(slot) = &self.rings[way.ring] else {
            return true;
        };
        let rest = slot.members.len().saturating_sub(way.at);
        if rest > 0 {
            if report.listeners >= at_most {
                return false;
            }
            // Closed is asked first: what the snapshot then holds is all there will ever be.
            let closed = slot.ring.is_closed();
            let next = slot.ring.next_sequence();
            slot.ring
                .pages_from(slot.lowest, slot.ring.pages_max(), pages);
            let ahead = Ahead::new(pages, next, closed);
            let batch = Batch::new(pages, rest.min(at_most - report.listeners), joined);
            way.lowest = way.lowest.min(ahead.next);
            if !self.visit_members(way, now, at_most, (&ahead, &batch), left, report) {
                return false;
            }
        }
        if let Some(slot) = &mut self.rings[way.ring] {
            slot.lowest = way.lowest;
            slot.hear = way.hear.min(slot.members.len());
        }
        true
    }

    /// True when nobody of the ring is left to visit.
    fn visit_members(
        &mut self,
        way: &mut UnderWay,
        now: Now,
        at_most: usize,
        (ahead, batch): (&Ahead<'_>, &Batch<'_>),
        left: &mut Vec<(ListenerKey, RingKey, Leave, S)>,
        report: &mut SweepReport,
    ) -> bool {
        let (mut at, mut lowest, mut hear) = (way.at, way.lowest, way.hear);
        let mut more = at_most - report.listeners;
        let mut whole = true;
        while let Some(&key) = self.rings[way.ring]
            .as_ref()
            .and_then(|slot| slot.members.get(at))
        {
            if more == 0 {
                whole = false;
                break;
            }
            more -= 1;
            let Slot::Taken(listener) = &mut self.slots[key] else {
                unreachable!("a ring lists a free slot")
            };
            let visit = listener.visit(ahead, batch, now);
            report.add(&visit);
            match visit.leave {
                None => {
                    lowest = lowest.min(listener.cursor.sequence);
                    hear += usize::from(visit.bytes > 0 || listener.hears(now));
                    at += 1;
                }
                Some(why) => {
                    // The last member takes this place, so `at` stays.
                    let (ring, sink) = self.take(key);
                    left.push((ListenerKey(key), ring, why, sink));
                    report.left += 1;
                }
            }
        }
        report.listeners = at_most - more;
        (way.at, way.lowest, way.hear) = (at, lowest, hear);
        whole
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
