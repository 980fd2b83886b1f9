//! Rights and seats gathered to no use: tickets to come back with, seats held and not heard, places nobody comes with, one
//! access that takes everything while nobody else is there.

mod gate_night;

use gate_night::*;
use hustings_control::gate::limits::*;
use hustings_control::gate::ticket::TokenFault;
use hustings_control::gate::*;
use hustings_control::ids::UnixMillis;

const STAYED_MS: u64 = STAY_MIN_S as u64 * 1_000;

/// Knocks with nothing from a prefix until it is refused; gives the passes.
fn take_all(night: &mut Night, from: Prefix) -> Vec<Pass> {
    let mut passes = Vec::new();
    for _ in 0..100 {
        let before = passes.len();
        while let Verdict::Enter(entry) = knock(night, from, Ask::Sound, Shows::Nothing) {
            passes.push(entry.pass);
        }
        if passes.len() == before && night.door.mode() > Mode::Calm {
            break;
        }
        night.pass(100);
    }
    passes
}

fn knock(night: &mut Night, from: Prefix, ask: Ask, shows: Shows<'_>) -> Verdict {
    let door = night.door.clone();
    let knock = Knock {
        door: &door,
        from,
        ask,
        shows,
    };
    night.gates[0].knock(&knock, &night.load, night.times)
}

#[test]
fn tickets_gathered_one_after_the_other_bring_no_more_in_than_were_inside_at_once() {
    let mut night = Night::new(60);
    let mut tickets = Vec::new();
    for mark in 0..40 {
        let _inside = entered(night.knock(66, Ask::Sound, Shows::Mark(mark)));
        assert!(night.resume_ticket(66, Shows::Mark(mark)).is_none());
        night.pass(STAYED_MS);
        tickets.push(night.resume_ticket(66, Shows::Mark(mark)).unwrap());
    }
    let mut inside = night.storm(0);
    drop(inside.split_off(20));
    night.pass(200);
    let back: Vec<_> = tickets
        .iter()
        .filter_map(|ticket| match night.knock(66, Ask::Sound, token(ticket)) {
            Verdict::Enter(entry) => Some(entry.pass),
            verdict => {
                assert_eq!(waiting(verdict).cause, Cause::PrefixShare);
                None
            }
        })
        .collect();
    // One was inside at once; and a little more is anybody's share.
    assert!((1..=3).contains(&back.len()), "{} came back", back.len());
}

#[test]
fn from_another_access_few_come_back_at_once() {
    let mut night = Night::new(120);
    let mut seated = Vec::new();
    let mut tickets = Vec::new();
    for mark in 0..12 {
        seated.push(entered(night.knock(66, Ask::Sound, Shows::Mark(mark))));
    }
    night.pass(STAYED_MS);
    for mark in 0..12 {
        tickets.push(night.resume_ticket(66, Shows::Mark(mark)).unwrap());
    }
    night.pass(30_000);
    let inside = night.storm(0);
    // They go by and by: no mass that lost its connections.
    for pass in seated {
        drop(pass);
        night.pass(500);
    }
    let moved: Vec<_> = tickets
        .iter()
        .filter_map(|ticket| match night.knock(67, Ask::Sound, token(ticket)) {
            Verdict::Enter(entry) => Some(entry.pass),
            _ => None,
        })
        .collect();
    let most = RETURNS_MIN + 120 / RETURNS_PART + 2;
    assert!(
        !moved.is_empty() && moved.len() as u32 <= most,
        "{}",
        moved.len()
    );
    drop(inside);
}

#[test]
fn a_seat_is_held_once_and_who_never_hears_has_none() {
    let (mut night, _inside, entry) = held_seat(30);
    let ticket = entry.ticket.unwrap();
    let mut held = Held::default();
    held.hold(entry.pass, night.times.now);
    for _ in 0..4 {
        night.pass(5_000);
        held.let_go(night.times.now);
        // Asked again it is the same seat, and no longer held.
        let again = waiting(night.knock(1, Ask::Right, token(&ticket)));
        assert_eq!(again.cause, Cause::Open);
        assert!(again.place.is_some());
        assert_eq!(night.door.inside(), 30);
    }
    night.pass(SEAT_HELD_MS - 20_000);
    assert_eq!((held.let_go(night.times.now), night.door.inside()), (1, 29));
    night.pass(1_000);
    let again = waiting(night.knock(1, Ask::Right, token(&ticket)));
    assert_eq!((again.cause, night.door.inside()), (Cause::Open, 29));
    let sound = entered(night.knock(1, Ask::Sound, token(&again.place.unwrap())));
    assert_eq!(sound.pass.lane(), Lane::Free);
    assert_eq!(night.door.inside(), 30);
}

