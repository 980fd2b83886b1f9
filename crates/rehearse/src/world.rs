//! The virtual driver: one node, its gates and usher, the clock, and everybody who comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use hustings_control::gate::puzzle::Solution;
use hustings_control::gate::{
    Ask, Cause, Door, DoorEpoch, Entry, Gate, Hall, Held, Key, KeyRing, Knock, Mode, Salt,
    Settings, Shows, Tally, Times, Usher, Verdict,
};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

use crate::behave::Board;
use crate::crowd::{Crowd, NONE, Seat, Seats, State};
use crate::dice::{Dice, mix};
use crate::gather::{Counts, Gathered};
use crate::hostile::Loot;
use crate::inside::Cores;
use crate::kind::{KINDS, Kind};
use crate::limits::{EVENTS_MAX, SLOT_MS, TICK_SLOTS};
use crate::report::{Broken, Report};
use crate::sample::Sample;
use crate::scenario::Scenario;
use crate::wheel::Wheel;

/// Doors: the crowd's and the second space's.
pub(crate) const DOORS: usize = 2;
/// Where the wall's clock begins.
const START: u64 = 1_800_000_000_000;
/// Milliseconds that the machine's clock shows at the beginning: none is ever 0.
const BEGAN: u64 = 1_000;

pub(crate) struct World<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) dice: Dice,
    pub(crate) hall: Arc<Hall>,
    pub(crate) usher: Usher,
    pub(crate) gates: Vec<Gate>,
    pub(crate) held: Vec<Held>,
    pub(crate) doors: [Arc<Door>; DOORS],
    pub(crate) boards: [Board; DOORS],
    pub(crate) cores: Cores,
    pub(crate) sample: Sample,
    pub(crate) crowd: Crowd,
    pub(crate) seats: Seats,
    pub(crate) loot: Loot,
    pub(crate) solutions: BTreeMap<u32, Solution>,
    pub(crate) wheel: Wheel,
    pub(crate) groups: Vec<Group>,
    pub(crate) slot: u32,
    pub(crate) off: i64,
    pub(crate) next_key: u8,
    pub(crate) counts: [Counts; KINDS],
    pub(crate) gathered: Gathered,
}

/// People who come by one curve: a span of the crowd.
pub(crate) struct Group {
    pub(crate) from: u32,
    pub(crate) people: u32,
    pub(crate) arrived: u32,
    /// None: of the crowd, by its mix.
    pub(crate) kind: Option<Kind>,
}

