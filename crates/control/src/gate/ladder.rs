//! The ladder of a node under load: first the cadence widens, then side features are shed, then newcomers wait in line; back
//! in the other order. One step at a time, up at once, down after a time of quiet.

use hustings_media::fanout::Cadence;
use hustings_media::time::Now;

use super::limits::CALM_DOWN_MS;
use super::load::{Load, Resource};
use crate::ids::UnixMillis;

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    #[default]
    Ground,
    /// Sweeps come less often: latency for capacity.
    Cadence,
    /// Roster by `state.json` in place of events, reactions thinned.
    Side,
    /// Newcomers wait in line.
    Line,
}

const STEPS: [Step; 4] = [Step::Ground, Step::Cadence, Step::Side, Step::Line];

/// One step up or down: the shell stores it, the board shows it. The JSON is a promise: add, never change.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LadderEvent {
    pub at: UnixMillis,
    pub from: Step,
    pub to: Step,
    /// What is shortest.
    pub because: Resource,
    /// How much of it is used, 0 to 1 and above, in thousandths.
    pub permille: u32,
}

/// Where each resource takes which step: above `at` up, below `at - BACK` down again.
struct Rule {
    step: Step,
    resource: Resource,
    at: f64,
}

const BACK: f64 = 0.08;
const RULES: [Rule; 12] = [
    rule(Step::Cadence, Resource::Cpu, 0.10),
    rule(Step::Cadence, Resource::Uplink, 0.75),
    rule(Step::Cadence, Resource::Seats, 0.75),
    rule(Step::Side, Resource::Cpu, 0.75),
    rule(Step::Side, Resource::Files, 0.75),
    rule(Step::Side, Resource::Memory, 0.75),
    rule(Step::Side, Resource::Uplink, 0.85),
    rule(Step::Side, Resource::Seats, 0.85),
    rule(Step::Line, Resource::Cpu, 0.92),
    rule(Step::Line, Resource::Files, 0.92),
    rule(Step::Line, Resource::Memory, 0.92),
    rule(Step::Line, Resource::Seats, 0.95),
];

const fn rule(step: Step, resource: Resource, at: f64) -> Rule {
    Rule { step, resource, at }
}

/// Where the node stands on the ladder.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    step: Step,
    /// Since when less would do.
    quiet: Option<Now>,
}

impl Ladder {
    pub fn step(&self) -> Step {
        self.step
    }

    /// Looks at the load, `seats` being the share of seats taken; takes at most one step.
    pub fn look(
        &mut self,
        load: &Load,
        seats: f64,
        now: Now,
        wall: UnixMillis,
    ) -> Option<LadderEvent> {
        let (up, because, share) = wanted(load, seats, 0.0);
        if up > self.step {
            self.quiet = None;
            return Some(self.go(self.step as usize + 1, because, share, wall));
        }
        let (down, because, share) = wanted(load, seats, BACK);
        if down >= self.step {
            self.quiet = None;
            return None;
        }
        let since = *self.quiet.get_or_insert(now);
        if now.since(since) < CALM_DOWN_MS * 1_000 {
            return None;
        }
        self.quiet = Some(now);
        Some(self.go(self.step as usize - 1, because, share, wall))
    }

    fn go(&mut self, to: usize, because: Resource, share: f64, at: UnixMillis) -> LadderEvent {
        let from = self.step;
        self.step = STEPS[to];
        let permille = (share * 1_000.0).clamp(0.0, 1e6) as u32;
        LadderEvent {
            at,
            from,
            to: self.step,
            because,
            permille,
        }
    }
}

/// The highest step that some resource asks for, and which; with nothing short, the fullest of them.
fn wanted(load: &Load, seats: f64, back: f64) -> (Step, Resource, f64) {
    let share = |resource| match resource {
        Resource::Cpu => load.cpu,
        Resource::Memory => load.memory.share(),
        Resource::Files => load.files.share(),
        Resource::Uplink => load.uplink.share(),
        Resource::Seats => seats,
    };
    let mut found = (Step::Ground, Resource::Cpu, load.cpu);
    if load.cadence_ms
        > if back > 0.0 {
            Cadence::MS_MIN
        } else {
            Cadence::MS_MIN * 3 / 2
        }
    {
        found.0 = Step::Cadence;
    }
    for Rule { step, resource, at } in RULES {
        let share = share(resource);
        let more = step > found.0 || step == found.0 && share > found.2;
        if share >= at - back.min(at / 2.0) && more {
            found = (step, resource, share);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::load::Used;

    fn steps(
        ladder: &mut Ladder,
        load: &Load,
        seats: f64,
        from_ms: u64,
        millis: u64,
    ) -> Vec<(Step, Resource)> {
        (from_ms..from_ms + millis)
            .step_by(100)
            .filter_map(|ms| ladder.look(load, seats, Now::from_millis(ms), UnixMillis(ms)))
            .map(|event| (event.to, event.because))
            .collect()
    }

    #[test]
    fn each_resource_climbs_in_order_and_comes_back() {
        let used = |used| Used { used, limit: 100 };
        let idle = Load::default();
        let cases = [
            (Load { cpu: 0.3, ..idle }, 0.1, Resource::Cpu, 1),
            (Load { cpu: 0.95, ..idle }, 0.1, Resource::Cpu, 3),
            (
                Load {
                    files: used(80),
                    ..idle
                },
                0.1,
                Resource::Files,
                2,
            ),
            (
                Load {
                    memory: used(93),
                    ..idle
                },
                0.1,
                Resource::Memory,
                3,
            ),
            (
                Load {
                    uplink: used(78),
                    ..idle
                },
                0.1,
                Resource::Uplink,
                1,
            ),
            (idle, 0.99, Resource::Seats, 3),
        ];
        for (load, seats, because, height) in cases {
            let mut ladder = Ladder::default();
            let up: Vec<_> = STEPS[1..=height]
                .iter()
                .map(|step| (*step, because))
                .collect();
            assert_eq!(steps(&mut ladder, &load, seats, 0, 60_000), up);
            let down = steps(&mut ladder, &idle, 0.1, 60_000, 60_000);
            let back: Vec<_> = STEPS[..height].iter().rev().copied().collect();
            assert_eq!(down.iter().map(|step| step.0).collect::<Vec<_>>(), back);
        }
    }

    #[test]
    fn what_swings_round_a_threshold_takes_one_step() {
        let mut ladder = Ladder::default();
        let mut taken = Vec::new();
        for turn in 0..100 {
            let seats = if turn % 2 == 0 { 0.86 } else { 0.84 };
            taken.extend(steps(
                &mut ladder,
                &Load::default(),
                seats,
                turn * 5_000,
                5_000,
            ));
        }
        assert_eq!(
            taken,
            [
                (Step::Cadence, Resource::Seats),
                (Step::Side, Resource::Seats)
            ]
        );
    }

    #[test]
    fn a_widened_cadence_is_the_first_step() {
        let mut ladder = Ladder::default();
        let wide = Load {
            cadence_ms: 400,
            ..Load::default()
        };
        assert_eq!(
            steps(&mut ladder, &wide, 0.0, 0, 1_000),
            [(Step::Cadence, Resource::Cpu)]
        );
    }
}
