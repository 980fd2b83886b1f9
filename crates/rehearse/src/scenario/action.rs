//! From a night to timed actions: who, when, what. The virtual world and real sockets take the same ones.

use super::night::{Group, Knocks, Networks, Night, Trouble, Who};
use crate::crowd::Network;
use crate::dice::{Dice, mix};
use crate::kind::Kind;
use crate::limits::CARRIER_USERS;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Action {
    /// Milliseconds from the beginning; never less than that of the action before.
    pub at_ms: u32,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    Arrive(Arrival),
    Trouble(Trouble),
}

/// Somebody comes for the first time: presses the link at this moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// From 0, each once; those of a group stand together.
    pub who: u32,
    pub kind: Kind,
    pub network: Network,
    /// Index of the space.
    pub space: u8,
    /// How long it listens once it hears.
    pub stays_ms: u32,
    /// When it gives up waiting, from the beginning of the night.
    pub gives_up_ms: Option<u32>,
    /// For those who only knock.
    pub knocks: Option<Knocks>,
}

/// The actions of a night in their order. Nothing is kept of them: eight million take no memory.
#[derive(Clone, Debug)]
pub struct Actions<'a> {
    night: &'a Night,
    groups: Vec<Cursor>,
    troubles: usize,
}

/// How far one group has come.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    from: u32,
    arrived: u32,
    /// The curve's line that the next one stands on.
    line: usize,
    next_ms: u32,
}

impl Night {
    pub fn actions(&self) -> Actions<'_> {
        let mut from = 0;
        let cursor = |group: &Group| {
            let mut cursor = Cursor {
                from,
                arrived: 0,
                line: 0,
                next_ms: 0,
            };
            from += group.people;
            cursor.see_next(group, self.seed);
            cursor
        };
        Actions {
            groups: self.groups.iter().map(cursor).collect(),
            night: self,
            troubles: 0,
        }
    }
}

impl Actions<'_> {
    /// When the next action is.
    pub fn next_ms(&self) -> Option<u32> {
        let trouble = self.night.troubles.get(self.troubles);
        let group = self.next_group().map(|at| self.groups[at].next_ms);
        let trouble = trouble.map(|trouble| trouble.at_ms);
        trouble.into_iter().chain(group).min()
    }

    fn next_group(&self) -> Option<usize> {
        let all = self.groups.iter().zip(&self.night.groups).enumerate();
        all.filter(|(_, (cursor, group))| cursor.arrived < group.people)
            .min_by_key(|(_, (cursor, _))| cursor.next_ms)
            .map(|(at, _)| at)
    }
}

impl Iterator for Actions<'_> {
    type Item = Action;

    fn next(&mut self) -> Option<Action> {
        let group = self.next_group();
        let comes_ms = group.map_or(u32::MAX, |at| self.groups[at].next_ms);
        if let Some(timed) = self.night.troubles.get(self.troubles)
            && timed.at_ms <= comes_ms
        {
            self.troubles += 1;
            return Some(Action {
                at_ms: timed.at_ms,
                what: What::Trouble(timed.trouble),
            });
        }
        let at = group?;
        let (cursor, group) = (&mut self.groups[at], &self.night.groups[at]);
        let (number, at_ms) = (cursor.arrived, cursor.next_ms);
        cursor.arrived += 1;
        cursor.see_next(group, self.night.seed);
        let who = cursor.from + number;
        Some(Action {
            at_ms,
            what: What::Arrive(arrival(self.night, group, who, number, at_ms)),
        })
    }
}

impl Cursor {
    /// The next one comes at a moment of its own within the time in which one comes by the curve.
    fn see_next(&mut self, group: &Group, seed: u64) {
        let who = u64::from(self.from + self.arrived);
        let part = Dice::new(mix(seed ^ who << 20 ^ 0xa221)).part();
        let share = (f64::from(self.arrived) + part) / f64::from(group.people.max(1));
        let curve = &group.curve;
        while self.line + 1 < curve.len() && curve[self.line].1 <= share {
            self.line += 1;
        }
        let before = match self.line {
            0 => (0.0, 0.0),
            line => curve[line - 1],
        };
        let point = curve.get(self.line).copied().unwrap_or((1.0, 1.0));
        let rise = point.1 - before.1;
        let along = if rise > 0.0 {
            ((share - before.1) / rise).clamp(0.0, 1.0)
        } else {
            1.0
        };
        let time = before.0 + along * (point.0 - before.0);
        let comes = group.from_ms + (time * f64::from(group.over_ms)) as u32;
        self.next_ms = self.next_ms.max(comes);
    }
}

