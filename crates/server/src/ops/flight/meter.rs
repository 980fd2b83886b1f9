//! How long something that the node depends on takes to answer, and how often it fails. Numbers that anybody adds to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use hustings_evidence::row::Latency;

/// Calls of one dependency since the recorder last took them.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    failures: AtomicU64,
    sum_us: AtomicU64,
    worst_us: AtomicU64,
}

/// A call under way. Dropped without an answer it counts as nothing: its caller gave up by itself.
pub struct Measured<'a> {
    meter: &'a Meter,
    began: Instant,
}

impl Meter {
    pub fn begin(&self) -> Measured<'_> {
        Measured {
            meter: self,
            began: Instant::now(),
        }
    }

    pub fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub fn answered(&self, us: u64) {
        self.calls.fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
        self.worst_us.fetch_max(us, Relaxed);
    }

    /// What was counted since the last time. A call that ends in this moment may count here or there.
    pub fn take(&self) -> Latency {
        let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let calls = self.calls.swap(0, Relaxed);
        let sum = self.sum_us.swap(0, Relaxed);
        Latency {
            calls: short(calls),
            failures: short(self.failures.swap(0, Relaxed)),
            mean_us: short(sum.checked_div(calls).unwrap_or(0)),
            worst_us: short(self.worst_us.swap(0, Relaxed)),
            pending_us: 0,
        }
    }
}

impl Measured<'_> {
    /// The call has come to its end.
    pub fn end(self, well: bool) {
        if well {
            let us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.meter.answered(us);
        } else {
            self.meter.failed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone() {
        let meter = Meter::default();
        meter.answered(100);
        meter.answered(300);
        meter.begin().end(false);
        let told = meter.take();
        assert_eq!(
            (told.calls, told.failures, told.mean_us, told.worst_us),
            (2, 1, 200, 300)
        );
        assert_eq!(meter.take(), Latency::default());
    }
}
