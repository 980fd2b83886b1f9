//! A scenario as a schedule for real sockets: the same actions that the virtual world takes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hustings_rehearse::scenario::{Action, Actions, Arrival, Trouble, What};
use hustings_rehearse::{Kind, Network, Night};

use super::attack::Assault;
use super::cue::{Cue, SpaceCue, cues};
use super::points::mark;
use super::schedule::{Deed, Schedule};
use super::visitor::{Coming, Manner};

/// Knocks that are planned at once at most; of more attackers the later ones are left out, and that is told.
const KNOCKERS_MAX: usize = 100_000;
/// What a driver cannot do to its target; somebody else is told when it is time. True: it was done.
pub type OnTrouble<'a> = Box<dyn FnMut(&Cue) -> bool + 'a>;

pub struct Plan<'a> {
    actions: Actions<'a>,
    ahead: Option<Action>,
    begun: Instant,
    spaces: Vec<Arc<str>>,
    part: (u32, u32),
    /// Those who only knock: their next time, who they are, and until when they go on.
    knockers: BinaryHeap<Reverse<(Instant, u32)>>,
    known: BTreeMap<u32, Knocker>,
    thief: bool,
    on_trouble: OnTrouble<'a>,
    /// Those of the spaces, by their times; the next is the last.
    cues: Vec<(Duration, SpaceCue)>,
    left_out: BTreeSet<String>,
}

#[derive(Clone, Copy)]
struct Knocker {
    kind: Assault,
    network: Network,
    space: u8,
    every: Duration,
    until: Instant,
    knocks: u64,
}

impl<'a> Plan<'a> {
    /// `spaces` are the target's, in the order of the night's; the last stands for all further ones. `part` is this driver's,
    /// counted from 0, and of how many.
    pub fn new(
        night: &'a Night,
        spaces: &[&str],
        part: (u32, u32),
        on_trouble: OnTrouble<'a>,
    ) -> Self {
        let mut actions = night.actions();
        Self {
            ahead: actions.next(),
            actions,
            begun: Instant::now(),
            spaces: spaces.iter().map(|space| Arc::from(*space)).collect(),
            part,
            knockers: BinaryHeap::new(),
            known: BTreeMap::new(),
            thief: false,
            on_trouble,
            cues: cues(night, spaces),
            left_out: BTreeSet::new(),
        }
    }

    pub fn ends(&self, night: &Night) -> Instant {
        self.begun + Duration::from_millis(u64::from(night.millis))
    }

    /// What of the scenario was not done on the wire.
    pub fn left_out(&self) -> impl Iterator<Item = &String> {
        self.left_out.iter()
    }

    fn space(&self, space: u8) -> Arc<str> {
        let at = usize::from(space).min(self.spaces.len().saturating_sub(1));
        self.spaces
            .get(at)
            .map_or_else(|| Arc::from("demo"), Arc::clone)
    }

    fn arrives(&mut self, arrival: Arrival, at: Instant) -> Option<Deed> {
        if arrival.who % self.part.1.max(1) != self.part.0 {
            return None;
        }
        match deed_of(arrival.kind) {
            Does::Visit(manner) => Some(self.visits(&arrival, at, manner, false)),
            // The first of them comes by the good right that all the others show.
            Does::Knock(Assault::Replayed) if !self.thief => {
                self.thief = true;
                Some(self.visits(&arrival, at, Manner::Page, true))
            }
            Does::Knock(kind) => {
                self.knocks(&arrival, at, kind);
                None
            }
            Does::Nothing => {
                self.left_out
                    .insert(format!("attackers of the kind {}", arrival.kind.name()));
                None
            }
        }
    }

    fn visits(&self, arrival: &Arrival, at: Instant, manner: Manner, thief: bool) -> Deed {
        let from_begin = |millis: u32| self.begun + Duration::from_millis(u64::from(millis));
        Deed::Come(Coming {
            manner,
            space: self.space(arrival.space),
            from: address(arrival.network, arrival.who),
            stays: Duration::from_millis(u64::from(arrival.stays_ms)),
            patience: arrival
                .gives_up_ms
                .map(|gives_up| from_begin(gives_up).saturating_duration_since(at)),
            number: mark(u64::from(arrival.who)),
            thief,
        })
    }

