//! The listeners of one shard thread: the media plane's `Shard`, the rings it was given, and the exact counts of who
//! listens. Joins and sweeps both happen here, on one thread, without locks.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use hustings_control::ids::SpaceId;
use hustings_media::fanout::CadenceBounds;
use hustings_media::fanout::shard::{Cadence, Leave, ListenerKey, RingKey, Shard};
use hustings_media::fanout::{Blocks, Cursor, Ring};
use hustings_media::limits::SAMPLE_RATE;
use hustings_media::time::Now;

use super::answers;
use super::asked::{Burst, Container};
use super::counters::{ShardCounters, add};
use super::limits::{
    BURST_BLOCK_BYTES, BURST_LONG_MS, BURST_LONG_MS_MAX, BURST_SHORT_MS, BURST_SPARE_MS,
    COUNT_EVERY_MS, LISTENERS_MAX, RINGS_MAX, SLICE_LISTENERS, WEED_EVERY_MS, WEED_SLOTS,
};
use super::socket::{Heard, Seated, whole_seconds};
use super::sound::Place;
use crate::clock::Clock;
use crate::pace::{Announcer, Pace};

pub(super) struct Crowd {
    shard: Shard<Seated>,
    cadence: Cadence,
    /// Rings that have, or just had, listeners here.
    attached: HashMap<RingKey, Attached>,
    /// Where a newcomer goes; a ring that was replaced is no longer named here.
    newest: HashMap<(SpaceId, Container), RingKey>,
    left: Vec<(ListenerKey, RingKey, Leave, Seated)>,
    /// The sweep under way, between two of its slices.
    under_way: Option<Turn>,
    weeded: Now,
    /// The next slot of a look for seats taken over, while there is one.
    weeding: Option<usize>,
    counted: Now,
    /// The next slot of a count of what was heard, while there is one.
    counting: Option<usize>,
    floor_ms: u64,
    counters: Arc<ShardCounters>,
    pace: Arc<Pace>,
    announcer: Announcer,
}

/// What the slices of one sweep have come to so far.
#[derive(Clone, Copy)]
struct Turn {
    began: Now,
    /// Without what was done for others between the slices.
    cost_us: u64,
    listeners: usize,
    bytes: u64,
}

struct Attached {
    place: Place,
    /// Response head and container head: the same bytes for everyone.
    opening: Bytes,
    /// This ring's part of the space's `listening`, as last told.
    told: u64,
    /// Listeners of this ring here.
    inside: u64,
}

impl Crowd {
    pub(super) fn new(counters: Arc<ShardCounters>, pace: Arc<Pace>) -> Self {
        Self {
            shard: Shard::new(LISTENERS_MAX),
            cadence: Cadence::new(pace.bounds()),
            attached: HashMap::new(),
            newest: HashMap::new(),
            left: Vec::new(),
            under_way: None,
            weeded: Now(0),
            weeding: None,
            counted: Now(0),
            counting: None,
            floor_ms: 0,
            counters,
            announcer: pace.announcer(),
            pace,
        }
    }

