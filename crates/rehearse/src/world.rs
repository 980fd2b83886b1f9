//! The virtual driver: one node, its gates and usher, the clock, and everybody who comes.

use std::collections::BTreeMap;

use hustings_control::gate::puzzle::Solution;
use hustings_control::gate::spread::Spread;
use hustings_control::gate::{
    Ask, Cause, Entry, KeyRing, Knock, Mode, Shows, Tally, Times, Verdict,
};
use hustings_control::ids::UnixMillis;
use hustings_media::time::Now;

use crate::Run;
use crate::crowd::{Crowd, NONE, Seat, Seats, State};
use crate::dice::Dice;
use crate::gather::{Counts, Gathered};
use crate::hostile::Loot;
use crate::inside::Cores;
use crate::kind::KINDS;
use crate::limits::{EVENTS_MAX, KEPT_EVERY_MS, SLOT_MS, TICK_SLOTS};
use crate::node::{BEGAN, Kept, Node, key};
use crate::recorder::{Gone, Recorder};
use crate::report::Broken;
use crate::sample::Sample;
use crate::scenario::{Actions, Night, Trouble, What};
use crate::serving::Board;
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
    /// None when only rows are wanted.
    pub(crate) sample: Option<Sample>,
    pub(crate) recorder: Option<Recorder>,
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
            sample: Some(Sample::new()),
            recorder: None,
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

    /// Keeps rows, and leaves out what they do not need.
    pub(crate) fn recorded(mut self) -> Self {
        self.sample = None;
        self.recorder = Some(Recorder::new(self.night.spaces.len(), self.night.seats));
        self.tell_start(None, false);
        self
    }

    pub(crate) fn run(mut self) -> Result<Run, Broken> {
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
                Some(What::Trouble(trouble)) => {
                    self.tell_trouble(trouble);
                    self.trouble(trouble)?;
                }
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
        let (ms, load) = (self.ms(), self.cores.busiest());
        if let Some(sample) = &mut self.sample {
            sample.run(ms, load.cadence_ms.max(100));
        }
        let (inside, out) = (self.node.hall.inside(), self.node.hall.out());
        self.gathered.most_inside = self.gathered.most_inside.max(inside);
        if inside > self.node.seats || out > self.node.seats {
            return Err(Broken::Seats {
                inside: inside.max(out),
                seats: self.node.seats,
            });
        }
        self.gathered.second(self.ms());
        self.record();
        Ok(())
    }

    fn tick_node(&mut self, times: Times) {
        self.cores.files = self.files_used();
        let report = self.node.usher.tick(&self.cores.busiest(), times);
        if let Some(recorder) = &mut self.recorder {
            recorder.note(&report);
            report.ladder.iter().for_each(|step| self.tell_ladder(step));
            report.modes.iter().for_each(|mode| self.tell_mode(mode));
        }
        self.gathered.note(report, EVENTS_MAX);
        for at in 0..self.node.gates.len() {
            let mode = self.node.gates[at].tick(&self.cores.load(at), times);
            mode.iter().for_each(|mode| self.tell_mode(mode));
            self.gathered.note_mode(mode, EVENTS_MAX);
            self.gathered.held_unused += self.node.held[at].let_go(times.now) as u64;
        }
        if self.ms().is_multiple_of(KEPT_EVERY_MS) && self.is_kept_for_use() {
            self.kept = self.node.keep(times);
        }
    }

    /// The node writes itself down every few seconds; only what a restart will read is really made.
    fn is_kept_for_use(&self) -> bool {
        let ms = self.ms();
        let mut troubles = self.night.troubles.iter();
        troubles.any(|timed| {
            let due = timed.at_ms >= ms && timed.at_ms <= ms + KEPT_EVERY_MS;
            due && matches!(timed.trouble, Trouble::NodeDown { .. })
        })
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
        self.stand_up(who, Gone::Replaced);
        self.cores.enter(shard);
        let seat = self.seats.put(Seat {
            pass: entry.pass,
            shard,
        });
        let ms = self.ms();
        let person = &mut self.crowd.people[who as usize];
        (person.seat, person.entered) = (seat, ms);
        if let Some(recorder) = &mut self.recorder {
            // Our pages show a token or a mark.
            let as_page = person.has_token || !person.kind.shows_no_mark();
            recorder.entered(person.door, Some(who), as_page, ms);
        }
    }

    /// The connection is gone, and with it the seat, if it was still this one's.
    pub(crate) fn stand_up(&mut self, who: u32, why: Gone) {
        let ms = self.ms();
        let person = &mut self.crowd.people[who as usize];
        let seat = std::mem::replace(&mut person.seat, NONE);
        if seat != NONE
            && let Some(seat) = self.seats.take(seat)
        {
            self.cores.leave(seat.shard);
            if let Some(recorder) = &mut self.recorder {
                recorder.gone(person.door, person.entered, why, ms);
            }
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

    /// What the gates have counted at a door since they were last asked; the night's sum has it too.
    pub(crate) fn take_counted(&mut self, door: usize) -> (Tally, Spread) {
        let counted = self.node.take_counted(door);
        self.gathered.tally.add(&counted.0);
        counted
    }

    pub(crate) fn take_tallies(&mut self) {
        for door in 0..self.node.doors.len() {
            self.take_counted(door);
        }
    }
}

/// Whether waiting makes sense at all, for those who were told something odd.
pub(crate) fn is_open(cause: Cause) -> bool {
    cause == Cause::Open
}
