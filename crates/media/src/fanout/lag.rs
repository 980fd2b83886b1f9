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

/// How much a player wants that takes its bytes in blocks and waits for the whole of each.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// Bytes of one block.
    pub bytes: u64,
    /// Samples that must be on the way beyond one block: what may pass until more comes.
    pub beyond: u64,
    /// Samples at least, and at most: sound of which these do not fill a block gets the least.
    pub least: u64,
    pub most: u64,
}

/// Sequence of the newest start mark from which a whole block and what must be beyond it are to be had; nothing when
/// there is none. `pages` come newest first.
pub(super) fn start_with_blocks<'a>(
    newest_first: impl Iterator<Item = &'a Page>,
    blocks: Blocks,
) -> Option<u64> {
    let (mut sound, mut bytes) = (0_u64, 0_u64);
    for page in newest_first {
        if sound >= blocks.beyond {
            bytes += page.bytes.len() as u64;
        }
        sound += u64::from(page.duration);
        if sound > blocks.most {
            return None;
        }
        if page.start && sound >= blocks.least && bytes >= blocks.bytes {
            return Some(page.sequence);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::time::{Epoch, MediaTime};

    #[test]
    fn a_burst_of_blocks_holds_one_and_what_is_beyond() {
        let pages = |count: u64, length: usize| -> Vec<Page> {
            let page = |sequence| Page {
                epoch: Epoch(1),
                sequence,
                media_time: MediaTime(sequence * 4_800),
                duration: 4_800,
                start: sequence % 2 == 0,
                bytes: Bytes::from(vec![0; length]),
            };
            (0..count).map(page).collect()
        };
        let blocks = Blocks {
            bytes: 1_000,
            beyond: 3 * 4_800,
            least: 5 * 4_800,
            most: 50 * 4_800,
        };
        let start = |pages: &[Page]| start_with_blocks(pages.iter().rev(), blocks);
        // Three pages beyond and ten of the block, from the next start mark before that.
        assert_eq!(start(&pages(100, 100)), Some(86));
        assert_eq!(
            start(&pages(100, 1_000)),
            Some(94),
            "never less than the least"
        );
        assert_eq!(start(&pages(100, 1)), None, "no burst fills a block");
        assert_eq!(start(&pages(10, 100)), None, "the ring is too young");
    }

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
