//! The short form: what the flags of `hustings simulate` say. One crowd, a second space beside it, attacks.

use hustings_control::gate::limits::{SEATS_MAX, SHARDS_MAX};
use serde::Serialize;

use super::night::{Group, Knocks, Networks, Night, Space, Timed, Trouble, Who};
use super::range::Sight;
use crate::curve::Curve;
use crate::kind::Kind;
use crate::limits::{KNOCKS_A_BOT, MINUTES_MAX, PEOPLE_MAX, SHARDS_AUTO_MAX};

/// Milliseconds after which the first give up.
const PATIENCE_MS: u32 = 120_000;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scenario {
    pub listeners: u32,
    pub seats: u32,
    /// Virtual minutes.
    pub minutes: u32,
    pub curve: Curve,
    pub seed: u64,
    /// Shards of the node, each with its gate and its core. 0: as many as the seats need by `costs`.
    pub shards: u32,
    pub attacks: Vec<Attack>,
    /// Listeners of the second space.
    pub beside: u32,
    /// Mean minutes that somebody stays.
    pub stay_minutes: f64,
    /// Share of the crowd that gives up before the end: after 2 minutes to the whole time, alike.
    pub impatient: f64,
    /// All of the crowd behave like this kind, for tests of one thing.
    pub only: Option<Kind>,
    /// Networks that the crowd comes from, each with as many people. 0: one for eight people, some with many and most with few.
    pub networks: u32,
    /// Whether those who flood, forge and replay come from the crowd's own networks.
    pub shared_networks: bool,
    pub costs: Costs,
    pub breaks: Vec<Break>,
    /// Milliseconds at which the wall's clock steps, and by how many milliseconds it is off from then on.
    pub clock_steps: Vec<(u32, i64)>,
    /// Whether the report tells what each network had.
    pub by_prefix: bool,
}

/// `factor` times as many knocks (flood, forged, replay), connections (slow-heads) or people (the others) as the crowd has people; native solvers one
/// machine for a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Attack {
    pub kind: Kind,
    pub factor: f64,
}

/// Connections lost at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Break {
    pub at_ms: u32,
    /// Share of those inside.
    pub share: f64,
}

/// What those inside cost a core, in nanoseconds, as the caller measured it with a real shard and real sockets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Costs {
    /// Each listener, each sweep.
    pub sweep_ns: f64,
    /// More for each second of pages that a sweep writes to a listener.
    pub second_ns: f64,
    /// A knock on a new connection, from accept to close, the gate's answer within.
    pub knock_ns: f64,
}

impl Default for Costs {
    /// A 2-core virtual machine, loopback: a write of some 600 bytes, and an accept, answer, close.
    fn default() -> Self {
        Self {
            sweep_ns: 5_000.0,
            second_ns: 2_150.0,
            knock_ns: 40_000.0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScenario {
    #[error(
        "listeners, those beside and attackers are {PEOPLE_MAX} at most together, and somebody must come"
    )]
    People,
    #[error("seats must lie between 20 and {SEATS_MAX}")]
    Seats,
    #[error("minutes must lie between 1 and {MINUTES_MAX}")]
    Minutes,
    #[error("there are {SHARDS_MAX} shards at most")]
    Shards,
    #[error(
        "an attack is one of flood, forged, replay, native, prefixes, botnet, farm and slow-heads, by a factor from 0 to 100"
    )]
    Attack,
    #[error("shares lie between 0 and 1, stays between 0.5 and 600 minutes, costs above 0")]
    Number,
    #[error("the wall's clock steps by five minutes at most")]
    Clock,
    #[error("the scale is a number above 0")]
    Scale,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            listeners: 20_000,
            seats: 5_000,
            minutes: 20,
            curve: Curve::Announced,
            seed: 1,
            shards: 0,
            attacks: Vec::new(),
            beside: 200,
            stay_minutes: 15.0,
            impatient: 0.2,
            only: None,
            networks: 0,
            shared_networks: false,
            costs: Costs::default(),
            breaks: Vec::new(),
            clock_steps: Vec::new(),
            by_prefix: false,
        }
    }
}

