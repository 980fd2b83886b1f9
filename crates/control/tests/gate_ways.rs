//! Each way a knock goes, one by one: every fault of a token, every lane, taking over, coming back, keys that change.

mod gate_night;

use gate_night::*;
use hustings_control::gate::door::Door;
use hustings_control::gate::limits::*;
use hustings_control::gate::puzzle::solve;
use hustings_control::gate::ticket::{Kind, SpaceTag, Token, TokenFault};
use hustings_control::gate::verdict::Puzzle;
use hustings_control::gate::*;
use hustings_control::ids::UnixMillis;

#[test]
fn each_fault_of_a_token_has_its_own_reason() {
    let mut night = Night::new(100);
    let wall = night.times.wall;
    let good = Token {
        kind: Kind::Ticket,
        lane: Lane::Free,
        space: SpaceTag::of(&space("town")),
        epoch: DoorEpoch(3),
        prefix: 0,
        issued: wall,
        expires: UnixMillis(wall.0 + 60_000),
        id: 5,
        detail: (0, 0),
    };
    let ring = KeyRing::new(key(1, 0));
    let seal = |token: Token| token.seal(&ring, wall).as_str().to_owned();
    let late = |by: u64| UnixMillis(wall.0 / 1_000 * 1_000 - by);
    let mut cases = vec![
        (String::new(), TokenFault::Malformed),
        ("A".repeat(TOKEN_LEN), TokenFault::Malformed),
        ("!".repeat(TOKEN_LEN), TokenFault::Malformed),
        (seal(good)[1..].to_owned(), TokenFault::Malformed),
        (
            good.seal(&KeyRing::new(key(2, 0)), wall)
                .as_str()
                .to_owned(),
            TokenFault::UnknownKey,
        ),
        (
            good.seal(
                &KeyRing::new(Key {
                    secret: [9; 32],
                    ..key(1, 0)
                }),
                wall,
            )
            .as_str()
            .to_owned(),
            TokenFault::Forged,
        ),
        (
            seal(Token {
                space: SpaceTag::of(&space("city")),
                ..good
            }),
            TokenFault::WrongSpace,
        ),
        (
            seal(Token {
                epoch: DoorEpoch(2),
                ..good
            }),
            TokenFault::WrongEpoch,
        ),
        (
            seal(Token {
                issued: UnixMillis(wall.0 + CLOCK_SKEW_MS + 1),
                ..good
            }),
            TokenFault::FutureDated,
        ),
        (
            seal(Token {
                expires: late(CLOCK_SKEW_MS + 1_000),
                ..good
            }),
            TokenFault::Expired,
        ),
    ];
    // After version, kind and key (the first three characters) any character that is changed breaks the seal.
    let text = seal(good);
    for at in 3..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let reason = away(night.knock(1, Ask::Sound, Shows::Token(&bytes)));
        let cheaper = at < 6 || (19..23).contains(&at);
        let broken = reason == Reason::Token(TokenFault::Forged);
        assert!(
            broken || cheaper && reason == Reason::Token(TokenFault::Malformed),
            "{at}: {reason:?}"
        );
    }
    for (text, fault) in cases.drain(..) {
        let verdict = night.knock(1, Ask::Right, Shows::Token(text.as_bytes()));
        assert_eq!(away(verdict), Reason::Token(fault), "{text}");
    }
    let borders = [
        Token {
            id: 6,
            issued: UnixMillis(wall.0 + CLOCK_SKEW_MS),
            ..good
        },
        Token {
            id: 7,
            expires: late(CLOCK_SKEW_MS - 1_000),
            ..good
        },
        good,
    ];
    for token in borders {
        entered(night.knock(1, Ask::Sound, Shows::Token(seal(token).as_bytes())));
    }
    let tally = night.gates[0].take_tally(&night.door.clone());
    assert!(tally.sum().adds_up());
    assert_eq!(
        tally
            .sum()
            .turned_away_for(Reason::Token(TokenFault::WrongEpoch)),
        1
    );
}

const TOKEN_LEN: usize = hustings_control::gate::ticket::TOKEN_CHARS;

