//! The line: a place is two numbers that its holder keeps; the server keeps a few counts a space, whoever waits.
//!
//! A place is (bucket, rank). Bucket 0 is the lottery: who comes before the draw gets a random rank. After it a bucket is ten
//! seconds and the rank the moment of arrival within it. `called` is the highest place whose turn has come. How many places
//! lie before one follows from the counts at the buckets' beginnings.

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
    pub(crate) fn mint(&self, now: Now, random: u32) -> Place {
        self.issued.fetch_add(1, Relaxed);
        if !self.drawn.load(Acquire) {
            // Rank 0 is never given: what is called stands at 0 before the draw.
            return Place {
                bucket: 0,
                rank: random.max(1),
            };
        }
        let bucket = self.bucket.load(Acquire);
        let began = Now(self.bucket_began.load(Relaxed));
        Place {
            bucket,
            rank: fraction(now.since(began)),
        }
    }

    /// Whether its turn has come.
    pub(crate) fn is_called(&self, place: Place) -> bool {
        place.packed() <= self.called_place.load(Relaxed)
    }

    /// How many places lie before it.
    pub(crate) fn position(&self, place: Place, now: Now) -> u64 {
        let (bucket, issued) = (self.bucket.load(Acquire), self.issued.load(Relaxed));
        if place.bucket > bucket {
            return issued;
        }
        if u64::from(bucket) >= u64::from(place.bucket) + BUCKETS as u64 {
            return 0;
        }
        let from = self.start(place.bucket);
        if place.bucket < bucket {
            return from
                + scale(
                    self.start(place.bucket + 1).saturating_sub(from),
                    place.rank,
                    u32::MAX,
                );
        }
        let whole = if bucket == 0 {
            u32::MAX
        } else {
            self.elapsed(now)
        };
        from + scale(issued.saturating_sub(from), place.rank, whole)
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
    pub(crate) fn call(&self, more: u64, now: Now) {
        if !self.drawn.load(Relaxed) {
            return;
        }
        let (issued, bucket) = (self.issued.load(Relaxed), self.bucket.load(Relaxed));
        let called = self.called.load(Relaxed).saturating_add(more).min(issued);
        let old = self.called_place();
        let place = if called == issued {
            Place {
                bucket,
                rank: self.elapsed(now),
            }
        } else {
            self.place_of(called, old.bucket, bucket, now)
        };
        self.called.store(called, Relaxed);
        // A turn that has come stays.
        self.called_place.store(place.max(old).packed(), Relaxed);
    }

    /// The place that so many lie before, sought from a bucket on.
    fn place_of(&self, count: u64, from: u32, newest: u32, now: Now) -> Place {
        let oldest = newest.saturating_sub(BUCKETS as u32 - 1);
        let mut bucket = from.max(oldest);
        while bucket < newest && self.start(bucket + 1) <= count {
            bucket += 1;
        }
        let start = self.start(bucket);
        let (end, whole) = if bucket == newest {
            (self.issued.load(Relaxed), self.elapsed(now))
        } else {
            (self.start(bucket + 1), u32::MAX)
        };
        let inside = count.saturating_sub(start).min(end.saturating_sub(start));
        let rank =
            u128::from(inside) * u128::from(whole) / u128::from(end.saturating_sub(start).max(1));
        Place {
            bucket,
            rank: rank as u32,
        }
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

    fn elapsed(&self, now: Now) -> u32 {
        fraction(now.since(Now(self.bucket_began.load(Relaxed))))
    }
}

/// Of a bucket's time, in parts of 2^32.
fn fraction(micros: u64) -> u32 {
    let whole = BUCKET_MS * 1_000;
    ((u128::from(micros.min(whole)) << 32) / u128::from(whole)).min(u128::from(u32::MAX)) as u32
}

fn scale(count: u64, rank: u32, whole: u32) -> u64 {
    (u128::from(count) * u128::from(rank.min(whole)) / u128::from(whole.max(1))) as u64
}
