//! A real shard with a sample of listeners: the production's ring, sweep, lag and skip, at the busiest core's cadence.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::rc::Rc;

use bytes::Bytes;
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::fanout::shard::{Leave, ListenerKey, RingKey, Shard, Sink};
use hustings_media::time::{Epoch, MediaTime, Now};

use crate::harm::SampleHarm;
use crate::limits::SAMPLE;

/// Milliseconds and bytes of one page: 100 ms at 48 kbit/s.
const PAGE_MS: u32 = 100;
const PAGE_BYTES: usize = 600;
/// Samples of a page at 48 kHz.
const PAGE_SAMPLES: u32 = 4_800;
/// Pages the ring keeps: 12 s.
const PAGES: usize = 120;
/// Bytes a socket's buffer takes.
const BUFFER: f64 = 16_384.0;
/// One listener in so many is slow: its line carries less than the sound needs.
const SLOW_ONE_IN: usize = 20;
/// Bytes a second of a slow line and of the others.
const SLOW_RATE: f64 = 4_000.0;
const RATE: f64 = 125_000.0;

pub(crate) struct Sample {
    shard: Shard<Line>,
    ring: Ring,
    clock: Rc<Cell<u32>>,
    left: Vec<(ListenerKey, RingKey, Leave, Line)>,
    page: Bytes,
    pushed_ms: u32,
    due_ms: u32,
    pub(crate) harm: SampleHarm,
}

/// A socket with a buffer and a line behind it.
struct Line {
    slow: bool,
    rate: f64,
    held: f64,
    seen_ms: u32,
    clock: Rc<Cell<u32>>,
}

impl Sink for Line {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let ms = self.clock.get();
        let drained = f64::from(ms - self.seen_ms) / 1_000.0 * self.rate;
        self.seen_ms = ms;
        self.held = (self.held - drained).max(0.0);
        let wanted: usize = bufs.iter().map(|buf| buf.len()).sum();
        let taken = wanted.min((BUFFER - self.held) as usize);
        self.held += taken as f64;
        if taken == 0 && wanted > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }
}

impl Sample {
    pub(crate) fn new() -> Self {
        let clock = Rc::new(Cell::new(0));
        let ring = Ring::new(Bytes::from_static(&[7; 64]), PAGES);
        let mut shard = Shard::new(SAMPLE);
        let key = shard.add_ring(ring.clone());
        let mut harm = SampleHarm::default();
        for at in 0..SAMPLE {
            let slow = at % SLOW_ONE_IN == 0;
            let sink = Line {
                slow,
                rate: if slow { SLOW_RATE } else { RATE },
                held: 0.0,
                seen_ms: 0,
                clock: clock.clone(),
            };
            let joined = shard.join(key, ring.cursor_behind(0), ring.head(), sink, Now(0));
            harm.listeners += u64::from(joined.is_ok());
        }
        Self {
            shard,
            ring,
            clock,
            left: Vec::with_capacity(SAMPLE),
            page: Bytes::from(vec![0x5a; PAGE_BYTES]),
            pushed_ms: 0,
            due_ms: 0,
            harm,
        }
    }

    /// Pushes the pages that are due and sweeps when the cadence says so.
    pub(crate) fn run(&mut self, ms: u32, cadence_ms: u64) {
        while self.pushed_ms + PAGE_MS <= ms {
            self.pushed_ms += PAGE_MS;
            let media_time =
                MediaTime(u64::from(self.pushed_ms / PAGE_MS) * u64::from(PAGE_SAMPLES));
            self.ring.push(CutPage {
                epoch: Epoch(1),
                media_time,
                duration: PAGE_SAMPLES,
                start: true,
                bytes: self.page.clone(),
            });
        }
        if ms < self.due_ms {
            return;
        }
        self.due_ms = ms + cadence_ms as u32;
        self.clock.set(ms);
        let now = Now::from_millis(u64::from(ms));
        let report = self.shard.sweep(now, &mut self.left);
        self.harm.bytes += report.bytes;
        self.harm.full += report.full;
        self.harm.skipped += report.skipped;
        for (_, _, _, line) in self.left.drain(..) {
            if line.slow {
                self.harm.left_slow += 1;
            } else {
                self.harm.left_others += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_slow_hear_everything_at_the_widest_cadence() {
        let mut sample = Sample::new();
        (0..60_000).for_each(|slot| sample.run(slot * 10, 2_000));
        let harm = sample.harm;
        assert_eq!(harm.left_others, 0, "{harm:?}");
        assert!(
            harm.skipped + harm.left_slow > 0,
            "the slow must show: {harm:?}"
        );
        let others = (SAMPLE - SAMPLE.div_ceil(SLOW_ONE_IN)) as u64;
        assert!(harm.bytes > others * 590 * 6_000, "{harm:?}");
    }
}
