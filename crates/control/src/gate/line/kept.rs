//! A line over a restart of its node.

use std::sync::atomic::Ordering::{Relaxed, Release};

use hustings_media::time::Now;

use super::super::limits::{BUCKET_MS, BUCKETS, DRAW_MS_MAX};
use super::super::verdict::Times;
use super::Line;
use crate::ids::UnixMillis;

/// What the line is after a restart: the shell keeps it every few seconds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LineSnapshot {
    at: UnixMillis,
    drawn: bool,
    /// Milliseconds from `at` to the draw.
    draws_in_ms: u64,
    bucket: u32,
    /// Milliseconds that the bucket had run at `at`.
    bucket_ran_ms: u64,
    issued: u64,
    called: u64,
    /// The counts before the newest buckets, the newest last.
    starts: Vec<u64>,
}

impl Line {
    pub(crate) fn snapshot(&self, times: Times) -> LineSnapshot {
        let bucket = self.bucket.load(Relaxed);
        let first = bucket.saturating_sub(BUCKETS as u32 - 1);
        LineSnapshot {
            at: times.wall,
            drawn: self.drawn.load(Relaxed),
            draws_in_ms: self.draws_in_ms(times.now).unwrap_or(0),
            bucket,
            bucket_ran_ms: times.now.since(Now(self.bucket_began.load(Relaxed))) / 1_000,
            issued: self.issued(),
            called: self.called(),
            starts: (first..=bucket).map(|bucket| self.start(bucket)).collect(),
        }
    }

    /// Goes on where the snapshot stands, moved on by the time between. Places given since are later than all called.
    pub(crate) fn restore(&self, snapshot: &LineSnapshot, times: Times) {
        // The machine's clock may begin anew and below; what had already run of the bucket then counts from 0.
        let between = times.wall.0.saturating_sub(snapshot.at.0);
        let ran = snapshot
            .bucket_ran_ms
            .saturating_add(between)
            .min(BUCKET_MS * BUCKETS as u64);
        let newest = &snapshot.starts[snapshot.starts.len().saturating_sub(BUCKETS)..];
        let skipped = (ran / BUCKET_MS) as u32;
        for (start, back) in newest.iter().rev().zip(0_u32..) {
            if let Some(bucket) = snapshot.bucket.checked_sub(back) {
                self.starts[bucket as usize % BUCKETS]
                    .store((*start).min(snapshot.issued), Relaxed);
            }
        }
        self.issued.store(snapshot.issued, Relaxed);
        self.called
            .store(snapshot.called.min(snapshot.issued), Relaxed);
        self.bucket.store(snapshot.bucket, Relaxed);
        if snapshot.drawn {
            for _ in 0..skipped {
                self.next_bucket(times.now);
            }
            self.bucket_began
                .store(times.now.0.saturating_sub(ran % BUCKET_MS * 1_000), Relaxed);
            let bucket = self.bucket.load(Relaxed);
            let place = self.place_of(snapshot.called, 0, bucket);
            self.called_place.store(place.packed(), Relaxed);
        } else {
            self.called_place.store(0, Relaxed);
            self.draws_at.store(
                times
                    .now
                    .plus_millis(
                        snapshot
                            .draws_in_ms
                            .min(DRAW_MS_MAX)
                            .saturating_sub(between),
                    )
                    .0,
                Relaxed,
            );
        }
        self.drawn.store(snapshot.drawn, Release);
    }
}
