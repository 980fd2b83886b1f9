//! What the gates of all shards share: the hall of a node, and the door of each space. Atomics only: no core waits for another.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use hustings_media::time::Now;

use super::lanes::{LANES, Lane, Shares};
use super::limits::{CALM_BURST_MIN, COHORTS, PEAK_PERIOD_MS, RETURNS_MIN};
use super::line::{Line, LineSnapshot};
use super::mode::Mode;
use super::prefix::{Caps, InsideSnapshot, Prefixes, Salt};
use super::puzzle::Cohort;
use super::seats::{SeatId, Seats};
use super::settings::{BadSettings, Settings};
use super::spent::Spent;
use super::ticket::{DoorEpoch, SpaceTag};
use super::verdict::Times;
use crate::ids::SpaceId;

/// The seats of a node, and what is known of rights and prefixes.
pub struct Hall {
    pub(crate) settings: Settings,
    pub(crate) salt: Salt,
    pub(crate) seats: Seats,
    pub(crate) spent: Spent,
    pub(crate) prefixes: Prefixes,
    capacity: AtomicU32,
    /// Seats taken and seats leased to shards. Never raised above the capacity.
    out: AtomicU32,
    /// Seats that somebody has.
    taken: AtomicU32,
    /// After a restart, until this second, all of whom the snapshot speaks may come back.
    restored_until: AtomicU32,
    /// Seconds since the hall's beginning, as the usher last told.
    pub(crate) second: AtomicU32,
}

impl std::fmt::Debug for Hall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hall({} of {} seats out)", self.out(), self.capacity())
    }
}

impl Hall {
    /// # Errors
    /// When a setting makes no sense.
    pub fn new(settings: Settings, salt: Salt) -> Result<Arc<Self>, BadSettings> {
        settings.check()?;
        Ok(Arc::new(Self {
            settings,
            salt,
            seats: Seats::new(settings.seats),
            spent: Spent::new(settings.seats),
            prefixes: Prefixes::new(settings.seats),
            capacity: AtomicU32::new(settings.seats),
            out: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            restored_until: AtomicU32::new(0),
            second: AtomicU32::new(0),
        }))
    }

    /// Seats the node has by its load now.
    pub fn capacity(&self) -> u32 {
        self.capacity.load(Relaxed)
    }

    /// Seats taken, and those leased to shards and not yet taken.
    pub fn out(&self) -> u32 {
        self.out.load(Relaxed)
    }

