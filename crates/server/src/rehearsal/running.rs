//! One rehearsal under way, by the permit that it shows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hustings_control::ids::UnixMillis;
use hustings_media::fanout::shard::Leave;

use super::kept::{Kept, Outcome};
use super::{Permit, Refusal};
use crate::live::SpaceHandle;

/// Seconds that a rehearsal is shown after its last request.
const SHOWN_S: u64 = 3_600;
/// Seconds without a request, and without a listener, after which a rehearsal is over: a driver looks every second.
const QUIET_S: u64 = 30;
/// Microseconds' worth of requests that may come at once: a driver that was held up catches up.
const BURST_US: u64 = 1_000_000;

pub(crate) struct Running {
    pub(super) permit: Permit,
    pub(super) ended: AtomicBool,
    /// Nothing more comes of it; whoever shows the permit from now on begins another.
    pub(super) over: AtomicBool,
    /// It stands among those that are kept.
    pub(super) kept: AtomicBool,
    pub(super) first_ms: u64,
    pub(super) last_ms: AtomicU64,
    /// Microseconds of the wall's clock at which the rate has room again.
    room_us: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) pages: AtomicU64,
    pub(super) knocks: AtomicU64,
    pub(super) joins: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) listening: AtomicU64,
    pub(super) peak: AtomicU64,
    pub(super) too_slow: AtomicU64,
    outcomes: Mutex<Vec<Outcome>>,
}

/// What somebody with a permit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Page,
    Knock,
    Sound,
    /// The driver's own: what the node uses, and what it tells at its end.
    Look,
}

/// A listener of a rehearsal, counted until it is dropped.
pub(crate) struct Seat {
    running: Arc<Running>,
    space: Arc<SpaceHandle>,
}

impl Seat {
    /// Its connection is to be closed.
    pub(crate) fn is_over(&self) -> bool {
        self.running.ended.load(Relaxed)
    }

    /// Pages that it was sent since it was last counted, and whether it became one who stayed.
    pub(crate) fn heard(&self, (pages, stayed): (u64, bool)) {
        self.space.counts.rehearsed.heard(pages, stayed);
    }

    /// In whole seconds of the node's clock.
    pub(crate) fn gone(&self, why: Leave, came: u32, now: u32) {
        self.space.counts.rehearsed.stays.went(came, now);
        if why == Leave::TooSlow {
            self.running.too_slow.fetch_add(1, Relaxed);
            self.space.counts.rehearsed.too_slow.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.running.listening.fetch_sub(1, Relaxed);
        self.space.counts.rehearsed.listening.fetch_sub(1, Relaxed);
    }
}

impl Running {
    pub(super) fn new(permit: Permit, wall: UnixMillis) -> Self {
        Self {
            permit,
            ended: AtomicBool::new(false),
            over: AtomicBool::new(false),
            kept: AtomicBool::new(false),
            first_ms: wall.0,
            last_ms: AtomicU64::new(wall.0),
            room_us: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            knocks: AtomicU64::new(0),
            joins: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            listening: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            too_slow: AtomicU64::new(0),
            outcomes: Mutex::default(),
        }
    }

    pub(super) fn count(&self, asks: Mark, wall: UnixMillis) -> Result<(), Refusal> {
        if self.ended.load(Relaxed) {
            return Err(Refusal::Ended);
        }
        self.last_ms.store(wall.0, Relaxed);
        let over = |refusal| {
            self.refused.fetch_add(1, Relaxed);
            refusal
        };
        if !self.has_room(wall.0.saturating_mul(1_000)) {
            return Err(over(Refusal::Rate));
        }
        if asks == Mark::Sound && self.listening.load(Relaxed) >= u64::from(self.permit.people) {
            return Err(over(Refusal::People));
        }
        self.requests.fetch_add(1, Relaxed);
        match asks {
            Mark::Page => self.pages.fetch_add(1, Relaxed),
            Mark::Knock => self.knocks.fetch_add(1, Relaxed),
            Mark::Sound | Mark::Look => 0,
        };
        Ok(())
    }

    /// A bucket without a lock: each request takes its share of a second.
    fn has_room(&self, now_us: u64) -> bool {
        let each = 1_000_000 / u64::from(self.permit.rate.max(1));
        let take = |room: u64| {
            let begins = room.max(now_us);
            (begins <= now_us.saturating_add(BURST_US)).then_some(begins + each)
        };
        self.room_us.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    /// It was let in: counted until the seat is dropped.
    pub(crate) fn sit(self: &Arc<Self>, space: &Arc<SpaceHandle>) -> Seat {
        self.joins.fetch_add(1, Relaxed);
        let now = self.listening.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
        space.counts.rehearsed.sat();
        Seat {
            running: Arc::clone(self),
            space: Arc::clone(space),
        }
    }

    /// A driver tells its end. Of the same part the newest counts; with the last part the rehearsal is over.
    pub(super) fn tell(&self, outcome: Outcome) {
        let mut outcomes = self.lock();
        outcomes.retain(|one| one.part != outcome.part && one.of == outcome.of);
        let of = outcome.of as usize;
        outcomes.push(outcome);
        if outcomes.len() >= of {
            self.over.store(true, Relaxed);
        }
    }

    /// Whether it can be kept now: it is over, and its last listener is gone.
    pub(super) fn has_ended(&self, wall: UnixMillis) -> bool {
        let quiet = wall.0 / 1_000 > self.last_ms.load(Relaxed) / 1_000 + QUIET_S;
        let over = quiet || self.over.load(Relaxed) || self.ended.load(Relaxed);
        over && self.listening.load(Relaxed) == 0
    }

    pub(super) fn is_shown(&self, wall: UnixMillis) -> bool {
        let last_s = self.last_ms.load(Relaxed) / 1_000;
        self.listening.load(Relaxed) > 0 || wall.0 / 1_000 < last_s + SHOWN_S
    }

    pub(super) fn to_keep(&self) -> Kept {
        let of = |count: &AtomicU64| count.load(Relaxed);
        Kept {
            id: format!("{:016x}", self.permit.id),
            begun: self.first_ms,
            ended: of(&self.last_ms),
            stopped: self.ended.load(Relaxed),
            joins: of(&self.joins),
            peak: of(&self.peak),
            too_slow: of(&self.too_slow),
            over: of(&self.refused),
            outcomes: self.lock().clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Outcome>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
