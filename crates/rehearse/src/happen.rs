//! What happens to all at once: the clock steps, keys change, connections break.

use crate::crowd::{NONE, State};
use crate::limits::{SLOT_MS, TICK_SLOTS};
use crate::world::{World, key};

impl World<'_> {
    /// What the scenario says of this tick.
    pub(crate) fn happenings(&mut self) {
        let (ms, tick_ms) = (self.ms(), TICK_SLOTS * SLOT_MS);
        let now = |at: u32| (ms..ms + tick_ms).contains(&at);
        let steps = self.scenario.clock_steps.iter();
        self.off = steps
            .filter(|step| now(step.0))
            .fold(self.off, |_, step| step.1);
        // A key changes in the middle of every night.
        if now(self.scenario.millis() / 2) {
            let mut ring = self.gates[0].keys().clone();
            let new = key(
                self.scenario.seed,
                self.next_key,
                self.times().wall.0 + 2_000,
            );
            if ring.add(new).is_ok() {
                self.next_key += 1;
                self.gates
                    .iter_mut()
                    .for_each(|gate| gate.set_keys(ring.clone()));
            }
        }
        let mut share: f64 = 0.0;
        for broken in self
            .scenario
            .breaks
            .iter()
            .filter(|broken| now(broken.at_ms))
        {
            share = share.max(broken.share);
        }
        if let Some(at) = self.scenario.curve.falls() {
            let at = (f64::from(self.scenario.millis()) * at) as u32;
            share = if now(at) { 1.0 } else { share };
        }
        if share > 0.0 {
            self.fall_out(share);
        }
    }

    /// Connections are lost: of those inside at the crowd's door this share, who come back within seconds.
    fn fall_out(&mut self, share: f64) {
        for who in 0..self.crowd.people.len() as u32 {
            let person = &self.crowd.people[who as usize];
            let inside = person.seat != NONE && person.state == State::Inside && person.door == 0;
            if !inside || person.kind.only_knocks() || self.dice.part() >= share {
                continue;
            }
            self.stand_up(who);
            self.gathered.fell_out += 1;
            let ms = self.ms();
            let person = &mut self.crowd.people[who as usize];
            (person.since, person.returns) = (ms, true);
            // With jitter, so that not all come in the same second.
            let millis = self.dice.between(200, 6_000);
            self.later(who, State::Away, millis);
        }
    }
}
