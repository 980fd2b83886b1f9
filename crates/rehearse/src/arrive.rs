//! Who comes, as the night's actions say it.

use hustings_control::gate::invitation;
use hustings_control::ids::UnixMillis;

use crate::crowd::{Network, State};
use crate::dice::mix;
use crate::kind::Kind;
use crate::limits::SOLVERS_MAX;
use crate::scenario::{Arrival, honest_network};
use crate::world::World;

impl World<'_> {
    /// Somebody comes for the first time.
    pub(crate) fn arrive(&mut self, arrival: &Arrival) {
        let (who, mut kind) = (arrival.who, arrival.kind);
        let solvers = &mut self.gathered.solvers;
        if matches!(kind, Kind::Effort | Kind::Native) {
            *solvers += 1;
            if *solvers > SOLVERS_MAX && kind == Kind::Effort {
                kind = Kind::Page;
            }
        }
        let ms = self.ms();
        let person = &mut self.crowd.people[who as usize];
        (person.kind, person.network, person.door) = (kind, arrival.network, arrival.space);
        (person.since, person.until, person.arrived) = (ms, arrival.stays_ms, true);
        person.patience = arrival.gives_up_ms.unwrap_or(u32::MAX);
        self.counts[kind as usize].people += 1;
        self.loads_page(who);
        if kind == Kind::Invited {
            self.invite(who);
        }
        if let Some(knocks) = arrival.knocks
            && kind != Kind::Native
        {
            let person = &mut self.crowd.people[who as usize];
            person.state = State::Bot;
            (person.until, person.patience) = (knocks.every_ms, knocks.until_ms);
        }
        self.act(who);
    }

    fn invite(&mut self, who: u32) {
        let door = &self.node.doors[usize::from(self.crowd.people[who as usize].door)];
        let (wall, id) = (self.times().wall, mix(self.night.seed ^ u64::from(who)));
        let expires = UnixMillis(wall.0 + 86_400_000);
        let token = invitation(door.space(), door.epoch(), &self.keys, id, wall, expires);
        self.crowd.set_token(who, token.as_bytes());
    }

    /// Where there is a recorder, a page that comes through is counted.
    pub(crate) fn loads_page(&mut self, who: u32) {
        let person = &self.crowd.people[who as usize];
        let reached = !self.reach.is_down() && !self.reach.certificate_expired;
        if let Some(recorder) = &mut self.recorder
            && reached
            && person.kind.loads_page()
        {
            recorder.page(person.door, person.kind);
        }
    }

    /// Another honest network, for phones that move.
    pub(crate) fn other_network(&mut self) -> Network {
        honest_network(self.night.networks, &mut self.dice)
    }
}
