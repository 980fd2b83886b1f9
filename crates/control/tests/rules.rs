//! The rules of a space, one by one, as people meet them.

use hustings_control::ids::{InviteId, PersonId, SpaceId, UnixMillis};
use hustings_control::limits::{
    EMPTY_END_MS, EMPTY_MUSIC_MS, HANDS_MAX, INVITES_MAX, SEAT_KEPT_MS, SPEAKERS_MAX,
};
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{
    Actor, Command, DoorSet, Event, Fault, Phase, Recorded, Refusal, Role, Seat, Space,
};

const START: u64 = 1_700_000_000_000;
const HOST: PersonId = PersonId(1);
const COHOST: PersonId = PersonId(2);
const SPEAKER: PersonId = PersonId(3);
const LISTENER: PersonId = PersonId(4);

struct Room {
    space: Space,
    now: UnixMillis,
}

impl Room {
    /// A live space with a host, a co-host and a speaker, each by a link of the same number.
    fn live() -> Self {
        let mut room = Self::posted();
        room.does(Actor::Operator, Command::GoLive);
        room
    }

    fn posted() -> Self {
        let now = UnixMillis(START);
        let draft = Draft {
            title: "Town hall".into(),
            record: true,
            ..Draft::default()
        };
        let event = Space::create(SpaceId::parse("town-hall").unwrap(), draft, now).unwrap();
        let space = Space::replay(&[Recorded {
            seq: 1,
            at: now,
            by: Actor::Operator,
            event,
        }])
        .unwrap();
        let mut room = Self { space, now };
        for (person, role) in [
            (HOST, Role::Host),
            (COHOST, Role::CoHost),
            (SPEAKER, Role::Speaker),
        ] {
            room.invites(person, role);
        }
        room
    }

    fn invites(&mut self, person: PersonId, role: Role) {
        let invite = InviteId(person.0);
        self.does(
            Actor::Operator,
            Command::Invite {
                invite,
                role,
                name: String::new(),
                expires_at: None,
            },
        );
        self.does(
            Actor::Person(person),
            Command::Enter {
                person,
                invite,
                name: Some(format!("P{}", person.0)),
            },
        );
    }

    fn tries(&mut self, by: Actor, command: Command) -> Result<Vec<Event>, Refusal> {
        let events = self.space.decide(by, command, self.now)?;
        for event in &events {
            self.space.apply(&Recorded {
                seq: self.space.seq + 1,
                at: self.now,
                by,
                event: event.clone(),
            });
        }
        self.space.check_invariants().unwrap();
        Ok(events)
    }

    fn does(&mut self, by: Actor, command: Command) -> Vec<Event> {
        self.tries(by, command).unwrap()
    }

    fn refuses(&mut self, by: Actor, command: Command) -> Refusal {
        self.tries(by, command).unwrap_err()
    }

    fn after(&mut self, millis: u64) -> Vec<Event> {
        self.now.0 += millis;
        self.does(Actor::Node, Command::Tick)
    }

    fn raises_hand(&mut self, person: PersonId) -> Result<Vec<Event>, Refusal> {
        self.tries(
            Actor::Person(person),
            Command::RaiseHand {
                person,
                name: "Lis".into(),
                question: "Why?".into(),
            },
        )
    }

    fn accept(&mut self, person: PersonId) {
        self.raises_hand(person).unwrap();
        self.does(host(), Command::AcceptHand { person });
    }

    fn sits(&mut self, person: PersonId) -> Result<Vec<Event>, Refusal> {
        self.tries(Actor::Node, Command::TakeSeat { person })
    }
}

const fn host() -> Actor {
    Actor::Person(HOST)
}

const fn cohost() -> Actor {
    Actor::Person(COHOST)
}

fn edit() -> Command {
    Command::Edit {
        title: Some("Other".into()),
        description: None,
        listed: None,
        starts_at: None,
        record: None,
    }
}

fn edit_start(at: Option<u64>) -> Command {
    Command::Edit {
        title: None,
        description: None,
        listed: None,
        starts_at: Some(at.map(UnixMillis)),
        record: None,
    }
}

fn edit_record(record: bool) -> Command {
    Command::Edit {
        title: None,
        description: None,
        listed: None,
        starts_at: None,
        record: Some(record),
    }
}

