//! Honest joiners and floods at one gate under a clock of the test's own, as the wire's benchmark sends them: thousands of
//! knocks a second from a thousand prefixes, honest ones from a prefix each.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use hustings_control::gate::limits::STAY_MIN_S;
use hustings_control::gate::*;
use hustings_control::gate::{Door, Hall};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

/// Milliseconds between an answer and the next question of the same person.
const TRIP_MS: u64 = 20;
/// Milliseconds for which somebody who leaves at once is inside, as the node sees it.
const MOMENT_MS: u64 = 50;
const FLOOD_PREFIXES: u64 = 1_024;

/// What a flood knocks with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flood<'a> {
    /// Shows nothing and leaves at once.
    Leaves,
    /// Shows one of so many marks and leaves at once.
    Marks(u64),
    /// Shows nothing and stays.
    Stays,
    /// Shows one good right and leaves at once.
    Replays(&'a [u8]),
}

/// So many a second from a moment on, for so long.
#[derive(Clone, Copy)]
pub(crate) struct Beat {
    pub(crate) per_s: u64,
    pub(crate) from_ms: u64,
    pub(crate) for_ms: u64,
}

impl Beat {
    pub(crate) const NONE: Self = Self {
        per_s: 0,
        from_ms: 0,
        for_ms: 0,
    };

    /// How many have pressed `ms` milliseconds after the beginning.
    fn by(&self, ms: u64) -> u64 {
        ms.saturating_sub(self.from_ms).min(self.for_ms) * self.per_s / 1_000
    }
}

/// One stretch of time.
pub(crate) struct Stretch<'a> {
    pub(crate) honest: Beat,
    /// Joiners of the other space.
    pub(crate) other: Beat,
    pub(crate) flood: (Flood<'a>, Beat),
    pub(crate) lasts_ms: u64,
}

struct Person {
    door: usize,
    script: bool,
    from: Prefix,
    mark: u64,
    meant: u64,
    place: Option<TokenText>,
    ticket: Option<TokenText>,
    knocks: bool,
    heard: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Fared {
    pub(crate) pressed: usize,
    pub(crate) heard: usize,
    pub(crate) p95_ms: u64,
    pub(crate) p99_ms: u64,
    pub(crate) most_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) honest: Fared,
    pub(crate) other: Fared,
    pub(crate) flood_sent: u64,
    pub(crate) flood_in: u64,
    pub(crate) stayers: usize,
    /// Seats that nobody had, at the end.
    pub(crate) free: u32,
}

pub(crate) struct Storm {
    pub(crate) hall: Arc<Hall>,
    pub(crate) usher: Usher,
    pub(crate) gate: Gate,
    /// The one that is flooded, and the other.
    pub(crate) doors: [Arc<Door>; 2],
    pub(crate) times: Times,
    held: Held,
    /// Who was inside before anything began.
    pub(crate) inside: Vec<Pass>,
    came: Vec<Pass>,
    stayers: Vec<Pass>,
    crowds: u64,
    /// Milliseconds that one of the other space listens; without it to the end.
    pub(crate) others_listen_ms: Option<u64>,
}

