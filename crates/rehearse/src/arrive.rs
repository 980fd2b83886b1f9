//! Who comes: of which kind, from which network, with how much patience, and for how long.

use hustings_control::gate::invitation;
use hustings_control::ids::UnixMillis;

use crate::crowd::{Network, State};
use crate::curve::Curve;
use crate::dice::mix;
use crate::kind::Kind;
use crate::limits::{CARRIER_USERS, SOLVERS_MAX};
use crate::world::World;

impl World<'_> {
    /// Everybody who comes up to this slot.
    pub(crate) fn arrivals(&mut self, slot: u32, slots: u32) {
        let time = f64::from(slot) / f64::from(slots);
        for at in 0..self.groups.len() {
            let group = &self.groups[at];
            let curve = if group.kind == Some(Kind::Beside) {
                Curve::Steady
            } else {
                self.scenario.curve
            };
            let here = curve.arrived(group.people, time);
            let (from, kind) = (group.from, group.kind);
            for number in group.arrived..here {
                self.arrive(from + number, number, kind);
            }
            self.groups[at].arrived = here;
        }
    }

    /// Somebody comes for the first time.
    fn arrive(&mut self, who: u32, number: u32, kind: Option<Kind>) {
        let crowd = || Kind::of_the_crowd((mix(u64::from(number) ^ 0xc0de) % 1_000) as u32);
        let mut kind = kind.or(self.scenario.only).unwrap_or_else(crowd);
        let solvers = &mut self.gathered.solvers;
        if matches!(kind, Kind::Effort | Kind::Native) {
            *solvers += 1;
            if *solvers > SOLVERS_MAX && kind == Kind::Effort {
                kind = Kind::Page;
            }
        }
        let network = self.network(kind, number);
        let end = self.scenario.millis();
        let gives_up = !kind.is_attack() && self.dice.part() < self.scenario.impatient;
        let patience = if gives_up {
            self.ms() + self.dice.between(120_000, end.max(120_001))
        } else {
            u32::MAX
        };
        let mean = self.scenario.stay_minutes * 60_000.0;
        let stays = (mean * (0.2 + 1.6 * self.dice.part())) as u32;
        let ms = self.ms();
        let person = &mut self.crowd.people[who as usize];
        (person.kind, person.network, person.patience) = (kind, network, patience);
        (person.since, person.until, person.arrived) = (ms, stays, true);
        person.door = u8::from(kind == Kind::Beside);
        self.counts[kind as usize].people += 1;
        if kind == Kind::Invited {
            let (space, keys) = (self.doors[0].space(), self.gates[0].keys());
            let (wall, id) = (self.times().wall, mix(self.scenario.seed ^ u64::from(who)));
            let expires = UnixMillis(wall.0 + 86_400_000);
            let epoch = self.doors[0].epoch();
            let token = invitation(space, epoch, keys, id, wall, expires);
            self.crowd.set_token(who, token.as_bytes());
        }
        if kind.only_knocks() && kind != Kind::Native {
            self.crowd.people[who as usize].state = State::Bot;
        }
        self.act(who);
    }

    pub(crate) fn network(&mut self, kind: Kind, number: u32) -> Network {
        let networks = match self.scenario.networks {
            0 => (self.scenario.listeners / 8).clamp(16, 4_000_000),
            networks => networks,
        };
        let own = number & 0x3f_ffff;
        match kind {
            Kind::Carrier => Network::v4(0xc0_0000 | (number / (CARRIER_USERS * 12))),
            Kind::Flood | Kind::Forged | Kind::Replay if !self.scenario.shared_networks => {
                Network::v4(0x80_0000 | own)
            }
            Kind::Native => Network::v4(0x80_0000 | (own / 10)),
            Kind::Farm => Network::v4(0x80_0000 | (own / 1_000)),
            Kind::Prefixes if number.is_multiple_of(2) => Network::v4(0x80_0000 | own),
            Kind::Prefixes => Network::dense(number),
            _ => {
                // Some networks have many, most have few.
                let part = self.dice.part();
                let skew = if self.scenario.networks == 0 {
                    part
                } else {
                    1.0
                };
                let at = (part * skew * f64::from(networks)) as u32;
                if at.is_multiple_of(3) {
                    Network::household(at)
                } else {
                    Network::v4(at)
                }
            }
        }
    }
}