    fn knocks(&mut self, arrival: &Arrival, at: Instant, kind: Assault) {
        let Some(knocks) = arrival.knocks else {
            self.left_out.insert(format!(
                "attackers of the kind {} who do not say how often they knock",
                arrival.kind.name()
            ));
            return;
        };
        if self.known.len() >= KNOCKERS_MAX {
            self.left_out
                .insert(format!("attackers beyond {KNOCKERS_MAX}"));
            return;
        }
        let knocker = Knocker {
            kind,
            network: arrival.network,
            space: arrival.space,
            every: Duration::from_millis(u64::from(knocks.every_ms.max(1))),
            until: self.begun + Duration::from_millis(u64::from(knocks.until_ms)),
            knocks: 0,
        };
        self.known.insert(arrival.who, knocker);
        self.knockers.push(Reverse((at, arrival.who)));
    }

    fn knock(&mut self, now: Instant) -> Option<(Instant, Deed)> {
        let Reverse((at, who)) = *self.knockers.peek().filter(|next| next.0.0 <= now)?;
        self.knockers.pop();
        let knocker = self.known.get_mut(&who)?;
        let (kind, network, space) = (knocker.kind, knocker.network, knocker.space);
        let number = u64::from(who) << 20 | knocker.knocks & 0xf_ffff;
        knocker.knocks += 1;
        // By half of it sooner or later, so that they do not knock in step.
        let next = at
            + knocker
                .every
                .mul_f64(0.5 + (mark(number) % 1_024) as f64 / 1_024.0);
        if next < knocker.until {
            self.knockers.push(Reverse((next, who)));
        } else {
            self.known.remove(&who);
        }
        let deed = Deed::Assault {
            kind,
            space: self.space(space),
            from: address(network, who),
            number,
        };
        Some((at, deed))
    }

    fn trouble(&mut self, trouble: Trouble) -> Option<Deed> {
        match trouble {
            Trouble::ConnectionsLost { share } => Some(Deed::Cut { share }),
            Trouble::Leave { share, over_ms } => Some(Deed::Leave {
                share,
                over: Duration::from_millis(u64::from(over_ms)),
            }),
            other => {
                self.cue(&Cue::Trouble(other));
                None
            }
        }
    }

    fn cue(&mut self, cue: &Cue) {
        if !(self.on_trouble)(cue) {
            self.left_out.insert(cue.words());
        }
    }

    fn cue_spaces(&mut self, now: Instant) {
        let due = now.saturating_duration_since(self.begun);
        while let Some((_, cue)) = self.cues.pop_if(|(at, _)| *at <= due) {
            self.cue(&Cue::Space(cue));
        }
    }
}

enum Does {
    Visit(Manner),
    Knock(Assault),
    Nothing,
}

fn deed_of(kind: Kind) -> Does {
    match kind {
        Kind::NoScript => Does::Visit(Manner::NoScript),
        Kind::Player => Does::Visit(Manner::Player),
        Kind::Flood => Does::Knock(Assault::BareGets),
        Kind::Forged => Does::Knock(Assault::Forged),
        Kind::Replay => Does::Knock(Assault::Replayed),
        Kind::SlowHeads => Does::Knock(Assault::SlowHeads),
        // A driver that solves puzzles would measure itself.
        Kind::Native => Does::Nothing,
        _ => Does::Visit(Manner::Page),
    }
}

/// A /24 of 127/8 for each network; networks of one number in 57,344 share one.
fn address(network: Network, who: u32) -> Ipv4Addr {
    let at = network.number() % (224 * 256);
    Ipv4Addr::new(
        127,
        16 + (at / 256) as u8,
        (at % 256) as u8,
        1 + (who % 250) as u8,
    )
}

