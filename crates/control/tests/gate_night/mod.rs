//! A node of one or more shards under a clock of its own, for tests that go one way after another.

use std::sync::Arc;

use hustings_control::gate::*;
use hustings_control::gate::{Door, Hall};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

pub(crate) const DAY: u64 = 86_400_000;

pub(crate) fn key(id: u8, from: u64) -> Key {
    let (seals_from, checks_until) = (UnixMillis(from), UnixMillis(400_000 * DAY));
    Key {
        id,
        secret: [id; 32],
        seals_from,
        checks_until,
    }
}

/// A node of one or more shards under a clock of its own.
pub(crate) struct Night {
    pub(crate) hall: Arc<Hall>,
    pub(crate) usher: Usher,
    pub(crate) gates: Vec<Gate>,
    pub(crate) door: Arc<Door>,
    pub(crate) times: Times,
    pub(crate) load: Load,
}

impl Night {
    pub(crate) fn new(seats: u32) -> Self {
        Self::with(Settings {
            seats,
            guarantee: 1.0,
            ..Settings::default()
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let hall = Hall::new(settings, Salt([11, 12])).unwrap();
        let times = Times {
            now: Now::from_millis(1_000),
            wall: UnixMillis(20_000 * DAY),
        };
        let mut usher = Usher::new(hall.clone());
        let door = usher
            .open(space("town"), DoorEpoch(3), None, times)
            .unwrap();
        let gate = |shard: u32| {
            Gate::new(
                hall.clone(),
                shard,
                KeyRing::new(key(1, 0)),
                [shard as u8; 32],
            )
        };
        let gates = (0..settings.shards).map(gate).collect();
        let mut night = Self {
            hall,
            usher,
            gates,
            door,
            times,
            load: Load::default(),
        };
        night.pass(100);
        night
    }

    /// Time goes by; the usher and the gates tick.
    pub(crate) fn pass(&mut self, millis: u64) -> Vec<ModeEvent> {
        let mut modes = Vec::new();
        for _ in 0..millis.div_ceil(100) {
            self.times.now = self.times.now.plus_millis(100);
            self.times.wall.0 += 100;
            modes.extend(self.usher.tick(&self.load, self.times).modes);
            for gate in &mut self.gates {
                gate.tick(&self.load, self.times);
            }
        }
        modes
    }

    pub(crate) fn knock(&mut self, from: u8, ask: Ask, shows: Shows<'_>) -> Verdict {
        self.knock_at(0, from, ask, shows)
    }

    pub(crate) fn knock_at(
        &mut self,
        shard: usize,
        from: u8,
        ask: Ask,
        shows: Shows<'_>,
    ) -> Verdict {
        let door = self.door.clone();
        let knock = Knock {
            door: &door,
            from: Prefix::v4([10, 0, from, 1]),
            ask,
            shows,
        };
        self.gates[shard].knock(&knock, &self.load, self.times)
    }

    pub(crate) fn resume_ticket(&mut self, from: u8, shows: Shows<'_>) -> Option<TokenText> {
        let door = self.door.clone();
        let knock = Knock {
            door: &door,
            from: Prefix::v4([10, 0, from, 1]),
            ask: Ask::Right,
            shows,
        };
        self.gates[0].resume_ticket(&knock, self.times)
    }

    /// Fills all seats but some with people nobody can tell apart, each from another prefix, and makes the storm begin.
    pub(crate) fn storm(&mut self, but: usize) -> Vec<Pass> {
        let mut inside = Vec::new();
        for each in 0_u32.. {
            let door = self.door.clone();
            let from = Prefix::v4([99, (each >> 8) as u8, each as u8, 1]);
            let knock = Knock {
                door: &door,
                from,
                ask: Ask::Sound,
                shows: Shows::Nothing,
            };
            let Verdict::Enter(entry) = self.gates[0].knock(&knock, &self.load, self.times) else {
                break;
            };
            inside.push(entry.pass);
        }
        self.pass(100);
        assert_eq!(self.door.mode(), Mode::Storm);
        inside.truncate(inside.len() - but);
        self.pass(1_500);
        inside
    }
}

/// A storm in a hall of so many seats, those who sit there, and how one of the line came in by the seat that one of them left.
pub(crate) fn held_seat(seats: u32) -> (Night, Vec<Pass>, Entry) {
    let mut night = Night::new(seats);
    let mut inside = night.storm(0);
    let place = waiting(night.knock(1, Ask::Right, Shows::Nothing)).place;
    inside.pop();
    night.pass(2_000);
    let entry = entered(night.knock(1, Ask::Right, token(&place.unwrap())));
    (night, inside, entry)
}

pub(crate) fn space(id: &str) -> SpaceId {
    SpaceId::parse(id).unwrap()
}

pub(crate) fn token(text: &TokenText) -> Shows<'_> {
    Shows::Token(text.as_bytes())
}

#[track_caller]
pub(crate) fn entered(verdict: Verdict) -> Entry {
    match verdict {
        Verdict::Enter(entry) => entry,
        other => panic!("not in: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn waiting(verdict: Verdict) -> Waiting {
    match verdict {
        Verdict::Wait(waiting) => waiting,
        other => panic!("not waiting: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn away(verdict: Verdict) -> Reason {
    match verdict {
        Verdict::TurnAway(reason) => reason,
        other => panic!("not turned away: {other:?}"),
    }
}
