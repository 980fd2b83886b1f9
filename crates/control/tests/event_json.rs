//! The JSON of every kind of event. Logs are read for years: names and fields may be added, never changed.

use expect_test::{Expect, expect};
use hustings_control::ids::{InviteId, PersonId, SpaceId, UnixMillis};
use hustings_control::spaces::{Actor, DoorSet, Event, Recorded, Role};

fn check(event: Event, json: &Expect) {
    let text = serde_json::to_string(&event).unwrap();
    json.assert_eq(&text);
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}

const PERSON: PersonId = PersonId(u64::MAX);
const INVITE: InviteId = InviteId(7);

fn edited() -> Event {
    Event::Edited {
        title: None,
        description: None,
        listed: None,
        starts_at: None,
        record: None,
    }
}

#[test]
fn of_the_space() {
    let created = Event::Created {
        id: SpaceId::parse("town-hall").unwrap(),
        title: "Town \"hall\"".into(),
        description: "a\nb".into(),
        listed: true,
        starts_at: Some(UnixMillis(1_700_000_000_000)),
        record: false,
    };
    check(
        created,
        &expect![[
            r#"{"kind":"created","id":"town-hall","title":"Town \"hall\"","description":"a\nb","listed":true,"starts_at":1700000000000,"record":false}"#
        ]],
    );
    check(Event::Opened, &expect![[r#"{"kind":"opened"}"#]]);
    check(Event::WentLive, &expect![[r#"{"kind":"went-live"}"#]]);
    check(
        Event::Ended { by_itself: true },
        &expect![[r#"{"kind":"ended","by_itself":true}"#]],
    );
    check(
        Event::Cancelled {
            reason: "rain".into(),
        },
        &expect![[r#"{"kind":"cancelled","reason":"rain"}"#]],
    );
    check(
        Event::StageLocked { locked: true },
        &expect![[r#"{"kind":"stage-locked","locked":true}"#]],
    );
    check(
        Event::HoldMusic {
            on: true,
            by_itself: false,
        },
        &expect![[r#"{"kind":"hold-music","on":true,"by_itself":false}"#]],
    );
    check(
        Event::HoldMusicSet { object: None },
        &expect![[r#"{"kind":"hold-music-set","object":null}"#]],
    );
    check(
        Event::HoldMusicSet {
            object: Some("hold/1".into()),
        },
        &expect![[r#"{"kind":"hold-music-set","object":"hold/1"}"#]],
    );
    check(
        Event::RecordingClosed {
            object: "rec/1.opus".into(),
            millis: 61_000,
        },
        &expect![[r#"{"kind":"recording-closed","object":"rec/1.opus","millis":61000}"#]],
    );
    check(
        Event::RecordingDeleted,
        &expect![[r#"{"kind":"recording-deleted"}"#]],
    );
    check(
        Event::Told {
            message: "The start is late.".into(),
        },
        &expect![[r#"{"kind":"told","message":"The start is late."}"#]],
    );
    check(
        Event::DoorSet(DoorSet {
            guaranteed_permille: Some(400),
            paused: true,
            ..DoorSet::default()
        }),
        &expect![[
            r#"{"kind":"door-set","guaranteed_permille":400,"paused":true,"dropped":false}"#
        ]],
    );
    check(Event::EmptyWarned, &expect![[r#"{"kind":"empty-warned"}"#]]);
}

#[test]
fn of_edits_where_absent_null_and_a_value_differ() {
    let Event::Edited {
        title,
        description,
        listed,
        record,
        ..
    } = edited()
    else {
        unreachable!()
    };
    let with = |starts_at| Event::Edited {
        title: title.clone(),
        description: description.clone(),
        listed,
        starts_at,
        record,
    };
    check(with(None), &expect![[r#"{"kind":"edited"}"#]]);
    check(
        with(Some(None)),
        &expect![[r#"{"kind":"edited","starts_at":null}"#]],
    );
    check(
        with(Some(Some(UnixMillis(5)))),
        &expect![[r#"{"kind":"edited","starts_at":5}"#]],
    );
    let all = Event::Edited {
        title: Some("T".into()),
        description: Some(String::new()),
        listed: Some(false),
        starts_at: Some(Some(UnixMillis(5))),
        record: Some(true),
    };
    check(
        all,
        &expect![[
            r#"{"kind":"edited","title":"T","description":"","listed":false,"starts_at":5,"record":true}"#
        ]],
    );
}

#[test]
fn of_people() {
    let name = || "Åsa".to_owned();
    let invited = |role, expires_at| Event::Invited {
        invite: INVITE,
        role,
        name: name(),
        expires_at,
    };
    check(
        invited(Role::Host, None),
        &expect![[r#"{"kind":"invited","invite":7,"role":"host","name":"Åsa","expires_at":null}"#]],
    );
    check(
        invited(Role::CoHost, Some(UnixMillis(9))),
        &expect![[r#"{"kind":"invited","invite":7,"role":"co-host","name":"Åsa","expires_at":9}"#]],
    );
    check(
        Event::Revoked { invite: INVITE },
        &expect![[r#"{"kind":"revoked","invite":7}"#]],
    );
    check(
        Event::Entered {
            person: PERSON,
            invite: INVITE,
            role: Role::Speaker,
            name: name(),
        },
        &expect![[
            r#"{"kind":"entered","person":18446744073709551615,"invite":7,"role":"speaker","name":"Åsa"}"#
        ]],
    );
    check(
        Event::Renamed {
            person: PERSON,
            name: name(),
        },
        &expect![[r#"{"kind":"renamed","person":18446744073709551615,"name":"Åsa"}"#]],
    );
    check(
        Event::HandRaised {
            person: PERSON,
            name: name(),
            question: "why?".into(),
        },
        &expect![[
            r#"{"kind":"hand-raised","person":18446744073709551615,"name":"Åsa","question":"why?"}"#
        ]],
    );
    check(
        Event::HandLowered { person: PERSON },
        &expect![[r#"{"kind":"hand-lowered","person":18446744073709551615}"#]],
    );
    check(
        Event::HandAccepted { person: PERSON },
        &expect![[r#"{"kind":"hand-accepted","person":18446744073709551615}"#]],
    );
    check(
        Event::HandDeclined { person: PERSON },
        &expect![[r#"{"kind":"hand-declined","person":18446744073709551615}"#]],
    );
    check(
        Event::SeatTaken { person: PERSON },
        &expect![[r#"{"kind":"seat-taken","person":18446744073709551615}"#]],
    );
    check(
        Event::ConnectionLost { person: PERSON },
        &expect![[r#"{"kind":"connection-lost","person":18446744073709551615}"#]],
    );
    check(
        Event::SeatLeft {
            person: PERSON,
            ran_out: true,
        },
        &expect![[r#"{"kind":"seat-left","person":18446744073709551615,"ran_out":true}"#]],
    );
    check(
        Event::Muted {
            person: PERSON,
            by_host: true,
        },
        &expect![[r#"{"kind":"muted","person":18446744073709551615,"by_host":true}"#]],
    );
    check(
        Event::Unmuted { person: PERSON },
        &expect![[r#"{"kind":"unmuted","person":18446744073709551615}"#]],
    );
    check(
        Event::TalkAllowed { person: PERSON },
        &expect![[r#"{"kind":"talk-allowed","person":18446744073709551615}"#]],
    );
    check(
        Event::Removed { person: PERSON },
        &expect![[r#"{"kind":"removed","person":18446744073709551615}"#]],
    );
    check(
        Event::Banned { person: PERSON },
        &expect![[r#"{"kind":"banned","person":18446744073709551615}"#]],
    );
}

#[test]
fn of_the_log() {
    let record = |by| {
        serde_json::to_string(&Recorded {
            seq: 3,
            at: UnixMillis(5),
            by,
            event: Event::Opened,
        })
        .unwrap()
    };
    expect![[r#"{"seq":3,"at":5,"by":"operator","event":{"kind":"opened"}}"#]]
        .assert_eq(&record(Actor::Operator));
    expect![[r#"{"seq":3,"at":5,"by":{"person":18446744073709551615},"event":{"kind":"opened"}}"#]]
        .assert_eq(&record(Actor::Person(PERSON)));
    expect![[r#"{"seq":3,"at":5,"by":"node","event":{"kind":"opened"}}"#]]
        .assert_eq(&record(Actor::Node));
}

#[test]
fn fields_that_a_later_version_adds_do_not_hurt_this_one() {
    let text =
        r#"{"seq":3,"at":5,"by":"node","node":"b","event":{"kind":"opened","why":"schedule"}}"#;
    assert_eq!(
        serde_json::from_str::<Recorded>(text).unwrap().event,
        Event::Opened
    );
}