#[test]
fn in_calm_everyone_enters_and_gets_the_right_to_come_back() {
    let mut night = Night::new(20);
    let entry = entered(night.knock(1, Ask::Sound, Shows::Mark(77)));
    assert!(entry.ticket.is_none() && entry.took_over.is_none());
    assert!(
        night.resume_ticket(1, Shows::Mark(78)).is_none(),
        "a stranger's mark"
    );
    assert!(night.resume_ticket(1, Shows::Nothing).is_none());
    assert!(night.resume_ticket(1, Shows::Mark(77)).is_none(), "yet");
    night.pass(u64::from(STAY_MIN_S) * 1_000);
    let resume = night.resume_ticket(1, Shows::Mark(77)).unwrap();
    let open = waiting(night.knock(1, Ask::Right, Shows::Nothing));
    assert_eq!((open.cause, open.poll_ms), (Cause::Open, 0));
    drop(entry);
    let inside = night.storm(1);
    // Somebody new waits, who was inside does not; not even while nobody else could come in.
    assert_eq!(
        waiting(night.knock(2, Ask::Sound, Shows::Nothing)).cause,
        Cause::NoRight
    );
    let again = entered(night.knock(1, Ask::Sound, token(&resume)));
    assert_eq!(again.pass.lane(), Lane::Resume);
    drop((again, inside));
    assert_eq!(night.door.inside(), 0);
}

#[test]
fn one_ticket_one_seat() {
    let mut night = Night::new(10);
    let ticket = invitation(
        &space("town"),
        DoorEpoch(3),
        night.gates[0].keys(),
        9,
        night.times.wall,
        UnixMillis(40_000 * DAY),
    );
    let first = entered(night.knock(1, Ask::Sound, token(&ticket)));
    assert_eq!(first.pass.lane(), Lane::Invited);
    let second = entered(night.knock(200, Ask::Sound, token(&ticket)));
    assert_eq!(second.took_over, first.pass.key());
    assert!(first.pass.is_taken_over() && !second.pass.is_taken_over());
    assert_eq!(night.door.inside(), 1);
    drop(first);
    assert_eq!(
        (
            night.door.inside(),
            night.door.inside_by_lane(Lane::Invited)
        ),
        (1, 1)
    );
    drop(second);
    assert_eq!(
        (night.door.inside(), night.hall.out()),
        (0, night_lease(&night))
    );
    // It comes back for five minutes; after that it is spent.
    night.pass(1_000);
    drop(entered(night.knock(1, Ask::Sound, token(&ticket))));
    night.pass(u64::from(LEFT_KEPT_S) * 1_000 + 2_000);
    assert_eq!(
        away(night.knock(77, Ask::Right, token(&ticket))),
        Reason::Spent
    );
}

/// Leases are given back at a tick when seats are short; with plenty a gate keeps some in hand.
fn night_lease(night: &Night) -> u32 {
    night.hall.out() - night.door.inside()
}

#[test]
fn in_a_storm_a_place_becomes_a_held_seat_and_then_sound() {
    let mut night = Night::new(50);
    let mut inside = night.storm(0);
    let mut held = Held::default();
    let first = waiting(night.knock(1, Ask::Right, Shows::Nothing));
    let place = first.place.unwrap();
    assert_eq!(first.cause, Cause::NoRight);
    night.pass(3_000);
    let still = waiting(night.knock(1, Ask::Right, token(&place)));
    assert!(
        matches!(still.cause, Cause::NotYourTurn | Cause::NoSeat),
        "{still:?}"
    );
    assert!(still.place.is_none(), "come again with the same place");
    inside.pop();
    night.pass(1_500);
    let entry = entered(night.knock(1, Ask::Right, token(&place)));
    let ticket = entry.ticket.unwrap();
    held.hold(entry.pass, night.times.now);
    assert_eq!(night.door.inside(), 50);
    let sound = entered(night.knock(7, Ask::Sound, token(&ticket)));
    assert!(sound.took_over.is_some());
    assert_eq!(
        (
            held.let_go(night.times.now),
            held.len(),
            night.door.inside()
        ),
        (0, 0, 50)
    );
    // The place is the same right: it takes over, it does not double.
    let moved = entered(night.knock(1, Ask::Sound, token(&place)));
    assert!(moved.took_over.is_some() && night.door.inside() == 50);
    let tally = night.gates[0].take_tally(&night.door.clone());
    assert!(
        tally.lane(Lane::Free).moved >= 1,
        "another prefix is charged, and counted"
    );
}

