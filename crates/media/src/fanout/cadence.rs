//! How often a shard sweeps: often when that is cheap, seldom when it is not, and never so that it can be heard.

use super::cost::CostModel;
use crate::time::Now;

/// Between what intervals a cadence may move, in milliseconds. Both alike: it is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CadenceBounds {
    min_ms: u64,
    max_ms: u64,
}

impl CadenceBounds {
    /// `None` unless `Cadence::MS_MIN <= min <= max <= Cadence::MS_MAX`.
    pub fn new(min_ms: u64, max_ms: u64) -> Option<Self> {
        (Cadence::MS_MIN <= min_ms && min_ms <= max_ms && max_ms <= Cadence::MS_MAX)
            .then_some(Self { min_ms, max_ms })
    }

    pub fn min_ms(self) -> u64 {
        self.min_ms
    }

    pub fn max_ms(self) -> u64 {
        self.max_ms
    }
}

impl Default for CadenceBounds {
    fn default() -> Self {
        Self {
            min_ms: Cadence::MS_MIN,
            max_ms: Cadence::MS_MAX,
        }
    }
}

/// The elastic cadence: 100 ms when idle, to 2 s, by the share of time that sweeps take. It is announced before it
/// widens, and widens slower than players stretch; so it is narrow again at once, and is not heard either way.
#[derive(Clone, Debug)]
pub struct Cadence {
    bounds: CadenceBounds,
    interval_ms: f64,
    /// What players are told: never below the interval, and ahead of it while it widens.
    announced_ms: u64,
    /// Since when a wider cadence than this one has been announced.
    told: Option<Now>,
    /// Smoothed cost of one sweep, in microseconds.
    cost_us: f64,
    costs: CostModel,
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
    /// Milliseconds that a wider cadence is announced before the cadence begins to widen: the word travels with the sound.
    pub const LEAD_MS: u64 = 1_500;
    /// Milliseconds that the announcement is ahead of the cadence while it widens: what it grows in 5 s.
    pub const AHEAD_MS: f64 = 250.0;
    /// Milliseconds. Announcements are whole multiples, so that there is not one each sweep.
    pub const ANNOUNCED_STEP_MS: u64 = 100;
    /// Weight of the newest sweep in the smoothed cost.
    const NEWEST: f64 = 0.2;

    /// Begins at the narrowest interval: nobody is inside yet.
    pub fn new(bounds: CadenceBounds) -> Self {
        Self {
            bounds,
            interval_ms: bounds.min_ms as f64,
            announced_ms: bounds.min_ms,
            told: None,
            cost_us: 0.0,
            costs: CostModel::default(),
            last: None,
        }
    }

    /// Counts from the next sweep on; a cadence outside them moves there as if the load asked for it.
    pub fn set_bounds(&mut self, bounds: CadenceBounds) {
        self.bounds = bounds;
    }

    /// Tells what a sweep over `listeners` cost (microseconds of CPU or wall time); returns milliseconds until the next.
    pub fn after_sweep(&mut self, cost_us: u64, listeners: usize, now: Now) -> u64 {
        let elapsed_ms = self
            .last
            .map_or(0.0, |last| now.since(last) as f64 / 1_000.0);
        if self.last.is_some() {
            self.costs
                .learn(cost_us as f64, listeners, elapsed_ms / 1_000.0);
        }
        self.cost_us = match self.last {
            None => cost_us as f64,
            Some(_) => self.cost_us + Self::NEWEST * (cost_us as f64 - self.cost_us),
        };
        self.last = Some(now);
        let (min, max) = (self.bounds.min_ms as f64, self.bounds.max_ms as f64);
        let wanted = (self.cost_us / 1_000.0 / Self::SHARE_TARGET).clamp(min, max);
        if wanted > self.interval_ms {
            self.widen(wanted, elapsed_ms, now);
        } else {
            self.told = None;
            if wanted < self.interval_ms * Self::NARROW_BELOW
                || wanted <= min
                || self.interval_ms > max
            {
                self.interval_ms = wanted;
            }
        }
        self.announce(wanted);
        self.current_ms()
    }

