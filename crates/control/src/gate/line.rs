//! The line: a place is two numbers that its holder keeps; the server keeps a few counts a space, whoever waits.
//!
//! A place is (bucket, rank). Bucket 0 is the lottery: who comes before the draw gets a random rank, a part of 2^32. After it
//! a bucket is ten seconds and the rank a number in order of arrival within it, from 1. `called` is the highest place whose
//! turn has come. How many places lie before one follows from the counts at the buckets' beginnings.

use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use hustings_media::time::Now;

pub use super::estimate::{Estimate, poll_after};
use super::limits::{BUCKET_MS, BUCKETS};

mod asking;
mod kept;

pub use kept::LineSnapshot;

/// A place as its token says it; the smaller is earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub bucket: u32,
    pub rank: u32,
}

impl Place {
    fn packed(self) -> u64 {
        u64::from(self.bucket) << 32 | u64::from(self.rank)
    }

    fn unpack(packed: u64) -> Self {
        Self {
            bucket: (packed >> 32) as u32,
            rank: packed as u32,
        }
    }
}

/// The counts of one line. Gates read and add, the usher calls.
pub(crate) struct Line {
    drawn: AtomicBool,
    /// Microseconds of the shell's clock: when the lottery is drawn.
    draws_at: AtomicU64,
    bucket: AtomicU32,
    bucket_began: AtomicU64,
    issued: AtomicU64,
    called: AtomicU64,
    /// The place up to which `called` reaches.
    called_place: AtomicU64,
    /// Places before each bucket; a bucket's slot is its number modulo `BUCKETS`.
    starts: Box<[AtomicU64]>,
    /// Places called a 1,000 seconds, slow and quick; 0 when not known.
    pace: [AtomicU32; 2],
    pub(crate) asking: asking::Asking,
    /// Places that became seats, for the usher to take.
    pub(crate) came: AtomicU32,
}

impl Line {
    pub(crate) fn new(now: Now) -> Self {
        let line = Self {
            drawn: AtomicBool::new(true),
            draws_at: AtomicU64::new(0),
            bucket: AtomicU32::new(1),
            bucket_began: AtomicU64::new(now.0),
            issued: AtomicU64::new(0),
            called: AtomicU64::new(0),
            called_place: AtomicU64::new(0),
            starts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            pace: [AtomicU32::new(0), AtomicU32::new(0)],
            asking: asking::Asking::new(now),
            came: AtomicU32::new(0),
        };
        line.called_place
            .store(Place { bucket: 1, rank: 0 }.packed(), Relaxed);
        line
    }

    /// Whoever comes before `at` takes part in a draw. A draw that is still to come is moved; else it works only before
    /// anybody has a place, and nothing changes after that.
    pub(crate) fn draw_at(&self, at: Now) -> bool {
        if !self.drawn.load(Acquire) {
            self.draws_at.store(at.0, Relaxed);
            return true;
        }
        let fresh = self.issued.load(Relaxed) == 0;
        if fresh {
            self.draws_at.store(at.0, Relaxed);
            self.bucket.store(0, Relaxed);
            self.called_place.store(0, Relaxed);
            self.drawn.store(false, Release);
        }
        fresh
    }

    /// A new place. `random` decides the rank before the draw.
    pub(crate) fn mint(&self, random: u32) -> Place {
        let before = self.issued.fetch_add(1, Relaxed);
        if !self.drawn.load(Acquire) {
            // Rank 0 is never given: what is called stands at 0 before the draw.
            return Place {
                bucket: 0,
                rank: random.max(1),
            };
        }
        // Counted before the bucket is read: one that begins in between makes the place its first, or the one before that.
        let bucket = self.bucket.load(Acquire);
        Place {
            bucket,
            rank: number_in(before.saturating_add(1), self.start(bucket)),
        }
    }

    /// Whether its turn has come.
    pub(crate) fn is_called(&self, place: Place) -> bool {
        place.packed() <= self.called_place.load(Relaxed)
    }

    /// How many have had their turn when it has.
    pub(crate) fn position(&self, place: Place) -> u64 {
        let (bucket, issued) = (self.bucket.load(Acquire), self.issued.load(Relaxed));
        if place.bucket > bucket {
            return issued;
        }
        if u64::from(bucket) >= u64::from(place.bucket) + BUCKETS as u64 {
            return 0;
        }
        let from = self.start(place.bucket);
        let inside = self.end(place.bucket, bucket, issued).saturating_sub(from);
        from + if place.bucket == 0 {
            ((u128::from(inside) * u128::from(place.rank)) >> 32) as u64
        } else {
            u64::from(place.rank).min(inside)
        }
    }

    pub(crate) fn called(&self) -> u64 {
        self.called.load(Relaxed)
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued.load(Relaxed)
    }