#[test]
fn a_held_seat_is_free_again_after_30_s_and_the_right_stays() {
    let (mut night, _inside, entry) = held_seat(30);
    let mut held = Held::default();
    held.hold(entry.pass, night.times.now);
    night.pass(SEAT_HELD_MS - 100);
    assert_eq!((held.let_go(night.times.now), night.door.inside()), (0, 30));
    night.pass(200);
    assert_eq!((held.let_go(night.times.now), night.door.inside()), (1, 29));
    night.pass(500);
    entered(night.knock(1, Ask::Sound, token(&entry.ticket.unwrap())));
}

#[test]
fn those_without_script_come_back_by_as_many_as_were_inside() {
    let mut night = Night::new(40);
    let bare: Vec<_> = (0..3)
        .map(|_| entered(night.knock(5, Ask::Sound, Shows::Nothing)))
        .collect();
    let snapshot = serde_json::to_string(&night.hall.inside_snapshot()).unwrap();
    let inside = night.storm(0);
    night.pass(u64::from(STAY_MIN_S) * 1_000);
    drop(bare);
    night.pass(200);
    let back: Vec<_> = (0..5)
        .map(|_| night.knock(5, Ask::Sound, Shows::Nothing))
        .collect();
    let came = back.iter().filter(
        |verdict| matches!(verdict, Verdict::Enter(entry) if entry.pass.lane() == Lane::Resume),
    );
    assert_eq!(came.count(), 3);
    drop((back, inside));

    // The node dies and comes back; a crowd is there first.
    let mut next = Night::new(40);
    assert!(
        next.hall
            .restore_inside(&serde_json::from_str(&snapshot).unwrap())
    );
    let mut others = next.storm(0);
    others.truncate(30);
    next.pass(1_000);
    let back: Vec<_> = (0..5)
        .map(|_| next.knock(5, Ask::Sound, Shows::Nothing))
        .collect();
    assert_eq!(
        back.iter()
            .filter(|verdict| matches!(verdict, Verdict::Enter(_)))
            .count(),
        3
    );
}

#[test]
fn a_resume_ticket_outlasts_a_restart() {
    let mut night = Night::new(40);
    let _inside = entered(night.knock(1, Ask::Sound, Shows::Mark(5)));
    night.pass(u64::from(STAY_MIN_S) * 1_000);
    let resume = night.resume_ticket(1, Shows::Mark(5)).unwrap();
    let mut next = Night::new(40);
    next.times.wall.0 = night.times.wall.0 + 60_000;
    let _others = next.storm(1);
    let entry = entered(next.knock(1, Ask::Sound, token(&resume)));
    assert_eq!(entry.pass.lane(), Lane::Resume);
    next.times.wall.0 += RESUME_LIFE_MS + CLOCK_SKEW_MS + 1_000;
    assert_eq!(
        away(next.knock(1, Ask::Right, token(&resume))),
        Reason::Token(TokenFault::Expired)
    );
}

