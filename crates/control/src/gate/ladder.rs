//! The ladder of a node under load: first the cadence widens, then side features are shed, then newcomers wait in line; back
//! in the other order. One step at a time, up at once, down after a time of quiet, which is longer for a step that was left
//! too early.

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

/// Milliseconds between sweeps that take the first step, and down to which it is kept.
const CADENCE_UP_MS: u64 = Cadence::MS_MIN * 3 / 2;
const CADENCE_BACK_MS: u64 = Cadence::MS_MIN * 5 / 4;
/// Milliseconds after leaving a step within which taking it again means that it was left too early: what it gives up is what
/// made it needed. Then it is kept twice as long the next time, up to the second number.
const TAKEN_AGAIN_MS: u64 = 60_000;
const QUIET_MAX_MS: u64 = 120_000;

const fn rule(step: Step, resource: Resource, at: f64) -> Rule {
    Rule { step, resource, at }
}

/// Where the node stands on the ladder.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    step: Step,
    /// Since when less would do.
    quiet: Option<Now>,
    /// For each step but the ground: when it was left, and milliseconds of quiet before it is left again.
    kept: [Kept; STEPS.len()],
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    left: Option<Now>,
    quiet_ms: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            left: None,
            quiet_ms: CALM_DOWN_MS,
        }
    }
}

impl Kept {
    fn take_again(&mut self, now: Now) {
        let soon = self
            .left
            .is_some_and(|left| now.since(left) < TAKEN_AGAIN_MS * 1_000);
        self.quiet_ms = if soon {
            (self.quiet_ms * 2).min(QUIET_MAX_MS)
        } else {
            CALM_DOWN_MS
        };
    }
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
            let next = self.step as usize + 1;
            self.kept[next].take_again(now);
            return Some(self.go(next, because, share, wall));
        }
        let (down, because, share) = wanted(load, seats, BACK);
        if down >= self.step {
            self.quiet = None;
            return None;
        }
        let since = *self.quiet.get_or_insert(now);
        let kept = &mut self.kept[self.step as usize];
        if now.since(since) < kept.quiet_ms * 1_000 {
            return None;
        }
        kept.left = Some(now);
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
    let needed_ms = if back > 0.0 {
        CADENCE_BACK_MS
    } else {
        CADENCE_UP_MS
    };
    if load.cadence_ms > needed_ms {
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
mod tests;
