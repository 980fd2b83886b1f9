//! One listener of a shard: what it was sent, what it is owed, and one visit that sends as much of that as fits.

use std::io::{ErrorKind, IoSlice};

use bytes::Bytes;

use super::ahead::Ahead;
use super::lag::Lag;
use super::ring::Cursor;
use super::sink::{Leave, RingKey, Sink};
use crate::limits::{JOIN_PAGES_FROM, LISTENER_WRITES_MAX, LISTENING_MS, WRITE_PAGES_MAX};
use crate::page::Page;
use crate::time::Now;

pub(super) struct Listener<S> {
    pub(super) ring: RingKey,
    /// Its place among the ring's members.
    pub(super) place: usize,
    pub(super) cursor: Cursor,
    pub(super) sink: S,
    /// Last time that it took bytes.
    took: Option<Now>,
    /// What is left of the response head and the container head.
    opening: Bytes,
    /// The page at the cursor when it is sent in part. Held here, for it must be finished even if it leaves the ring.
    partial: Option<Bytes>,
    lag: Lag,
    /// After a skip with no start mark in sight: pages are passed over until one comes.
    seeking: bool,
    /// Why it is to leave, once that is known; its sink is not touched any more.
    ended: Option<Leave>,
}

/// What one visit did.
#[derive(Debug, Default)]
pub(super) struct Visit {
    pub(super) bytes: u64,
    pub(super) writes: u32,
    pub(super) full: bool,
    pub(super) skipped: bool,
    pub(super) leave: Option<Leave>,
}

/// The newest pages of a snapshot, ready to be written: made once a ring, for nearly all of its listeners want
/// a tail of just these.
pub(super) struct Batch<'a> {
    slices: [IoSlice<'a>; WRITE_PAGES_MAX],
    len: usize,
    /// The same pages end to end, if they are so many that joining them once is cheaper than handing a list of them to
    /// the kernel for each listener; and where each begins.
    joined: &'a [u8],
    begins: [usize; WRITE_PAGES_MAX],
}

impl<'a> Batch<'a> {
    /// `room` is for joined pages; no more of them are joined than its capacity holds, so nothing is allocated.
    pub(super) fn new(pages: &'a [Page], listeners: usize, room: &'a mut Vec<u8>) -> Self {
        let newest = &pages[pages.len().saturating_sub(WRITE_PAGES_MAX)..];
        let mut slices = [IoSlice::new(&[]); WRITE_PAGES_MAX];
        for (slice, page) in slices.iter_mut().zip(newest) {
            *slice = IoSlice::new(&page.bytes);
        }
        let mut begins = [usize::MAX; WRITE_PAGES_MAX];
        room.clear();
        let bytes: usize = newest.iter().map(|page| page.bytes.len()).sum();
        if newest.len() > 1 && listeners >= JOIN_PAGES_FROM && bytes <= room.capacity() {
            for (begin, page) in begins.iter_mut().zip(newest) {
                *begin = room.len();
                room.extend_from_slice(&page.bytes);
            }
        }
        Self {
            slices,
            len: newest.len(),
            joined: room,
            begins,
        }
    }

    /// The last `count` pages, if the batch holds so many.
    fn tail(&self, count: usize) -> Option<Tail<'_, 'a>> {
        let first = self.len.checked_sub(count)?;
        Some(match self.joined.get(*self.begins.get(first)?..) {
            Some(joined) if count > 1 => Tail::Joined(IoSlice::new(joined)),
            _ => Tail::Pages(&self.slices[first..self.len]),
        })
    }
}

enum Tail<'b, 'a> {
    Joined(IoSlice<'a>),
    Pages(&'b [IoSlice<'a>]),
}

impl<S: Sink> Listener<S> {
    pub(super) fn new(
        ring: RingKey,
        place: usize,
        cursor: Cursor,
        partial: Option<Bytes>,
        opening: Bytes,
        sink: S,
        now: Now,
    ) -> Self {
        let lag = Lag::new(now);
        Self {
            ring,
            place,
            cursor,
            sink,
            took: None,
            opening,
            partial,
            lag,
            seeking: false,
            ended: None,
        }
    }

    /// Sends what fits from the cursor on, and says so when the listener is to leave.
    pub(super) fn visit(&mut self, ahead: &Ahead<'_>, batch: &Batch<'_>, now: Now) -> Visit {
        let mut visit = Visit::default();
        if self.ended.is_none() {
            self.ended = self.send(ahead, batch, now, &mut visit);
        }
        visit.leave = self.ended;
        visit
    }

    /// Took bytes within the last 10 s.
    pub(super) fn hears(&self, now: Now) -> bool {
        self.took
            .is_some_and(|then| now.since(then) <= LISTENING_MS * 1_000)
    }

