//! What came to the door in one second, how it was spread, and what became of those inside.

use hustings_control::gate::lanes::Lane;
use hustings_control::gate::tally::LaneTally;
use hustings_control::gate::verdict::{CAUSES, REASONS};
use hustings_control::gate::{Cause, Reason, Tally};

use super::counts::Counts;
use super::parts;

parts! {
    /// Knocks of one second. A knock is a request for the sound or for a way in; each is counted once.
    pub struct Knocks {
        /// knocks that showed the right of one who was inside (resume lane)
        pub resume: LaneKnocks,
        /// knocks that showed a ticket made before the event
        pub invited: LaneKnocks,
        /// knocks that showed a place in line, nothing, or nothing good
        pub free: LaneKnocks,
        /// knocks that showed a solved puzzle
        pub effort: LaneKnocks,
    }

    /// One lane. `offered` is the sum of seated, took_over, waiting, proving and turned_away, always.
    pub struct LaneKnocks {
        /// knocks
        pub offered: u32,
        /// knocks that got a seat which they had not before
        pub seated: u32,
        /// knocks that took over the seat which the same right had
        pub took_over: u32,
        /// knocks told to wait, by cause (`open`, `no_right`, `not_your_turn`, `no_seat`, `prefix_share`, `node_full`, `too_often`)
        pub waiting: Counts<Cause, CAUSES>,
        /// knocks that were given a puzzle
        pub proving: u32,
        /// knocks turned away, by reason (`closed`, `malformed`, `unknown_key`, `forged`, `wrong_space`, `wrong_epoch`, `future_dated`, `expired`, `spent`, `wrong_solution`, `unsolved`, `race`)
        pub turned_away: Counts<Reason, REASONS>,
        /// knocks from another network than the one their token was made for; counted above too
        pub moved: u32,
    }

    /// How the knocks of one second were spread over networks (/24 of IPv4, /64 of IPv6), from sketches of salted hashes.
    pub struct Spread {
        /// networks, an estimate (standard error 13 %)
        pub prefixes: u32,
        /// thousandths of a bit, 0 to 8,000: 0 when all knocks come from one network, 8,000 from very many alike
        pub entropy_mbit: u32,
        /// thousandths of the knocks that came from the busiest network; too high by an eighth at most
        pub top_permille: u32,
        /// thousandths of the knocks that came from the eight busiest networks together
        pub top8_permille: u32,
    }

    /// What became of those who came in.
    pub struct People {
        /// listeners inside at the end of the second
        pub inside: u32,
        /// places in line that are not called yet, at the end of the second
        pub waiting: u32,
        /// connections that began to get sound
        pub entered: u32,
        /// of those entered: with a right or a mark, as our own page asks; the others are plain players
        pub as_page: u32,
        /// of those entered: with a right to come back
        pub returned: u32,
        /// listeners whose connection ended from their side, or broke
        pub left: u32,
        /// listeners whom the node lost: a shard that was started again, a connection that is known to have broken
        pub lost: u32,
        /// listeners closed by the node because they fell off the ring
        pub too_slow: u32,
        /// listeners closed by the node because the same right came in elsewhere
        pub replaced: u32,
        /// listeners who heard the sound to its end
        pub heard_out: u32,
        /// knocks that belong to a rehearsal; counted above too
        pub rehearsed: u32,
        /// of those entered: of a rehearsal
        pub rehearsed_entered: u32,
        /// listeners of a rehearsal who reached their 60th second inside; counted in `stayed_60s` too
        pub rehearsed_60s: u32,
        /// listeners inside that belong to a rehearsal; counted in `inside` too
        pub rehearsed_inside: u32,
        /// people in line: came again with their place, called or not, and were told to come once more; until that time, and 2 s. Who waits for the first time is not among them yet
        pub in_line: u32,
    }

    /// How many behave like a listener at a browser. A funnel: page, knock, sound, 10 s, 60 s.
    pub struct Behaviour {
        /// pages of the space that were sent
        pub pages: u32,
        /// scripts and styles that were sent (of the node: they belong to no space)
        pub scripts: u32,
        /// looks at `serving.json`
        pub polls: u32,
        /// looks at `state.json`, and event streams that began
        pub looks: u32,
        /// listeners who reached their 10th second inside
        pub stayed_10s: u32,
        /// listeners who reached their 60th second inside
        pub stayed_60s: u32,
        /// listeners gone before their 10th second
        pub gone_before_10s: u32,
        /// listeners gone after their 10th and before their 60th second
        pub gone_before_60s: u32,
    }
}

impl Knocks {
    pub fn lane(&self, lane: Lane) -> &LaneKnocks {
        match lane {
            Lane::Resume => &self.resume,
            Lane::Invited => &self.invited,
            Lane::Free => &self.free,
            Lane::Effort => &self.effort,
        }
    }

    /// All lanes together.
    pub fn sum(&self) -> LaneKnocks {
        let mut sum = LaneKnocks::default();
        Lane::ALL.iter().for_each(|lane| sum.add(self.lane(*lane)));
        sum
    }

    pub fn add(&mut self, other: &Self) {
        self.resume.add(&other.resume);
        self.invited.add(&other.invited);
        self.free.add(&other.free);
        self.effort.add(&other.effort);
    }
}

impl LaneKnocks {
    pub fn admitted(&self) -> u32 {
        self.seated.saturating_add(self.took_over)
    }

    pub fn adds_up(&self) -> bool {
        let told = [
            self.admitted(),
            self.waiting.sum(),
            self.proving,
            self.turned_away.sum(),
        ];
        told.into_iter().map(u64::from).sum::<u64>() == u64::from(self.offered)
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.offered, other.offered),
            (&mut self.seated, other.seated),
            (&mut self.took_over, other.took_over),
            (&mut self.proving, other.proving),
            (&mut self.moved, other.moved),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.waiting.add_all(&other.waiting);
        self.turned_away.add_all(&other.turned_away);
    }
}

/// What a gate has counted in one second.
impl From<&Tally> for Knocks {
    fn from(tally: &Tally) -> Self {
        let of = |lane| LaneKnocks::from(tally.lane(lane));
        Self {
            resume: of(Lane::Resume),
            invited: of(Lane::Invited),
            free: of(Lane::Free),
            effort: of(Lane::Effort),
        }
    }
}

impl From<&LaneTally> for LaneKnocks {
    fn from(tally: &LaneTally) -> Self {
        let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            offered: short(tally.offered),
            seated: short(tally.seated),
            took_over: short(tally.took_over),
            waiting: Counts::from(&tally.waiting),
            proving: short(tally.proving),
            turned_away: Counts::from(&tally.turned_away),
            moved: short(tally.moved),
        }
    }
}