#[test]
fn one_access_is_given_so_many_places_and_the_line_stays_short() {
    let mut night = Night::new(30);
    let _inside = night.storm(0);
    let mut given = 0;
    for tick in 0..20 {
        for _ in 0..1_000 {
            let waits = waiting(night.knock(1, Ask::Right, Shows::Nothing));
            given += u32::from(waits.place.is_some());
            assert!(waits.place.is_some() || waits.poll_ms >= 1_000);
        }
        let honest = waiting(night.knock(2 + tick, Ask::Right, Shows::Nothing));
        assert!(honest.place.is_some(), "another access");
        night.pass(100);
    }
    let second = PLACES_AT_ONCE_MIN / 8;
    assert!(given <= PLACES_AT_ONCE_MIN + 3 * second, "{given}");
    assert!(given >= PLACES_AT_ONCE_MIN, "{given}");
}

#[test]
fn in_calm_one_access_leaves_seats_to_others_and_a_hall_behind_one_address_comes_in() {
    let home = Prefix::v4([66, 6, 6, 6]);
    let mut night = Night::new(400);
    let mut inside = Vec::new();
    let mut come = |night: &mut Night| {
        while let Verdict::Enter(entry) = knock(night, home, Ask::Sound, Shows::Nothing) {
            inside.push(entry.pass);
        }
        inside.len()
    };
    // A second's rush: no more than it leaves.
    for _ in 0..10 {
        come(&mut night);
        night.pass(100);
    }
    assert!(
        (128..=206).contains(&come(&mut night)),
        "{}",
        night.door.inside()
    );
    // Nobody else is there: in a minute 300 are, and some seats stay for whoever comes.
    for _ in 0..900 {
        come(&mut night);
        night.pass(100);
    }
    let many = come(&mut night);
    assert!((300..=351).contains(&many), "{many}");
    let other = knock(
        &mut night,
        Prefix::v4([70, 1, 1, 1]),
        Ask::Sound,
        Shows::Nothing,
    );
    assert!(matches!(other, Verdict::Enter(_)) || night.door.mode() > Mode::Calm);
    // Of a small space an access may have more than half.
    let mut small = Night::new(20);
    let home = take_all(&mut small, home);
    assert!(home.len() as u32 >= ALONE_MIN, "{}", home.len());
    assert_eq!(small.hall.inside(), home.len() as u32);
}

#[test]
fn a_wide_prefix_of_ipv6_is_no_256_accesses() {
    let mut night = Night::new(200);
    let mut inside = night.storm(0);
    inside.truncate(100);
    let part = |wide: u8, part: u8| {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, wide, part, 1]);
        Prefix::v6(octets)
    };
    let mut seats = [Vec::new(), Vec::new()];
    let mut places = Vec::new();
    for each in 0..200 {
        let hostile = part(1, each);
        let honest = Prefix::v4([80, 0, each, 1]);
        for (of, from) in [(0, hostile), (1, honest)] {
            let place = waiting(knock(&mut night, from, Ask::Right, Shows::Nothing)).place;
            places.push((of, from, place.unwrap()));
        }
    }
    for _ in 0..100 {
        night.pass(100);
        places.retain(|(of, from, place)| {
            let verdict = knock(&mut night, *from, Ask::Sound, token(place));
            let Verdict::Enter(entry) = verdict else {
                return true;
            };
            seats[*of].push(entry.pass);
            false
        });
    }
    let [hostile, honest] = seats.map(|seats| seats.len());
    assert!(hostile as u32 <= 4 * WIDE_LEVELS, "{hostile} of one /48");
    assert!(honest >= 60, "{honest} of as many networks");
}