impl Schedule for Plan<'_> {
    fn next(&mut self) -> Option<Instant> {
        let action = self
            .ahead
            .map(|action| self.begun + Duration::from_millis(u64::from(action.at_ms)));
        let knock = self.knockers.peek().map(|next| next.0.0);
        let cue = self.cues.last().map(|(at, _)| self.begun + *at);
        action.into_iter().chain(knock).chain(cue).min()
    }

    fn due(&mut self, now: Instant) -> Option<(Instant, Deed)> {
        self.cue_spaces(now);
        loop {
            let at = self
                .ahead
                .map(|action| self.begun + Duration::from_millis(u64::from(action.at_ms)));
            let knock_at = self.knockers.peek().map(|next| next.0.0);
            let action_first =
                at.is_some_and(|at| at <= now && knock_at.is_none_or(|knock| at <= knock));
            if !action_first {
                return self.knock(now);
            }
            let (action, at) = (self.ahead?, at?);
            self.ahead = self.actions.next();
            let deed = match action.what {
                What::Arrive(arrival) => self.arrives(arrival, at),
                What::Trouble(trouble) => self.trouble(trouble),
            };
            if let Some(deed) = deed {
                return Some((at, deed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hustings_rehearse::scenario::{Sight, Wish, library};

    use super::*;

    fn night(name: &str) -> Night {
        let file = library(name).expect("known").expect("good");
        file.night(Wish {
            seed: 3,
            sight: Sight::Seen,
            scale: None,
        })
        .expect("drawn")
    }

    /// Everything that a plan does, at once.
    fn deeds(night: &Night, part: (u32, u32)) -> (Vec<(Instant, Deed)>, Vec<String>) {
        let mut plan = Plan::new(night, &["demo", "other"], part, Box::new(|_| false));
        let ends = plan.ends(night);
        let deeds = std::iter::from_fn(|| plan.due(ends)).collect();
        (deeds, plan.left_out().cloned().collect())
    }

    #[test]
    fn every_visitor_comes_in_one_part_in_order() {
        let night = night("announced-start");
        let (all, left_out) = deeds(&night, (0, 1));
        assert!(all.is_sorted_by_key(|(at, _)| *at));
        // Only the doors are not the crowd's to open.
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert_eq!(all.len(), night.people() as usize);
        let mut cued = Vec::new();
        let hook = |cue: &Cue| {
            cued.push(serde_json::to_string(cue).expect("JSON"));
            true
        };
        let mut plan = Plan::new(&night, &["demo"], (0, 1), Box::new(hook));
        let ends = plan.ends(&night);
        while plan.due(ends).is_some() {}
        assert_eq!(plan.left_out().count(), 0);
        drop(plan);
        let told = [
            r#"{"opens":{"space":"demo"}}"#,
            r#"{"live":{"space":"demo"}}"#,
        ];
        assert_eq!(cued, told);
        let parts = (0..3).map(|part| deeds(&night, (part, 3)).0.len());
        assert_eq!(parts.sum::<usize>(), all.len());
    }

    #[test]
    fn floods_knock_and_what_a_driver_cannot_do_is_told() {
        let night_of_flood = night("flood-on-the-door");
        let (flood, _) = deeds(&night_of_flood, (0, 1));
        let knocks = flood
            .iter()
            .filter(|(_, deed)| {
                matches!(
                    deed,
                    Deed::Assault {
                        kind: Assault::BareGets,
                        ..
                    }
                )
            })
            .count();
        assert!(knocks > night_of_flood.people() as usize, "{knocks} knocks");
        let (replay, _) = deeds(&night("ticket-replay"), (0, 1));
        let thieves = replay
            .iter()
            .filter(|(_, deed)| matches!(deed, Deed::Come(coming) if coming.thief));
        assert_eq!(thieves.count(), 1);
        let (_, left_out) = deeds(&night("bad-deploy"), (0, 1));
        assert!(!left_out.is_empty());
    }
}
