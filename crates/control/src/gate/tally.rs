//! What a gate has seen, counted so that nothing is missing: offered is what entered, waits, got a puzzle and was turned away.

use super::lanes::{LANES, Lane};
use super::verdict::{CAUSES, REASONS, Reason, Verdict, Waiting};

/// The counts of one lane. Who proves nothing counts as free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneTally {
    /// Every knock.
    pub offered: u64,
    /// Of those: got a seat they had not before.
    pub seated: u64,
    /// Took over the seat that the same right had.
    pub took_over: u64,
    /// Told to wait, by `Cause as usize`.
    pub waiting: [u64; CAUSES],
    /// Got a puzzle.
    pub proving: u64,
    /// Turned away, by `Reason::ALL`'s order.
    pub turned_away: [u64; REASONS],
    /// Came from another prefix than the one their token was made for; counted in the others too.
    pub moved: u64,
}

impl LaneTally {
    pub fn admitted(&self) -> u64 {
        self.seated + self.took_over
    }

    /// Holds always; the simulations check it.
    pub fn adds_up(&self) -> bool {
        let waiting: u64 = self.waiting.iter().sum();
        let turned_away: u64 = self.turned_away.iter().sum();
        self.offered == self.admitted() + waiting + self.proving + turned_away
    }

    pub fn turned_away_for(&self, reason: Reason) -> u64 {
        self.turned_away[reason.index()]
    }

    fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.seated += other.seated;
        self.took_over += other.took_over;
        self.proving += other.proving;
        self.moved += other.moved;
        self.waiting
            .iter_mut()
            .zip(other.waiting)
            .for_each(|(sum, more)| *sum += more);
        self.turned_away
            .iter_mut()
            .zip(other.turned_away)
            .for_each(|(sum, more)| *sum += more);
    }
}

/// The counts of one door at one gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub lanes: [LaneTally; LANES],
}

impl Tally {
    pub fn lane(&self, lane: Lane) -> &LaneTally {
        &self.lanes[lane as usize]
    }

    /// All lanes together.
    pub fn sum(&self) -> LaneTally {
        let mut sum = LaneTally::default();
        self.lanes.iter().for_each(|lane| sum.add(lane));
        sum
    }

    /// Adds another shard's.
    pub fn add(&mut self, other: &Self) {
        self.lanes
            .iter_mut()
            .zip(&other.lanes)
            .for_each(|(sum, more)| sum.add(more));
    }

    pub(crate) fn count(&mut self, lane: Lane, moved: bool, verdict: &Verdict) {
        let tally = &mut self.lanes[lane as usize];
        tally.offered += 1;
        tally.moved += u64::from(moved);
        match verdict {
            Verdict::Enter(entry) if entry.took_over.is_some() => tally.took_over += 1,
            Verdict::Enter(_) => tally.seated += 1,
            Verdict::Wait(Waiting { cause, .. }) => tally.waiting[*cause as usize] += 1,
            Verdict::Prove(_) => tally.proving += 1,
            Verdict::TurnAway(reason) => tally.turned_away[reason.index()] += 1,
        }
    }
}
