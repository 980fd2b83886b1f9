//! The ring: one writer appends pages, any number of cursors read them. Shared between threads by cloning the handle.

use bytes::Bytes;

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
    // helper: your choice (for example Arc<RwLock<VecDeque<Page>>>); a writer must never wait for a whole sweep
    _todo: (),
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
    /// `head` is the container's head (constant bytes that every reader is sent first).
    pub fn new(head: Bytes, pages_max: usize) -> Self { let _ = (head, pages_max); todo!() }
    pub fn head(&self) -> Bytes { todo!() }
    /// Appends a page. Pages of an older epoch than the newest are refused (false).
    pub fn push(&self, page: CutPage) -> bool { let _ = page; todo!() }
    /// Sequence the next page will get.
    pub fn next_sequence(&self) -> u64 { todo!() }
    /// Cursor at the start mark that lies at least `burst_samples` behind the newest page's end, or the oldest start mark.
    pub fn cursor_behind(&self, burst_samples: u64) -> Cursor { let _ = burst_samples; todo!() }
    pub fn standing(&self, cursor: Cursor) -> Standing { let _ = cursor; todo!() }
    /// Copies (by reference count) all pages from `sequence` on into `out` (cleared first), at most `max`.
    pub fn pages_from(&self, sequence: u64, max: usize, out: &mut Vec<Page>) { let _ = (sequence, max, out); todo!() }
    /// No more pages will come; readers end after the last.
    pub fn close(&self) { todo!() }
    pub fn is_closed(&self) -> bool { todo!() }
}