#[test]
fn in_a_storm_computing_is_a_way_in_and_a_solution_is_spent_once() {
    let mut night = Night::new(30);
    let inside = night.storm(3);
    let Verdict::Prove(Puzzle {
        token: puzzle,
        tries,
    }) = night.knock(1, Ask::Puzzle, Shows::Nothing)
    else {
        panic!("no puzzle");
    };
    assert_eq!(
        away(night.knock(1, Ask::Sound, token(&puzzle))),
        Reason::Unsolved
    );
    let solution = solve(puzzle.as_bytes(), tries, 0, 300).unwrap();
    let mut wrong = *solution_bytes(&solution);
    let last = wrong.len() - 12;
    wrong[last] = if wrong[last] == b'A' { b'B' } else { b'A' };
    assert_eq!(
        away(night.knock(1, Ask::Sound, Shows::Token(&wrong))),
        Reason::WrongSolution
    );
    // Three seats lie ready by the lanes' shares; one for effort, once asked for, at the next tick.
    let mut verdict = night.knock(1, Ask::Sound, Shows::Token(solution.as_bytes()));
    if let Verdict::Wait(_) = verdict {
        night.pass(100);
        verdict = night.knock(1, Ask::Sound, Shows::Token(solution.as_bytes()));
    }
    let entry = entered(verdict);
    assert_eq!(entry.pass.lane(), Lane::Effort);
    let twice = entered(night.knock_at(0, 2, Ask::Sound, Shows::Token(solution.as_bytes())));
    assert!(twice.took_over.is_some() && night.door.inside_by_lane(Lane::Effort) == 1);
    drop((entry, twice));
    night.pass(u64::from(LEFT_KEPT_S) * 1_000 + 2_000 - 10_000);
    let _back = entered(night.knock(1, Ask::Sound, Shows::Token(solution.as_bytes())));
    drop((_back, inside));
    night.pass(u64::from(LEFT_KEPT_S) * 1_000 + 2_000);
    let late = away(night.knock(77, Ask::Right, Shows::Token(solution.as_bytes())));
    assert!(
        matches!(late, Reason::Spent | Reason::Token(TokenFault::Expired)),
        "{late:?}"
    );
}

#[test]
fn who_has_computed_finds_the_seat_that_a_line_of_nobody_leaves() {
    for free in [1, 2] {
        let mut night = Night::new(30);
        let mut inside = night.storm(0);
        for from in 1..=40 {
            waiting(night.knock(from, Ask::Right, Shows::Nothing));
        }
        let Verdict::Prove(puzzle) = night.knock(99, Ask::Puzzle, Shows::Nothing) else {
            panic!("no puzzle");
        };
        let solution = solve(puzzle.token.as_bytes(), puzzle.tries, 0, 300).unwrap();
        let shows = Shows::Token(solution.as_bytes());
        let mut told = waiting(night.knock(99, Ask::Right, shows));
        inside.truncate(inside.len() - free);
        let mut waited = 0;
        let entry = loop {
            waited += told.poll_ms;
            night.pass(u64::from(told.poll_ms));
            match night.knock(99, Ask::Right, shows) {
                Verdict::Enter(entry) => break entry,
                other => told = waiting(other),
            }
            assert!(waited < 20_000, "{free} free: no seat in {waited} ms");
        };
        assert_eq!(entry.pass.lane(), Lane::Effort);
    }
}

fn solution_bytes(solution: &hustings_control::gate::puzzle::Solution) -> &[u8; 128] {
    solution.as_bytes().try_into().unwrap()
}

#[test]
fn a_rotation_in_the_middle_of_an_event_refuses_nobody() {
    let mut night = Night::new(30);
    let _inside = night.storm(0);
    let old = waiting(night.knock(1, Ask::Right, Shows::Nothing))
        .place
        .unwrap();
    let mut ring = night.gates[0].keys().clone();
    ring.add(key(2, night.times.wall.0 + 2_000)).unwrap();
    night.gates[0].set_keys(ring);
    night.pass(3_000);
    let new = waiting(night.knock(2, Ask::Right, Shows::Nothing))
        .place
        .unwrap();
    assert_ne!(
        old.as_bytes()[1..3],
        new.as_bytes()[1..3],
        "sealed with another key"
    );
    for place in [old, new] {
        let cause = waiting(night.knock(1, Ask::Right, token(&place))).cause;
        assert!(
            matches!(cause, Cause::NotYourTurn | Cause::NoSeat | Cause::NoRight),
            "{cause:?}"
        );
    }
}

/// Whoever has a place comes with it until nobody finds a seat any more.
fn rush_in(night: &mut Night, places: &[(u8, TokenText)], inside: &mut Vec<Pass>) {
    for (from, place) in places {
        if let Verdict::Enter(entry) = night.knock(*from, Ask::Right, token(place)) {
            inside.push(entry.pass);
        }
    }
}

