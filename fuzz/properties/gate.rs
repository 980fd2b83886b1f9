//! What is fuzzed of the gate. The fuzz targets call it, and an ordinary test runs the corpora through it.

use hustings_control::gate::puzzle::{SOLUTION_CHARS, solve};
use hustings_control::gate::*;
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

const WALL: u64 = 1_800_000_000_000;

struct Night {
    usher: Usher,
    gate: Gate,
    door: std::sync::Arc<Door>,
    times: Times,
}

impl Night {
    fn new() -> Option<Self> {
        let settings = Settings {
            seats: 4,
            guarantee: 1.0,
            ..Settings::default()
        };
        let hall = Hall::new(settings, Salt([1, 2])).ok()?;
        let times = Times {
            now: Now::from_millis(1_000),
            wall: UnixMillis(WALL),
        };
        let mut usher = Usher::new(hall.clone());
        let door = usher
            .open(SpaceId::parse("fuzz").ok()?, DoorEpoch(1), None, times)
            .ok()?;
        let (seals_from, checks_until) = (UnixMillis(0), UnixMillis(u64::MAX));
        let ring = KeyRing::new(Key {
            id: 1,
            secret: [1; 32],
            seals_from,
            checks_until,
        });
        Some(Self {
            gate: Gate::new(hall, 0, ring, [1; 32]),
            usher,
            door,
            times,
        })
    }

    fn knock(&mut self, ask: Ask, shows: Shows<'_>) -> Verdict {
        let knock = Knock {
            door: &self.door,
            from: Prefix::v4([192, 0, 2, 1]),
            ask,
            shows,
        };
        self.gate.knock(&knock, &Load::default(), self.times)
    }

    /// Fills the hall, so that only rights count.
    fn storm(&mut self) -> Vec<Verdict> {
        let inside = (0..5)
            .map(|_| self.knock(Ask::Sound, Shows::Nothing))
            .collect();
        self.times.now = self.times.now.plus_millis(100);
        self.usher.tick(&Load::default(), self.times);
        inside
    }
}

/// Any bytes as a token; and a good place with some of its bytes changed: neither enters, and nothing panics.
pub(crate) fn knock(data: &[u8]) {
    let Some(mut night) = Night::new() else {
        return;
    };
    let _inside = night.storm();
    let verdict = night.knock(Ask::Sound, Shows::Token(data));
    assert!(matches!(verdict, Verdict::TurnAway(_)), "{verdict:?}");
    let Verdict::Wait(Waiting {
        place: Some(place), ..
    }) = night.knock(Ask::Right, Shows::Nothing)
    else {
        return;
    };
    let mut text = place.as_bytes().to_vec();
    for change in data.chunks_exact(2) {
        let at = usize::from(change[0]) % text.len();
        text[at] = change[1];
    }
    let verdict = night.knock(Ask::Right, Shows::Token(&text));
    let same = text == place.as_bytes();
    assert_eq!(same, matches!(verdict, Verdict::Wait(_)), "{verdict:?}");
}

/// A solved puzzle with some of its bytes changed: it is taken, turned away or found in the seat it has, and nothing panics.
pub(crate) fn puzzle(data: &[u8]) {
    let Some(mut night) = Night::new() else {
        return;
    };
    let _inside = night.storm();
    let Verdict::Prove(puzzle) = night.knock(Ask::Puzzle, Shows::Nothing) else {
        return;
    };
    let Some(solution) = solve(puzzle.token.as_bytes(), puzzle.tries, 0, 1) else {
        return;
    };
    let mut text = solution.as_bytes().to_vec();
    for change in data.chunks_exact(2) {
        let at = usize::from(change[0]) % SOLUTION_CHARS;
        text[at] = change[1];
    }
    // The last characters say how long it took: those the client may choose.
    let solved = text[..puzzle_end()] == solution.as_bytes()[..puzzle_end()];
    match night.knock(Ask::Sound, Shows::Token(&text)) {
        Verdict::TurnAway(reason) => assert!(text != solution.as_bytes(), "{reason:?}"),
        Verdict::Enter(_) | Verdict::Wait(_) => {
            assert!(solved || other_nonce(&text, solution.as_bytes()))
        }
        Verdict::Prove(puzzle) => panic!("{puzzle:?} for a solution"),
    }
}

fn puzzle_end() -> usize {
    SOLUTION_CHARS - 6
}

/// Changed nonces may solve it too, once in some hundred times; the puzzle itself must be the same.
fn other_nonce(text: &[u8], solution: &[u8]) -> bool {
    text[..80] == solution[..80]
}

/// What is read back after a restart, from a disk that lies.
pub(crate) fn snapshot(_data: &[u8], door: Option<DoorSnapshot>, inside: Option<InsideSnapshot>) {
    let Some(mut night) = Night::new() else {
        return;
    };
    if let Some(inside) = inside {
        night.door.hall().restore_inside(&inside);
    }
    if let Some(door) = door {
        night.door.restore(&door, night.times);
    }
    let _inside = night.storm();
    for _ in 0..50 {
        let _ = night.knock(Ask::Right, Shows::Nothing);
        night.times.now = night.times.now.plus_millis(700);
        night.usher.tick(&Load::default(), night.times);
    }
    let _ = serving_json(&night.door, night.gate.keys(), night.times, "");
}
