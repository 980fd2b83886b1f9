//! What time it is for spaces: the wall clock as people read it, but never back while the node runs, so that kept
//! seats and empty stages run out after the time they were promised, also when somebody sets the clock.

use std::sync::Arc;

use hustings_control::ids::UnixMillis;

use crate::clock::Clock;

/// Milliseconds the wall clock may lie behind before the log tells of it: less is ordinary correction.
const SET_BACK_TOLD_MS: u64 = 5_000;

/// Reads the wall clock and the time since the node's start, both in milliseconds.
type Read = Arc<dyn Fn() -> (UnixMillis, u64) + Send + Sync>;

pub(super) struct Hours {
    read: Read,
    /// The time that was told at `since_start`; from there it goes on with the monotonic clock.
    anchor: UnixMillis,
    since_start: u64,
    told: bool,
}

impl Hours {
    pub(super) fn new(clock: Clock) -> Self {
        Self::reading(Arc::new(move || (clock.wall(), clock.now().0 / 1_000)))
    }

    pub(super) fn reading(read: Read) -> Self {
        let (anchor, since_start) = read();
        Self {
            read,
            anchor,
            since_start,
            told: false,
        }
    }

    pub(super) fn now(&mut self) -> UnixMillis {
        let (wall, since_start) = (self.read)();
        let steady = UnixMillis(
            self.anchor
                .0
                .saturating_add(since_start.saturating_sub(self.since_start)),
        );
        if steady.0 > wall.0.saturating_add(SET_BACK_TOLD_MS) && !self.told {
            self.told = true;
            tracing::warn!(
                millis = steady.0 - wall.0,
                "the machine's clock was set back; spaces go on with the time as it was until it has caught up"
            );
        }
        self.anchor = steady.max(wall);
        self.since_start = since_start;
        self.anchor
    }

    /// Nothing may happen before what the log says has happened.
    pub(super) fn not_before(&mut self, at: UnixMillis) {
        self.anchor = self.now().max(at);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn time_follows_the_wall_clock_forward_and_goes_on_steadily_when_that_is_set_back() {
        let clocks = Arc::new(Mutex::new((UnixMillis(1_000_000), 0)));
        let read = Arc::clone(&clocks);
        let mut hours = Hours::reading(Arc::new(move || *read.lock().unwrap()));
        let mut at = |wall, since_start| {
            *clocks.lock().unwrap() = (UnixMillis(wall), since_start);
            hours.now().0
        };
        assert_eq!(at(1_000_500, 500), 1_000_500);
        assert_eq!(at(400_000, 600), 1_000_600, "set back by ten minutes");
        assert_eq!(
            at(430_000, 30_600),
            1_030_600,
            "thirty seconds are thirty seconds"
        );
        assert_eq!(
            at(2_000_000, 30_700),
            2_000_000,
            "set right, or woken from sleep"
        );
    }
}