#[test]
fn in_a_storm_who_was_inside_comes_in_by_the_first_knock() {
    let mut night = Night::new(100);
    let seated = entered(night.knock(200, Ask::Sound, Shows::Mark(5)));
    night.pass(u64::from(STAY_MIN_S) * 1_000);
    let ticket = night.resume_ticket(200, Shows::Mark(5)).unwrap();
    let mut inside = night.storm(8);
    let mut places = Vec::new();
    for from in 0..60 {
        let place = waiting(night.knock(from, Ask::Right, Shows::Nothing)).place;
        places.push((from, place.expect("a place")));
    }
    // Its connection breaks while the line presses in: nothing is lost that the usher could see.
    drop(seated);
    for _ in 0..300 {
        night.pass(100);
        rush_in(&mut night, &places, &mut inside);
    }
    assert!(
        inside.len() >= 98,
        "{} inside: the line fills the rest",
        inside.len()
    );
    let entry = entered(night.knock(200, Ask::Sound, token(&ticket)));
    assert_eq!(entry.pass.lane(), Lane::Resume);
    assert!(night.hall.inside() <= 100);
    // The next of them finds one too, as soon as somebody leaves.
    drop(inside.pop());
    night.pass(100);
    rush_in(&mut night, &places, &mut inside);
    drop(entry);
    entered(night.knock(201, Ask::Sound, token(&ticket)));
}

#[test]
fn a_shard_in_a_storm_of_its_own_takes_back_who_was_inside() {
    let mut night = Night::new(40);
    let seated = entered(night.knock(200, Ask::Sound, Shows::Mark(5)));
    night.pass(u64::from(STAY_MIN_S) * 1_000);
    let ticket = night.resume_ticket(200, Shows::Mark(5)).unwrap();
    drop(seated);
    night.load.cpu = 0.93;
    let (load, times) = (night.load, night.times);
    let event = night.gates[0].tick(&load, times).expect("a storm");
    assert_eq!((event.to, night.door.mode()), (Mode::Storm, Mode::Calm));
    entered(night.knock(200, Ask::Sound, token(&ticket)));
}

#[test]
fn a_space_below_its_guarantee_goes_first_when_seats_come_free() {
    let mut night = Night::with(Settings {
        seats: 100,
        guarantee: 0.5,
        ..Settings::default()
    });
    let small = night
        .usher
        .open(space("small"), DoorEpoch(1), None, night.times)
        .unwrap();
    // The big one borrows what is idle, but for what is kept for first comers.
    let mut big = Vec::new();
    for _ in 0..6 {
        for each in 0..100 {
            if let Verdict::Enter(entry) =
                night.knock(each, Ask::Sound, Shows::Mark(big.len() as u64 + 1))
            {
                big.push(entry.pass);
            }
        }
        night.pass(100);
    }
    assert!((90..=98).contains(&big.len()), "{} borrowed", big.len());
    let mut came = Vec::new();
    for round in 0..40_u64 {
        // Both want; each round one seat of the big one comes free.
        for each in 0..20_u64 {
            for (door, base) in [(small.clone(), 1_000), (night.door.clone(), 9_000)] {
                let ticket = invitation_of(&door, base + round * 20 + each, &night);
                let from = Prefix::v4([1, round as u8, each as u8, 1]);
                let knock = Knock {
                    door: &door,
                    from,
                    ask: Ask::Sound,
                    shows: token(&ticket),
                };
                match night.gates[0].knock(&knock, &night.load, night.times) {
                    Verdict::Enter(entry) if base == 1_000 => came.push(entry.pass),
                    Verdict::Enter(entry) => big.push(entry.pass),
                    _ => {}
                }
            }
        }
        big.remove(0);
        night.pass(100);
        assert!(small.inside() + night.door.inside() <= 100);
    }
    assert!(
        (38..=50).contains(&small.inside()),
        "{} of its 50",
        small.inside()
    );
}

fn invitation_of(door: &Door, id: u64, night: &Night) -> TokenText {
    let expires = UnixMillis(night.times.wall.0 + DAY);
    invitation(
        door.space(),
        door.epoch(),
        night.gates[0].keys(),
        id,
        night.times.wall,
        expires,
    )
}