#[test]
fn an_address_that_has_grown_old_is_as_good_as_a_bare_one() {
    let mut night = Night::new(20);
    let (wall, keys) = (night.times.wall, night.gates[0].keys());
    let expires = UnixMillis(wall.0 + DAY);
    let old = invitation(&space("town"), DoorEpoch(3), keys, 5, wall, expires);
    night.times.wall.0 += 2 * DAY;
    night.pass(100);
    assert_eq!(
        away(night.knock(3, Ask::Right, token(&old))),
        Reason::Token(TokenFault::Expired)
    );
    let seat = entered(night.knock(3, Ask::Sound, token(&old)));
    assert!(seat.pass.key().is_none());
    // In a storm it waits like everybody, and comes back by the allowance like everybody.
    let inside = night.storm(0);
    let waits = waiting(night.knock(9, Ask::Sound, token(&old)));
    assert_eq!(waits.cause, Cause::NoRight);
    night.pass(STAYED_MS);
    drop(seat);
    night.pass(200);
    let back = entered(night.knock(3, Ask::Sound, token(&old)));
    assert_eq!(back.pass.lane(), Lane::Resume);
    drop(inside);
}

#[test]
fn seats_of_those_who_left_for_good_are_soon_the_lines_and_those_of_the_lost_are_kept() {
    for coming_back in [false, true] {
        let mut night = Night::new(60);
        let mut seated = Vec::new();
        for mark in 0..24 {
            let seat = entered(night.knock(mark as u8, Ask::Sound, Shows::Mark(mark)));
            seated.push((mark, seat));
            night.pass(1_000);
        }
        night.pass(STAYED_MS);
        let tickets: Vec<_> = (0..24)
            .map(|mark| night.resume_ticket(mark as u8, Shows::Mark(mark)).unwrap())
            .collect();
        let mut inside = night.storm(0);
        let mut places: Vec<_> = (100..160)
            .map(|from| {
                let place = waiting(night.knock(from, Ask::Right, Shows::Nothing)).place;
                (from, place.unwrap())
            })
            .collect();
        night.pass(2_000);
        drop(seated);
        let (mut back, mut new) = (0, 0);
        for tick in 0..80 {
            night.pass(100);
            // They come again over eight seconds, one after the other.
            if coming_back && tick % 3 == 0 && tick / 3 < 24 {
                let ticket = &tickets[tick / 3];
                let entry = entered(night.knock((tick / 3) as u8, Ask::Sound, token(ticket)));
                inside.push(entry.pass);
                back += 1;
            }
            places.retain(
                |(from, place)| match night.knock(*from, Ask::Right, token(place)) {
                    Verdict::Enter(entry) => {
                        inside.push(entry.pass);
                        new += 1;
                        false
                    }
                    _ => true,
                },
            );
        }
        if coming_back {
            assert_eq!(back, 24, "and {new} of the line");
        } else {
            assert!(new >= 22, "{new} of 24 seats filled");
        }
    }
}

/// Somebody fills the line with places nobody will use; then people come, and a seat falls free each second.
#[test]
fn places_of_nobody_hold_the_line_up_once_for_some_twenty_seconds() {
    let mut night = Night::new(60);
    let mut inside = night.storm(0);
    for _ in 0..70 {
        waiting(night.knock(200, Ask::Right, Shows::Nothing));
        night.pass(500);
    }
    let mut people = Vec::new();
    for from in 0..30 {
        let told = waiting(night.knock(from, Ask::Right, Shows::Nothing));
        people.push((from, told.place.unwrap(), told.poll_ms.min(6_000)));
    }
    let (mut seats, mut idle) = (Vec::new(), 0);
    for tick in 0..360 {
        if tick % 10 == 0 {
            inside.pop();
        }
        night.pass(100);
        people.retain_mut(|(from, place, due)| {
            *due = due.saturating_sub(100);
            if *due > 0 {
                return true;
            }
            match night.knock(*from, Ask::Right, token(place)) {
                Verdict::Enter(entry) => {
                    seats.push(entry.pass);
                    false
                }
                other => {
                    *due = waiting(other).poll_ms.min(6_000);
                    true
                }
            }
        });
        idle = idle.max(60 - inside.len() - seats.len());
    }
    assert!(people.is_empty(), "{} still wait", people.len());
    // It takes so long to learn that those called do not come; then all are called at once.
    assert!(idle <= 22, "{idle} seats idle");
}
