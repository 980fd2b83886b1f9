//! What rehearsals did in a space, counted apart.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Stays;
use crate::numbers::Uniques;

/// What came with a rehearsal's permit. All of it is in the other counts too: here it can be taken off.
#[derive(Debug, Default)]
pub struct Rehearsed {
    /// Knocks, those for sound too.
    pub knocks: AtomicU64,
    pub attempts: AtomicU64,
    pub joins: AtomicU64,
    pub listening: AtomicU64,
    pub peak: AtomicU64,
    pub stayed: AtomicU64,
    pub sound_pages: AtomicU64,
    pub too_slow: AtomicU64,
    pub uniques: Uniques,
    pub stays: Stays,
}

impl Rehearsed {
    /// In the second `now` of the node's clock.
    pub(crate) fn came(&self, now: u32) {
        self.joins.fetch_add(1, Ordering::Relaxed);
        self.stays.came(now);
    }

    pub(crate) fn sat(&self) {
        let now = self.listening.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn heard(&self, pages: u64, stayed: bool) {
        self.sound_pages.fetch_add(pages, Ordering::Relaxed);
        self.stayed.fetch_add(u64::from(stayed), Ordering::Relaxed);
    }
}
