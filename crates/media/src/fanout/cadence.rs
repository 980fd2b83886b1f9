//! How often a shard sweeps: often when that is cheap, seldom when it is not, and never so that it can be heard.

use crate::time::Now;

/// The elastic cadence: 100 ms when idle, to 2 s, by the share of time that sweeps take. Widens slower than players stretch.
#[derive(Clone, Debug)]
pub struct Cadence {
    interval_ms: f64,
    /// Smoothed cost of one sweep, in microseconds.
    cost_us: f64,
    last: Option<Now>,
}

impl Cadence {
    pub const MS_MIN: u64 = 100;
    pub const MS_MAX: u64 = 2_000;
    /// Share of one core that sweeps may take before the cadence widens.
    pub const SHARE_TARGET: f64 = 0.25;
    /// The cadence narrows only when less than this part of it would do, so that it does not swing.
    pub const NARROW_BELOW: f64 = 0.7;
    /// Milliseconds that the cadence may grow for each millisecond gone by. A player that slows to 0.95 keeps its
    /// buffer as full as before meanwhile.
    pub const WIDEN_PER_MS: f64 = 0.05;
    /// Weight of the newest sweep in the smoothed cost.
    const NEWEST: f64 = 0.2;
    /// What a second of pages adds to a sweep's cost, where 1 is the cost of the write itself: sweeps of 2 s were
    /// measured to cost 1.3 sweeps of 1 s.
    const PAGES_COST_PER_S: f64 = 0.43;

    pub fn new() -> Self {
        Self {
            interval_ms: Self::MS_MIN as f64,
            cost_us: 0.0,
            last: None,
        }
    }

    /// Tells what a sweep cost (microseconds of CPU or wall time); returns milliseconds until the next.
    pub fn after_sweep(&mut self, cost_us: u64, now: Now) -> u64 {
        let elapsed_ms = self
            .last
            .map_or(0.0, |last| now.since(last) as f64 / 1_000.0);
        self.cost_us = match self.last {
            None => cost_us as f64,
            Some(_) => self.cost_us + Self::NEWEST * (cost_us as f64 - self.cost_us),
        };
        self.last = Some(now);
        let wanted = (self.cost_us / 1_000.0 / Self::SHARE_TARGET)
            .clamp(Self::MS_MIN as f64, Self::MS_MAX as f64);
        if wanted > self.interval_ms {
            self.interval_ms = wanted.min(self.interval_ms + Self::WIDEN_PER_MS * elapsed_ms);
        } else if wanted < self.interval_ms * Self::NARROW_BELOW || wanted <= Self::MS_MIN as f64 {
            self.interval_ms = wanted;
        }
        self.current_ms()
    }

    /// Rounded down, so that rounding never widens.
    pub fn current_ms(&self) -> u64 {
        self.interval_ms as u64
    }

    /// Share (0..) of one core the sweeps would need at the widest cadence: the gate's load signal.
    pub fn projected_load(&self) -> f64 {
        let pages_cost = |ms: f64| 1.0 + Self::PAGES_COST_PER_S * ms / 1_000.0;
        let widest = Self::MS_MAX as f64;
        self.cost_us * pages_cost(widest) / pages_cost(self.interval_ms) / (widest * 1_000.0)
    }
}

impl Default for Cadence {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs sweeps of one cost for a while; tells the interval at the end.
    fn run(cadence: &mut Cadence, from: &mut u64, millis: u64, cost_us: u64) -> u64 {
        let end = *from + millis;
        while *from < end {
            let before = cadence.current_ms();
            let step = cadence.after_sweep(cost_us, Now::from_millis(*from));
            // One step may carry a rounding of the last one.
            assert!(
                step as f64 <= before as f64 + Cadence::WIDEN_PER_MS * before as f64 + 1.0,
                "{before} {step}"
            );
            *from += step;
        }
        cadence.current_ms()
    }

    #[test]
    fn widens_under_load_no_faster_than_players_stretch() {
        let (mut cadence, mut now) = (Cadence::new(), 0);
        assert_eq!(run(&mut cadence, &mut now, 1_000, 100), 100);
        let began = now;
        let reached = run(&mut cadence, &mut now, 10_000, 400_000);
        assert!(
            reached > 400 && (reached - 100) as f64 <= 0.05 * (now - began) as f64 + 1.0,
            "{reached}"
        );
        let settled = run(&mut cadence, &mut now, 120_000, 400_000);
        assert!((1_590..=1_600).contains(&settled), "{settled}");
        assert_eq!(
            run(&mut cadence, &mut now, 120_000, 4_000_000),
            Cadence::MS_MAX
        );
    }

    #[test]
    fn narrows_at_once_but_not_for_a_little() {
        let (mut cadence, mut now) = (Cadence::new(), 0);
        let wide = run(&mut cadence, &mut now, 120_000, 250_000);
        assert!((990..=1_000).contains(&wide), "{wide}");
        assert_eq!(run(&mut cadence, &mut now, 60_000, 200_000), wide);
        assert_eq!(run(&mut cadence, &mut now, 60_000, 100), 100);
    }

    #[test]
    fn projects_the_load_to_the_widest_cadence() {
        let (mut cadence, mut now) = (Cadence::new(), 0);
        run(&mut cadence, &mut now, 600_000, 2_000_000);
        assert!(
            (cadence.projected_load() - 1.0).abs() < 0.01,
            "{}",
            cadence.projected_load()
        );
        let mut idle = Cadence::new();
        run(&mut idle, &mut now, 10_000, 20_000);
        // 20 ms at 100 ms each is a fifth of a core now, and far less at 2 s.
        assert!(
            idle.projected_load() > 0.01 && idle.projected_load() < 0.02,
            "{}",
            idle.projected_load()
        );
    }
}
