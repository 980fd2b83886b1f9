//! How long something that the node depends on takes to answer, and how often it fails. Numbers that anybody adds to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hustings_evidence::row::Latency;

/// Calls under way whose age is watched; of more the oldest are.
const WATCHED_MAX: usize = 256;

/// Calls of one dependency since the recorder last took them.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    failures: AtomicU64,
    sum_us: AtomicU64,
    worst_us: AtomicU64,
    /// By their number, the oldest first.
    under_way: Mutex<BTreeMap<u64, Instant>>,
    begun: AtomicU64,
}

/// A call under way. Dropped without an answer it counts as nothing: its caller gave up by itself.
pub struct Measured<'a> {
    meter: &'a Meter,
    number: u64,
    began: Instant,
}

impl Meter {
    pub fn begin(&self) -> Measured<'_> {
        let (number, began) = (self.begun.fetch_add(1, Relaxed), Instant::now());
        let mut under_way = self.under_way();
        if under_way.len() < WATCHED_MAX {
            under_way.insert(number, began);
        }
        Measured {
            meter: self,
            number,
            began,
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

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted since the last time. A call that ends in this moment may count here or there.
    pub fn take(&self) -> Latency {
        let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let calls = self.calls.swap(0, Relaxed);
        let sum = self.sum_us.swap(0, Relaxed);
        let pending = self.under_way().values().next().copied();
        Latency {
            calls: short(calls),
            failures: short(self.failures.swap(0, Relaxed)),
            mean_us: short(sum.checked_div(calls).unwrap_or(0)),
            worst_us: short(self.worst_us.swap(0, Relaxed)),
            pending_us: short(pending.map_or(0, micros)),
        }
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        self.meter.under_way().remove(&self.number);
    }
}

impl Measured<'_> {
    /// The call has come to its end.
    pub fn end(self, well: bool) {
        if well {
            self.meter.answered(micros(self.began));
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

    #[test]
    fn a_call_that_does_not_end_is_told_with_its_age() {
        let meter = Meter::default();
        let (hangs, quick) = (meter.begin(), meter.begin());
        quick.end(true);
        while hangs.began.elapsed().as_micros() < 2 {}
        let told = meter.take();
        assert!(told.calls == 1 && told.pending_us >= 2, "{told:?}");
        let later = meter.take();
        assert!(later.pending_us >= told.pending_us && later.calls == 0);
        drop(hangs);
        assert_eq!(meter.take(), Latency::default());
        let many: Vec<_> = (0..2 * WATCHED_MAX).map(|_| meter.begin()).collect();
        assert_eq!(meter.under_way().len(), WATCHED_MAX);
        drop(many);
        assert!(meter.under_way().is_empty());
    }
}
