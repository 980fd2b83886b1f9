//! The door of a space, as the gates of all shards share it. Atomics only: no core waits for another.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use hustings_media::time::Now;

use super::hall::Hall;
use super::lanes::{LANES, Lane, Shares};
use super::limits::{CALM_BURST_MIN, COHORTS, RETURNS_MIN};
use super::line::{Line, LineSnapshot};
use super::mode::Mode;
use super::prefix::Caps;
use super::puzzle::Cohort;
use super::shut::Shut;
use super::ticket::{DoorEpoch, SpaceTag};
use super::verdict::{Cause, Times};
use crate::ids::SpaceId;

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
    /// The same for those who were inside, whom a door that is shut does not keep out.
    pub(crate) allowed_back: AtomicU32,
    pub(crate) shut: AtomicU8,
    pub(crate) lanes: [LaneCounts; LANES],
    /// How many more enter in calm before the usher's next tick.
    pub(crate) calm: AtomicU32,
    /// How many more of prefixes that have their share enter before the usher's next tick, in calm and busy.
    pub(crate) slowly: AtomicU32,
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
            allowed_back: AtomicU32::new(0),
            shut: AtomicU8::new(Shut::No as u8),
            lanes: std::array::from_fn(|_| LaneCounts::default()),
            calm: AtomicU32::new(CALM_BURST_MIN),
            slowly: AtomicU32::new(0),
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

    /// People in line: who came again with a place, and was told to come once more at a time that has not gone by.
    pub fn in_line(&self) -> u32 {
        self.line.asking.count()
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

    /// Whether an operator keeps newcomers out.
    pub fn shut(&self) -> Shut {
        Shut::from_index(self.shut.load(Relaxed))
    }

    /// Notes that one of the lane found no seat, for the usher to see.
    pub(crate) fn no_seat(&self, lane: Lane) -> Cause {
        self.lanes[lane as usize].unmet.fetch_add(1, Relaxed);
        Cause::NoSeat
    }

    pub(crate) fn take_slowly(&self) -> bool {
        self.slowly
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }

    pub(crate) fn take_seat(&self, lane: Lane) -> bool {
        let allowed = self.allowed_for(lane);
        self.taken
            .fetch_update(AcqRel, Relaxed, |taken| {
                (taken < allowed).then(|| taken + 1)
            })
            .is_ok()
    }

    /// Whether one of the lane would find a seat now.
    pub(crate) fn has_seat(&self, lane: Lane, storm: bool) -> bool {
        let credits = |lane: usize| self.lanes[lane].credits.load(Relaxed) > 0;
        let dealt = !storm || lane == Lane::Resume || credits(lane as usize);
        dealt && self.inside() < self.allowed_for(lane)
    }

    fn allowed_for(&self, lane: Lane) -> u32 {
        let allowed = match lane {
            Lane::Resume => &self.allowed_back,
            _ => &self.allowed,
        };
        allowed.load(Relaxed)
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