    /// Only after the announcement has had time to arrive, and never beyond what was announced.
    fn widen(&mut self, wanted: f64, elapsed_ms: f64, now: Now) {
        let told = *self.told.get_or_insert(now);
        if now.since(told) >= Self::LEAD_MS * 1_000 {
            self.interval_ms = wanted
                .min(self.interval_ms + Self::WIDEN_PER_MS * elapsed_ms)
                .min((self.announced_ms as f64).max(self.interval_ms));
        }
    }

    fn announce(&mut self, wanted: f64) {
        let ahead = wanted.min(self.interval_ms + Self::AHEAD_MS);
        let step = Self::ANNOUNCED_STEP_MS;
        self.announced_ms = (ahead.max(self.interval_ms).ceil() as u64).div_ceil(step) * step;
    }

    /// Rounded down, so that rounding never widens.
    pub fn current_ms(&self) -> u64 {
        self.interval_ms as u64
    }

    /// The widest interval that listeners must be ready for: what is used now, or is about to be.
    pub fn announced_ms(&self) -> u64 {
        self.announced_ms
    }

    /// Milliseconds between sweeps that their costs ask for, whatever the bounds hold: a wider cadence than this is somebody's
    /// wish and no sign of load.
    pub fn needed_ms(&self) -> u64 {
        let needed_ms = self.costs.interval_s(Self::SHARE_TARGET) * 1_000.0;
        needed_ms.clamp(Self::MS_MIN as f64, Self::MS_MAX as f64) as u64
    }

    /// Share (0..) of one core the sweeps would need at the widest cadence: the gate's load signal. From the costs of the
    /// last sweeps, see `CostModel`; sweeps over nobody count as nothing.
    pub fn projected_load(&self) -> f64 {
        let widest_s = self.bounds.max_ms as f64 / 1_000.0;
        self.costs.sweep_us(widest_s) / (widest_s * 1_000_000.0)
    }
}

