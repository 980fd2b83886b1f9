//! What a listener adds to its space's numbers, and to those of its rehearsal.

use hustings_media::fanout::shard::Leave;

use super::socket::Seated;
use crate::live::Counts;

impl Seated {
    /// When it came, whether as our page asks, and whether for a rehearsal.
    pub(super) fn came(&self) -> (u32, bool, bool) {
        let as_page = self.pass.key().is_some();
        (self.since_s, as_page, self.rehearsed.is_some())
    }

    pub(super) fn tell_heard(&mut self, next: u64, counts: &Counts) {
        let heard = self.heard.count(next);
        counts.heard(heard);
        if let Some(seat) = &self.rehearsed {
            seat.heard(heard);
        }
    }

    pub(super) fn tell_gone(&mut self, why: Leave, now: u32, counts: &Counts) {
        self.tell_heard(self.heard.next, counts);
        counts.gone(why, self.since_s, now);
        if let Some(seat) = &self.rehearsed {
            seat.gone(why, self.since_s, now);
        }
    }
}