fn arrival(night: &Night, group: &Group, who: u32, number: u32, at_ms: u32) -> Arrival {
    let mut dice = Dice::new(mix(night.seed ^ u64::from(who) << 20 ^ 0x3b0));
    let kind = match &group.who {
        Who::All(kind) => *kind,
        Who::Mix(weights) => by_weight(weights, dice.part()),
    };
    let network = network(night, group, kind, number, &mut dice);
    let gives_up = !kind.is_attack() && dice.part() < group.impatient;
    let gives_up_ms = gives_up.then(|| {
        let latest = night.millis.max(group.patience_ms + 1);
        at_ms + dice.between(group.patience_ms, latest)
    });
    Arrival {
        who,
        kind,
        network,
        space: group.space,
        stays_ms: (group.stay_ms * (0.2 + 1.6 * dice.part())) as u32,
        gives_up_ms,
        knocks: group.knocks,
    }
}

fn by_weight(weights: &[(Kind, f64)], part: f64) -> Kind {
    let all: f64 = weights.iter().map(|weight| weight.1).sum();
    let mut rest = part * all;
    for (kind, weight) in weights {
        if rest < *weight {
            return *kind;
        }
        rest -= weight;
    }
    weights.last().map_or(Kind::Page, |weight| weight.0)
}

fn network(night: &Night, group: &Group, kind: Kind, number: u32, dice: &mut Dice) -> Network {
    let own = number & 0x3f_ffff;
    if kind.is_attack() && group.networks > 0 {
        return Network::v4(0x80_0000 | (own % group.networks));
    }
    match kind {
        Kind::Carrier => Network::v4(0xc0_0000 | (number / (CARRIER_USERS * 12))),
        _ if kind.only_knocks() && !group.among_the_crowd => match kind {
            Kind::Native => Network::v4(0x80_0000 | (own / 10)),
            _ => Network::v4(0x80_0000 | own),
        },
        Kind::Farm => Network::v4(0x80_0000 | (own / 1_000)),
        Kind::Prefixes if number.is_multiple_of(2) => Network::v4(0x80_0000 | own),
        Kind::Prefixes => Network::dense(number),
        _ => honest_network(night.networks, dice),
    }
}

pub(crate) fn honest_network(networks: Networks, dice: &mut Dice) -> Network {
    let part = dice.part();
    let skew = if networks.alike { 1.0 } else { part };
    let at = (part * skew * f64::from(networks.number)) as u32;
    if at.is_multiple_of(3) {
        Network::household(at)
    } else {
        Network::v4(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Curve, Scenario};

    #[test]
    fn all_come_once_in_order_and_by_the_curve() {
        for curve in Curve::ALL {
            let scenario = Scenario {
                listeners: 10_000,
                beside: 500,
                curve,
                attacks: vec![crate::Attack {
                    kind: Kind::Botnet,
                    factor: 0.5,
                }],
                clock_steps: vec![(60_000, 5)],
                ..Scenario::default()
            };
            let night = scenario.night();
            let mut seen = vec![false; night.people() as usize];
            let (mut before, mut troubles, mut half) = (0, 0, 0);
            for action in night.actions() {
                assert!(before <= action.at_ms && action.at_ms <= night.millis);
                before = action.at_ms;
                match action.what {
                    What::Arrive(arrival) => {
                        assert!(!std::mem::replace(&mut seen[arrival.who as usize], true));
                        half += u32::from(arrival.who < 10_000 && before < night.millis / 2);
                    }
                    What::Trouble(_) => troubles += 1,
                }
            }
            assert!(seen.iter().all(|seen| *seen), "{curve:?}");
            assert_eq!(troubles, 1 + usize::from(curve == Curve::Cliff));
            let wanted = curve.arrived(10_000, 0.5);
            assert!(half.abs_diff(wanted) <= 2, "{curve:?}: {half} of {wanted}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_actions() {
        let actions = |seed| {
            let scenario = Scenario {
                listeners: 500,
                seed,
                ..Scenario::default()
            };
            scenario.night().actions().collect::<Vec<_>>()
        };
        assert_eq!(actions(3), actions(3));
        assert_ne!(actions(3), actions(4));
    }
}
