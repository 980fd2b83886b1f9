//! The virtual driver: one node, its gates and usher, the clock, and everybody who comes.

use std::collections::BTreeMap;

use hustings_control::gate::puzzle::Solution;
use hustings_control::gate::{Ask, Cause, Entry, KeyRing, Knock, Mode, Shows, Times, Verdict};
use hustings_control::ids::UnixMillis;
use hustings_media::time::Now;

use crate::behave::Board;
use crate::crowd::{Crowd, NONE, Seat, Seats, State};
use crate::dice::Dice;
use crate::gather::{Counts, Gathered};
use crate::hostile::Loot;
use crate::inside::Cores;
use crate::kind::KINDS;
use crate::limits::{EVENTS_MAX, KEPT_EVERY_MS, SLOT_MS, TICK_SLOTS};
use crate::node::{BEGAN, Kept, Node, key};
use crate::report::{Broken, Report};
use crate::sample::Sample;
use crate::scenario::{Actions, Night, What};
use crate::troubles::Reach;
use crate::wheel::Wheel;

/// Where the wall's clock begins.
const START: u64 = 1_800_000_000_000;

pub(crate) struct World<'a> {
    pub(crate) night: &'a Night,
    actions: Actions<'a>,
    pub(crate) dice: Dice,
    pub(crate) keys: KeyRing,
    pub(crate) node: Node,
    pub(crate) kept: Kept,
    pub(crate) reach: Reach,
    pub(crate) boards: Vec<Board>,
    pub(crate) cores: Cores,
    pub(crate) sample: Sample,
    pub(crate) crowd: Crowd,
    pub(crate) seats: Seats,
    pub(crate) loot: Loot,
    pub(crate) solutions: BTreeMap<u32, Solution>,
    pub(crate) wheel: Wheel,
    pub(crate) slot: u32,
    pub(crate) off: i64,
    pub(crate) next_key: u8,
    pub(crate) counts: [Counts; KINDS],
    pub(crate) gathered: Gathered,
}

impl<'a> World<'a> {
    pub(crate) fn new(night: &'a Night) -> Result<Self, Broken> {
        let times = Times {
            now: Now::from_millis(BEGAN),
            wall: UnixMillis(START),
        };
        let keys = KeyRing::new(key(night.seed, 1, START));
        let node = Node::start(night, night.seats, &keys, None, times)?;
        Ok(Self {
            kept: node.keep(times),
            reach: Reach::new(night.spaces.len()),
            boards: night.spaces.iter().map(|_| Board::default()).collect(),
            cores: Cores::new(night.shards, night.costs),
            sample: Sample::new(),
            crowd: Crowd::new(night.people()),
            seats: Seats::default(),
            loot: Loot::default(),
            solutions: BTreeMap::new(),
            wheel: Wheel::new(night.millis / SLOT_MS),
            dice: Dice::new(night.seed),
            slot: 0,
            off: 0,
            next_key: 2,
            counts: std::array::from_fn(|_| Counts::default()),
            gathered: Gathered::new(night.shards),
            actions: night.actions(),
            night,
            keys,
            node,
        })
    }

    pub(crate) fn run(mut self) -> Result<Report, Broken> {
        let slots = self.night.millis / SLOT_MS;
        let mut due = Vec::new();
        for slot in 0..slots {
            self.slot = slot;
            if slot % TICK_SLOTS == 0 {
                self.tick()?;
            }
            self.cores.sweep(self.ms());
            self.actions_until((slot + 1) * SLOT_MS)?;
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

    /// What comes before this moment: arrivals and troubles.
    fn actions_until(&mut self, end_ms: u32) -> Result<(), Broken> {
        while self.actions.next_ms().is_some_and(|ms| ms < end_ms) {
            match self.actions.next().map(|action| action.what) {
                Some(What::Arrive(arrival)) => self.arrive(&arrival),
                Some(What::Trouble(trouble)) => self.trouble(trouble)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Every 100 ms: what the shell does.
    fn tick(&mut self) -> Result<(), Broken> {
        self.change_keys();
        self.recover()?;
        let times = self.times();
        if !self.reach.is_down() {
            self.tick_node(times);
        }
        let load = self.cores.busiest();
        self.sample.run(self.ms(), load.cadence_ms.max(100));
        let (inside, out) = (self.node.hall.inside(), self.node.hall.out());
        self.gathered.most_inside = self.gathered.most_inside.max(inside);
        if inside > self.node.seats || out > self.node.seats {
            return Err(Broken::Seats {
                inside: inside.max(out),
                seats: self.node.seats,
            });
        }
        self.gathered.second(self.ms());
        Ok(())
    }

    fn tick_node(&mut self, times: Times) {
        self.cores.files = self.files_used();
        let report = self.node.usher.tick(&self.cores.busiest(), times);
        self.gathered.note(report, EVENTS_MAX);
        for at in 0..self.node.gates.len() {
            let mode = self.node.gates[at].tick(&self.cores.load(at), times);
            self.gathered.note_mode(mode, EVENTS_MAX);
            self.gathered.held_unused += self.node.held[at].let_go(times.now) as u64;
        }
        if self.ms().is_multiple_of(KEPT_EVERY_MS) {
            self.kept = self.node.keep(times);
        }
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
        let shard = self.dice.below(self.node.gates.len() as u32) as usize;
        let load = self.cores.knock(shard);
        let times = self.times();
        let calm = self.node.doors[door].mode() == Mode::Calm;
        let knock = Knock {
            door: &self.node.doors[door],
            from,
            ask,
            shows,
        };
        let verdict = self.node.gates[shard].knock(&knock, &load, times);
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
        self.node.held[shard].hold(entry.pass, now);
    }

    /// When to act next.
    pub(crate) fn later(&mut self, who: u32, state: State, millis: u32) {
        let slot = self.slot.saturating_add(millis / SLOT_MS);
        let due = self.wheel.put(slot, who);
        let person = &mut self.crowd.people[who as usize];
        (person.due, person.state) = (due, state);
    }

    /// What the gates have counted since they were last asked, added to what they had before.
    pub(crate) fn take_tallies(&mut self) {
        for door in 0..self.node.doors.len() {
            let tally = self.node.tally(door);
            self.gathered.tally.add(&tally);
        }
    }
}

/// Whether waiting makes sense at all, for those who were told something odd.
pub(crate) fn is_open(cause: Cause) -> bool {
    cause == Cause::Open
}
