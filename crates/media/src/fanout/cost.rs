//! What a sweep costs a listener, learned from the sweeps: a fixed part (the write itself) and a part for each second of
//! pages that the write carries.

/// A line through the costs seen of late. As long as all sweeps were alike, only their mean is known, and the
/// assumption `PAGES_PER_FIXED` divides it into its two parts; sweeps of different lengths overrule it.
#[derive(Clone, Debug)]
pub(super) struct CostModel {
    weight: f64,
    seconds: f64,
    cost: f64,
    seconds_squared: f64,
    seconds_cost: f64,
    listeners: usize,
}

impl CostModel {
    /// Assumed until measured: what a second of pages adds to a write, where the write itself is 1. Sweeps of 2 s were
    /// seen to cost 1.3 sweeps of 1 s.
    pub(super) const PAGES_PER_FIXED: f64 = 0.43;
    /// Part of what was known that stays after one more sweep: some 50 sweeps count, 5 s of short ones.
    const KEEP: f64 = 0.98;
    /// Weight of the assumption, for each unit of weight of what was seen: sweeps that differ by 0.2 s and more outweigh it.
    const ASSUMED: f64 = 0.01;
    /// Seconds. A sweep after a longer pause says nothing of sweeps.
    const SECONDS_MAX: f64 = 5.0;
    /// What a model begins with, as if it had been seen: so many sweeps over one listener, each after so many seconds, for so many
    /// microseconds. A crowd outweighs it in one sweep; a first sweep over a handful that was held up does not.
    const BEGINS: (f64, f64, f64) = (20.0, 0.1, 5.0);

    /// Notes a sweep over `listeners` after `seconds` without one. A sweep over nobody teaches nothing, and one over a few little:
    /// whatever held it up would be taken for what each of them costs, and multiplied by the crowd that comes next.
    pub(super) fn learn(&mut self, cost_us: f64, listeners: usize, seconds: f64) {
        self.listeners = listeners;
        if listeners == 0 || seconds > Self::SECONDS_MAX {
            return;
        }
        let heard = listeners as f64;
        for (sum, new) in [
            (&mut self.weight, heard),
            (&mut self.seconds, seconds * heard),
            (&mut self.cost, cost_us),
            (&mut self.seconds_squared, seconds * seconds * heard),
            (&mut self.seconds_cost, seconds * cost_us),
        ] {
            *sum = *sum * Self::KEEP + new;
        }
    }

    /// Microseconds that a sweep after `seconds` would cost with the listeners of the last one.
    pub(super) fn sweep_us(&self, seconds: f64) -> f64 {
        let (fixed, per_second) = self.parts();
        (fixed + per_second * seconds) * self.listeners as f64
    }

    /// Seconds between sweeps at which they take `share` of the time; endless when no interval is wide enough.
    pub(super) fn interval_s(&self, share: f64) -> f64 {
        let (fixed, per_second) = self.parts();
        let each = self.listeners as f64 / 1_000_000.0;
        let left = share - per_second * each;
        if left > 0.0 {
            fixed * each / left
        } else {
            f64::INFINITY
        }
    }

    /// Microseconds a listener: fixed, and for each second of pages. Least squares, with the assumption as one more term.
    fn parts(&self) -> (f64, f64) {
        let ratio = Self::PAGES_PER_FIXED;
        let assumed = Self::ASSUMED * self.weight;
        let (a, b) = (
            self.weight + assumed * ratio * ratio,
            self.seconds - assumed * ratio,
        );
        let c = self.seconds_squared + assumed;
        // Positive, for the squares' mean is never below the mean's square and the assumption adds to it.
        let determinant = a * c - b * b;
        let fixed = (self.cost * c - self.seconds_cost * b) / determinant;
        let per_second = (self.seconds_cost * a - self.cost * b) / determinant;
        if fixed < 0.0 {
            return (0.0, self.seconds_cost / self.seconds_squared);
        }
        if per_second < 0.0 {
            return (self.cost / self.weight, 0.0);
        }
        (fixed, per_second)
    }
}

impl Default for CostModel {
    fn default() -> Self {
        let (weight, seconds, cost) = Self::BEGINS;
        Self {
            weight,
            seconds: weight * seconds,
            cost: weight * cost,
            seconds_squared: weight * seconds * seconds,
            seconds_cost: weight * seconds * cost,
            listeners: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENERS: usize = 1_000;

    fn seen(spans: impl IntoIterator<Item = f64>, cost: impl Fn(f64) -> f64) -> CostModel {
        let mut model = CostModel::default();
        for span in spans {
            model.learn(cost(span) * LISTENERS as f64, LISTENERS, span);
        }
        model
    }

    fn near(got: f64, wanted: f64, share: f64) {
        assert!(
            (got - wanted).abs() <= wanted * share,
            "{got}, not {wanted}"
        );
    }

    #[test]
    fn sweeps_that_are_all_alike_are_divided_by_the_assumption() {
        let model = seen([0.1; 100], |_| 5.0);
        near(model.sweep_us(0.1), 5_000.0, 0.01);
        let widest = 5_000.0 * (1.0 + 0.43 * 2.0) / (1.0 + 0.43 * 0.1);
        near(model.sweep_us(2.0), widest, 0.01);
    }

    #[test]
    fn sweeps_that_differ_overrule_the_assumption() {
        for per_second in [0.0, 0.5, 4.0, 20.0] {
            let spans = (0..200).map(|i| 0.1 + f64::from(i % 10) / 10.0);
            let model = seen(spans, |span| 5.0 + per_second * span);
            near(
                model.sweep_us(2.0),
                (5.0 + per_second * 2.0) * 1_000.0,
                0.12,
            );
        }
    }

    #[test]
    fn a_sweep_over_few_that_was_held_up_makes_no_crowd_dear() {
        let mut model = seen([0.1; 100], |_| 3.0);
        // All leave, and a crowd comes anew while the machine is busy: a sweep over five stands still for 4 ms.
        model.learn(4_000.0, 5, 0.1);
        for crowd in 1..=10 {
            model.learn(60.0 * f64::from(crowd), 20 * crowd as usize, 0.1);
        }
        near(model.sweep_us(0.1), 600.0, 0.1);
        let mut fresh = CostModel::default();
        fresh.learn(4_000.0, 5, 0.1);
        for crowd in 1..=10 {
            fresh.learn(60.0 * f64::from(crowd), 20 * crowd as usize, 0.1);
        }
        let told = fresh.sweep_us(0.1);
        assert!(told < 1_500.0, "{told} us for 200 who cost 3 us each");
    }

    #[test]
    fn a_first_sweep_that_was_held_up_asks_for_no_wider_cadence() {
        for listeners in 1..=8 {
            let mut model = CostModel::default();
            model.learn(40_000.0, listeners, 0.1);
            let needed_s = model.interval_s(0.25);
            assert!(needed_s < 0.1, "{needed_s} s for {listeners}");
        }
    }

    #[test]
    fn more_listeners_cost_more_and_the_past_is_forgotten() {
        let mut model = seen([0.1; 100], |_| 5.0);
        model.learn(10_000.0, 2 * LISTENERS, 0.1);
        near(model.sweep_us(0.1), 10_000.0, 0.01);
        for _ in 0..300 {
            model.learn(2_000.0, LISTENERS, 0.1);
        }
        near(model.sweep_us(0.1), 2_000.0, 0.02);
        model.learn(10.0, 0, 0.1);
        assert_eq!(model.sweep_us(2.0), 0.0);
        assert_eq!(CostModel::default().sweep_us(2.0), 0.0);
    }
}
