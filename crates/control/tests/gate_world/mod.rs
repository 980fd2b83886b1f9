//! A night in small: people who behave and people who do not, at the gates of some shards, under clocks of the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hustings_control::gate::limits::*;
use hustings_control::gate::puzzle::solve;
use hustings_control::gate::*;
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(crate) fn chance(&mut self, of: u64) -> bool {
        self.roll(of) == 0
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll(high - low)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The page with script: calls itself by a mark, gets a resume ticket, waits by its place.
    Page,
    /// Without script: shows nothing; waits by the link of its place.
    Bare,
    Invited,
    /// Computes in place of waiting.
    Effort,
    Flood,
    Forger,
    /// Uses its own rights again and again, on all shards, from everywhere, at the other door too.
    Replayer,
}

struct Person {
    kind: Kind,
    prefix: u16,
    mark: u64,
    /// How long it stays once it is in.
    stays: u64,
    due: u64,
    /// What it shows next.
    token: Option<Vec<u8>>,
    place: Option<Vec<u8>>,
    resume: Option<Vec<u8>>,
    pass: Option<Pass>,
    old: Option<Pass>,
    /// When the pass came.
    came: u64,
    until: u64,
    waits: bool,
    done: bool,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) strict_bare: u64,
    pub(crate) strays: u64,
    pub(crate) knocks: u64,
    pub(crate) verdicts: BTreeMap<&'static str, u64>,
}

pub(crate) struct World {
    dice: Dice,
    hall: Arc<Hall>,
    usher: Usher,
    gates: Vec<Gate>,
    doors: Vec<Arc<Door>>,
    people: Vec<Person>,
    held: Vec<Held>,
    millis: u64,
    /// How far the wall's clock is off.
    off: i64,
    key: u8,
    counts: Counts,
    tally: Tally,
    digest: u64,
    /// Prefixes of which somebody was inside.
    ever: BTreeSet<u16>,
    marks: BTreeSet<u64>,
    seated: BTreeMap<u16, u32>,
    seated_by_lane: [u32; 4],
    arrivals: bool,
    hostile: bool,
    random: bool,
}