#[test]
fn going_live_from_posted_opens_the_doors_first() {
    let mut room = Room::posted();
    assert_eq!(
        room.does(cohost(), Command::GoLive),
        [Event::Opened, Event::WentLive]
    );
    let mut room = Room::posted();
    assert_eq!(room.does(host(), Command::Open), [Event::Opened]);
    assert!(room.space.hold_music, "music plays while people come in");
    assert_eq!(room.does(host(), Command::GoLive), [Event::WentLive]);
    assert!(!room.space.hold_music);
    let refusal = room.refuses(host(), Command::GoLive);
    assert!(matches!(
        refusal,
        Refusal::WrongPhase {
            phase: Phase::Live,
            ..
        }
    ));
    assert_eq!(refusal.fault(), Fault::Space);
    assert_eq!(
        refusal.to_string(),
        "the space is live; only a posted or open space can go live"
    );
}

#[test]
fn a_cohost_runs_the_room_but_not_its_existence() {
    let mut room = Room::posted();
    let needs_host = Refusal::NotAllowed { needed: Role::Host };
    for command in [
        Command::End,
        Command::Cancel {
            reason: String::new(),
        },
        edit(),
        Command::DeleteRecording,
    ] {
        assert_eq!(room.refuses(cohost(), command), needs_host);
    }
    room.does(cohost(), Command::GoLive);
    for command in [
        Command::Mute { person: HOST },
        Command::Remove { person: HOST },
        Command::Ban { person: HOST },
        Command::Rename {
            person: HOST,
            name: "X".into(),
        },
        Command::Revoke {
            invite: InviteId(HOST.0),
        },
        Command::Invite {
            invite: InviteId(99),
            role: Role::Host,
            name: String::new(),
            expires_at: None,
        },
    ] {
        assert_eq!(room.refuses(cohost(), command), needs_host);
    }
    room.does(cohost(), Command::Mute { person: SPEAKER });
    assert_eq!(
        room.refuses(Actor::Person(SPEAKER), Command::GoLive),
        Refusal::NotAllowed {
            needed: Role::CoHost
        }
    );
    assert_eq!(room.refuses(Actor::Node, Command::End), needs_host);
    assert_eq!(room.refuses(host(), Command::Tick), needs_host);
}

#[test]
fn a_listener_speaks_by_raising_a_hand() {
    let mut room = Room::live();
    assert_eq!(
        room.sits(LISTENER),
        Err(Refusal::Unknown {
            what: "this person"
        })
    );
    room.raises_hand(LISTENER).unwrap();
    assert_eq!(
        room.sits(LISTENER),
        Err(Refusal::NotAllowed {
            needed: Role::Speaker
        })
    );
    room.does(cohost(), Command::AcceptHand { person: LISTENER });
    assert_eq!(room.space.people[&LISTENER].role, Role::Listener);
    room.sits(LISTENER).unwrap();
    room.does(
        Actor::Person(LISTENER),
        Command::LeaveSeat { person: LISTENER },
    );
    assert_eq!(
        room.sits(LISTENER),
        Err(Refusal::NotAllowed {
            needed: Role::Speaker
        })
    );
    room.raises_hand(LISTENER).unwrap();
}

#[test]
fn who_is_called_and_takes_the_hand_down_is_called_no_more() {
    let mut room = Room::live();
    let down = Command::LowerHand { person: LISTENER };
    room.accept(LISTENER);
    room.does(Actor::Person(LISTENER), down.clone());
    assert!(!room.space.people.contains_key(&LISTENER));
    room.accept(LISTENER);
    room.sits(LISTENER).unwrap();
    let events = room.does(Actor::Person(LISTENER), down.clone());
    let left = Event::SeatLeft {
        person: LISTENER,
        ran_out: false,
    };
    assert_eq!(events, [left]);
    assert_eq!(
        room.sits(LISTENER),
        Err(Refusal::NotAllowed {
            needed: Role::Speaker
        })
    );
    assert!(matches!(
        room.refuses(Actor::Person(LISTENER), down),
        Refusal::Already { .. }
    ));
}

#[test]
fn who_only_had_a_hand_up_is_forgotten_with_it() {
    let mut room = Room::live();
    room.raises_hand(LISTENER).unwrap();
    room.does(host(), Command::DeclineHand { person: LISTENER });
    assert!(!room.space.people.contains_key(&LISTENER));
    for person in (0..HANDS_MAX as u64).map(|at| PersonId(1_000 + at)) {
        room.raises_hand(person).unwrap();
    }
    assert_eq!(
        room.raises_hand(LISTENER),
        Err(Refusal::Full {
            what: "hands",
            max: HANDS_MAX
        })
    );
}