impl<'a> World<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> Result<Self, Broken> {
        let seed = scenario.seed;
        let shards = scenario.shard_count();
        let settings = Settings {
            seats: scenario.seats,
            shards,
            ..Settings::default()
        };
        let salt = Salt([mix(seed ^ 0x5a17), mix(seed ^ 0x7a57e)]);
        let hall = Hall::new(settings, salt).map_err(|why| Broken::Setting(why.to_string()))?;
        let mut usher = Usher::new(hall.clone());
        let times = Times {
            now: Now::from_millis(BEGAN),
            wall: UnixMillis(START),
        };
        let mut open = |id: &str| {
            let space = SpaceId::parse(id).map_err(|why| Broken::Setting(format!("{why:?}")))?;
            let door = usher.open(space, DoorEpoch(1), None, times);
            door.map_err(|why| Broken::Setting(why.to_string()))
        };
        let doors = [open("town-hall")?, open("next-door")?];
        if let Some(share) = scenario.curve.draw() {
            let at = (f64::from(scenario.millis()) * share) as u64;
            doors[0].draw_at(Now::from_millis(BEGAN + at));
        }
        let keys = KeyRing::new(key(seed, 1, START));
        let gate = |shard: u32| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&mix(seed ^ u64::from(shard) << 32).to_le_bytes());
            Gate::new(hall.clone(), shard, keys.clone(), bytes)
        };
        let groups = groups(scenario);
        let people = groups.iter().map(|group| group.people).sum();
        Ok(Self {
            gates: (0..shards).map(gate).collect(),
            held: (0..shards).map(|_| Held::default()).collect(),
            boards: [Board::default(), Board::default()],
            cores: Cores::new(shards, scenario.costs),
            sample: Sample::new(),
            crowd: Crowd::new(people),
            seats: Seats::default(),
            loot: Loot::default(),
            solutions: BTreeMap::new(),
            wheel: Wheel::new(scenario.millis() / SLOT_MS),
            dice: Dice::new(seed),
            slot: 0,
            off: 0,
            next_key: 2,
            counts: std::array::from_fn(|_| Counts::default()),
            gathered: Gathered::new(shards),
            scenario,
            hall,
            usher,
            doors,
            groups,
        })
    }

    pub(crate) fn run(mut self) -> Result<Report, Broken> {
        let slots = self.scenario.millis() / SLOT_MS;
        let mut due = Vec::new();
        for slot in 0..slots {
            self.slot = slot;
            if slot % TICK_SLOTS == 0 {
                self.tick()?;
            }
            self.cores.sweep(self.ms());
            self.arrivals(slot + 1, slots);
            let bucket = self.wheel.take(slot);
            // All are looked up before the first acts: a million people do not lie in the cache, and lookups that do not wait
            // for each other take a tenth of the time.
            due.clear();
            due.extend(bucket.iter().filter(|who| self.crowd.is_due(**who, slot)));
            self.wheel.give_back(bucket);
            self.crowd.warm(&due);
            for who in &due {
                // Who acts may put off another.
                if self.crowd.people[*who as usize].due == slot {
                    self.act(*who);
                }
            }
            if let Some(why) = self.gathered.broken.take() {
                return Err(why);
            }
        }
        self.finish()
    }

    pub(crate) fn ms(&self) -> u32 {
        self.slot * SLOT_MS
    }

    pub(crate) fn times(&self) -> Times {
        let ms = u64::from(self.ms());
        Times {
            now: Now::from_millis(BEGAN + ms),
            wall: UnixMillis((START + ms).saturating_add_signed(self.off)),
        }
    }

    /// Every 100 ms: what the shell does, and what the scenario says happens.
    fn tick(&mut self) -> Result<(), Broken> {
        self.happenings();
        let times = self.times();
        let load = self.cores.busiest();
        let report = self.usher.tick(&load, times);
        self.gathered.note(report, EVENTS_MAX);
        for at in 0..self.gates.len() {
            let mode = self.gates[at].tick(&self.cores.load(at), times);
            self.gathered.note_mode(mode, EVENTS_MAX);
            self.gathered.held_unused += self.held[at].let_go(times.now) as u64;
        }
        self.sample.run(self.ms(), load.cadence_ms.max(100));
        let (inside, out) = (self.hall.inside(), self.hall.out());
        self.gathered.most_inside = self.gathered.most_inside.max(inside);
        if inside > self.scenario.seats || out > self.scenario.seats {
            return Err(Broken::Seats {
                inside: inside.max(out),
                seats: self.scenario.seats,
            });
        }
        self.gathered.second(self.ms());
        Ok(())
    }

    /// One knock at the door that the person means, counted under its kind.
    pub(crate) fn knock(&mut self, who: u32, ask: Ask, shows: Shows<'_>) -> (usize, Verdict) {
        let person = &self.crowd.people[who as usize];
        let door = usize::from(person.door);
        self.knock_at(who, door, ask, shows)
    }

    pub(crate) fn knock_at(
        &mut self,
        who: u32,
        door: usize,
        ask: Ask,
        shows: Shows<'_>,
    ) -> (usize, Verdict) {
        let person = &self.crowd.people[who as usize];
        let (from, kind) = (person.network.prefix(), person.kind);
        let shard = self.dice.below(self.gates.len() as u32) as usize;
        let load = self.cores.knock(shard);
        let times = self.times();
        let calm = self.doors[door].mode() == Mode::Calm;
        let knock = Knock {
            door: &self.doors[door],
            from,
            ask,
            shows,
        };
        let verdict = self.gates[shard].knock(&knock, &load, times);
        self.counts[kind as usize].count(&verdict, calm);
        self.gathered.knocks += 1;
        (shard, verdict)
    }

    /// The connection is up: its seat is this person's now.
    pub(crate) fn sit(&mut self, who: u32, shard: usize, entry: Entry) {
        self.stand_up(who);
        self.cores.enter(shard);
        let seat = self.seats.put(Seat {
            pass: entry.pass,
            shard,
        });
        self.crowd.people[who as usize].seat = seat;
    }

    /// The connection is gone, and with it the seat, if it was still this one's.
    pub(crate) fn stand_up(&mut self, who: u32) {
        let seat = std::mem::replace(&mut self.crowd.people[who as usize].seat, NONE);
        if seat != NONE
            && let Some(seat) = self.seats.take(seat)
        {
            self.cores.leave(seat.shard);
        }
    }

    pub(crate) fn hold(&mut self, shard: usize, entry: Entry) {
        let now = self.times().now;
        self.held[shard].hold(entry.pass, now);
    }

    /// When to act next.
    pub(crate) fn later(&mut self, who: u32, state: State, millis: u32) {
        let slot = self.slot.saturating_add(millis / SLOT_MS);
        let due = self.wheel.put(slot, who);
        let person = &mut self.crowd.people[who as usize];
        (person.due, person.state) = (due, state);
    }

    /// All tallies of all gates since they were last taken.
    pub(crate) fn tallies(&mut self) -> Tally {
        let mut sum = Tally::default();
        for gate in &mut self.gates {
            for door in &self.doors {
                sum.add(&gate.take_tally(door));
            }
        }
        sum
    }
}

pub(crate) fn key(seed: u64, id: u8, seals_from: u64) -> Key {
    let mut secret = [id; 32];
    secret[..8].copy_from_slice(&mix(seed ^ u64::from(id) << 56).to_le_bytes());
    Key {
        id,
        secret,
        seals_from: UnixMillis(seals_from),
        checks_until: UnixMillis(u64::MAX),
    }
}

fn groups(scenario: &Scenario) -> Vec<Group> {
    let mut groups = vec![
        (scenario.listeners, None),
        (scenario.beside, Some(Kind::Beside)),
    ];
    let attack = |attack: &crate::Attack| (scenario.attackers(*attack), Some(attack.kind));
    groups.extend(scenario.attacks.iter().map(attack));
    let mut from = 0;
    let group = |(people, kind)| {
        let group = Group {
            from,
            people,
            arrived: 0,
            kind,
        };
        from += people;
        group
    };
    groups.into_iter().map(group).collect()
}

/// Whether waiting makes sense at all, for those who were told something odd.
pub(crate) fn is_open(cause: Cause) -> bool {
    cause == Cause::Open
}
