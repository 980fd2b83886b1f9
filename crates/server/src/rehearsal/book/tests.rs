//! Permits, bounds and ends, with a clock that the tests tell.

use hustings_control::ids::SpaceId;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Recorded, Space};

use super::ends::ENDED_MAX;
use super::*;
use crate::live::SpaceHandle;

const NOW: UnixMillis = UnixMillis(2_000_000);

fn key() -> PermitKey {
    PermitKey::of(&[1; 32])
}

fn permit() -> Permit {
    Permit {
        id: 7,
        target: "x:80".to_owned(),
        from_s: 1_000,
        until_s: 4_600,
        rate: 10,
        people: 2,
    }
}

fn space() -> Arc<SpaceHandle> {
    let draft = Draft {
        title: "A space".to_owned(),
        ..Draft::default()
    };
    let id = SpaceId::parse("a-space").expect("an id");
    let created = Recorded {
        seq: 1,
        at: NOW,
        by: Actor::Operator,
        event: Space::create(id, draft, NOW).expect("made"),
    };
    Arc::new(SpaceHandle::new(
        Space::replay([&created]).expect("replayed"),
    ))
}

fn open(data: Option<&Path>) -> Rehearsals {
    let rehearsals = Rehearsals::default();
    rehearsals
        .open(key(), "x:80".to_owned(), data, NOW)
        .expect("open");
    rehearsals
}

fn ask(
    rehearsals: &Rehearsals,
    permit: &Permit,
    asks: Mark,
    wall: UnixMillis,
) -> Result<Option<Arc<Running>>, Refusal> {
    let text = key().seal(permit).expect("a permit");
    rehearsals.judge(Some(text.as_bytes()), asks, wall)
}

#[test]
fn what_is_not_permitted_is_refused_by_its_reason() {
    let rehearsals = open(None);
    assert!(
        rehearsals
            .judge(None, Mark::Page, NOW)
            .is_ok_and(|mark| mark.is_none())
    );
    let asked = |permit: Permit, wall| ask(&rehearsals, &permit, Mark::Page, wall).err();
    assert_eq!(asked(permit(), NOW), None);
    assert_eq!(
        asked(
            Permit {
                target: "y:80".to_owned(),
                ..permit()
            },
            NOW
        ),
        Some(Refusal::OtherTarget)
    );
    assert_eq!(asked(permit(), UnixMillis(999_000)), Some(Refusal::Early));
    assert_eq!(
        asked(permit(), UnixMillis(4_600_000)),
        Some(Refusal::Expired)
    );
    assert_eq!(
        rehearsals.judge(Some(b"anything"), Mark::Page, NOW).err(),
        Some(Refusal::Forged)
    );
    assert_eq!(rehearsals.refused(Refusal::Forged), 1);
    let closed = Rehearsals::default();
    assert_eq!(
        ask(&closed, &permit(), Mark::Page, NOW).err(),
        Some(Refusal::Forged)
    );
    for id in 0..REHEARSALS_MAX as u64 - 1 {
        assert_eq!(
            asked(
                Permit {
                    id: 100 + id,
                    ..permit()
                },
                NOW
            ),
            None
        );
    }
    assert_eq!(
        asked(
            Permit {
                id: 999,
                ..permit()
            },
            NOW
        ),
        Some(Refusal::Crowded)
    );
}

#[test]
fn rate_and_people_are_kept() {
    let rehearsals = open(None);
    let asked = |asks, wall| ask(&rehearsals, &permit(), asks, wall);
    let first = asked(Mark::Sound, NOW).expect("good").expect("marked");
    let space = space();
    let seats = [first.sit(&space), first.sit(&space)];
    assert_eq!(asked(Mark::Sound, NOW).err(), Some(Refusal::People));
    let of_space = || space.counts.rehearsed.listening.load(Relaxed);
    assert_eq!((rehearsals.listening(), of_space()), (2, 2));
    drop(seats);
    assert_eq!((rehearsals.listening(), of_space()), (0, 0));
    let through = (0..100).filter(|_| asked(Mark::Knock, NOW).is_ok()).count();
    assert!(
        (8..=11).contains(&through),
        "{through} of a second's 10 at once"
    );
    assert_eq!(asked(Mark::Knock, NOW).err(), Some(Refusal::Rate));
    assert!(asked(Mark::Knock, UnixMillis(NOW.0 + 500)).is_ok());
    let told = &rehearsals.told(NOW)[0];
    assert_eq!((told.joins, told.peak, told.listening), (2, 2, 0));
    assert_eq!(
        told.over,
        rehearsals.refused(Refusal::Rate) + rehearsals.refused(Refusal::People)
    );
}

#[test]
fn what_was_ended_stays_ended_over_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let rehearsals = open(Some(data.path()));
    let running = ask(&rehearsals, &permit(), Mark::Sound, NOW)
        .expect("good")
        .expect("marked");
    let seat = running.sit(&space());
    assert_eq!(rehearsals.end(7, NOW).expect("written"), Ends::Rehearsal);
    assert!(seat.is_over());
    assert_eq!(
        ask(&rehearsals, &permit(), Mark::Page, NOW).err(),
        Some(Refusal::Ended)
    );
    let again = open(Some(data.path()));
    assert_eq!(
        ask(&again, &permit(), Mark::Page, NOW).err(),
        Some(Refusal::Ended)
    );
    assert!(ask(&again, &Permit { id: 8, ..permit() }, Mark::Page, NOW).is_ok());
}