    fn send(
        &mut self,
        ahead: &Ahead<'_>,
        batch: &Batch<'_>,
        now: Now,
        visit: &mut Visit,
    ) -> Option<Leave> {
        match self.flushed() {
            Ok(true) => {}
            Ok(false) => visit.full = true,
            Err(leave) => return Some(leave),
        }
        while !visit.full {
            if !self.find_place(ahead, now, visit) {
                return Some(Leave::TooSlow);
            }
            if !self.owed(ahead) {
                break;
            }
            // A sink that takes crumbs counts as full until the next sweep.
            if visit.writes as usize == LISTENER_WRITES_MAX {
                visit.full = true;
                break;
            }
            visit.writes += 1;
            match self.write(ahead, batch) {
                Ok(0) => return Some(Leave::Closed),
                Ok(taken) => {
                    self.advance(taken, ahead);
                    visit.bytes += taken as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => visit.full = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(Leave::Closed),
            }
        }
        self.lag.left_behind(visit.full);
        if visit.bytes > 0 {
            self.took = Some(now);
        }
        if visit.bytes > 0 || !visit.full {
            self.lag.progressed(now);
        } else if self.lag.stalled(now) {
            return Some(Leave::TooSlow);
        }
        if ahead.closed && !visit.full && !self.owed(ahead) {
            return match self.flushed() {
                Ok(true) => Some(Leave::RingEnded),
                Ok(false) => None,
                Err(leave) => Some(leave),
            };
        }
        None
    }

    /// True when the sink holds nothing back.
    fn flushed(&mut self) -> Result<bool, Leave> {
        match self.sink.flush() {
            Ok(done) => Ok(done),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(false)
            }
            Err(_) => Err(Leave::Closed),
        }
    }

    /// Puts a cursor that fell off the ring, or seeks a start mark, where it can go on. False when it fell off too often.
    fn find_place(&mut self, ahead: &Ahead<'_>, now: Now, visit: &mut Visit) -> bool {
        if self.partial.is_some() {
            return true;
        }
        if self.cursor.sequence < ahead.oldest {
            visit.skipped = true;
            self.cursor.sequence = ahead.skip_to.unwrap_or(ahead.next);
            self.seeking = ahead.skip_to.is_none();
            return self.lag.may_skip(now);
        }
        if self.seeking {
            let start = self
                .pages(ahead)
                .iter()
                .find(|page| page.start)
                .map(|page| page.sequence);
            self.cursor.sequence = start.unwrap_or(ahead.next);
            self.seeking = start.is_none();
        }
        true
    }

    /// Whole pages from the cursor on (the page sent in part comes before them).
    fn pages<'a>(&self, ahead: &Ahead<'a>) -> &'a [Page] {
        let first = self.cursor.sequence + u64::from(self.partial.is_some());
        let skip = usize::try_from(first.saturating_sub(ahead.oldest)).unwrap_or(usize::MAX);
        // Behind the ring's end after a partial page: nothing may follow before the cursor has found its place.
        let skip = if first < ahead.oldest {
            usize::MAX
        } else {
            skip
        };
        &ahead.pages[skip.min(ahead.pages.len())..]
    }

    fn owed(&self, ahead: &Ahead<'_>) -> bool {
        !self.opening.is_empty() || self.partial.is_some() || !self.pages(ahead).is_empty()
    }

    fn write(&mut self, ahead: &Ahead<'_>, batch: &Batch<'_>) -> std::io::Result<usize> {
        let pages = self.pages(ahead);
        if self.opening.is_empty()
            && self.partial.is_none()
            && let Some(tail) = batch.tail(pages.len())
        {
            return match tail {
                Tail::Joined(joined) => self.sink.write_vectored(&[joined]),
                Tail::Pages(pages) => self.sink.write_vectored(pages),
            };
        }
        let first = [
            &self.opening[..],
            self.partial
                .as_ref()
                .map_or(&[][..], |page| &page[self.cursor.offset as usize..]),
        ];
        let all = first
            .into_iter()
            .filter(|part| !part.is_empty())
            .chain(pages.iter().map(|page| &page.bytes[..]));
        let mut slices = [IoSlice::new(&[]); WRITE_PAGES_MAX];
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(all) {
            *slice = IoSlice::new(part);
            count += 1;
        }
        self.sink.write_vectored(&slices[..count])
    }

    /// Moves on by `taken` bytes: through the opening, the page sent in part, and whole pages.
    fn advance(&mut self, mut taken: usize, ahead: &Ahead<'_>) {
        let opening = taken.min(self.opening.len());
        // An opening that is sent gives its memory back.
        self.opening = if opening == self.opening.len() {
            Bytes::new()
        } else {
            self.opening.slice(opening..)
        };
        taken -= opening;
        while taken > 0 {
            let page = match &self.partial {
                Some(page) => page,
                None => match self.pages(ahead).first() {
                    Some(page) => &page.bytes,
                    // Only a sink that claims more than it was given comes here.
                    None => return,
                },
            };
            let left = page.len() - self.cursor.offset as usize;
            if taken < left {
                // Clones of pages only count references, see `Ring::push`.
                self.partial = Some(page.clone());
                self.cursor.offset += taken as u32;
                return;
            }
            taken -= left;
            self.partial = None;
            self.cursor = Cursor {
                sequence: self.cursor.sequence + 1,
                offset: 0,
            };
        }
    }
}