#[test]
fn modes_come_and_go_as_events() {
    let mut night = Night::new(100);
    let mut passes = Vec::new();
    let mut modes = Vec::new();
    // The last seat is kept for those who were inside.
    for each in 0..99 {
        let ticket = invitation_of(&night.door.clone(), u64::from(each), &night);
        passes.push(entered(night.knock(each, Ask::Sound, token(&ticket))).pass);
        modes.extend(
            night
                .pass(1_000)
                .into_iter()
                .map(|event| (event.from, event.to)),
        );
    }
    assert_eq!(modes, [(Mode::Calm, Mode::Busy), (Mode::Busy, Mode::Storm)]);
    passes.clear();
    let modes: Vec<_> = night
        .pass(60_000)
        .into_iter()
        .map(|event| (event.from, event.to))
        .collect();
    assert_eq!(modes, [(Mode::Storm, Mode::Busy), (Mode::Busy, Mode::Calm)]);
}

#[test]
fn in_a_busy_door_coming_twice_is_enough() {
    let mut night = Night::new(100);
    let passes: Vec<_> = (0..86)
        .map(|each| entered(night.knock(each, Ask::Sound, Shows::Mark(u64::from(each)))))
        .collect();
    night.pass(12_000);
    assert_eq!(night.door.mode(), Mode::Busy);
    assert_eq!(
        waiting(night.knock(200, Ask::Sound, Shows::Nothing)).cause,
        Cause::NoRight
    );
    let first = waiting(night.knock(200, Ask::Right, Shows::Nothing));
    assert!((800..=1_000).contains(&first.poll_ms), "{}", first.poll_ms);
    night.pass(700);
    assert_eq!(
        waiting(night.knock(200, Ask::Sound, token(&first.place.unwrap()))).cause,
        Cause::NoRight,
        "too young"
    );
    night.pass(200);
    entered(night.knock(200, Ask::Sound, token(&first.place.unwrap())));
    drop(passes);
}

#[test]
fn a_full_shard_or_node_takes_nobody_and_a_closed_door_says_so() {
    let mut night = Night::new(100);
    night.load.files = Used {
        used: 98,
        limit: 100,
    };
    assert_eq!(
        waiting(night.knock(1, Ask::Sound, Shows::Nothing)).cause,
        Cause::NodeFull
    );
    night.load = Load::default();
    night.load.cpu = 0.93;
    let event = night.gates[0].tick(&night.load, night.times).unwrap();
    assert_eq!(
        (event.of, event.to, event.because),
        (ModeOf::Shard(0), Mode::Storm, Resource::Cpu)
    );
    assert_eq!(
        waiting(night.knock(1, Ask::Sound, Shows::Nothing)).cause,
        Cause::NoRight
    );
    night.usher.close(&space("town"));
    assert_eq!(
        away(night.knock(1, Ask::Sound, Shows::Nothing)),
        Reason::Closed
    );
    assert!(
        night
            .usher
            .open(space("town"), DoorEpoch(4), Some(2.0), night.times)
            .is_err()
    );
    assert!(
        night
            .usher
            .open(space("town"), DoorEpoch(4), None, night.times)
            .is_ok()
    );
}

#[test]
fn a_restored_line_keeps_the_order_of_places() {
    let mut night = Night::new(20);
    let _inside = night.storm(0);
    let mut places = Vec::new();
    for each in 0..40 {
        places.push(waiting(night.knock(each, Ask::Right, Shows::Nothing)));
        night.pass(1_000);
    }
    let snapshot = serde_json::to_string(&night.door.snapshot(night.times)).unwrap();
    let mut next = Night::new(20);
    next.times.wall = night.times.wall;
    next.door
        .restore(&serde_json::from_str(&snapshot).unwrap(), next.times);
    let _others = next.storm(0);
    let mut positions = Vec::new();
    for place in &places {
        positions.push(waiting(next.knock(1, Ask::Right, token(&place.place.unwrap()))).position);
    }
    assert!(
        positions.is_sorted() && positions[0] <= 1 && positions[39] >= 37,
        "{positions:?}"
    );
    let later = waiting(next.knock(1, Ask::Right, Shows::Nothing));
    assert!(
        later.position >= positions[39],
        "who comes after the restart stands behind"
    );
}

#[test]
fn serving_json_says_where_the_line_is() {
    let mut night = Night::new(20);
    let _inside = night.storm(0);
    for each in 0..30 {
        waiting(night.knock(each, Ask::Right, Shows::Nothing));
    }
    night.pass(1_000);
    let ring = night.gates[0].keys().clone();
    let bytes = serving_json(&night.door, &ring, night.times, "");
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        (&value["mode"], &value["issued"], &value["space"]),
        (&"storm".into(), &30.into(), &"town".into())
    );
    assert!(value["pace"].is_null() && value["seal"].as_str().unwrap().starts_with("1:"));
    assert!(bytes.len() < 400, "{} bytes", bytes.len());
}

