//! One right, one seat: taken over, left, come back to.

use super::super::limits::LEFT_KEPT_S;
use super::super::prefix::Salt;
use super::*;

const SALT: Salt = Salt([8, 9]);

#[test]
fn one_right_has_one_seat_and_the_last_connection_has_it() {
    let (seats, hash) = (Seats::new(100), SALT.hash(1, 1));
    let Claim::Sits { key: first, .. } = seats.claim(hash, Lane::Free, 10) else {
        panic!()
    };
    assert_eq!(seats.find(hash, 10), Found::Live(Lane::Free));
    let Claim::TookOver {
        key,
        from,
        lane,
        since,
    } = seats.claim(hash, Lane::Resume, 11)
    else {
        panic!()
    };
    assert_eq!((from, lane, since), (first, Lane::Free, 10));
    assert!(seats.is_taken_over(first) && !seats.is_taken_over(key));
    assert!(!seats.leave(first, 12, false), "it is another's to give");
    assert!(seats.leave(key, 12, false));
    assert!(!seats.leave(key, 12, false), "once");
    assert_eq!(seats.find(hash, 12 + LEFT_KEPT_S), Found::Left);
    assert_eq!(seats.find(hash, 13 + LEFT_KEPT_S), Found::Nobody);
    assert!(seats.take_over(hash, 13).is_none());
    assert!(matches!(
        seats.claim(hash, Lane::Resume, 14),
        Claim::Sits { .. }
    ));
}

#[test]
fn as_many_sit_as_there_are_seats() {
    let seats = Seats::new(40_000);
    for id in 0..40_000 {
        let claim = seats.claim(SALT.hash(id, 0), Lane::Free, 0);
        assert!(matches!(claim, Claim::Sits { .. }), "{id}: {claim:?}");
    }
    assert!((0..40_000).all(|id| seats.find(SALT.hash(id, 0), 0) == Found::Live(Lane::Free)));
    let strangers =
        (50_000..150_000).filter(|id| seats.find(SALT.hash(*id, 0), 0) != Found::Nobody);
    assert_eq!(strangers.count(), 0);
}

#[test]
fn the_left_make_room_for_those_who_come() {
    let seats = Seats::new(1_000);
    for round in 0..40_u32 {
        for id in 0..1_000 {
            let hash = SALT.hash(id, u64::from(round));
            let Claim::Sits { key, .. } = seats.claim(hash, Lane::Free, round) else {
                panic!("{round} {id}")
            };
            assert!(seats.leave(key, round, false));
        }
    }
}

#[test]
fn a_right_comes_in_again_some_times_at_once_and_then_now_and_then() {
    let (seats, hash, other) = (Seats::new(100), SALT.hash(1, 1), SALT.hash(2, 1));
    let come = |hash: u64, second: u32| {
        let may = seats.again_in(hash, second) == 0;
        match may.then(|| seats.claim(hash, Lane::Free, second)) {
            Some(Claim::Sits { key, .. } | Claim::TookOver { key, .. }) => Some(key),
            _ => None,
        }
    };
    // Whether the seat is left in between or taken over.
    for leaves in [false, true] {
        let from = 1_000 + 1_000 * u32::from(leaves);
        let mut came = 0;
        for _ in 0..10_000 {
            let key = come(hash, from);
            came += u32::from(key.is_some());
            if let Some(key) = key.filter(|_| leaves) {
                assert!(seats.leave(key, from, false));
            }
        }
        // The very first time it had no seat before.
        assert_eq!(came, AGAIN_AT_ONCE + u32::from(!leaves), "at once");
        assert_eq!(seats.again_in(hash, from), AGAIN_EVERY_S);
        let later = (from..from + 100).filter(|second| come(hash, *second).is_some());
        assert_eq!(
            later.count() as u32,
            99 / AGAIN_EVERY_S,
            "then now and then"
        );
    }
    assert!(come(other, 2_100).is_some(), "another's is another's");
}

#[test]
fn who_was_there_for_a_moment_without_a_right_is_known_and_was_not_inside() {
    let (seats, hash) = (Seats::new(100), SALT.hash(1, 1));
    let Claim::Sits { key, since } = seats.claim(hash, Lane::Free, 10) else {
        panic!()
    };
    assert_eq!(since, 10);
    assert!(seats.leave(key, 12, true));
    assert_eq!(seats.find(hash, 12), Found::Visited);
    let Claim::Sits { key, since } = seats.claim(hash, Lane::Free, 20) else {
        panic!()
    };
    assert_eq!(since, 20, "its stay begins anew");
    assert!(seats.leave(key, 40, false));
    let Claim::Sits { since, .. } = seats.claim(hash, Lane::Free, 41) else {
        panic!()
    };
    assert_eq!(since, 20, "who was inside goes on being inside");
}

/// Real cores race: at any moment one connection has the seat, and it is given back once.
#[test]
fn cores_that_race_with_one_ticket_share_one_seat() {
    let seats = Seats::new(64);
    for right in 0..300 {
        let hash = SALT.hash(right, 3);
        let counts: Vec<(i32, i32)> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| race(&seats, hash))).collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        let sat: i32 = counts.iter().map(|count| count.0).sum();
        let gave: i32 = counts.iter().map(|count| count.1).sum();
        assert_eq!(sat, gave, "right {right}");
    }
}

fn race(seats: &Seats, hash: u64) -> (i32, i32) {
    let (mut sat, mut gave) = (0, 0);
    for _ in 0..20 {
        let key = match seats.claim(hash, Lane::Free, 1) {
            Claim::Sits { key, .. } => {
                sat += 1;
                key
            }
            Claim::TookOver { key, .. } => key,
            Claim::Crowded => continue,
        };
        gave += i32::from(seats.leave(key, 1, false));
    }
    (sat, gave)
}
