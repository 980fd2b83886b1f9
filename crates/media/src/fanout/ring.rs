//! The ring: one writer appends pages, any number of cursors read them. Shared between threads by cloning the handle.
//! The lock is held only while handles of pages are copied or one page is put in; nobody writes to a sink under it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::lag::{Blocks, start_behind, start_with_blocks};
use crate::page::Page;
use crate::time::{Epoch, MediaTime};

/// Where a reader stands: the sequence of the next page it wants, and how many bytes of it are already sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub sequence: u64,
    pub offset: u32,
}

/// What a packer hands over: the ring gives it its sequence.
#[derive(Clone, Debug)]
pub struct CutPage {
    pub epoch: Epoch,
    pub media_time: MediaTime,
    pub duration: u32,
    pub start: bool,
    pub bytes: Bytes,
}

/// A cheap handle; clones share the same pages.
#[derive(Clone, Debug)]
pub struct Ring {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    head: Bytes,
    pages_max: usize,
    closed: AtomicBool,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    kept: VecDeque<Page>,
    next_sequence: u64,
    epoch: Epoch,
}

/// Result of looking at a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The cursor's page is in the ring or is the next to come.
    Inside,
    /// The cursor's page has left the ring.
    FellOff,
}

impl Ring {
    /// `head` is the container's head (constant bytes that every reader is sent first). At least one page is kept.
    pub fn new(head: Bytes, pages_max: usize) -> Self {
        let pages_max = pages_max.max(1);
        let pages = Pages {
            kept: VecDeque::with_capacity(pages_max),
            next_sequence: 0,
            epoch: Epoch::default(),
        };
        Self {
            shared: Arc::new(Shared {
                head,
                pages_max,
                closed: AtomicBool::new(false),
                pages: Mutex::new(pages),
            }),
        }
    }

    pub fn head(&self) -> Bytes {
        self.shared.head.clone()
    }

    /// Pages that the ring keeps at most.
    pub fn pages_max(&self) -> usize {
        self.shared.pages_max
    }

    /// Appends a page. Refused (false) when its epoch is older than the newest page's, or the ring is closed.
    pub fn push(&self, page: CutPage) -> bool {
        // The first clone of fresh `Bytes` allocates its counter: do that here, so that no sweep has to.
        drop(page.bytes.clone());
        let mut pages = self.lock();
        if page.epoch < pages.epoch || self.is_closed() {
            return false;
        }
        let sequence = pages.next_sequence;
        pages.next_sequence += 1;
        pages.epoch = page.epoch;
        let oldest = if pages.kept.len() == self.shared.pages_max {
            pages.kept.pop_front()
        } else {
            None
        };
        let CutPage {
            epoch,
            media_time,
            duration,
            start,
            bytes,
        } = page;
        pages.kept.push_back(Page {
            epoch,
            sequence,
            media_time,
            duration,
            start,
            bytes,
        });
        drop(pages);
        // Its memory goes back after the lock is free.
        drop(oldest);
        true
    }

    /// Sequence the next page will get.
    pub fn next_sequence(&self) -> u64 {
        self.lock().next_sequence
    }

    /// Where the newest page's sound ends; `None` before the first page.
    pub fn end(&self) -> Option<MediaTime> {
        let pages = self.lock();
        let newest = pages.kept.back()?;
        Some(MediaTime(newest.media_time.0 + u64::from(newest.duration)))
    }

    /// Cursor at the start mark that lies at least `burst_samples` behind the newest page's end, or the oldest start
    /// mark, or the next page to come when there is none.
    pub fn cursor_behind(&self, burst_samples: u64) -> Cursor {
        let pages = self.lock();
        let sequence =
            start_behind(pages.kept.iter().rev(), burst_samples).unwrap_or(pages.next_sequence);
        Cursor {
            sequence,
            offset: 0,
        }
    }

    /// Cursor for a player that takes its bytes in blocks; as `cursor_behind(blocks.least)` where no block can be filled.
    pub fn cursor_for_blocks(&self, blocks: Blocks) -> Cursor {
        let found = start_with_blocks(self.lock().kept.iter().rev(), blocks);
        found.map_or_else(
            || self.cursor_behind(blocks.least),
            |sequence| Cursor {
                sequence,
                offset: 0,
            },
        )
    }