const START: u64 = 1_800_000_000_000;

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let seats = dice.between(10, 120) as u32;
        let shards = dice.between(1, 5) as u32;
        let mut world = Self::empty(seed, seats, shards);
        world.random = true;
        world.arrivals = true;
        world.hostile = true;
        let hostile = [Kind::Flood, Kind::Forger, Kind::Replayer];
        for each in 0..world.dice.roll(6) {
            let kind = hostile[world.dice.roll(3) as usize];
            world.arrive(kind, 200 + each as u16, 10_000);
        }
        world
    }

    pub(crate) fn empty(seed: u64, seats: u32, shards: u32) -> Self {
        let settings = Settings {
            seats,
            shards,
            guarantee: 0.6,
            ..Settings::default()
        };
        let hall = Hall::new(settings, Salt([seed, 99])).unwrap();
        let mut usher = Usher::new(hall.clone());
        let times = Times {
            now: Now::from_millis(1),
            wall: UnixMillis(START),
        };
        let open = |usher: &mut Usher, id: &str| {
            usher
                .open(SpaceId::parse(id).unwrap(), DoorEpoch(1), None, times)
                .unwrap()
        };
        let doors = vec![open(&mut usher, "town"), open(&mut usher, "city")];
        let ring = KeyRing::new(key(1, 0));
        let gate = |shard: u32| {
            Gate::new(
                hall.clone(),
                shard,
                ring.clone(),
                [shard as u8 + seed as u8; 32],
            )
        };
        Self {
            gates: (0..shards).map(gate).collect(),
            held: (0..shards).map(|_| Held::default()).collect(),
            dice: Dice(seed ^ 0x5eed),
            hall,
            usher,
            doors,
            people: Vec::new(),
            millis: 1,
            off: 0,
            key: 1,
            counts: Counts::default(),
            tally: Tally::default(),
            digest: 0,
            ever: BTreeSet::new(),
            marks: BTreeSet::new(),
            seated: BTreeMap::new(),
            seated_by_lane: [0; 4],
            arrivals: false,
            hostile: false,
            random: false,
        }
    }

    pub(crate) fn arrive(&mut self, kind: Kind, prefix: u16, stays: u64) {
        let mark = self.dice.roll(u64::MAX);
        let token = (kind == Kind::Invited).then(|| {
            let expires = UnixMillis(START + 86_400_000);
            let (space, keys) = (self.doors[0].space(), self.gates[0].keys());
            invitation(space, DoorEpoch(1), keys, mark, self.times().wall, expires)
                .as_bytes()
                .to_vec()
        });
        self.people.push(Person {
            kind,
            prefix,
            mark,
            stays,
            due: self.millis,
            token,
            place: None,
            resume: None,
            pass: None,
            old: None,
            came: 0,
            until: u64::MAX,
            waits: false,
            done: false,
        });
    }

    /// A tenth of a second.
    pub(crate) fn step(&mut self) {
        self.millis += 100;
        if self.random {
            self.trouble();
        }
        let times = self.times();
        self.usher.tick(&Load::default(), times);
        for at in 0..self.gates.len() {
            self.gates[at].tick(&Load::default(), times);
            self.held[at].let_go(times.now);
        }
        if self.arrivals && self.dice.chance(3) {
            let kinds = [
                Kind::Page,
                Kind::Page,
                Kind::Bare,
                Kind::Invited,
                Kind::Effort,
            ];
            let kind = kinds[self.dice.roll(5) as usize];
            let (prefix, stays) = (self.dice.roll(60) as u16, self.dice.between(3_000, 60_000));
            self.arrive(kind, prefix, stays);
        }
        let first = self.dice.roll(self.people.len().max(1) as u64) as usize;
        for at in 0..self.people.len() {
            let at = (at + first) % self.people.len();
            if self.people[at].due <= self.millis && !self.people[at].done {
                self.act(at);
            }
        }
        self.people.retain(|person| !person.done);
        self.check();
    }

    /// The wall's clock steps within the five minutes that are allowed; keys change.
    fn trouble(&mut self) {
        if self.dice.chance(300) {
            self.off = self.dice.roll(280_000) as i64 - 140_000;
        }
        if self.dice.chance(250) && self.key < KEYS_MAX as u8 {
            self.key += 1;
            let mut ring = self.gates[0].keys().clone();
            ring.add(key(self.key, self.times().wall.0 + 2_000))
                .unwrap();
            self.gates
                .iter_mut()
                .for_each(|gate| gate.set_keys(ring.clone()));
        }
    }

    fn act(&mut self, at: usize) {
        match self.people[at].kind {
            Kind::Flood => (0..3).for_each(|_| self.flood(at)),
            Kind::Forger => self.forge(at),
            Kind::Replayer => self.replay(at),
            _ if self.people[at].pass.is_some() => self.listen(at),
            _ => self.seek(at),
        }
    }

    /// Inside: renew the right, lose the connection, or go.
    fn listen(&mut self, at: usize) {
        let renew = self.people[at].resume.is_none() && self.people[at].kind == Kind::Page;
        if renew {
            let mark = self.people[at].mark;
            let token = self.people[at].token.clone();
            let shows = token.as_deref().map_or(Shows::Mark(mark), Shows::Token);
            let knock = Knock {
                door: &self.doors[0].clone(),
                from: from(self.people[at].prefix),
                ask: Ask::Right,
                shows,
            };
            let times = self.times();
            let ticket = self.gates[0].resume_ticket(&knock, times);
            let long = self.millis - self.people[at].came > u64::from(STAY_MIN_S) * 1_000 + 1_000;
            assert!(ticket.is_some() || !long, "{mark} is inside");
            self.people[at].resume = ticket.map(|ticket| ticket.as_bytes().to_vec());
        }
        if self.millis >= self.people[at].until {
            self.leave(at);
            self.people[at].done = true;
        } else if self.random && self.dice.chance(4) {
            // The connection breaks; the server may notice late.
            if self.dice.chance(2) {
                self.leave(at);
            } else {
                self.people[at].old = self.people[at].pass.take();
            }
            if let Some(resume) = self.people[at].resume.clone() {
                self.people[at].token = Some(resume);
            }
            if self.dice.chance(8) {
                self.people[at].prefix = self.dice.roll(60) as u16;
            }
            self.people[at].due = self.millis + self.dice.roll(3_000);
        } else {
            self.people[at].due = (self.millis + 5_000).min(self.people[at].until);
        }
    }

    fn leave(&mut self, at: usize) {
        let person = &mut self.people[at];
        person.pass = None;
        person.old = None;
    }

    /// Outside: ask for the sound with what one has, else for a way in.
    fn seek(&mut self, at: usize) {
        let (kind, mark) = (self.people[at].kind, self.people[at].mark);
        let person = &self.people[at];
        let token = person.token.clone().or_else(|| person.place.clone());
        let waits = person.waits;
        let shows = match (&token, kind) {
            (Some(token), _) => Shows::Token(token),
            (None, Kind::Page) if !waits => Shows::Mark(mark),
            _ => Shows::Nothing,
        };
        let ask = match kind {
            Kind::Effort if token.is_none() || person.place.is_some() && person.token.is_none() => {
                Ask::Puzzle
            }
            Kind::Invited => Ask::Sound,
            _ if waits && person.token.is_none() => Ask::Right,
            _ => Ask::Sound,
        };
        let bare = matches!(shows, Shows::Nothing | Shows::Mark(_));
        let shard = self.dice.roll(self.gates.len() as u64) as usize;
        let prefix = self.people[at].prefix;
        let verdict = self.knock(shard, 0, prefix, ask, shows, bare);
        self.seek_on(at, shard, ask, verdict);
        // Some messages come twice.
        if self.random && ask != Ask::Sound && self.dice.chance(10) {
            self.people[at].due = self.millis;
        }
    }

    fn seek_on(&mut self, at: usize, shard: usize, ask: Ask, verdict: Verdict) {
        let now = self.times().now;
        let pause = self.dice.roll(2_000);
        let person = &mut self.people[at];
        match verdict {
            Verdict::Enter(Entry { pass, ticket, .. }) if ask != Ask::Sound => {
                person.token = ticket.map(|ticket| ticket.as_bytes().to_vec());
                person.place = None;
                person.due = self.millis + pause;
                self.held[shard].hold(pass, now);
            }
            Verdict::Enter(Entry { pass, .. }) => {
                person.waits = false;
                if person.until == u64::MAX {
                    person.until = self.millis + person.stays;
                    *self.seated.entry(person.prefix).or_default() += 1;
                    self.seated_by_lane[pass.lane() as usize] += 1;
                }
                person.place = None;
                person.pass = Some(pass);
                person.came = self.millis;
                person.old = None;
                person.due = self.millis + 1_000;
            }
            Verdict::Wait(waiting) => {
                person.waits = true;
                let given = waiting.place.map(|token| token.as_bytes().to_vec());
                if waiting.cause == Cause::Open {
                    person.waits = false;
                    person.token = given.or(person.token.take());
                } else if given.is_some() {
                    person.place = given;
                }
                person.due = self.millis + u64::from(waiting.poll_ms).clamp(100, 20_000);
            }
            Verdict::Prove(puzzle) => {
                let solution = solve(puzzle.token.as_bytes(), puzzle.tries, 0, 900).unwrap();
                person.token = Some(solution.as_bytes().to_vec());
                person.due = self.millis + 1_000;
            }
            Verdict::TurnAway(reason) => {
                assert!(
                    matches!(reason, Reason::Spent | Reason::Token(_) | Reason::Race),
                    "{reason:?}"
                );
                let expired = Reason::Token(ticket::TokenFault::Expired);
                assert!(
                    !matches!(reason, Reason::Token(_)) || reason == expired,
                    "{reason:?} of an honest token"
                );
                (person.token, person.waits) = (None, true);
                person.due = self.millis + 1_000;
            }
        }
    }

    fn flood(&mut self, at: usize) {
        let prefix = self.people[at].prefix;
        let shard = self.dice.roll(self.gates.len() as u64) as usize;
        let ask = [Ask::Sound, Ask::Right, Ask::Puzzle][self.dice.roll(3) as usize];
        let verdict = self.knock(shard, 0, prefix, ask, Shows::Nothing, true);
        if let Verdict::Enter(entry) = verdict {
            self.people[at].pass = Some(entry.pass);
        }
        if let Verdict::Prove(puzzle) =
            self.knock(shard, 0, prefix, Ask::Puzzle, Shows::Nothing, true)
        {
            let text = puzzle.token.as_bytes().to_vec();
            self.never(prefix, &text);
            self.never(prefix, &[&text[..], &[b'A'; 48]].concat());
        }
    }

    /// A right that is none.
    fn never(&mut self, prefix: u16, text: &[u8]) {
        let verdict = self.knock(0, 0, prefix, Ask::Sound, Shows::Token(text), false);
        assert!(matches!(verdict, Verdict::TurnAway(_)), "{verdict:?}");
    }

    fn forge(&mut self, at: usize) {
        let mut text = vec![0; [80, 80, 80, 128, 7][self.dice.roll(5) as usize]];
        for byte in &mut text {
            *byte = b"ABCDEFGHabcdefgh0123456789-_"[self.dice.roll(28) as usize];
        }
        if let Some(token) = self
            .people
            .iter()
            .find_map(|person| person.resume.clone().or(person.place.clone()))
        {
            // One bit off a good one.
            let at = self.dice.between(8, 80) as usize;
            text = token;
            text[at] = if text[at] == b'x' { b'y' } else { b'x' };
        }
        if text.len() >= 80 && self.dice.chance(3) {
            text[..4].copy_from_slice(b"EQEC");
        }
        let prefix = self.people[at].prefix;
        self.never(prefix, &text);
    }

    fn replay(&mut self, at: usize) {
        let prefix = self.people[at].prefix;
        let other = self.dice.roll(90) as u16 + 300;
        let shard = self.dice.roll(self.gates.len() as u64) as usize;
        let Some(token) = self.people[at].token.clone() else {
            let verdict = self.knock(shard, 0, prefix, Ask::Right, Shows::Nothing, true);
            self.people[at].token = match verdict {
                Verdict::Enter(Entry { ticket, .. }) => {
                    ticket.map(|ticket| ticket.as_bytes().to_vec())
                }
                Verdict::Wait(Waiting { place, .. }) => {
                    place.map(|place| place.as_bytes().to_vec())
                }
                _ => None,
            };
            return;
        };
        let before = self.hall.inside();
        let seats = self.people[at].pass.is_some();
        let verdict = self.knock(shard, 0, other, Ask::Sound, Shows::Token(&token), false);
        if let Verdict::Enter(entry) = verdict {
            assert!(
                !seats || entry.took_over.is_some(),
                "a second seat for one right"
            );
            assert!(self.hall.inside() <= before + 1);
            self.people[at].pass = Some(entry.pass);
        }
        if self.dice.chance(20) {
            self.people[at].pass = None;
        }
        let wrong = self.knock(shard, 1, prefix, Ask::Right, Shows::Token(&token), false);
        assert!(matches!(
            wrong,
            Verdict::TurnAway(Reason::Token(
                ticket::TokenFault::WrongSpace | ticket::TokenFault::Expired
            ))
        ));
    }

    fn knock(
        &mut self,
        shard: usize,
        door: usize,
        prefix: u16,
        ask: Ask,
        shows: Shows<'_>,
        bare: bool,
    ) -> Verdict {
        let times = self.times();
        let door = self.doors[door].clone();
        let strict = door.mode() > Mode::Calm;
        let knock = Knock {
            door: &door,
            from: from(prefix),
            ask,
            shows,
        };
        let verdict = self.gates[shard].knock(&knock, &Load::default(), times);
        self.counts.knocks += 1;
        self.counts.strict_bare += u64::from(strict && bare);
        if let (Verdict::Enter(entry), true, true) = (&verdict, strict, bare) {
            // Shown nothing, one enters only by what one's prefix had before; shown a mark, by what the mark had.
            let known = matches!(shows, Shows::Mark(mark) if self.marks.contains(&mark));
            self.counts.strays += u64::from(!known && !self.ever.contains(&prefix));
            assert!(entry.pass.lane() == Lane::Resume || entry.took_over.is_some());
        }
        if matches!(verdict, Verdict::Enter(_)) {
            self.ever.insert(prefix);
            if let Shows::Mark(mark) = shows {
                self.marks.insert(mark);
            }
        }
        let word = match &verdict {
            Verdict::Enter(entry) => 1 + u64::from(entry.took_over.is_some()),
            Verdict::Wait(waiting) => 10 + waiting.cause as u64 + waiting.ahead,
            Verdict::Prove(puzzle) => u64::from(puzzle.tries),
            Verdict::TurnAway(reason) => 1_000 + reason.name().len() as u64,
        };
        self.digest = (self.digest.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        verdict
    }

    fn check(&mut self) {
        let seats = self.hall.settings().seats;
        let held: usize = self.held.iter().map(Held::len).sum();
        let mut own = 0;
        for person in &self.people {
            for pass in [&person.pass, &person.old].into_iter().flatten() {
                own += u32::from(!pass.is_taken_over());
            }
        }
        let inside: u32 = self.doors.iter().map(|door| door.inside()).sum();
        let by_lane: u32 = Lane::ALL
            .iter()
            .flat_map(|lane| self.doors.iter().map(|door| door.inside_by_lane(*lane)))
            .sum();
        assert_eq!((inside, by_lane), (self.hall.inside(), self.hall.inside()));
        assert!(
            inside <= seats && self.hall.out() <= seats,
            "{inside} of {seats}"
        );
        assert!(
            own <= inside && inside <= own + held as u32,
            "{own} + {held} held, {inside} seats"
        );
        for person in self
            .people
            .iter()
            .filter(|person| !matches!(person.kind, Kind::Replayer | Kind::Flood))
        {
            let harmed = person.pass.as_ref().is_some_and(Pass::is_taken_over);
            assert!(!harmed, "{:?} lost the seat to somebody else", person.kind);
        }
    }

    /// Everybody goes, in any order: every pass is given back once, and nothing is left over.
    pub(crate) fn everyone_leaves(&mut self) {
        while !self.people.is_empty() {
            let at = self.dice.roll(self.people.len() as u64) as usize;
            self.people.swap_remove(at);
        }
        self.held.clear();
        assert_eq!(self.hall.inside(), 0);
        for lane in Lane::ALL {
            assert!(
                self.doors.iter().all(|door| door.inside_by_lane(lane) == 0),
                "{lane:?}"
            );
        }
        for gate in &mut self.gates {
            for door in &self.doors {
                let tally = gate.take_tally(door);
                assert!(tally.lanes.iter().all(tally::LaneTally::adds_up));
                self.tally.add(&tally);
            }
        }
        self.gates.clear();
        assert_eq!(self.hall.out(), 0);
        assert_eq!(
            self.tally.sum().offered,
            self.counts.knocks,
            "every knock is counted once"
        );
    }

    pub(crate) fn counts(mut self) -> Counts {
        let sum = self.tally.sum();
        let named = &mut self.counts.verdicts;
        named.insert("seated", sum.seated);
        named.insert("took_over", sum.took_over);
        named.insert("proving", sum.proving);
        for reason in Reason::ALL {
            named.insert(reason.name(), sum.turned_away_for(reason));
        }
        for cause in [
            Cause::NoRight,
            Cause::NotYourTurn,
            Cause::NoSeat,
            Cause::PrefixShare,
            Cause::TooOften,
        ] {
            named.insert(cause.name(), sum.waiting[cause as usize]);
        }
        self.counts
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn hostile_stop(&mut self) {
        let hostile =
            |person: &Person| matches!(person.kind, Kind::Flood | Kind::Forger | Kind::Replayer);
        self.people.retain(|person| !hostile(person));
    }

    pub(crate) fn nobody_comes(&mut self) {
        self.arrivals = false;
    }

    /// Who wants in and is not.
    pub(crate) fn waiting(&self) -> Vec<(Kind, u64)> {
        let out = self
            .people
            .iter()
            .filter(|person| person.pass.is_none() && !person.done);
        out.map(|person| (person.kind, person.due)).collect()
    }

    pub(crate) fn mode(&self) -> Mode {
        self.doors[0].mode()
    }

    pub(crate) fn seated_by_prefix(&self) -> &BTreeMap<u16, u32> {
        &self.seated
    }

    pub(crate) fn seated_by_lane(&self) -> [u32; 4] {
        self.seated_by_lane
    }

    pub(crate) fn inside_of(&self, prefix: u16) -> u32 {
        let inside = self
            .people
            .iter()
            .filter(|person| person.prefix == prefix && person.pass.is_some());
        inside.count() as u32
    }

    fn times(&self) -> Times {
        let wall = START.saturating_add_signed(self.off) + self.millis;
        Times {
            now: Now::from_millis(self.millis),
            wall: UnixMillis(wall),
        }
    }
}

fn key(id: u8, from: u64) -> Key {
    Key {
        id,
        secret: [id; 32],
        seals_from: UnixMillis(from),
        checks_until: UnixMillis(u64::MAX),
    }
}

fn from(prefix: u16) -> Prefix {
    Prefix::v4([20, (prefix >> 8) as u8, prefix as u8, 1])
}
