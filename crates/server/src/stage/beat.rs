//! When the next tick is due: absolute deadlines, so that lateness never adds up.

use hustings_media::limits::TICK_MS;
use hustings_media::time::Now;

const TICK_US: u64 = TICK_MS * 1_000;
/// Ticks made up at once after a stall (half a second); the rest is skipped, for nobody wants it late.
pub(super) const CATCH_UP_TICKS_MAX: u64 = 25;

pub(super) struct Beat {
    next: Now,
    /// Ticks that were skipped in all.
    pub(super) skipped: u64,
}

impl Beat {
    pub(super) fn new(now: Now) -> Self {
        Self {
            next: Now(now.0 + TICK_US),
            skipped: 0,
        }
    }

    /// When to wake.
    pub(super) fn deadline(&self) -> Now {
        self.next
    }

    /// The time of the tick that is due, if one is. Call until `None`.
    pub(super) fn due(&mut self, now: Now) -> Option<Now> {
        if now < self.next {
            return None;
        }
        let late = now.since(self.next) / TICK_US;
        if late > CATCH_UP_TICKS_MAX {
            let skip = late - CATCH_UP_TICKS_MAX;
            self.skipped += skip;
            self.next = Now(self.next.0 + skip * TICK_US);
        }
        let due = self.next;
        self.next = Now(due.0 + TICK_US);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_does_not_add_up() {
        let mut beat = Beat::new(Now(0));
        assert_eq!(beat.due(Now(19_999)), None);
        assert_eq!(beat.due(Now(27_000)), Some(Now(20_000)));
        assert_eq!(beat.deadline(), Now(40_000));
    }

    #[test]
    fn a_stall_is_made_up_to_the_bound_and_skipped_beyond() {
        let mut beat = Beat::new(Now(0));
        let stalled = Now(20_000 * 101);
        let made_up = std::iter::from_fn(|| beat.due(stalled)).count() as u64;
        assert_eq!(
            made_up,
            CATCH_UP_TICKS_MAX + 1,
            "the due tick and those made up"
        );
        assert_eq!(beat.skipped, 100 - CATCH_UP_TICKS_MAX);
        assert_eq!(beat.deadline(), Now(20_000 * 102));
    }
}