    /// Seats taken in all spaces, held ones included.
    pub fn inside(&self) -> u32 {
        self.taken.load(Relaxed)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// For the shell to store every few seconds: how many were inside by salted hash of their prefix. Off the hot path.
    pub fn inside_snapshot(&self) -> InsideSnapshot {
        self.prefixes.snapshot()
    }

    /// After a restart, with the same salt and as many seats. False if the snapshot is of another size and was left.
    pub fn restore_inside(&self, snapshot: &InsideSnapshot) -> bool {
        let fits = self.prefixes.restore(snapshot);
        if fits {
            let until = self.second.load(Relaxed) + (PEAK_PERIOD_MS / 1_000) as u32;
            self.restored_until.store(until, Relaxed);
        }
        fits
    }

    pub(crate) fn restored_until(&self) -> u32 {
        self.restored_until.load(Relaxed)
    }

    /// Whether those of whom the snapshot speaks may still come back by it.
    pub(crate) fn is_restored(&self) -> bool {
        self.second.load(Relaxed) < self.restored_until()
    }

    pub(crate) fn set_capacity(&self, seats: u32) {
        self.capacity.store(seats.min(self.settings.seats), Relaxed);
    }

    /// Takes up to so many seats out for a shard.
    pub(crate) fn lease(&self, most: u32) -> u32 {
        let mut got = 0;
        let capacity = self.capacity();
        let taken = self.out.fetch_update(AcqRel, Relaxed, |out| {
            got = capacity.saturating_sub(out).min(most);
            (got > 0).then(|| out + got)
        });
        if taken.is_ok() { got } else { 0 }
    }

    pub(crate) fn give_back(&self, seats: u32) {
        self.out.fetch_sub(seats, AcqRel);
    }

    pub(crate) fn enter(&self) {
        self.taken.fetch_add(1, Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.taken.fetch_sub(1, Relaxed);
        self.give_back(1);
    }

    pub(crate) fn hash(&self, id: SeatId) -> u64 {
        self.salt.hash(id.0, 0x5ea7)
    }

    /// What a listener calls itself becomes a seat's id nobody else can hit on purpose.
    pub(crate) fn marked(&self, mark: u64, door: u64) -> SeatId {
        SeatId(self.salt.hash(mark, door))
    }
}

/// One space's door: its seats, lanes, line and puzzles. The usher writes, gates read and count.
pub struct Door {
    pub(crate) hall: Arc<Hall>,
    space: SpaceId,
    pub(crate) tag: SpaceTag,
    pub(crate) epoch: DoorEpoch,
    /// Where gates keep what they count for it; free again when the door is closed.
    pub(crate) slot: u16,
    /// Tag and epoch in one: under it prefixes and marks are hashed, over a restart too.
    pub(crate) number: u64,
    pub(crate) closed: AtomicBool,
    mode: AtomicU8,
    pub(crate) taken: AtomicU32,
    /// Seats this space may hold by now: its guarantee or what it has, and its part of what is idle.
    pub(crate) allowed: AtomicU32,
    pub(crate) lanes: [LaneCounts; LANES],
    /// How many more enter in calm before the usher's next tick.
    pub(crate) calm: AtomicU32,
    /// Seats a prefix may have before others come first, in storm.
    pub(crate) level: AtomicU32,
    /// Who had to wait for it since the usher last looked.
    pub(crate) over_level: AtomicU32,
    /// How many may come back by their prefix's allowance before the usher's next tick.
    pub(crate) returns: AtomicU32,
    /// Who was inside and left since the usher last looked; not those who were there for a moment only.
    pub(crate) lost: AtomicU32,
    /// Many have left at once: up to this second all may come back by it.
    pub(crate) all_return_until: AtomicU32,
    /// Inside before a restart, until the usher has taken it; and whether the door was strict then.
    pub(crate) restored: AtomicU32,
    pub(crate) was_strict: AtomicBool,
    pub(crate) line: Line,
    pub(crate) cohorts: [Cohort; COHORTS],
}

/// What a restart needs of a door. What an older node kept is read too: it knew the line only.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DoorSnapshot {
    #[serde(flatten)]
    line: LineSnapshot,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    inside: u32,
}

/// One lane of a door.
#[derive(Default)]
pub(crate) struct LaneCounts {
    /// Seats dealt and not yet taken.
    pub(crate) credits: AtomicU32,
    /// Since the usher last looked: who came in, who would have.
    pub(crate) entered: AtomicU32,
    pub(crate) unmet: AtomicU32,
    pub(crate) inside: AtomicU32,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Door({} {:?}, {} inside)",
            self.space,
            self.mode(),
            self.inside()
        )
    }
}

impl Door {
    pub(crate) fn new(
        hall: Arc<Hall>,
        space: SpaceId,
        epoch: DoorEpoch,
        slot: u16,
        now: Now,
    ) -> Self {
        let tag = SpaceTag::of(&space);
        Self {
            tag,
            hall,
            space,
            epoch,
            slot,
            number: tag.0.wrapping_add(u64::from(epoch.0) << 32),
            closed: AtomicBool::new(false),
            mode: AtomicU8::new(Mode::Calm as u8),
            taken: AtomicU32::new(0),
            allowed: AtomicU32::new(0),
            lanes: std::array::from_fn(|_| LaneCounts::default()),
            calm: AtomicU32::new(CALM_BURST_MIN),
            level: AtomicU32::new(1),
            over_level: AtomicU32::new(0),
            returns: AtomicU32::new(RETURNS_MIN),
            lost: AtomicU32::new(0),
            restored: AtomicU32::new(0),
            was_strict: AtomicBool::new(false),
            all_return_until: AtomicU32::new(0),
            line: Line::new(now),
            cohorts: std::array::from_fn(|_| Cohort::default()),
        }
    }

