//! What of a ring is ahead of its listeners in one sweep.

use super::lag::start_behind;
use crate::limits::SKIP_BURST_SAMPLES;
use crate::page::Page;

/// A ring's snapshot as its listeners see it.
pub(super) struct Ahead<'a> {
    pub(super) pages: &'a [Page],
    /// Sequence of the first page in the snapshot, or of the next to come.
    pub(super) oldest: u64,
    /// Sequence after the snapshot's last page.
    pub(super) next: u64,
    pub(super) closed: bool,
    /// Where one who fell off the ring goes on; without a start mark, at the first one to come.
    pub(super) skip_to: Option<u64>,
}

impl<'a> Ahead<'a> {
    /// `next` is what the ring said just before the snapshot; pages that came since are in `pages`.
    pub(super) fn new(pages: &'a [Page], next: u64, closed: bool) -> Self {
        let oldest = pages.first().map_or(next, |page| page.sequence);
        let next = pages.last().map_or(next, |page| page.sequence + 1);
        Self {
            pages,
            oldest,
            next,
            closed,
            skip_to: start_behind(pages.iter().rev(), SKIP_BURST_SAMPLES),
        }
    }
}
