//! The way of the packets of one source: the smallest transit of late, and by how much others exceed it.

use crate::limits::TICK_SAMPLES;

/// Samples (40 ms). Two packets: less would turn every hiccup of a phone into a gap.
pub const DELAY_SAMPLES_MIN: i64 = 1_920;
/// Samples (200 ms). A conversation with more delay is none; what comes later than that is concealed.
pub const DELAY_SAMPLES_MAX: i64 = 9_600;
/// Samples (5 s). How long the smallest transit holds; twice that and a lasting change of the way, or the clocks' drift, is followed.
const BASE_WINDOW_SAMPLES: i64 = 240_000;
/// The jitter rises by a quarter of what a packet exceeds it, so that one straggler does not delay everyone for long …
const JITTER_RISE: i64 = 4;
/// … and falls by this part of what a packet undercuts it: about 4 s at 20 ms packets.
const JITTER_FALL: i64 = 200;

#[derive(Default)]
pub(super) struct Transit {
    known: bool,
    smallest: i64,
    smallest_before: i64,
    window_end: i64,
    jitter: i64,
}

impl Transit {
    pub(super) fn note(&mut self, transit: i64, arrival: i64) {
        if !self.known {
            *self = Self {
                known: true,
                smallest: transit,
                smallest_before: transit,
                window_end: arrival + BASE_WINDOW_SAMPLES,
                jitter: 0,
            };
        }
        if arrival >= self.window_end {
            self.smallest_before = self.smallest;
            self.smallest = transit;
            self.window_end = arrival + BASE_WINDOW_SAMPLES;
        }
        self.smallest = self.smallest.min(transit);
        let over = transit - self.base() - self.jitter;
        self.jitter += if over > 0 {
            over / JITTER_RISE
        } else {
            over / JITTER_FALL
        };
        self.jitter = self.jitter.clamp(0, DELAY_SAMPLES_MAX);
    }

    /// Whether a packet has come since the start.
    pub(super) fn known(&self) -> bool {
        self.known
    }

    pub(super) fn base(&self) -> i64 {
        self.smallest.min(self.smallest_before)
    }

    pub(super) fn delay(&self) -> i64 {
        (self.jitter + TICK_SAMPLES as i64).clamp(DELAY_SAMPLES_MIN, DELAY_SAMPLES_MAX)
    }
}
