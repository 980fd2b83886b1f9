//! How many people stand in line: those who came again with their place, were told to wait on, and are not yet due to ask.
//!
//! Of places given out nobody knows whether somebody holds them: a flood takes them and keeps none. Who shows one is there,
//! and is there until the time at which it was told to come again.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hustings_media::time::Now;

/// Seconds that are held apart; whoever is told to come later counts as if this were its time, and is missing after it.
const ASKING_S: usize = 256;
/// Milliseconds by which somebody may be late and is still taken to be there.
const LATE_MS: u64 = 2_000;

pub(crate) struct Asking {
    /// By the second in which they are due.
    due: Box<[AtomicU32]>,
    /// All before this second are taken away. Only the usher moves it.
    from: AtomicU32,
}

impl Asking {
    pub(crate) fn new(now: Now) -> Self {
        Self {
            due: (0..ASKING_S).map(|_| AtomicU32::new(0)).collect(),
            from: AtomicU32::new(second(now)),
        }
    }

    /// Somebody who showed a place is told to come again after so long.
    pub(crate) fn told(&self, poll_ms: u32, now: Now) {
        let until = second(now.plus_millis(u64::from(poll_ms) + LATE_MS));
        let last = second(now).saturating_add(ASKING_S as u32 - 2);
        self.due[until.min(last) as usize % ASKING_S].fetch_add(1, Relaxed);
    }

    /// Takes away those whose time has gone by. They asked again and are counted anew, or they gave up.
    pub(crate) fn roll(&self, now: Now) {
        let (from, to) = (self.from.load(Relaxed), second(now));
        for second in from.max(to.saturating_sub(ASKING_S as u32))..to {
            self.due[second as usize % ASKING_S].store(0, Relaxed);
        }
        self.from.store(to.max(from), Relaxed);
    }

    pub(crate) fn count(&self) -> u32 {
        let all = self.due.iter().map(|due| due.load(Relaxed));
        all.fold(0, u32::saturating_add)
    }
}

fn second(now: Now) -> u32 {
    u32::try_from(now.0 / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_in_time_is_in_line_and_who_gave_up_is_not() {
        let asking = Asking::new(Now(0));
        let at = |ms: u64| Now(ms * 1_000);
        // Three wait and ask each ten seconds; one of them never comes again.
        for _ in 0..3 {
            asking.told(10_000, at(500));
        }
        for ms in (1_000..120_000).step_by(1_000) {
            asking.roll(at(ms));
            if ms > 13_000 {
                assert!(
                    (2..=4).contains(&asking.count()),
                    "{ms}: {}",
                    asking.count()
                );
            } else if ms < 10_000 {
                assert_eq!(asking.count(), 3);
            }
            if ms % 10_000 == 0 {
                asking.told(10_000, at(ms));
                asking.told(10_000, at(ms));
            }
        }
        asking.roll(at(140_000));
        assert_eq!(asking.count(), 0);
    }

    #[test]
    fn far_times_and_a_clock_that_leaps_do_no_harm() {
        let asking = Asking::new(Now(u64::MAX / 2));
        asking.told(u32::MAX, Now(u64::MAX / 2));
        asking.roll(Now(u64::MAX));
        asking.roll(Now(0));
        assert!(asking.count() <= 1);
        let asking = Asking::new(Now(0));
        asking.told(1_800_000, Now(0));
        asking.roll(Now(200_000_000));
        assert_eq!(asking.count(), 1);
        asking.roll(Now(260_000_000));
        assert_eq!(asking.count(), 0);
    }
}
