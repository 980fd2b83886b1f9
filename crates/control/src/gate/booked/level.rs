//! How many seats one prefix may have in a storm before others come first.

use std::sync::atomic::Ordering::Relaxed;

use super::super::limits::{ALONE_KEPT_PART, ALONE_MIN, ALONE_SLOWLY};
use super::super::mode::Mode;
use super::Booked;

/// Ticks after which the level rises when seats lie idle, and sinks when there are none.
const LEVEL_IDLE_TICKS: u32 = 5;
const LEVEL_SINK_TICKS: u32 = 5;
/// One seat in so many may lie idle before the level rises past those who are still in line.
const LEVEL_KEPT_PART: u32 = 30;

impl Booked {
    /// Progressive filling: the level rises when seats lie idle that only prefixes above it want, though more of the line was
    /// called; it sinks while those below it find none. So each prefix gets what it wants or as much as any other.
    pub(super) fn level(&mut self) {
        let level = self.door.level.load(Relaxed);
        let free = 2;
        // While places of the line are not yet called, some below the level will be among them: a few seats may lie idle for them.
        let all = self.door.inside() + self.seen.room;
        let kept = if self.waiting() > 0 {
            all / LEVEL_KEPT_PART
        } else {
            0
        };
        // Those above it ask seldom: what counts is that they do while seats lie idle, not that they do in each tick.
        if self.seen.left[free] <= kept {
            self.spare = 0;
        } else if self.seen.over_level > 0 {
            self.spare += 1;
        }
        let none = self.seen.left[free] == 0 && (self.seen.unmet[free] > 0 || self.waiting() > 0);
        self.sink = if none { self.sink + 1 } else { 0 };
        let next = if self.keeper.mode() < Mode::Storm {
            1
        } else if self.spare >= LEVEL_IDLE_TICKS {
            self.spare = 0;
            level.saturating_add((level / 8).max(1))
        } else if self.sink >= LEVEL_SINK_TICKS {
            self.sink = 0;
            level.saturating_sub((level / 16).max(1)).max(1)
        } else {
            level
        };
        self.door.level.store(next, Relaxed);
    }

    /// In calm and busy, each tick: how many of prefixes that have their share may come in all the same.
    pub(in super::super) fn slowly(&mut self) {
        let all = self.door.inside() + self.seen.room;
        let spare = self
            .seen
            .room
            .saturating_sub((all / ALONE_KEPT_PART).max(ALONE_MIN));
        self.slowly += f64::from(spare) / ALONE_SLOWLY / 10.0;
        let whole = self.slowly as u32;
        self.slowly -= f64::from(whole);
        // What was not used is not saved up.
        self.door.slowly.store(whole, Relaxed);
    }
}