#[test]
fn a_removed_speaker_listens_on_and_asks_again_also_by_the_old_link() {
    let mut room = Room::live();
    room.sits(SPEAKER).unwrap();
    room.does(host(), Command::Remove { person: SPEAKER });
    let enter = Command::Enter {
        person: SPEAKER,
        invite: InviteId(SPEAKER.0),
        name: None,
    };
    assert_eq!(room.does(Actor::Person(SPEAKER), enter), []);
    assert_eq!(
        room.sits(SPEAKER),
        Err(Refusal::NotAllowed {
            needed: Role::Speaker
        })
    );
    room.accept(SPEAKER);
    room.sits(SPEAKER).unwrap();
}

#[test]
fn a_banned_person_comes_back_by_nothing() {
    let mut room = Room::live();
    room.sits(SPEAKER).unwrap();
    room.does(host(), Command::Ban { person: SPEAKER });
    let me = Actor::Person(SPEAKER);
    let enter = Command::Enter {
        person: SPEAKER,
        invite: InviteId(COHOST.0),
        name: None,
    };
    assert_eq!(room.refuses(me, enter), Refusal::Banned);
    assert_eq!(room.raises_hand(SPEAKER), Err(Refusal::Banned));
    assert_eq!(room.sits(SPEAKER), Err(Refusal::Banned));
    assert_eq!(room.space.role_of(me), None);
    assert_eq!(
        room.refuses(host(), Command::Ban { person: HOST }),
        Refusal::NotOneself
    );
}

#[test]
fn only_a_host_frees_whom_a_host_has_muted_and_nobody_opens_anothers_microphone() {
    let mut room = Room::live();
    room.sits(SPEAKER).unwrap();
    let me = Actor::Person(SPEAKER);
    room.does(host(), Command::Mute { person: SPEAKER });
    assert_eq!(
        room.refuses(me, Command::Unmute { person: SPEAKER }),
        Refusal::MutedByHost
    );
    room.does(me, Command::LeaveSeat { person: SPEAKER });
    room.sits(SPEAKER).unwrap();
    assert!(
        room.space.people[&SPEAKER].muted,
        "a new seat does not free"
    );
    assert_eq!(
        room.refuses(me, Command::AllowTalk { person: SPEAKER }),
        Refusal::NotAllowed {
            needed: Role::CoHost
        }
    );
    room.does(cohost(), Command::AllowTalk { person: SPEAKER });
    assert!(
        room.space.people[&SPEAKER].muted,
        "allowed, but the microphone stays closed"
    );
    assert_eq!(
        room.refuses(host(), Command::Unmute { person: SPEAKER }),
        Refusal::OnlySelf
    );
    room.does(me, Command::Unmute { person: SPEAKER });
    room.does(me, Command::Mute { person: SPEAKER });
    room.does(me, Command::Unmute { person: SPEAKER });
}

#[test]
fn a_lost_connection_keeps_the_seat_for_a_while() {
    let mut room = Room::live();
    room.accept(LISTENER);
    room.sits(LISTENER).unwrap();
    room.sits(HOST).unwrap();
    room.does(Actor::Node, Command::LoseConnection { person: LISTENER });
    assert_eq!(
        room.space.next_tick(),
        Some(UnixMillis(room.now.0 + SEAT_KEPT_MS))
    );
    room.does(host(), Command::LockStage { locked: true });
    assert_eq!(room.after(SEAT_KEPT_MS - 1), []);
    room.sits(LISTENER).unwrap();
    room.does(Actor::Node, Command::LoseConnection { person: LISTENER });
    assert_eq!(
        room.after(SEAT_KEPT_MS),
        [Event::SeatLeft {
            person: LISTENER,
            ran_out: true
        }]
    );
    assert_eq!(room.sits(LISTENER), Err(Refusal::Locked));
    room.does(host(), Command::LockStage { locked: false });
    room.sits(LISTENER).unwrap();
    let again = room.sits(LISTENER).unwrap_err();
    assert_eq!(again.code(), "no-change");
}

#[test]
fn a_seat_that_ran_out_is_not_kept_because_nobody_has_ticked_yet() {
    let mut room = Room::live();
    room.sits(SPEAKER).unwrap();
    room.does(Actor::Node, Command::LoseConnection { person: SPEAKER });
    room.does(host(), Command::LockStage { locked: true });
    room.now.0 += SEAT_KEPT_MS;
    assert_eq!(room.sits(SPEAKER), Err(Refusal::Locked));
}