#[test]
fn one_free_seat_calls_the_line() {
    let mut night = Night::new(4);
    let mut inside = night.storm(0);
    night.pass(60_000);
    let place = waiting(night.knock(1, Ask::Right, Shows::Nothing))
        .place
        .unwrap();
    night.pass(2_000);
    assert_eq!(night.door.line().1, 0, "no seat, no call");
    inside.pop();
    // For three seconds it is kept for who has left it.
    night.pass(5_000);
    assert_eq!(night.door.line(), (1, 1), "one seat, one call");
    let verdict = night.knock(1, Ask::Right, token(&place));
    assert!(matches!(verdict, Verdict::Enter(_)), "{verdict:?}");
}

#[test]
fn who_comes_before_the_draw_has_a_rank_by_lot_and_who_comes_after_stands_behind() {
    let mut night = Night::new(4);
    let far = night.times.now.plus_millis(60_000);
    assert!(night.door.draw_at(far));
    // In calm nobody needs a place, and a draw holds nobody up.
    let seated = entered(night.knock(99, Ask::Sound, Shows::Nothing));
    let _inside = night.storm(0);
    let early: Vec<_> = (0..20)
        .map(|from| waiting(night.knock(from, Ask::Right, Shows::Nothing)))
        .collect();
    let soon = night.times.now.plus_millis(5_000);
    assert!(
        night.door.draw_at(soon),
        "what is still to come can be moved"
    );
    assert_eq!(night.door.draws_in_ms(night.times.now), Some(5_000));
    night.pass(4_000);
    assert_eq!(night.door.line().1, 0, "nobody is called before the draw");
    night.pass(2_000);
    assert!(!night.door.draw_at(far), "there is no second draw");
    let late = waiting(night.knock(50, Ask::Right, Shows::Nothing));
    let drawn: Vec<_> = early
        .iter()
        .map(|one| waiting(night.knock(1, Ask::Right, token(&one.place.unwrap()))).position)
        .collect();
    assert!(!drawn.is_sorted(), "{drawn:?}");
    assert!(drawn.iter().all(|position| *position <= late.position));
    drop(seated);
}

#[test]
fn a_door_that_is_shut_keeps_newcomers_out_and_lets_those_back_who_were_inside() {
    for shut in [Shut::Paused, Shut::Dropped] {
        let mut night = Night::new(40);
        let first = entered(night.knock(1, Ask::Sound, Shows::Mark(5)));
        night.pass(u64::from(STAY_MIN_S) * 1_000);
        let back = night.resume_ticket(1, Shows::Mark(5)).unwrap();
        let bare = entered(night.knock(2, Ask::Sound, Shows::Nothing));
        let town = space("town");
        night.usher.settle(&town, None, Some(30), shut).unwrap();
        night.pass(200);
        assert_eq!((night.door.shut(), night.door.inside()), (shut, 2));
        let newcomer = night.knock(3, Ask::Right, Shows::Nothing);
        match shut {
            Shut::Dropped => assert_eq!(away(newcomer), Reason::Closed),
            _ => assert!(waiting(newcomer).place.is_some()),
        }
        // Connections break, of one with a ticket and of one with nothing in hand.
        night.pass(u64::from(STAY_MIN_S) * 1_000);
        drop((first, bare));
        night.pass(5_000);
        let again = entered(night.knock(1, Ask::Sound, token(&back)));
        let bare = entered(night.knock(2, Ask::Sound, Shows::Nothing));
        let lanes = (again.pass.lane(), bare.pass.lane());
        assert_eq!(lanes, (Lane::Resume, Lane::Resume));
        let tally = night.gates[0].take_tally(&night.door.clone());
        assert!(tally.sum().adds_up());
        night.usher.settle(&town, None, Some(30), Shut::No).unwrap();
        night.pass(30_000);
        entered(night.knock(3, Ask::Sound, Shows::Nothing));
    }
}