impl Scenario {
    /// # Errors
    /// The first value that makes no sense.
    pub fn check(&self) -> Result<(), BadScenario> {
        let attack =
            |attack: &Attack| attack.kind.is_attack() && (0.0..=100.0).contains(&attack.factor);
        if !self.attacks.iter().all(attack) {
            return Err(BadScenario::Attack);
        }
        let attackers = self.attacks.iter().map(|attack| self.attackers(*attack));
        let people = attackers.map(u64::from).sum::<u64>()
            + u64::from(self.listeners)
            + u64::from(self.beside);
        if !(1..=u64::from(PEOPLE_MAX)).contains(&people) {
            return Err(BadScenario::People);
        }
        if !(20..=SEATS_MAX).contains(&self.seats) {
            return Err(BadScenario::Seats);
        }
        if !(1..=MINUTES_MAX).contains(&self.minutes) {
            return Err(BadScenario::Minutes);
        }
        if self.shards > SHARDS_MAX {
            return Err(BadScenario::Shards);
        }
        let share = |share: &f64| (0.0..=1.0).contains(share);
        let cost = |cost: &f64| cost.is_finite() && *cost > 0.0;
        let costs = [
            self.costs.sweep_ns,
            self.costs.second_ns,
            self.costs.knock_ns,
        ];
        let shares =
            self.breaks.iter().all(|broken| share(&broken.share)) && share(&self.impatient);
        if !shares || !(0.5..=600.0).contains(&self.stay_minutes) || !costs.iter().all(cost) {
            return Err(BadScenario::Number);
        }
        if self.clock_steps.iter().any(|step| step.1.abs() > 300_000) {
            return Err(BadScenario::Clock);
        }
        Ok(())
    }

    /// The same as a night of two spaces, `town-hall` and `next-door`.
    pub fn night(&self) -> Night {
        let millis = self.millis();
        let space = |id: &str, draw_ms| Space {
            id: id.to_owned(),
            draw_ms,
            live_ms: draw_ms,
            guarantee: None,
        };
        let draw = self.curve.draw();
        let draw_ms = draw.map(|share| (f64::from(millis) * share) as u32);
        let crowd = self.only.map_or(Who::Mix(Kind::mix()), Who::All);
        let mut groups = vec![
            self.group(crowd, self.listeners, 0),
            self.group(Who::All(Kind::Beside), self.beside, 1),
        ];
        for attack in &self.attacks {
            let who = Who::All(attack.kind);
            let mut group = self.group(who, self.attackers(*attack), 0);
            group.knocks = attack.kind.only_knocks().then_some(Knocks {
                every_ms: millis / KNOCKS_A_BOT,
                until_ms: millis,
            });
            group.among_the_crowd = self.shared_networks && attack.kind != Kind::Native;
            groups.push(group);
        }
        Night {
            name: "flags".to_owned(),
            label: Vec::new(),
            seed: self.seed,
            sight: Sight::Seen,
            millis,
            seats: self.seats,
            shards: self.shard_count(),
            files: 0,
            networks: Networks::of(self.networks, self.listeners),
            costs: self.costs,
            spaces: vec![space("town-hall", draw_ms), space("next-door", None)],
            groups,
            troubles: self.troubles(),
            by_prefix: self.by_prefix,
        }
    }

    fn group(&self, who: Who, people: u32, space: u8) -> Group {
        let curve = if space == 0 {
            self.curve
        } else {
            Curve::Steady
        };
        Group {
            who,
            people,
            space,
            curve: curve.points().to_vec(),
            from_ms: 0,
            over_ms: self.millis(),
            stay_ms: self.stay_minutes * 60_000.0,
            impatient: self.impatient,
            patience_ms: PATIENCE_MS,
            knocks: None,
            networks: 0,
            among_the_crowd: false,
        }
    }

    fn troubles(&self) -> Vec<Timed> {
        let lost = |at_ms, share| Timed {
            at_ms,
            trouble: Trouble::ConnectionsLost { share },
        };
        let breaks = self.breaks.iter();
        let mut troubles: Vec<_> = breaks.map(|each| lost(each.at_ms, each.share)).collect();
        if let Some(share) = self.curve.falls() {
            troubles.push(lost((f64::from(self.millis()) * share) as u32, 1.0));
        }
        troubles.extend(self.clock_steps.iter().map(|(at_ms, by_ms)| Timed {
            at_ms: *at_ms,
            trouble: Trouble::ClockOff { by_ms: *by_ms },
        }));
        troubles.sort_by_key(|timed| timed.at_ms);
        troubles
    }

    fn millis(&self) -> u32 {
        self.minutes * 60_000
    }

    /// Machines or people of an attack.
    fn attackers(&self, attack: Attack) -> u32 {
        attack
            .kind
            .attackers(f64::from(self.listeners) * attack.factor)
    }

    fn shard_count(&self) -> u32 {
        match self.shards {
            0 => auto_shards(self.seats, self.costs),
            shards => shards,
        }
    }
}

/// Shards, so many that the seats need 60 % of each core at the widest cadence.
pub(super) fn auto_shards(seats: u32, costs: Costs) -> u32 {
    let widest_s = hustings_media::fanout::Cadence::MS_MAX as f64 / 1_000.0;
    let each = (costs.sweep_ns + costs.second_ns * widest_s) / 1e9 / widest_s;
    ((f64::from(seats) * each / 0.6).ceil() as u32).clamp(2, SHARDS_AUTO_MAX)
}