#[test]
fn an_operator_tells_all_something_until_it_is_over() {
    let mut room = Room::live();
    let tell = |message: &str| Command::Tell {
        message: message.into(),
    };
    let told = room.does(Actor::Operator, tell(" The start\n is late.\u{202e} "));
    let message = "The start is late.".to_owned();
    assert_eq!(told, [Event::Told { message }]);
    let by = |room: &Room, who, message: &str| room.space.decide(who, tell(message), room.now);
    let speaker = Actor::Person(SPEAKER);
    assert_eq!(by(&room, speaker, "x").unwrap_err().code(), "not-allowed");
    let same = by(&room, Actor::Operator, "The start is late.");
    assert_eq!(same.unwrap_err().code(), "no-change");
    assert!(by(&room, Actor::Operator, &"x".repeat(281)).is_err());
    let set = DoorSet {
        paused: true,
        ..DoorSet::default()
    };
    let note = Command::NoteDoor(set.clone());
    assert!(room.space.decide(host(), note.clone(), room.now).is_err());
    assert_eq!(room.does(Actor::Operator, note), [Event::DoorSet(set)]);
    room.does(host(), Command::End);
    assert_eq!(room.space.message, "");
}

#[test]
fn a_locked_stage_is_open_to_hosts_only() {
    let mut room = Room::live();
    room.does(host(), Command::LockStage { locked: true });
    assert_eq!(room.sits(SPEAKER), Err(Refusal::Locked));
    room.sits(HOST).unwrap();
    room.sits(COHOST).unwrap();
    room.raises_hand(LISTENER).unwrap();
    assert_eq!(
        room.refuses(host(), Command::AcceptHand { person: LISTENER }),
        Refusal::Locked
    );
}

#[test]
fn the_stage_has_thirteen_seats_and_a_kept_one_counts() {
    let mut room = Room::live();
    let crowd: Vec<PersonId> = (0..=SPEAKERS_MAX as u64)
        .map(|at| PersonId(100 + at))
        .collect();
    for person in &crowd {
        room.invites(*person, Role::Speaker);
    }
    for person in &crowd[..SPEAKERS_MAX] {
        room.sits(*person).unwrap();
    }
    let full = Refusal::Full {
        what: "seats on stage",
        max: SPEAKERS_MAX,
    };
    room.does(Actor::Node, Command::LoseConnection { person: crowd[0] });
    assert_eq!(room.sits(crowd[SPEAKERS_MAX]), Err(full));
    room.sits(crowd[0]).unwrap();
    room.does(Actor::Node, Command::LeaveSeat { person: crowd[0] });
    room.sits(crowd[SPEAKERS_MAX]).unwrap();
}

#[test]
fn an_empty_stage_gets_music_and_ends_and_a_speaker_stops_both() {
    let mut room = Room::live();
    let music = Event::HoldMusic {
        on: true,
        by_itself: true,
    };
    assert_eq!(room.after(EMPTY_MUSIC_MS - 1), []);
    assert_eq!(room.after(1), [music.clone(), Event::EmptyWarned]);
    let off = Event::HoldMusic {
        on: false,
        by_itself: true,
    };
    assert_eq!(
        room.sits(HOST).unwrap(),
        [Event::SeatTaken { person: HOST }, off]
    );
    assert_eq!(room.space.next_tick(), None);
    room.does(host(), Command::LeaveSeat { person: HOST });
    assert_eq!(room.after(EMPTY_MUSIC_MS), [music, Event::EmptyWarned]);
    assert_eq!(room.after(EMPTY_END_MS - EMPTY_MUSIC_MS - 1), []);
    assert_eq!(room.after(1), [Event::Ended { by_itself: true }]);
    assert_eq!(room.space.next_tick(), None);
}

#[test]
fn music_put_on_by_hand_stays_when_somebody_comes() {
    let mut room = Room::live();
    room.does(host(), Command::HoldMusic { on: true });
    assert_eq!(room.after(EMPTY_MUSIC_MS), [Event::EmptyWarned]);
    assert_eq!(
        room.sits(HOST).unwrap(),
        [Event::SeatTaken { person: HOST }]
    );
    assert!(room.space.hold_music);
}

#[test]
fn recording_is_settled_before_it_goes_live() {
    let mut room = Room::posted();
    room.does(host(), edit_record(false));
    room.does(host(), Command::GoLive);
    assert_eq!(
        room.refuses(host(), edit_record(true)).code(),
        "wrong-phase"
    );
}

