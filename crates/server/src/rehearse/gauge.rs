//! How the driver itself fares: its core, its timers, its ports.

use std::time::{Duration, Instant};

use hustings_rehearse::fit::Driver;

/// Presses whose lateness is kept one by one; of more, every second, fourth … is.
const LATE_MAX: usize = 65_536;
/// A window in which the share of the core is taken; the busiest counts.
const WINDOW: Duration = Duration::from_secs(2);

pub(super) struct Gauge {
    late_us: Vec<u32>,
    /// One of so many is kept.
    every: u64,
    pressed: u64,
    unsent: u64,
    window: (Instant, Duration),
    cpu: f64,
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self {
            late_us: Vec::new(),
            every: 1,
            pressed: 0,
            unsent: 0,
            window: (Instant::now(), own_cpu()),
            cpu: 0.0,
        }
    }

    pub(super) fn pressed(&mut self, late: Duration) {
        self.pressed += 1;
        if self.pressed.is_multiple_of(self.every) {
            self.late_us
                .push(u32::try_from(late.as_micros()).unwrap_or(u32::MAX));
        }
        if self.late_us.len() >= LATE_MAX {
            let mut at = 0;
            self.late_us.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            self.every *= 2;
        }
    }

    pub(super) fn unsent(&mut self) {
        self.unsent += 1;
    }

    pub(super) fn look(&mut self, now: Instant) {
        let (since, before) = self.window;
        let took = now.saturating_duration_since(since);
        if took >= WINDOW {
            let spent = own_cpu();
            let share = spent.saturating_sub(before).as_secs_f64() / took.as_secs_f64();
            self.cpu = self.cpu.max(share);
            self.window = (now, spent);
        }
    }

    /// Since it was last taken.
    pub(super) fn take(&mut self) -> Driver {
        let now = Instant::now();
        let (since, before) = self.window;
        let took = now.saturating_duration_since(since).as_secs_f64();
        let spent = own_cpu();
        if took > 0.5 {
            self.cpu = self
                .cpu
                .max(spent.saturating_sub(before).as_secs_f64() / took);
        }
        self.late_us.sort_unstable();
        let at = self.late_us.len().saturating_sub(1) * 99 / 100;
        let late = self.late_us.get(at).copied().unwrap_or(0);
        let driver = Driver {
            cpu: self.cpu,
            late_p99_ms: f64::from(late) / 1e3,
            pressed: self.pressed,
            unsent: self.unsent,
        };
        *self = Self::new();
        driver
    }
}

/// CPU time of this thread, by the scheduler's nanoseconds: on loopback the kernel's work for the other end is in it too.
fn own_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ran = stat
        .split_whitespace()
        .next()
        .and_then(|ran| ran.parse().ok());
    Duration::from_nanos(ran.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_hundred_tells() {
        let mut gauge = Gauge::new();
        for number in 0..200_000_u64 {
            gauge.pressed(Duration::from_millis(if number.is_multiple_of(49) {
                80
            } else {
                1
            }));
        }
        gauge.unsent();
        let driver = gauge.take();
        assert_eq!(
            (driver.pressed, driver.unsent, driver.late_p99_ms),
            (200_000, 1, 80.0)
        );
        assert!(
            driver
                .saturated()
                .is_some_and(|why| why.contains("80 ms late"))
        );
        assert_eq!(gauge.take().pressed, 0);
    }

    #[test]
    fn a_busy_thread_knows_it() {
        let mut gauge = Gauge::new();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(700) {
            std::hint::black_box(begun);
        }
        assert!(
            gauge.take().cpu > 0.01,
            "it ran all the time, as far as the machine let it"
        );
    }
}