    /// Takes a listener in and sends the stream's head and the burst at once. A full shard gives the socket back.
    #[expect(
        clippy::result_large_err,
        reason = "who is not taken is handed back whole, once a join"
    )]
    pub(super) fn join(
        &mut self,
        place: &Place,
        burst: Burst,
        mut socket: Seated,
        now: Now,
    ) -> Result<(), Seated> {
        let Some(key) = self.ring_of(place) else {
            return Err(socket);
        };
        let cursor = place.ring().map(|ring| self.cursor(ring, burst));
        let (Some(cursor), Some(attached)) = (cursor, self.attached.get_mut(&key)) else {
            return Err(socket);
        };
        socket.heard = Heard::from(cursor.sequence);
        let (since_s, as_page, rehearsed) = socket.came();
        let listener = self
            .shard
            .join(key, cursor, attached.opening.clone(), socket, now)?;
        attached.inside += 1;
        let counts = &attached.place.handle.counts;
        counts.came(since_s, as_page, rehearsed);
        add(&self.counters.joins, 1);
        if let Some(why) = self.shard.serve(listener, now)
            && let Some(socket) = self.shard.leave(listener)
        {
            self.gone(key, why, socket, now);
        }
        self.tell_listeners();
        Ok(())
    }

    /// A sweep, or the rest of the one under way, in one go; milliseconds until the next.
    pub(super) fn sweep(&mut self, clock: &Clock) -> u64 {
        loop {
            if let Some(next_ms) = self.slice(clock) {
                return next_ms;
            }
        }
    }

    /// A slice of a sweep, its cost measured. After the last one the counts are told; then it returns milliseconds until
    /// the next sweep.
    pub(super) fn slice(&mut self, clock: &Clock) -> Option<u64> {
        let began = clock.now();
        #[cfg(test)]
        self.panic_if_wanted();
        // Put back at the end, so that a sweep that panics is not counted in the next.
        let mut turn = self.under_way.take().unwrap_or(Turn {
            began,
            cost_us: 0,
            listeners: 0,
            bytes: 0,
        });
        let mut left = std::mem::take(&mut self.left);
        self.weed(began, &mut left);
        let report = self
            .shard
            .sweep_slice(began, self.slice_listeners(), &mut left);
        for (_, ring, why, socket) in left.drain(..) {
            self.gone(ring, why, socket, began);
        }
        self.left = left;
        self.count(began);
        if report.whole {
            self.tell_listening();
        }
        let ended = clock.now();
        turn.cost_us += ended.since(began);
        turn.listeners += report.listeners;
        turn.bytes += report.bytes;
        if report.whole {
            return Some(self.swept(turn, ended));
        }
        self.under_way = Some(turn);
        None
    }

    fn slice_listeners(&self) -> usize {
        #[cfg(test)]
        if self.counters.held.load(Relaxed) {
            add(&self.counters.slices_held, 1);
            return 0;
        }
        SLICE_LISTENERS
    }

    /// The same ticket has come again, perhaps to another shard: this connection has no seat any more.
    fn weed(&mut self, now: Now, left: &mut Vec<(ListenerKey, RingKey, Leave, Seated)>) {
        if now.since(self.weeded) >= WEED_EVERY_MS * 1_000 {
            self.weeded = now;
            self.weeding.get_or_insert(0);
        }
        if let Some(from) = self.weeding {
            let to = from + WEED_SLOTS;
            self.shard.weed(from..to, Seated::must_go, left);
            self.weeding = (to < self.shard.slots()).then_some(to);
        }
    }

    fn swept(&mut self, turn: Turn, ended: Now) -> u64 {
        self.cadence
            .set_bounds(above(self.pace.bounds(), self.floor_ms));
        let next_ms = self
            .cadence
            .after_sweep(turn.cost_us, turn.listeners, ended);
        self.announcer.tell(self.cadence.announced_ms());
        add(&self.counters.sweeps, 1);
        add(&self.counters.sweep_us, turn.cost_us);
        add(&self.counters.bytes, turn.bytes);
        self.counters
            .cadence_ms
            .store(self.cadence.current_ms(), Relaxed);
        self.counters
            .needed_ms
            .store(self.cadence.needed_ms(), Relaxed);
        self.counters
            .projected_load
            .store(self.projected().to_bits(), Relaxed);
        self.tell_listeners();
        // Those inside do not wait longer because newcomers came between the slices.
        let between_us = ended.since(turn.began).saturating_sub(turn.cost_us);
        next_ms.saturating_sub(between_us / 1_000)
    }

    #[cfg(test)]
    fn panic_if_wanted(&self) {
        let wanted = &self.counters.panics_wanted;
        let one_less = |wanted: u64| wanted.checked_sub(1);
        if wanted.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
            panic!("a test asked for this");
        }
    }

    /// What the gate of this shard goes by: the share of its core (or of the part it may take) at the widest cadence, and
    /// milliseconds between sweeps that their costs ask for.
    pub(super) fn load(&self) -> (f64, u64) {
        (self.projected(), self.cadence.needed_ms())
    }

    /// Of what sweeps may take of the core.
    fn projected(&self) -> f64 {
        self.cadence.projected_load() / self.pace.core_share()
    }

    /// Sweeps come no more often than this.
    pub(super) fn hold_cadence(&mut self, floor_ms: u64) {
        self.floor_ms = floor_ms;
    }

    pub(super) fn listeners(&self) -> usize {
        self.shard.listeners()
    }

    /// The shard's key of the ring; it is made known to the shard with its first listener here.
    fn ring_of(&mut self, place: &Place) -> Option<RingKey> {
        let name = (place.handle.id.clone(), place.container);
        if let Some(key) = self.newest.get(&name)
            && let Some(attached) = self.attached.get(key)
            && Arc::ptr_eq(&attached.place.rings, &place.rings)
        {
            return Some(*key);
        }
        // The media plane panics beyond this; whoever is too many is told that the node is full.
        if self.attached.len() >= RINGS_MAX {
            return None;
        }
        let ring = place.ring()?;
        let (response, container) = (answers::stream_head(place.container), ring.head());
        let mut opening = BytesMut::with_capacity(response.len() + container.len());
        opening.extend_from_slice(response);
        opening.extend_from_slice(&container);
        let key = self.shard.add_ring(ring.clone());
        self.attached.insert(
            key,
            Attached {
                place: place.clone(),
                opening: opening.freeze(),
                told: 0,
                inside: 0,
            },
        );
        self.newest.insert(name, key);
        Some(key)
    }

    /// Where a newcomer begins: the burst fits the cadence it will have. A plain element cannot be told of a wider one later,
    /// so it gets what the widest takes; our own player stretches.
    fn cursor(&self, ring: &Ring, burst: Burst) -> Cursor {
        let samples = |ms: u64| ms * u64::from(SAMPLE_RATE) / 1_000;
        match burst {
            Burst::Short => ring.cursor_behind(samples(
                BURST_SHORT_MS.max(self.cadence.announced_ms() + BURST_SPARE_MS),
            )),
            Burst::Long => ring.cursor_for_blocks(Blocks {
                bytes: BURST_BLOCK_BYTES,
                beyond: samples(Cadence::MS_MAX + BURST_SPARE_MS),
                least: samples(BURST_LONG_MS),
                most: samples(BURST_LONG_MS_MAX),
            }),
        }
    }

    /// Puts into the spaces' numbers what listeners were sent since the last time, some slots in each slice.
    fn count(&mut self, now: Now) {
        if now.since(self.counted) >= COUNT_EVERY_MS * 1_000 {
            self.counted = now;
            self.counting.get_or_insert(0);
        }
        if let Some(from) = self.counting {
            let to = from + WEED_SLOTS;
            self.count_slots(from..to);
            self.counting = (to < self.shard.slots()).then_some(to);
        }
    }

    fn count_slots(&mut self, slots: Range<usize>) {
        let Self {
            shard, attached, ..
        } = self;
        shard.progress(slots, |ring, seated, next| {
            if let Some(attached) = attached.get(&ring) {
                seated.tell_heard(next, &attached.place.handle.counts);
            }
        });
    }

    fn gone(&mut self, ring: RingKey, why: Leave, mut socket: Seated, now: Now) {
        if let Some(attached) = self.attached.get_mut(&ring) {
            attached.inside = attached.inside.saturating_sub(1);
            let counts = &attached.place.handle.counts;
            socket.tell_gone(why, whole_seconds(now), counts);
        }
        match why {
            Leave::TooSlow => add(&self.counters.too_slow, 1),
            Leave::RingEnded => socket.socket.finish(),
            Leave::Closed | Leave::Removed => {}
        }
    }

    /// Adds to each space's count what has changed here since it was last told, so that the sum over shards is exact.
    /// Rings without listeners are forgotten.
    fn tell_listening(&mut self) {
        let Self {
            shard,
            attached,
            newest,
            ..
        } = self;
        attached.retain(|key, ring| {
            let counts = &ring.place.handle.counts;
            let hear = shard.listening(*key) as u64;
            if hear > ring.told {
                let risen = hear - ring.told;
                let sum = counts.listening.fetch_add(risen, Relaxed) + risen;
                counts.peak.fetch_max(sum, Relaxed);
            } else if hear < ring.told {
                counts.listening.fetch_sub(ring.told - hear, Relaxed);
            }
            ring.told = hear;
            if !shard.remove_ring(*key) {
                return true;
            }
            let name = (ring.place.handle.id.clone(), ring.place.container);
            if newest.get(&name) == Some(key) {
                newest.remove(&name);
            }
            false
        });
    }

    fn tell_listeners(&self) {
        self.counters
            .listeners
            .store(self.shard.listeners() as u64, Relaxed);
    }
}

/// What the operator says holds: the ladder moves the cadence within it.
fn above(bounds: CadenceBounds, floor_ms: u64) -> CadenceBounds {
    let min_ms = floor_ms.clamp(bounds.min_ms(), bounds.max_ms());
    CadenceBounds::new(min_ms, bounds.max_ms()).unwrap_or(bounds)
}

/// A shard that ends takes its part out of the counts.
impl Drop for Crowd {
    fn drop(&mut self) {
        self.count_slots(0..self.shard.slots());
        for ring in self.attached.values() {
            let counts = &ring.place.handle.counts;
            counts.listening.fetch_sub(ring.told, Relaxed);
            counts.lost.fetch_add(ring.inside, Relaxed);
        }
        self.counters.listeners.store(0, Relaxed);
    }
}