#[test]
fn the_start_moves_only_forward_and_can_be_taken_off() {
    let mut room = Room::posted();
    assert_eq!(
        room.refuses(host(), edit_start(Some(START - 1))),
        Refusal::StartInPast
    );
    room.does(host(), edit_start(Some(START + 9)));
    room.does(host(), edit_start(None));
    assert_eq!(room.space.starts_at, None);
    assert_eq!(room.refuses(host(), edit_start(None)).code(), "no-change");
    let draft = Draft {
        title: "T".into(),
        starts_at: Some(UnixMillis(START - 1)),
        ..Draft::default()
    };
    let made = Space::create(SpaceId::parse("abc").unwrap(), draft, UnixMillis(START));
    assert_eq!(made, Err(Refusal::StartInPast));
}

#[test]
fn after_the_end_only_the_recording_and_the_words_change() {
    let mut room = Room::live();
    room.sits(SPEAKER).unwrap();
    room.does(host(), Command::End);
    assert_eq!(room.space.people[&SPEAKER].seat, Seat::None);
    assert_eq!(
        room.raises_hand(LISTENER).unwrap_err().code(),
        "wrong-phase"
    );
    assert_eq!(room.sits(HOST).unwrap_err().code(), "wrong-phase");
    assert_eq!(
        room.refuses(host(), Command::DeleteRecording),
        Refusal::Unknown {
            what: "a recording"
        }
    );
    room.does(
        Actor::Node,
        Command::RecordingClosed {
            object: "r".into(),
            millis: 5,
        },
    );
    room.does(host(), edit());
    room.does(host(), Command::DeleteRecording);
    assert!(room.space.recording.as_ref().unwrap().deleted);
}

#[test]
fn a_revoked_link_takes_what_it_gave_but_not_from_who_revokes_it() {
    let mut room = Room::live();
    room.sits(SPEAKER).unwrap();
    room.does(
        host(),
        Command::Revoke {
            invite: InviteId(SPEAKER.0),
        },
    );
    assert_eq!(room.space.people[&SPEAKER].seat, Seat::None);
    assert_eq!(
        room.space.role_of(Actor::Person(SPEAKER)),
        Some(Role::Listener)
    );
    let enter = Command::Enter {
        person: LISTENER,
        invite: InviteId(SPEAKER.0),
        name: None,
    };
    assert_eq!(
        room.refuses(Actor::Person(LISTENER), enter),
        Refusal::Revoked
    );
    room.does(
        host(),
        Command::Revoke {
            invite: InviteId(HOST.0),
        },
    );
    assert_eq!(room.space.role_of(host()), Some(Role::Host));
}

#[test]
fn links_run_out_and_are_counted() {
    let mut room = Room::live();
    let invite = |at: u64, expires_at| Command::Invite {
        invite: InviteId(at),
        role: Role::Speaker,
        name: "Guest".into(),
        expires_at,
    };
    assert_eq!(
        room.refuses(host(), invite(50, Some(room.now))),
        Refusal::Expired
    );
    room.does(host(), invite(50, Some(UnixMillis(START + 10))));
    let enter = Command::Enter {
        person: LISTENER,
        invite: InviteId(50),
        name: None,
    };
    room.now.0 += 10;
    assert_eq!(
        room.refuses(Actor::Person(LISTENER), enter),
        Refusal::Expired
    );
    for at in room.space.invites.len()..INVITES_MAX {
        room.does(host(), invite(1_000 + at as u64, None));
    }
    assert_eq!(
        room.refuses(host(), invite(60, None)),
        Refusal::Full {
            what: "invitations",
            max: INVITES_MAX
        }
    );
    room.does(
        host(),
        Command::Revoke {
            invite: InviteId(50),
        },
    );
    room.does(host(), invite(60, None));
}

#[test]
fn names_that_mislead_are_cleaned_and_empty_ones_refused() {
    let mut room = Room::live();
    let rename = |name: &str| Command::Rename {
        person: SPEAKER,
        name: name.into(),
    };
    room.does(Actor::Person(SPEAKER), rename(" \u{202e}Ho\u{7}st\n "));
    assert_eq!(room.space.people[&SPEAKER].name, "Host");
    assert_eq!(
        room.refuses(host(), rename("\u{2066}")),
        Refusal::Empty { what: "the name" }
    );
    let long = room.refuses(host(), rename(&"x".repeat(41)));
    assert_eq!(long.to_string(), "the name is longer than 40 characters");
    assert_eq!(long.fault(), Fault::Caller);
}

#[test]
fn a_log_that_does_not_begin_with_its_making_is_no_space() {
    assert_eq!(Space::replay(&[]), None);
    let opened = Recorded {
        seq: 1,
        at: UnixMillis(1),
        by: Actor::Node,
        event: Event::Opened,
    };
    assert_eq!(Space::replay(&[opened]), None);
}