    pub(crate) fn called_place(&self) -> Place {
        Place::unpack(self.called_place.load(Relaxed))
    }

    /// Rolls the buckets on and, when its time has come, draws. Only the usher calls it.
    pub(crate) fn roll(&self, now: Now) {
        self.asking.roll(now);
        if !self.drawn.load(Relaxed) {
            if now.0 < self.draws_at.load(Relaxed) {
                return;
            }
            self.next_bucket(now);
            self.drawn.store(true, Release);
        }
        let mut rolled = 0;
        while now.since(Now(self.bucket_began.load(Relaxed))) >= BUCKET_MS * 1_000 {
            rolled += 1;
            let began = Now(self.bucket_began.load(Relaxed)).plus_millis(BUCKET_MS);
            // A shell that slept for hours need not roll through each of them.
            self.next_bucket(if rolled > BUCKETS { now } else { began });
        }
    }

    fn next_bucket(&self, began: Now) {
        let next = self.bucket.load(Relaxed).wrapping_add(1);
        self.starts[next as usize % BUCKETS].store(self.issued.load(Relaxed), Relaxed);
        self.bucket_began.store(began.0, Relaxed);
        self.bucket.store(next, Release);
    }

    /// Calls so many more, at most all. Before the draw nobody.
    pub(crate) fn call(&self, more: u64) {
        if !self.drawn.load(Relaxed) {
            return;
        }
        let (issued, bucket) = (self.issued.load(Relaxed), self.bucket.load(Relaxed));
        let called = self.called.load(Relaxed).saturating_add(more).min(issued);
        let old = self.called_place();
        let place = if called == issued {
            Place {
                bucket,
                rank: number_in(issued, self.start(bucket)),
            }
        } else {
            self.place_of(called, old.bucket, bucket)
        };
        self.called.store(called, Relaxed);
        // A turn that has come stays.
        self.called_place.store(place.max(old).packed(), Relaxed);
    }

    /// The last of so many places, sought from a bucket on.
    fn place_of(&self, count: u64, from: u32, newest: u32) -> Place {
        let oldest = newest.saturating_sub(BUCKETS as u32 - 1);
        let mut bucket = from.max(oldest);
        while bucket < newest && self.start(bucket + 1) <= count {
            bucket += 1;
        }
        let start = self.start(bucket);
        if bucket > 0 {
            let rank = number_in(count, start);
            return Place { bucket, rank };
        }
        let end = self.end(bucket, newest, self.issued.load(Relaxed));
        let all = end.saturating_sub(start).max(1);
        let part = (u128::from(count.saturating_sub(start)) << 32) / u128::from(all);
        let rank = part.min(u128::from(u32::MAX)) as u32;
        Place { bucket, rank }
    }

    pub(crate) fn set_pace(&self, slow: f64, quick: f64) {
        for (pace, per_second) in self.pace.iter().zip([slow, quick]) {
            pace.store((per_second * 1_000.0).clamp(0.0, 4e9) as u32, Relaxed);
        }
    }

    /// Places a second, slow and quick.
    pub(crate) fn pace(&self) -> Option<(f64, f64)> {
        let [slow, quick] =
            [&self.pace[0], &self.pace[1]].map(|pace| f64::from(pace.load(Relaxed)) / 1_000.0);
        (slow > 0.0 && quick > 0.0).then_some((slow, quick))
    }

    pub(crate) fn estimate(&self, ahead: u64) -> Estimate {
        if !self.drawn.load(Relaxed) {
            return Estimate::Unknown;
        }
        let Some((slow, quick)) = self.pace() else {
            return Estimate::Unknown;
        };
        let seconds = |pace: f64| (ahead as f64 / pace).ceil().min(f64::from(u32::MAX)) as u32;
        Estimate::Between(seconds(quick), seconds(slow.min(quick)))
    }

    pub(crate) fn is_drawing(&self) -> bool {
        !self.drawn.load(Relaxed)
    }

    /// Milliseconds to the draw, if it is still to come.
    pub(crate) fn draws_in_ms(&self, now: Now) -> Option<u64> {
        let at = Now(self.draws_at.load(Relaxed));
        (!self.drawn.load(Relaxed)).then(|| at.since(now) / 1_000)
    }

    fn start(&self, bucket: u32) -> u64 {
        self.starts[bucket as usize % BUCKETS].load(Relaxed)
    }

    /// Places before the bucket's end, which of the newest is now.
    fn end(&self, bucket: u32, newest: u32, issued: u64) -> u64 {
        if bucket < newest {
            self.start(bucket + 1)
        } else {
            issued
        }
    }
}

/// The number within its bucket of the last of so many places.
fn number_in(count: u64, start: u64) -> u32 {
    u32::try_from(count.saturating_sub(start)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