    pub fn standing(&self, cursor: Cursor) -> Standing {
        if cursor.sequence < self.lock().oldest_sequence() {
            Standing::FellOff
        } else {
            Standing::Inside
        }
    }

    /// Copies (by reference count) all pages from `sequence` on into `out` (cleared first), at most `max`. Starts with
    /// the oldest page when `sequence` has left the ring. Allocates only if `out` has too little room.
    pub fn pages_from(&self, sequence: u64, max: usize, out: &mut Vec<Page>) {
        out.clear();
        let pages = self.lock();
        let gone = sequence.saturating_sub(pages.oldest_sequence());
        let skip = usize::try_from(gone)
            .unwrap_or(usize::MAX)
            .min(pages.kept.len());
        out.extend(pages.kept.range(skip..).take(max).cloned());
    }

    /// No more pages will come; readers end after the last.
    pub fn close(&self) {
        // Under the lock, so that no page slips in behind the flag.
        let _pages = self.lock();
        self.shared.closed.store(true, Ordering::Release);
    }

    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// A panic under the lock cannot leave the pages half changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.shared
            .pages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn oldest_sequence(&self) -> u64 {
        self.next_sequence - self.kept.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(epoch: u32, start: bool) -> CutPage {
        CutPage {
            epoch: Epoch(epoch),
            media_time: MediaTime(0),
            duration: 4_800,
            start,
            bytes: Bytes::from(vec![1]),
        }
    }

    #[test]
    fn keeps_the_newest_pages_and_says_who_fell_off() {
        let ring = Ring::new(Bytes::from_static(b"head"), 3);
        for _ in 0..5 {
            assert!(ring.push(cut(1, true)));
        }
        let mut out = Vec::new();
        ring.pages_from(0, 10, &mut out);
        assert_eq!(
            out.iter().map(|page| page.sequence).collect::<Vec<_>>(),
            [2, 3, 4]
        );
        ring.pages_from(3, 1, &mut out);
        assert_eq!(
            out.iter().map(|page| page.sequence).collect::<Vec<_>>(),
            [3]
        );
        ring.pages_from(9, 10, &mut out);
        assert!(out.is_empty());
        assert_eq!(
            ring.standing(Cursor {
                sequence: 1,
                offset: 0
            }),
            Standing::FellOff
        );
        assert_eq!(
            ring.standing(Cursor {
                sequence: 2,
                offset: 0
            }),
            Standing::Inside
        );
        assert_eq!(
            ring.standing(Cursor {
                sequence: 5,
                offset: 0
            }),
            Standing::Inside
        );
    }

    #[test]
    fn refuses_older_epochs_and_pages_after_the_end() {
        let ring = Ring::new(Bytes::new(), 3);
        assert!(ring.push(cut(2, true)));
        assert!(!ring.push(cut(1, true)));
        assert!(ring.push(cut(2, true)));
        assert!(ring.push(cut(3, true)));
        ring.close();
        assert!(!ring.push(cut(3, true)));
        assert_eq!(ring.next_sequence(), 3);
    }

    #[test]
    fn a_burst_begins_at_a_start_mark() {
        let ring = Ring::new(Bytes::new(), 10);
        assert_eq!(ring.cursor_behind(48_000).sequence, 0);
        for start in [false, true, false, true, false, false] {
            ring.push(cut(1, start));
        }
        assert_eq!(ring.cursor_behind(0).sequence, 3);
        assert_eq!(ring.cursor_behind(3 * 4_800).sequence, 3);
        assert_eq!(ring.cursor_behind(3 * 4_800 + 1).sequence, 1);
        assert_eq!(ring.cursor_behind(480_000).sequence, 1);
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "the ring is shared between the shell's threads"
    )]
    fn readers_on_other_threads_see_pages_in_order() {
        let ring = Ring::new(Bytes::new(), 8);
        let reader = {
            let ring = ring.clone();
            std::thread::spawn(move || {
                let (mut next, mut out) = (0, Vec::new());
                loop {
                    let closed = ring.is_closed();
                    ring.pages_from(next, 8, &mut out);
                    for page in &out {
                        assert!(page.sequence >= next);
                        next = page.sequence + 1;
                    }
                    if closed && out.is_empty() {
                        return next;
                    }
                }
            })
        };
        for _ in 0..2_000 {
            ring.push(cut(1, true));
        }
        ring.close();
        assert_eq!(reader.join().ok(), Some(2_000));
    }
}
