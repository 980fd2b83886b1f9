//! A sweep allocates nothing, whoever is inside: fast, slow, skipping or leaving.

use std::io::{self, ErrorKind, IoSlice};

use bytes::Bytes;
use hustings_media::fanout::Ring;
use hustings_media::fanout::ring::CutPage;
use hustings_media::fanout::shard::{Shard, Sink};
use hustings_media::time::{Epoch, MediaTime, Now};

/// Takes everything, or every other call a few bytes.
struct Counter {
    slow: bool,
    calls: usize,
}

impl Sink for Counter {
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.calls += 1;
        match (self.slow, self.calls % 2) {
            (false, _) => Ok(bufs.iter().map(|buf| buf.len()).sum()),
            (true, 0) => Err(ErrorKind::WouldBlock.into()),
            (true, _) => Ok(bufs.first().map_or(0, |buf| buf.len().min(7))),
        }
    }
}

#[test]
fn a_sweep_allocates_nothing() {
    let ring = Ring::new(Bytes::from_static(b"head"), 20);
    let mut shard = Shard::new(100);
    let key = shard.add_ring(ring.clone());
    for index in 0..100 {
        let opening = Bytes::from(vec![b'o'; 50]);
        let sink = Counter {
            slow: index % 3 == 0,
            calls: index,
        };
        assert!(
            shard
                .join(key, ring.cursor_behind(0), opening, sink, Now(0))
                .is_ok()
        );
    }
    let mut left = Vec::with_capacity(100);
    let (mut skipped, mut bytes) = (0, 0);
    for step in 0..200_u64 {
        ring.push(CutPage {
            epoch: Epoch(1),
            media_time: MediaTime(step * 4_800),
            duration: 4_800,
            start: true,
            bytes: Bytes::from(vec![1; 630]),
        });
        if step == 190 {
            ring.close();
        }
        let counted = allocation_counter::measure(|| {
            // Every second sweep in slices.
            let at_most = if step % 2 == 0 { usize::MAX } else { 7 };
            let mut whole = false;
            while !whole {
                let now = Now::from_millis(step * 100);
                let report = shard.sweep_slice(now, at_most, &mut left);
                skipped += report.skipped;
                bytes += report.bytes;
                whole = report.whole;
            }
        });
        assert_eq!(counted.count_total, 0, "sweep {step}");
    }
    assert!(
        skipped > 0 && bytes > 100_000 && left.len() > 60,
        "{skipped} {bytes} {}",
        left.len()
    );
}

/// The counter does count: else the test above would show nothing.
#[test]
fn the_counter_counts() {
    assert!(
        allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 10]))).count_total > 0
    );
}
