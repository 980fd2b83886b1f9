//! The cores that carry those inside: the production's cadence, fed with the cost that its sweeps and knocks would have.

use hustings_control::gate::{Load, Used};
use hustings_media::fanout::Cadence;
use hustings_media::time::Now;

use crate::harm::InsideHarm;
use crate::scenario::Costs;

pub(crate) struct Cores {
    cores: Vec<Core>,
    costs: Costs,
    /// Open files of the node.
    pub(crate) files: Used,
    pub(crate) harm: InsideHarm,
    sweeps_ns: f64,
}

struct Core {
    inside: u32,
    cadence: Cadence,
    swept_ms: u32,
    due_ms: u32,
    /// Knocks since the last sweep, in nanoseconds.
    knocks_ns: f64,
    load: Load,
    /// Of this second.
    second: u32,
    busy_ns: f64,
    /// Of the whole night.
    spent_ns: f64,
}

impl Cores {
    pub(crate) fn new(shards: u32, costs: Costs) -> Self {
        // Their sweeps do not fall together.
        let core = |at: u32| Core {
            inside: 0,
            cadence: Cadence::default(),
            swept_ms: 0,
            due_ms: at * 10 % 100,
            knocks_ns: 0.0,
            load: Load::default(),
            second: 0,
            busy_ns: 0.0,
            spent_ns: 0.0,
        };
        Self {
            cores: (0..shards).map(core).collect(),
            costs,
            files: Used::default(),
            harm: InsideHarm::default(),
            sweeps_ns: 0.0,
        }
    }

    pub(crate) fn enter(&mut self, shard: usize) {
        self.cores[shard].inside += 1;
    }

    pub(crate) fn leave(&mut self, shard: usize) {
        self.cores[shard].inside -= 1;
    }

    pub(crate) fn knock(&mut self, shard: usize) -> Load {
        let core = &mut self.cores[shard];
        core.knocks_ns += self.costs.knock_ns;
        Load {
            files: self.files,
            ..core.load
        }
    }

    pub(crate) fn load(&self, shard: usize) -> Load {
        Load {
            files: self.files,
            ..self.cores[shard].load
        }
    }

    /// Nanoseconds spent since the beginning: in sweeps, and by each core in all.
    pub(crate) fn spent(&self) -> (f64, Vec<f64>) {
        let busy = self.cores.iter().map(|core| core.spent_ns);
        (self.sweeps_ns, busy.collect())
    }

    /// All connections are gone at once.
    pub(crate) fn empty(&mut self) {
        self.cores.iter_mut().for_each(|core| core.inside = 0);
    }

    /// The load of the busiest shard, for the usher.
    pub(crate) fn busiest(&self) -> Load {
        let mut busiest = Load {
            files: self.files,
            ..Load::default()
        };
        for core in &self.cores {
            busiest.cpu = busiest.cpu.max(core.load.cpu);
            busiest.cadence_ms = busiest.cadence_ms.max(core.load.cadence_ms);
        }
        busiest
    }

    /// Sweeps the cores that are due.
    pub(crate) fn sweep(&mut self, ms: u32) {
        for core in &mut self.cores {
            if core.due_ms > ms {
                continue;
            }
            let span_s = f64::from(ms - core.swept_ms) / 1_000.0;
            let each_ns = self.costs.sweep_ns + self.costs.second_ns * span_s;
            let sweep_ns = each_ns * f64::from(core.inside);
            let interval = core.cadence.after_sweep(
                (sweep_ns / 1_000.0) as u64,
                core.inside as usize,
                Now::from_millis(u64::from(ms)),
            );
            let busy_ms = ((sweep_ns + core.knocks_ns) / 1e6) as u64;
            self.harm.sweeps += 1;
            self.harm.sweeps_late += u64::from(busy_ms > interval);
            self.harm.cadence_widest_ms = self.harm.cadence_widest_ms.max(interval);
            core.spent_ns += sweep_ns + core.knocks_ns;
            self.sweeps_ns += sweep_ns;
            core.count_busy(ms, sweep_ns, &mut self.harm);
            core.knocks_ns = 0.0;
            core.swept_ms = ms;
            core.due_ms = ms + interval.max(busy_ms) as u32;
            core.load.cpu = core.cadence.projected_load();
            core.load.cadence_ms = interval;
        }
    }
}

impl Core {
    fn count_busy(&mut self, ms: u32, sweep_ns: f64, harm: &mut InsideHarm) {
        // Whole windows of a second or more, so that a long sweep is not counted against a short moment.
        self.busy_ns += sweep_ns + self.knocks_ns;
        let window_ms = ms - self.second;
        if window_ms >= 1_000 {
            let share = self.busy_ns / (f64::from(window_ms) * 1e6);
            harm.busiest_core = harm.busiest_core.max(share);
            self.second = ms;
            self.busy_ns = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_listeners_widen_the_cadence_and_raise_the_load() {
        let run = |inside: u32| {
            let mut cores = Cores::new(1, Costs::default());
            for slot in 0..12_000 {
                let come = if slot < 10_000 { inside / 10_000 } else { 0 };
                (0..come).for_each(|_| cores.enter(0));
                cores.sweep(slot * 10);
            }
            (cores.busiest(), cores.harm)
        };
        let (few, _) = run(10_000);
        let (many, harm) = run(100_000);
        assert!(few.cadence_ms < 300, "{few:?}");
        assert!(many.cadence_ms > 1_900 && many.cpu > 0.4, "{many:?}");
        assert_eq!(harm.sweeps_late, 0, "{harm:?}");
    }

    #[test]
    fn knocks_beyond_what_the_core_can_do_make_sweeps_late() {
        let mut cores = Cores::new(1, Costs::default());
        for slot in 0..1_000 {
            (0..400).for_each(|_| {
                cores.knock(0);
            });
            cores.sweep(slot * 10);
        }
        assert!(cores.harm.sweeps_late > 0, "{:?}", cores.harm);
    }
}
