//! What the gate decides in: one knock of each kind, and forged tickets refused a second, on one core.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use hustings_control::gate::door::Door;
use hustings_control::gate::{
    Ask, DoorEpoch, Gate, Hall, Key, KeyRing, Knock, Load, Mode, Pass, Prefix, Salt, Settings,
    Shows, Times, TokenText, Usher, Verdict, invitation,
};
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

use crate::table::{Bound, Table};

/// Knocks a row.
const KNOCKS: u32 = 1_000_000;
/// Knocks of which the median is taken.
const PIECE: u32 = 1_000;
/// Seats of the hall: as many as the tables of a large node.
const SEATS: u32 = 200_000;
/// Prefixes that knocks come from, so that the tables are not always in the cache.
const PREFIXES: u32 = 1 << 20;

struct Hustle {
    gate: Gate,
    usher: Usher,
    door: Arc<Door>,
    times: Times,
    count: u32,
}

pub(crate) fn report(table: &mut Table) -> anyhow::Result<()> {
    let mut calm = Hustle::new()?;
    let mut inside = Vec::with_capacity(SEATS as usize);
    let entered = calm.fill(&mut inside)?;
    table.add(
        "gate: a knock in calm that enters",
        entered,
        "us",
        Bound::AtMost(1.0),
    );
    calm.storm(&mut inside)?;
    let rows = [
        (
            "gate: a bare GET in a storm, told to wait",
            Ask::Sound,
            Vec::new(),
        ),
        (
            "gate: a knock in a storm that gets a place",
            Ask::Right,
            Vec::new(),
        ),
        (
            "gate: a place whose turn is not yet",
            Ask::Right,
            calm.place()?,
        ),
        ("gate: a puzzle handed out", Ask::Puzzle, Vec::new()),
        (
            "gate: a good right that comes too often",
            Ask::Sound,
            calm.ticket(1).as_bytes().to_vec(),
        ),
    ];
    for (what, ask, shows) in rows {
        let micros = calm.run(KNOCKS, ask, &shows, drop);
        table.add(what, micros, "us", Bound::AtMost(1.0));
    }
    let mut forged = calm.place()?;
    let last = forged.last_mut().context("a place has characters")?;
    *last = if *last == b'A' { b'B' } else { b'A' };
    let micros = calm.run(KNOCKS, Ask::Sound, &forged, drop);
    table.add(
        "gate: forged tickets refused a second and core",
        1e6 / micros,
        "",
        Bound::AtLeast(300_000.0),
    );
    let micros = calm.run(KNOCKS, Ask::Sound, &[b'A'; 128], drop);
    table.add(
        "gate: garbage refused a second and core",
        1e6 / micros,
        "",
        Bound::AtLeast(300_000.0),
    );
    Ok(())
}

/// Microseconds that the gate alone takes to turn a forged ticket away.
pub(crate) fn bare_knock_us() -> anyhow::Result<f64> {
    let mut hustle = Hustle::new()?;
    Ok(hustle.run(KNOCKS, Ask::Sound, &[b'A'; 128], drop))
}

impl Hustle {
    fn new() -> anyhow::Result<Self> {
        let settings = Settings {
            seats: SEATS,
            guarantee: 1.0,
            ..Settings::default()
        };
        let hall = Hall::new(settings, Salt([3, 5]))?;
        let times = Times {
            now: Now::from_millis(1),
            wall: UnixMillis(1_800_000_000_000),
        };
        let mut usher = Usher::new(hall.clone());
        let door = usher.open(SpaceId::parse("bench")?, DoorEpoch(1), None, times)?;
        let (seals_from, checks_until) = (UnixMillis(0), UnixMillis(u64::MAX));
        let ring = KeyRing::new(Key {
            id: 1,
            secret: [9; 32],
            seals_from,
            checks_until,
        });
        Ok(Self {
            gate: Gate::new(hall, 0, ring, [1; 32]),
            usher,
            door,
            times,
            count: 0,
        })
    }

    /// Microseconds a knock: the median of pieces shorter than a time slice, so that others on the core do not count.
    fn run(&mut self, knocks: u32, ask: Ask, shows: &[u8], mut took: impl FnMut(Verdict)) -> f64 {
        let load = Load::default();
        let mut pieces = Vec::with_capacity((knocks / PIECE + 1) as usize);
        for from in (0..knocks).step_by(PIECE as usize) {
            let piece = PIECE.min(knocks - from);
            let begun = Instant::now();
            for _ in 0..piece {
                self.count = self
                    .count
                    .wrapping_mul(1_664_525)
                    .wrapping_add(1_013_904_223);
                let [_, a, b, c] = (self.count % PREFIXES).to_be_bytes();
                let shows = if shows.is_empty() {
                    Shows::Nothing
                } else {
                    Shows::Token(shows)
                };
                let knock = Knock {
                    door: &self.door,
                    from: Prefix::v4([a, b, c, 1]),
                    ask,
                    shows,
                };
                took(self.gate.knock(&knock, &load, self.times));
            }
            pieces.push(begun.elapsed().as_secs_f64() * 1e6 / f64::from(piece));
        }
        pieces.sort_by(f64::total_cmp);
        pieces.get(pieces.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Fills three quarters at a pace that is no rush; gives microseconds a knock.
    fn fill(&mut self, inside: &mut Vec<Pass>) -> anyhow::Result<f64> {
        let mut pieces = Vec::new();
        // The usher deals out what may enter in calm.
        self.second();
        for _ in 0..SEATS * 3 / 4 / PIECE {
            pieces.push(self.run(PIECE, Ask::Sound, &[], |verdict| {
                if let Verdict::Enter(entry) = verdict {
                    inside.push(entry.pass);
                }
            }));
            self.second();
        }
        let all = SEATS as usize * 3 / 4;
        anyhow::ensure!(inside.len() == all, "{} of {all} came in", inside.len());
        pieces.sort_by(f64::total_cmp);
        Ok(pieces.get(pieces.len() / 2).copied().unwrap_or(f64::NAN))
    }

    /// Those who were invited take what is left, and those who come on find a storm.
    fn storm(&mut self, inside: &mut Vec<Pass>) -> anyhow::Result<()> {
        let mut ids = 1..u64::from(SEATS);
        while self.door.mode() < Mode::Storm {
            for id in ids.by_ref().take(PIECE as usize) {
                let ticket = self.ticket(id);
                let knock = Knock {
                    door: &self.door,
                    from: Prefix::v4([99, (id >> 8) as u8, id as u8, 1]),
                    ask: Ask::Sound,
                    shows: Shows::Token(ticket.as_bytes()),
                };
                if let Verdict::Enter(entry) = self.gate.knock(&knock, &Load::default(), self.times)
                {
                    inside.push(entry.pass);
                }
            }
            anyhow::ensure!(!ids.is_empty(), "a full hall is not yet a storm");
            self.second();
        }
        Ok(())
    }

    fn ticket(&self, id: u64) -> TokenText {
        let (keys, now) = (self.gate.keys(), self.times.wall);
        let expires = UnixMillis(now.0 + 3_600_000);
        invitation(self.door.space(), DoorEpoch(1), keys, id, now, expires)
    }

    fn second(&mut self) {
        for _ in 0..10 {
            self.times.now = self.times.now.plus_millis(100);
            self.usher.tick(&Load::default(), self.times);
        }
    }

    fn place(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut place = None;
        self.run(1, Ask::Right, &[], |verdict| {
            if let Verdict::Wait(waiting) = verdict {
                place = waiting.place.map(|place| place.as_bytes().to_vec());
            }
        });
        place.context("no place in a storm")
    }
}
