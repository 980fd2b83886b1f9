//! What the driver tells of a rehearsal: while it runs, and at its end.

use super::*;

impl Wire {
    /// Sends everybody home: those inside have left, and nobody comes any more.
    pub fn clear(&mut self) {
        for slot in 0..self.lines.len() {
            self.close(slot);
        }
        for visitor in &mut self.visitors {
            match visitor.state {
                State::Inside => {
                    visitor.state = State::Left;
                    self.seen.people.left += 1;
                }
                State::Comes => {
                    visitor.state = State::GaveUp;
                    self.seen.people.gave_up += u64::from(!visitor.returns);
                }
                State::Left | State::GaveUp => {}
            }
        }
        self.timers.clear();
    }

    pub fn inside(&self) -> u32 {
        self.inside
    }

    /// Those who hear nothing yet and still want to.
    pub fn waiting(&self) -> usize {
        self.visitors
            .iter()
            .filter(|one| one.state == State::Comes)
            .count()
    }

    pub fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    /// Why the target ended the rehearsal.
    pub fn refused(&self) -> Option<Refusal> {
        self.refused
    }

    pub fn connections_left(&self) -> usize {
        self.open_most.saturating_sub(self.open)
    }

    pub fn driver(&mut self) -> Driver {
        self.gauge.take()
    }

    /// People harmed so far: gaps, streams that were none, connections lost.
    pub fn harmed(&self) -> u64 {
        let scores = self
            .lines
            .iter()
            .flatten()
            .filter_map(|line| line.ears.as_ref());
        let now = scores
            .filter(|ears| ears.score().gaps > 0 || ears.score().broken)
            .count() as u64;
        now + self.seen.sound.gapped + self.seen.sound.broken + self.seen.people.disconnected
    }

    /// All that was seen; those still there are counted as they are.
    pub fn finish(mut self) -> Seen {
        let driver = self.gauge.take();
        for slot in 0..self.lines.len() {
            if let Some(ears) = self.lines[slot].as_mut().and_then(|line| line.ears.take()) {
                self.score(&ears);
            }
        }
        let people = &mut self.seen.people;
        for visitor in &self.visitors {
            people.requests += u64::from(visitor.requests);
            people.broken += u64::from(visitor.broken);
            people.waiting += u64::from(visitor.state == State::Comes && !visitor.returns);
            people.inside += u64::from(visitor.state == State::Inside);
        }
        self.seen.driver = self.seen.driver.worse(&driver);
        self.seen
    }

    pub(super) fn score(&mut self, ears: &Ears) {
        let (score, sound) = (ears.score(), &mut self.seen.sound);
        sound.heard_s += score.heard_ms as f64 / 1_000.0;
        sound.gapped += u64::from(score.gaps > 0);
        sound.gaps += score.gaps;
        sound.lost_ms += score.lost_ms;
        sound.broken += u64::from(score.broken);
    }
}
