//! Permits, bounds and ends, with a clock that the tests tell.

use hustings_control::ids::SpaceId;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Recorded, Space};

use super::*;

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
    let of_space = || space.counts.rehearsing.load(Relaxed);
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
    assert!(!seat.is_over() && !rehearsals.end(8).expect("written"));
    assert!(rehearsals.end(7).expect("written") && seat.is_over());
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
