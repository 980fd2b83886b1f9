//! What happens to a reader that falls behind: it may skip once in a while, and is let go when that does not help.

use crate::limits::{LISTENER_SKIP_AGAIN_MS, LISTENER_STALL_MS};
use crate::page::Page;
use crate::time::Now;

/// What one listener's delays add up to. All of it is told by the shard, nothing is measured here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lag {
    /// Last time that the listener took bytes, or that there was nothing to take.
    progress: Now,
    /// Last skip that was the listener's own fault.
    skipped: Option<Now>,
    /// True while the last visit left bytes behind.
    behind: bool,
}

impl Lag {
    pub(super) fn new(now: Now) -> Self {
        Self {
            progress: now,
            skipped: None,
            behind: false,
        }
    }

    pub(super) fn progressed(&mut self, now: Now) {
        self.progress = now;
    }

    /// Told at the end of each visit: whether the sink was full.
    pub(super) fn left_behind(&mut self, behind: bool) {
        self.behind = behind;
    }

    /// True when bytes have waited for too long without one being taken.
    pub(super) fn stalled(&self, now: Now) -> bool {
        now.since(self.progress) >= LISTENER_STALL_MS * 1_000
    }

    /// Notes a skip; false when the last one is so recent that skipping plainly does not help. Who had everything at
    /// the last visit is not to blame: the ring turned over between two sweeps.
    pub(super) fn may_skip(&mut self, now: Now) -> bool {
        if !self.behind {
            return true;
        }
        let again = self
            .skipped
            .is_some_and(|then| now.since(then) < LISTENER_SKIP_AGAIN_MS * 1_000);
        self.skipped = Some(now);
        !again
    }
}

/// Sequence of the start mark with at least `samples` of sound from its beginning to the end of `pages`, else the
/// oldest start mark, else nothing. `pages` come newest first.
pub(super) fn start_behind<'a>(
    newest_first: impl Iterator<Item = &'a Page>,
    samples: u64,
) -> Option<u64> {
    let mut sound = 0_u64;
    let mut found = None;
    for page in newest_first {
        sound += u64::from(page.duration);
        if page.start {
            found = Some(page.sequence);
            if sound >= samples {
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_skip_soon_after_the_first_is_one_too_many() {
        let mut lag = Lag::new(Now(0));
        assert!(
            lag.may_skip(Now(0)) && lag.may_skip(Now(0)),
            "nothing was left behind"
        );
        lag.left_behind(true);
        assert!(lag.may_skip(Now::from_millis(1)));
        assert!(!lag.may_skip(Now::from_millis(LISTENER_SKIP_AGAIN_MS)));
        let mut patient = Lag::new(Now(0));
        patient.left_behind(true);
        assert!(patient.may_skip(Now::from_millis(0)));
        assert!(patient.may_skip(Now::from_millis(LISTENER_SKIP_AGAIN_MS)));
    }

    #[test]
    fn progress_puts_the_stall_off() {
        let mut lag = Lag::new(Now(0));
        assert!(!lag.stalled(Now::from_millis(LISTENER_STALL_MS - 1)));
        assert!(lag.stalled(Now::from_millis(LISTENER_STALL_MS)));
        lag.progressed(Now::from_millis(10));
        assert!(!lag.stalled(Now::from_millis(LISTENER_STALL_MS)));
    }
}