impl Default for Cadence {
    fn default() -> Self {
        Self::new(CadenceBounds::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        cadence: Cadence,
        now_ms: u64,
        /// Milliseconds of sound that a player holds right after a sweep, beside its reserve.
        store: f64,
    }

    impl World {
        fn new(bounds: CadenceBounds) -> Self {
            let cadence = Cadence::new(bounds);
            Self {
                store: cadence.current_ms() as f64,
                now_ms: 0,
                cadence,
            }
        }

        /// Runs sweeps over 1,000 listeners of one cost for a while; tells the interval at the end. Checks what listeners
        /// rest on: a player that stretches to 0.95 while it has less than was announced never runs dry.
        fn run(&mut self, millis: u64, cost_us: u64) -> u64 {
            let end = self.now_ms + millis;
            while self.now_ms < end {
                let (before, told) = (self.cadence.current_ms(), self.cadence.announced_ms());
                let now = Now::from_millis(self.now_ms);
                let step = self.cadence.after_sweep(cost_us, 1_000, now);
                // One step may carry a rounding of the last one.
                let most = before as f64 * (1.0 + Cadence::WIDEN_PER_MS) + 1.0;
                assert!(step as f64 <= most, "{before} {step}");
                assert!(step <= told.max(before), "{step}, but told was {told}");
                assert!(step <= self.cadence.announced_ms(), "{step}");
                assert!(step as f64 <= self.store + 1.0, "{step}: {}", self.store);
                let target = self.cadence.announced_ms() as f64;
                self.store = if self.store < target {
                    target.min(self.store + 0.05 * step as f64)
                } else {
                    target.max(self.store - 0.05 * step as f64)
                };
                self.now_ms += step;
            }
            self.cadence.current_ms()
        }
    }

    #[test]
    fn widens_under_load_no_faster_than_players_stretch() {
        let mut world = World::new(CadenceBounds::default());
        assert_eq!(world.run(1_000, 100), 100);
        let began = world.now_ms;
        let reached = world.run(10_000, 400_000);
        assert!(
            reached > 400 && (reached - 100) as f64 <= 0.05 * (world.now_ms - began) as f64 + 1.0,
            "{reached}"
        );
        let settled = world.run(120_000, 400_000);
        assert!((1_590..=1_600).contains(&settled), "{settled}");
        assert_eq!(world.cadence.announced_ms(), 1_600);
        assert_eq!(world.run(120_000, 4_000_000), Cadence::MS_MAX);
    }

    #[test]
    fn is_announced_before_it_widens() {
        let mut cadence = Cadence::default();
        let mut now = 0;
        cadence.after_sweep(400_000, 1_000, Now::from_millis(now));
        assert_eq!((cadence.current_ms(), cadence.announced_ms()), (100, 400));
        while now < Cadence::LEAD_MS {
            assert_eq!(cadence.current_ms(), 100, "at {now} ms");
            now += 100;
            cadence.after_sweep(400_000, 1_000, Now::from_millis(now));
        }
        assert!(cadence.current_ms() > 100);
    }

    #[test]
    fn narrows_at_once_but_not_for_a_little() {
        let mut world = World::new(CadenceBounds::default());
        let wide = world.run(120_000, 250_000);
        assert!((990..=1_000).contains(&wide), "{wide}");
        assert_eq!(world.run(60_000, 200_000), wide);
        assert_eq!(world.run(60_000, 100), 100);
        assert_eq!(world.cadence.announced_ms(), 100);
    }

    #[test]
    fn keeps_to_its_bounds_also_when_they_move() {
        assert_eq!(CadenceBounds::new(99, 100), None);
        assert_eq!(CadenceBounds::new(100, 2_001), None);
        assert_eq!(CadenceBounds::new(500, 400), None);
        let bounds = |min, max| CadenceBounds::new(min, max).expect("good bounds");
        let mut fixed = World::new(bounds(100, 100));
        assert_eq!(fixed.run(60_000, 4_000_000), 100);
        fixed.cadence.set_bounds(bounds(2_000, 2_000));
        let on_the_way = fixed.run(10_000, 100);
        assert!((400..=600).contains(&on_the_way), "{on_the_way}");
        assert_eq!(fixed.run(60_000, 100), 2_000);
        fixed.cadence.set_bounds(bounds(100, 1_900));
        assert_eq!(fixed.run(5_000, 4_000_000), 1_900);
        fixed.cadence.set_bounds(CadenceBounds::default());
        assert_eq!(fixed.run(60_000, 100), 100);
        assert_eq!(Cadence::new(bounds(700, 2_000)).current_ms(), 700);
    }

    /// Sweeps of 40 ms, and 17 ms more for each second of pages, take a quarter of the time when they are 172 ms apart.
    #[test]
    fn what_the_costs_ask_for_is_known_at_any_cadence() {
        let cost_us = |seconds: f64| (40_000.0 + 17_200.0 * seconds) as u64;
        for held_ms in [100, 300, 1_000] {
            let bounds = CadenceBounds::new(held_ms, held_ms).expect("good bounds");
            let mut cadence = Cadence::new(bounds);
            assert_eq!(cadence.needed_ms(), 100);
            let (mut now_ms, mut step) = (0, held_ms);
            for _ in 0..200 {
                now_ms += step;
                let cost = cost_us(step as f64 / 1_000.0);
                step = cadence.after_sweep(cost, 5_000, Now::from_millis(now_ms));
            }
            let needed = cadence.needed_ms();
            assert!((155..=190).contains(&needed), "{held_ms}: {needed}");
            cadence.after_sweep(10, 0, Now::from_millis(now_ms + 100));
            assert_eq!(cadence.needed_ms(), 100, "nobody is inside");
        }
        let mut cadence = Cadence::default();
        for turn in 0..50 {
            cadence.after_sweep(9_000_000, 5_000, Now::from_millis(turn * 100));
        }
        assert_eq!(cadence.needed_ms(), Cadence::MS_MAX);
    }

    #[test]
    fn projects_the_load_to_the_widest_cadence() {
        let mut world = World::new(CadenceBounds::default());
        world.run(600_000, 2_000_000);
        assert!(
            (world.cadence.projected_load() - 1.0).abs() < 0.01,
            "{}",
            world.cadence.projected_load()
        );
        let mut idle = World::new(CadenceBounds::default());
        idle.run(10_000, 20_000);
        // 20 ms at 100 ms each is a fifth of a core now, and far less at 2 s.
        assert!(
            idle.cadence.projected_load() > 0.01 && idle.cadence.projected_load() < 0.02,
            "{}",
            idle.cadence.projected_load()
        );
    }
}