    pub fn space(&self) -> &SpaceId {
        &self.space
    }

    pub fn epoch(&self) -> DoorEpoch {
        self.epoch
    }

    pub fn hall(&self) -> &Arc<Hall> {
        &self.hall
    }

    pub fn mode(&self) -> Mode {
        Mode::from_index(self.mode.load(Relaxed))
    }

    /// Seats taken, held ones included.
    pub fn inside(&self) -> u32 {
        self.taken.load(Relaxed)
    }

    /// The same by the lane they came by.
    pub fn inside_by_lane(&self, lane: Lane) -> u32 {
        self.lanes[lane as usize].inside.load(Relaxed)
    }

    /// Places given out, and how many of them have had their turn.
    pub fn line(&self) -> (u64, u64) {
        (self.line.issued(), self.line.called())
    }

    /// Puts a draw before the line: whoever gets a place before `at` gets a random rank. Works until the first place is
    /// given, and moves a draw that is still to come; false after that.
    pub fn draw_at(&self, at: Now) -> bool {
        self.line.draw_at(at)
    }

    /// Milliseconds to the draw, if it is still to come.
    pub fn draws_in_ms(&self, now: Now) -> Option<u64> {
        self.line.draws_in_ms(now)
    }

    /// For the shell to store every few seconds.
    pub fn snapshot(&self, times: Times) -> DoorSnapshot {
        DoorSnapshot {
            line: self.line.snapshot(times),
            mode: self.mode(),
            inside: self.inside(),
        }
    }

    /// After a restart, before the first knock, and after the hall: places keep their order, a strict door stays strict, and
    /// the seats of those who were inside are kept for a while.
    pub fn restore(&self, snapshot: &DoorSnapshot, times: Times) {
        self.line.restore(&snapshot.line, times);
        if self.hall.is_restored() {
            let inside = snapshot.inside.min(self.hall.settings.seats);
            self.restored.store(inside, Relaxed);
            self.was_strict.store(snapshot.mode > Mode::Calm, Relaxed);
            self.set_mode(snapshot.mode);
        }
    }

    /// Mean tries of a puzzle in the hardest cohort, for the board.
    pub fn hardest(&self) -> u32 {
        self.cohorts.iter().map(Cohort::tries).max().unwrap_or(0)
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Relaxed);
    }

    pub(crate) fn shares(&self) -> &Shares {
        &self.hall.settings.shares
    }

    pub(crate) fn caps(&self) -> &Caps {
        &self.hall.settings.caps
    }

    /// One more of those who enter in calm. No more in this tick: newcomers come twice.
    pub(crate) fn take_calm(&self) -> bool {
        self.calm
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }

    pub(crate) fn take_seat(&self) -> bool {
        let allowed = self.allowed.load(Relaxed);
        self.taken
            .fetch_update(AcqRel, Relaxed, |taken| {
                (taken < allowed).then(|| taken + 1)
            })
            .is_ok()
    }

    /// A credit of the lane; who was inside may use any lane's.
    pub(crate) fn take_credit(&self, lane: Lane) -> Option<Lane> {
        let order = [Lane::Resume, Lane::Effort, Lane::Free, Lane::Invited];
        let from = if lane == Lane::Resume {
            order
        } else {
            [lane; LANES]
        };
        from.into_iter().find(|lane| {
            let credits = &self.lanes[*lane as usize].credits;
            credits
                .fetch_update(AcqRel, Relaxed, |left| left.checked_sub(1))
                .is_ok()
        })
    }

    pub(crate) fn return_credit(&self, lane: Lane) {
        self.lanes[lane as usize].credits.fetch_add(1, Relaxed);
    }

    pub(crate) fn may_return(&self) -> bool {
        self.returns.load(Relaxed) > 0
            || self.hall.second.load(Relaxed)
                < self
                    .all_return_until
                    .load(Relaxed)
                    .max(self.hall.restored_until())
    }

    pub(crate) fn note_return(&self) {
        let _ = self
            .returns
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }
}