impl Storm {
    pub(crate) fn new(seats: u32) -> Self {
        Self::with(Settings {
            seats,
            ..Settings::default()
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let hall = Hall::new(settings, Salt([11, 12])).unwrap();
        let times = Times {
            now: Now::from_millis(1_000),
            wall: UnixMillis(1_800_000_000_000),
        };
        let mut usher = Usher::new(hall.clone());
        let doors = ["town", "other"].map(|id| {
            let id = SpaceId::parse(id).unwrap();
            usher.open(id, DoorEpoch(1), None, times).unwrap()
        });
        let key = Key {
            id: 1,
            secret: [1; 32],
            seals_from: UnixMillis(0),
            checks_until: UnixMillis(u64::MAX),
        };
        let gate = Gate::new(hall.clone(), 0, KeyRing::new(key), [1; 32]);
        let mut storm = Self {
            hall,
            usher,
            gate,
            doors,
            times,
            held: Held::default(),
            inside: Vec::new(),
            came: Vec::new(),
            stayers: Vec::new(),
            crowds: 0,
            others_listen_ms: None,
        };
        storm.pass(200);
        storm
    }

    pub(crate) fn knock(
        &mut self,
        door: usize,
        from: Prefix,
        ask: Ask,
        shows: Shows<'_>,
    ) -> Verdict {
        let door = self.doors[door].clone();
        let knock = Knock {
            door: &door,
            from,
            ask,
            shows,
        };
        self.gate.knock(&knock, &Load::default(), self.times)
    }

    fn millisecond(&mut self) {
        self.times.now = self.times.now.plus_millis(1);
        self.times.wall.0 += 1;
        if self.times.wall.0.is_multiple_of(100) {
            self.usher.tick(&Load::default(), self.times);
            self.gate.tick(&Load::default(), self.times);
            self.held.let_go(self.times.now);
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        (0..millis).for_each(|_| self.millisecond());
    }

    /// Brings so many inside, at a pace that is no rush, and lets the door calm down.
    pub(crate) fn settle(&mut self, count: usize, every_ms: u64) {
        let mut number = 0;
        while self.inside.len() < count {
            let from = address(1, 6_144, number);
            let verdict = self.knock(0, from, Ask::Sound, Shows::Nothing);
            let Verdict::Enter(entry) = verdict else {
                panic!("{number}: {verdict:?}")
            };
            self.inside.push(entry.pass);
            number += 1;
            self.pass(every_ms);
        }
        self.pass(13_000);
    }

    /// The node is killed and comes back five seconds later, with what it had stored. Nobody is inside.
    pub(crate) fn killed(mut self) -> Self {
        let inside = serde_json::to_string(&self.hall.inside_snapshot()).unwrap();
        let doors = self
            .doors
            .each_ref()
            .map(|door| serde_json::to_string(&door.snapshot(self.times)).unwrap());
        let mut next = Self::with(*self.hall.settings());
        next.times.wall.0 = self.times.wall.0 + 5_000;
        assert!(
            next.hall
                .restore_inside(&serde_json::from_str(&inside).unwrap())
        );
        for (door, text) in next.doors.iter().zip(doors) {
            door.restore(&serde_json::from_str(&text).unwrap(), next.times);
        }
        next.crowds = self.crowds + 1;
        self.inside.clear();
        next
    }

    /// The right to come back of somebody who listened for a moment.
    pub(crate) fn thief(&mut self) -> TokenText {
        let from = Prefix::v4([250, 0, 0, 1]);
        let seat = self.knock(0, from, Ask::Sound, Shows::Mark(7));
        assert!(matches!(seat, Verdict::Enter(_)), "{seat:?}");
        self.pass(u64::from(STAY_MIN_S) * 1_000);
        let knock = Knock {
            door: &self.doors[0].clone(),
            from,
            ask: Ask::Right,
            shows: Shows::Mark(7),
        };
        self.gate.resume_ticket(&knock, self.times).unwrap()
    }

    /// All go who came in the last stretch, and the doors calm down; who comes next comes from other prefixes.
    pub(crate) fn rest(&mut self, millis: u64) {
        self.came.clear();
        self.stayers.clear();
        self.crowds += 1;
        self.pass(millis);
    }

    pub(crate) fn run(&mut self, stretch: &Stretch<'_>) -> Outcome {
        let mut people: Vec<Person> = Vec::new();
        let mut due: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
        let mut leaving: VecDeque<(u64, Pass)> = VecDeque::new();
        let mut listening: VecDeque<(u64, Pass)> = VecDeque::new();
        let mut outcome = Outcome::default();
        for ms in 0..stretch.lasts_ms {
            self.millisecond();
            for (door, beat) in [stretch.honest, stretch.other].into_iter().enumerate() {
                for number in beat.by(ms)..beat.by(ms + 1) {
                    people.push(self.person(door, number, ms));
                    due.push(Reverse((ms, people.len() - 1)));
                }
            }
            let (kind, beat) = stretch.flood;
            for number in beat.by(ms)..beat.by(ms + 1) {
                outcome.flood_sent += 1;
                if let Some(pass) = self.attack(kind, number) {
                    outcome.flood_in += 1;
                    match kind {
                        Flood::Stays => self.stayers.push(pass),
                        _ => leaving.push_back((ms + MOMENT_MS, pass)),
                    }
                }
            }
            while leaving.front().is_some_and(|(at, _)| *at <= ms) {
                leaving.pop_front();
            }
            while let Some(Reverse((_, who))) = due.peek().copied().filter(|next| next.0.0 <= ms) {
                due.pop();
                if let Some(after) = self.act(&mut people[who], ms) {
                    due.push(Reverse((ms + after.max(TRIP_MS), who)));
                } else if let (1, Some(listens)) = (people[who].door, self.others_listen_ms) {
                    listening.extend(self.came.pop().map(|pass| (ms + listens, pass)));
                }
            }
            while listening.front().is_some_and(|(at, _)| *at <= ms) {
                listening.pop_front();
            }
        }
        outcome.honest = fared(&people, 0, stretch.lasts_ms);
        outcome.other = fared(&people, 1, stretch.lasts_ms);
        outcome.stayers = self.stayers.len();
        outcome.free = self.hall.capacity() - self.hall.inside();
        outcome
    }

    fn person(&self, door: usize, number: u64, ms: u64) -> Person {
        let crowd = self.crowds * 6_000 + number;
        Person {
            door,
            script: door == 1 || number % 3 != 2,
            from: match door {
                0 => address(32, 36_864, crowd),
                _ => address(176, 6_144, crowd),
            },
            mark: (door as u64 + 1) << 40 | crowd,
            meant: ms,
            place: None,
            ticket: None,
            knocks: false,
            heard: None,
        }
    }

    fn attack(&mut self, kind: Flood<'_>, number: u64) -> Option<Pass> {
        let from = address(200 + (self.crowds % 12) as u8 * 4, FLOOD_PREFIXES, number);
        let shows = match kind {
            Flood::Leaves | Flood::Stays => Shows::Nothing,
            Flood::Marks(marks) => Shows::Mark((1 << 50) | (number % marks)),
            Flood::Replays(token) => Shows::Token(token),
        };
        match self.knock(0, from, Ask::Sound, shows) {
            Verdict::Enter(entry) => Some(entry.pass),
            _ => None,
        }
    }

    /// As the page with script does, or a browser without; gives when it asks again.
    fn act(&mut self, person: &mut Person, ms: u64) -> Option<u64> {
        let shown = person.ticket.or(person.place.filter(|_| person.knocks));
        let shows = match &shown {
            Some(token) => Shows::Token(token.as_bytes()),
            None if person.script && !person.knocks => Shows::Mark(person.mark),
            None => Shows::Nothing,
        };
        let ask = if person.knocks {
            Ask::Right
        } else {
            Ask::Sound
        };
        let verdict = self.knock(person.door, person.from, ask, shows);
        match verdict {
            Verdict::Enter(entry) if ask == Ask::Sound => {
                self.came.push(entry.pass);
                person.heard = Some(ms - person.meant);
                None
            }
            Verdict::Enter(entry) => {
                (person.ticket, person.knocks) = (entry.ticket, false);
                self.held.hold(entry.pass, self.times.now);
                Some(0)
            }
            Verdict::Wait(waiting) if waiting.cause == Cause::Open => {
                person.knocks = false;
                Some(0)
            }
            Verdict::Wait(waiting) => {
                person.place = waiting.place.or(person.place);
                let asked = std::mem::replace(&mut person.knocks, true);
                // The page without script counts whole seconds, three at least, or one where that is enough.
                let after = match (person.script, u64::from(waiting.poll_ms)) {
                    (true, ms) => ms,
                    (false, 0..=1_000) => 1_000,
                    (false, ms) => ms.div_ceil(1_000).max(3) * 1_000,
                };
                Some(if asked { after } else { 0 })
            }
            Verdict::Prove(_) | Verdict::TurnAway(_) => panic!("{verdict:?}"),
        }
    }
}

/// Every number another /24 of a range of its own.
pub(crate) fn address(first: u8, prefixes: u64, number: u64) -> Prefix {
    let [low, high] = ((number % prefixes) as u16).to_le_bytes();
    Prefix::v4([127, first.wrapping_add(high), low, 1])
}

fn fared(people: &[Person], door: usize, longest: u64) -> Fared {
    let of = || people.iter().filter(|person| person.door == door);
    let mut waits: Vec<u64> = of().map(|person| person.heard.unwrap_or(longest)).collect();
    waits.sort_unstable();
    let at = |share: f64| {
        let at = (waits.len().saturating_sub(1) as f64 * share) as usize;
        waits.get(at).copied().unwrap_or(0)
    };
    Fared {
        pressed: waits.len(),
        heard: of().filter(|person| person.heard.is_some()).count(),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        most_ms: at(1.0),
    }
}
