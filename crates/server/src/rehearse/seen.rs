//! What a driver has seen, in forms that add up over several drivers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attack::Assault;
use hustings_rehearse::fit::Driver;

/// How many took how long: milliseconds, to one per cent, with counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spread(BTreeMap<u32, u64>);

impl Spread {
    pub fn add(&mut self, millis: u64) {
        let millis = u32::try_from(millis).unwrap_or(u32::MAX);
        // Up to 100 ms exactly, then steps of a hundredth of the power of two below.
        let step = (1_u32 << millis.max(1).ilog2()).div_ceil(100).max(1);
        *self.0.entry(millis - millis % step).or_default() += 1;
    }

    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Milliseconds within which this share of them were done; none when there are none.
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let rank = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        self.0.iter().find_map(|(millis, count)| {
            seen += count;
            (seen >= rank).then_some(*millis)
        })
    }

    pub fn merge(&mut self, other: &Self) {
        for (millis, count) in &other.0 {
            *self.0.entry(*millis).or_default() += count;
        }
    }
}

/// People: those who came are the sum of heard, waiting and gave up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct People {
    pub came: u64,
    /// Heard sound at least once.
    pub heard: u64,
    /// Had not heard anything at the end.
    pub waiting: u64,
    pub gave_up: u64,
    /// Heard, and left when they wanted to.
    pub left: u64,
    /// Listened at the end.
    pub inside: u64,
    /// Listened at once, the most.
    pub peak: u64,
    /// Lost their connection while they listened, by the server or on the way.
    pub disconnected: u64,
    /// Heard again after that, or after the scenario took the connection away.
    pub back: u64,
    pub requests: u64,
    /// Answers that broke off.
    pub broken: u64,
    /// Milliseconds from the moment they meant to press to the first byte of sound, of those who heard.
    pub waits: Spread,
    /// The same of those who came back.
    pub returns: Spread,
}

/// Everybody's sound, checked piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    pub heard_s: f64,
    /// Streams in which something was missing, and what.
    pub gapped: u64,
    pub gaps: u64,
    pub lost_ms: u64,
    /// Streams that were none.
    pub broken: u64,
    /// Streams that were looked at the moment anything came, and the longest that one of them was silent.
    pub watched: u64,
    pub silence_ms: u64,
}

/// What became of one kind of knocks that are no visit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assaulted {
    pub sent: u64,
    pub let_in: u64,
    pub refused: u64,
    /// Closed without a word.
    pub dropped: u64,
    pub unsent: u64,
}

/// One second of the rehearsal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    pub came: u32,
    pub heard: u32,
    pub inside: u32,
    pub disconnected: u32,
    pub knocks: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub people: People,
    pub sound: Sound,
    pub attacks: BTreeMap<Assault, Assaulted>,
    pub seconds: Vec<Second>,
    pub driver: Driver,
    /// Requests that were more than the permit allows.
    pub over_permit: u64,
}

impl Seen {
    pub fn second(&mut self, at: usize) -> &mut Second {
        if at >= self.seconds.len() {
            self.seconds.resize(at + 1, Second::default());
        }
        &mut self.seconds[at]
    }

    /// Another driver's part of the same rehearsal.
    pub fn merge(&mut self, other: &Self) {
        self.people.merge(&other.people);
        self.sound.merge(&other.sound);
        self.driver = self.driver.worse(&other.driver);
        self.over_permit += other.over_permit;
        for (kind, part) in &other.attacks {
            let all = self.attacks.entry(*kind).or_default();
            all.sent += part.sent;
            all.let_in += part.let_in;
            all.refused += part.refused;
            all.dropped += part.dropped;
            all.unsent += part.unsent;
        }
        for (at, part) in other.seconds.iter().enumerate() {
            let all = self.second(at);
            all.came += part.came;
            all.heard += part.heard;
            all.inside += part.inside;
            all.disconnected += part.disconnected;
            all.knocks += part.knocks;
        }
        // Exact for one driver; for several, the most that all had in one second.
        let most = self
            .seconds
            .iter()
            .map(|second| u64::from(second.inside))
            .max();
        self.people.peak = most.unwrap_or(0);
    }
}

impl People {
    fn merge(&mut self, other: &Self) {
        self.came += other.came;
        self.heard += other.heard;
        self.waiting += other.waiting;
        self.gave_up += other.gave_up;
        self.left += other.left;
        self.inside += other.inside;
        self.disconnected += other.disconnected;
        self.back += other.back;
        self.requests += other.requests;
        self.broken += other.broken;
        self.waits.merge(&other.waits);
        self.returns.merge(&other.returns);
    }
}

impl Sound {
    fn merge(&mut self, other: &Self) {
        self.heard_s += other.heard_s;
        self.gapped += other.gapped;
        self.gaps += other.gaps;
        self.lost_ms += other.lost_ms;
        self.broken += other.broken;
        self.watched += other.watched;
        self.silence_ms = self.silence_ms.max(other.silence_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_true_to_a_hundredth_however_they_are_put_together() {
        let (mut all, mut halves) = (Spread::default(), [Spread::default(), Spread::default()]);
        for millis in 0..20_000_u64 {
            all.add(millis);
            halves[millis as usize % 2].add(millis);
        }
        let [mut one, other] = halves;
        one.merge(&other);
        assert_eq!((&one, one.count()), (&all, 20_000));
        for share in [0.01, 0.5, 0.95, 0.99, 1.0] {
            let (got, known) = (f64::from(all.quantile(share).unwrap()), share * 20_000.0);
            assert!((known * 0.985..=known).contains(&got), "{share}: {got}");
        }
        assert_eq!(Spread::default().quantile(0.5), None);
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Spread>(&json).unwrap(), all);
    }

    #[test]
    fn parts_add_up() {
        let part = |inside: u32| {
            let mut seen = Seen::default();
            seen.people.came = 10;
            seen.people.waits.add(100);
            seen.second(3).inside = inside;
            seen.driver.cpu = f64::from(inside) / 100.0;
            seen.attacks.entry(Assault::Forged).or_default().sent = 5;
            seen
        };
        let mut all = part(4);
        all.merge(&part(9));
        assert_eq!(
            (all.people.came, all.people.waits.count(), all.people.peak),
            (20, 2, 13)
        );
        assert_eq!(
            (all.driver.cpu, all.attacks[&Assault::Forged].sent),
            (0.09, 10)
        );
    }
}
