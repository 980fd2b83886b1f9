//! A knock allocates nothing, whatever it shows and however it ends.

use std::collections::BTreeMap;

use hustings_control::gate::puzzle::solve;
use hustings_control::gate::*;
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_media::time::Now;

#[test]
fn a_knock_allocates_nothing() {
    let settings = Settings {
        seats: 60,
        guarantee: 1.0,
        ..Settings::default()
    };
    let hall = Hall::new(settings, Salt([1, 2])).unwrap();
    let mut times = Times {
        now: Now(1),
        wall: UnixMillis(1_800_000_000_000),
    };
    let mut usher = Usher::new(hall.clone());
    let door = usher
        .open(SpaceId::parse("town").unwrap(), DoorEpoch(1), None, times)
        .unwrap();
    let (seals_from, checks_until) = (UnixMillis(0), UnixMillis(u64::MAX));
    let ring = KeyRing::new(Key {
        id: 1,
        secret: [7; 32],
        seals_from,
        checks_until,
    });
    let mut gate = Gate::new(hall, 0, ring, [3; 32]);
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut inside = Vec::with_capacity(100);
    let mut texts: Vec<Vec<u8>> = vec![
        b"A".repeat(80),
        b"x".repeat(5),
        b"E".repeat(80),
        b"E".repeat(128),
    ];
    for step in 0..1_200_u32 {
        times.now = times.now.plus_millis(100);
        times.wall.0 += 100;
        usher.tick(&Load::default(), times);
        gate.tick(&Load::default(), times);
        // The first find the door calm.
        let shows = match step % 3 {
            _ if step < 4 => Shows::Nothing,
            0 => Shows::Nothing,
            1 => Shows::Mark(u64::from(step)),
            _ if step % 2 == 0 => Shows::Token(&texts[texts.len() - 1]),
            _ => Shows::Token(&texts[step as usize / 6 % texts.len()]),
        };
        let ask = [Ask::Sound, Ask::Right, Ask::Puzzle][step as usize / 2 % 3];
        let from = Prefix::v6([
            0x20, 1, step as u8, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        ]);
        let knock = Knock {
            door: &door,
            from,
            ask,
            shows,
        };
        let mut verdict = None;
        let counted = allocation_counter::measure(|| {
            verdict = Some(gate.knock(&knock, &Load::default(), times))
        });
        assert_eq!(counted.count_total, 0, "step {step}: {verdict:?}");
        let left = allocation_counter::measure(|| {
            if step % 19 == 0 {
                drop(inside.pop());
            }
        });
        assert_eq!(left.count_total, 0, "leaving");
        let name = match verdict.unwrap() {
            Verdict::Enter(entry) => {
                texts.extend(entry.ticket.map(|ticket| ticket.as_bytes().to_vec()));
                inside.push(entry.pass);
                "enter"
            }
            Verdict::Wait(waiting) => {
                texts.extend(waiting.place.map(|place| place.as_bytes().to_vec()));
                waiting.cause.name()
            }
            Verdict::Prove(puzzle) => {
                texts.push(puzzle.token.as_bytes().to_vec());
                let solution = solve(puzzle.token.as_bytes(), puzzle.tries, 0, 5).unwrap();
                texts.push(solution.as_bytes().to_vec());
                "prove"
            }
            Verdict::TurnAway(reason) => reason.name(),
        };
        *seen.entry(name).or_default() += 1;
    }
    for name in [
        "enter",
        "prove",
        "no_right",
        "prefix_share",
        "malformed",
        "open",
    ] {
        assert!(seen.contains_key(name), "{name} did not happen: {seen:?}");
    }
}

/// The counter does count: else the test above would show nothing.
#[test]
fn the_counter_counts() {
    assert!(
        allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 10]))).count_total > 0
    );
}