#[test]
fn a_permit_is_revoked_before_anything_came_of_it_and_after_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let asked = |rehearsals: &Rehearsals, id| {
        ask(rehearsals, &Permit { id, ..permit() }, Mark::Page, NOW).err()
    };
    let first = open(Some(data.path()));
    assert_eq!(first.end(8, NOW).expect("written"), Ends::Permit);
    assert_eq!(
        (asked(&first, 8), asked(&first, 9)),
        (Some(Refusal::Ended), None)
    );
    // This one forgets what was under way, and still ends it.
    let second = open(Some(data.path()));
    assert_eq!(second.end(9, NOW).expect("written"), Ends::Permit);
    assert_eq!(asked(&second, 9), Some(Refusal::Ended));
    second.end(9, NOW).expect("once more is no more");
    let third = open(Some(data.path()));
    assert_eq!(third.revoked(NOW), [8, 9]);
    assert_eq!(
        (asked(&third, 8), asked(&third, 9)),
        (Some(Refusal::Ended), Some(Refusal::Ended))
    );
    // Once it was shown it is known how long it must be remembered.
    assert!(third.revoked(UnixMillis(4_600_000)).is_empty());
}

#[test]
fn no_more_are_revoked_than_are_remembered() {
    let rehearsals = open(None);
    for id in 0..ENDED_MAX as u64 {
        rehearsals.end(id, NOW).expect("room");
    }
    assert!(matches!(
        rehearsals.end(u64::MAX, NOW),
        Err(CannotEnd::Full)
    ));
    rehearsals.end(5, NOW).expect("it is among them");
    assert_eq!(rehearsals.revoked(NOW).len(), ENDED_MAX);
}

fn outcome(part: u32, of: u32) -> Outcome {
    Outcome {
        what: "claim".to_owned(),
        part,
        of,
        came: 1,
        heard: 1,
        ..Outcome::default()
    }
}

fn tell(rehearsals: &Rehearsals, part: u32, wall: UnixMillis) -> Result<(), Refusal> {
    let text = key().seal(&permit()).expect("a permit");
    rehearsals.tell(Some(text.as_bytes()), outcome(part, 2), wall)
}

#[test]
fn a_rehearsal_that_is_over_is_told_once_and_kept_over_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let rehearsals = open(Some(data.path()));
    let running = ask(&rehearsals, &permit(), Mark::Sound, NOW)
        .expect("good")
        .expect("marked");
    let begun = rehearsals.tend(NOW);
    assert!(
        matches!(
            begun[..],
            [Turn::Began {
                id: 7,
                people: 2,
                ..
            }]
        ),
        "{begun:?}"
    );
    let seat = running.sit(&space());
    tell(&rehearsals, 1, NOW).expect("heard");
    assert_eq!(rehearsals.tend(NOW), [], "one driver of two goes on");
    tell(&rehearsals, 2, NOW).expect("heard");
    assert_eq!(rehearsals.tend(NOW), [], "somebody listens yet");
    drop(seat);
    let over = rehearsals.tend(NOW);
    let [Turn::Over(kept)] = &over[..] else {
        panic!("{over:?}");
    };
    assert_eq!((kept.passed(), kept.held(), kept.joins), (true, 1, 1));
    assert_eq!(rehearsals.tend(NOW), []);
    // The same permit begins another one, and nothing that comes for half a minute ends it.
    ask(&rehearsals, &permit(), Mark::Knock, NOW).expect("good");
    assert_eq!(rehearsals.tend(UnixMillis(NOW.0 + 20_000)).len(), 1);
    let later = UnixMillis(NOW.0 + 40_000);
    let over = rehearsals.tend(later);
    assert!(
        matches!(&over[..], [Turn::Over(kept)] if !kept.passed()),
        "{over:?}"
    );
    let told = rehearsals.told(later);
    assert_eq!(
        (told.len(), told[0].passed, told[1].passed),
        (2, true, false)
    );
    assert!(told.iter().all(|one| one.finished && !one.words.is_empty()));
    let again = open(Some(data.path()));
    assert_eq!(again.kept(), rehearsals.kept());
    assert_eq!(again.kept().len(), 2);
}

#[test]
fn nobody_tells_the_end_of_a_rehearsal_without_its_permit() {
    let rehearsals = open(None);
    let told = |shown: Option<&[u8]>| rehearsals.tell(shown, outcome(1, 1), NOW);
    assert_eq!(told(None), Err(Refusal::Forged));
    assert_eq!(told(Some(b"nonsense")), Err(Refusal::Forged));
    ask(&rehearsals, &permit(), Mark::Page, NOW).expect("good");
    rehearsals.end(7, NOW).expect("written");
    rehearsals.tend(NOW);
    assert_eq!(tell(&rehearsals, 1, NOW), Err(Refusal::Ended));
    assert!(
        rehearsals
            .kept()
            .iter()
            .all(|one| one.stopped && !one.passed())
    );
}
