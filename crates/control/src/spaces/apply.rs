//! What an event makes of a space. Never refuses: the event has happened. An event about somebody unknown changes
//! nothing but the sequence.

use super::command::Actor;
use super::event::{Event, Recorded};
use super::phase::Phase;
use super::role::Role;
use super::space::{Hand, Invite, Person, Recording, Seat, Space};
use crate::ids::{InviteId, PersonId, UnixMillis};

impl Space {
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::Created { .. } => {}
            Event::Edited {
                title,
                description,
                listed,
                starts_at,
                record,
            } => {
                set(&mut self.title, title);
                set(&mut self.description, description);
                set(&mut self.listed, listed);
                set(&mut self.starts_at, starts_at);
                set(&mut self.record, record);
            }
            Event::Opened => {
                self.phase = Phase::Open;
                self.opened_at = Some(at);
                self.hold_music = true;
            }
            Event::WentLive => {
                self.phase = Phase::Live;
                self.live_at = Some(at);
                self.hold_music = false;
            }
            Event::Ended { .. } => self.close(Phase::Ended, at),
            Event::Cancelled { reason } => {
                self.cancel_reason.clone_from(reason);
                self.close(Phase::Cancelled, at);
            }
            Event::StageLocked { locked } => self.stage_locked = *locked,
            Event::HoldMusic { on, by_itself } => {
                self.hold_music = *on;
                self.hold_music_by_itself = *on && *by_itself;
            }
            Event::Told { message } => self.message.clone_from(message),
            Event::HoldMusicSet { object } => self.hold_music_object.clone_from(object),
            Event::RecordingClosed { object, millis } => {
                self.recording = Some(Recording {
                    object: object.clone(),
                    millis: *millis,
                    deleted: false,
                });
            }
            Event::RecordingDeleted => {
                if let Some(recording) = &mut self.recording {
                    recording.deleted = true;
                }
            }
            Event::EmptyWarned => self.empty_warned = true,
            about_people => self.apply_to_people(about_people, recorded.by, at),
        }
        self.seq = recorded.seq;
        self.watch_emptiness(at);
    }

    fn apply_to_people(&mut self, event: &Event, by: Actor, at: UnixMillis) {
        match event {
            Event::Invited {
                invite,
                role,
                name,
                expires_at,
            } => {
                let made = Invite {
                    role: *role,
                    name: name.clone(),
                    expires_at: *expires_at,
                    revoked: false,
                };
                self.invites.insert(*invite, made);
            }
            Event::Revoked { invite } => self.revoke(*invite, by),
            Event::Entered {
                person,
                invite,
                role,
                name,
            } => self.welcome(*person, *invite, *role, name),
            Event::HandRaised {
                person,
                name,
                question,
            } => self.hear(*person, name, question, at),
            Event::HandLowered { person } | Event::HandDeclined { person } => {
                self.hands.remove(person);
                // Who was called and thinks better of it raises the hand again to speak.
                self.change(*person, |person| person.accepted = false);
                self.forget_if_nobody(*person);
            }
            Event::HandAccepted { person } => {
                self.hands.remove(person);
                self.change(*person, |person| person.accepted = true);
            }
            Event::Renamed { person, name } => {
                self.change(*person, |person| person.name.clone_from(name))
            }
            Event::SeatTaken { person } => self.change(*person, |person| person.seat = Seat::Taken),
            Event::ConnectionLost { person } => {
                self.change(*person, |person| person.seat = Seat::LostSince(at))
            }
            Event::SeatLeft { person, ran_out } => self.change(*person, |person| {
                // Who was cut off may come back as a speaker; who left by own will raises the hand again.
                person.accepted &= *ran_out;
                leave(person);
            }),
            Event::Muted { person, by_host } => self.change(*person, |person| {
                person.muted = true;
                person.muted_by_host |= *by_host;
            }),
            Event::Unmuted { person } => self.change(*person, |person| person.muted = false),
            Event::TalkAllowed { person } => {
                self.change(*person, |person| person.muted_by_host = false)
            }
            Event::Removed { person } => self.change(*person, demote),
            Event::Banned { person } => {
                self.hands.remove(person);
                self.change(*person, |person| {
                    demote(person);
                    person.banned = true;
                });
            }
            _ => {}
        }
    }

    fn welcome(&mut self, person: PersonId, invite: InviteId, role: Role, name: &str) {
        let entered = self.people.entry(person).or_insert_with(|| stranger(name));
        name.clone_into(&mut entered.name);
        entered.role = role;
        entered.invite = Some(invite);
        if role > Role::Listener {
            entered.accepted = false;
            self.hands.remove(&person);
        }
    }

    fn hear(&mut self, person: PersonId, name: &str, question: &str, since: UnixMillis) {
        let raised = self.people.entry(person).or_insert_with(|| stranger(name));
        name.clone_into(&mut raised.name);
        let question = question.to_owned();
        self.hands.insert(person, Hand { since, question });
    }

    fn change(&mut self, id: PersonId, change: impl FnOnce(&mut Person)) {
        if let Some(person) = self.people.get_mut(&id) {
            change(person);
        }
    }

    /// Takes from everybody who came by the link what it gave, but not from who revoked it: a host who issues the own
    /// link anew stays host.
    fn revoke(&mut self, invite: InviteId, by: Actor) {
        if let Some(known) = self.invites.get_mut(&invite) {
            known.revoked = true;
        }
        for (id, person) in &mut self.people {
            if person.invite == Some(invite)
                && by != Actor::Person(*id)
                && person.role > Role::Listener
            {
                demote(person);
            }
        }
    }

    /// Listeners who only had a hand up are forgotten with it, or passers-by would fill the space's memory.
    fn forget_if_nobody(&mut self, id: PersonId) {
        let nobody = self.people.get(&id).is_some_and(|person| {
            person.invite.is_none()
                && !person.may_speak()
                && !person.banned
                && !person.muted_by_host
        });
        if nobody {
            self.people.remove(&id);
        }
    }

    fn close(&mut self, phase: Phase, at: UnixMillis) {
        self.phase = phase;
        self.ended_at = Some(at);
        self.hold_music = false;
        self.hold_music_by_itself = false;
        self.message.clear();
        self.hands.clear();
        for person in self.people.values_mut() {
            person.accepted = false;
            leave(person);
        }
    }

    fn watch_emptiness(&mut self, at: UnixMillis) {
        if self.phase == Phase::Live && self.seated() == 0 {
            self.empty_since.get_or_insert(at);
        } else {
            self.empty_since = None;
            self.empty_warned = false;
        }
    }
}

fn set<T: Clone>(field: &mut T, new: &Option<T>) {
    if let Some(new) = new {
        field.clone_from(new);
    }
}

fn stranger(name: &str) -> Person {
    Person {
        role: Role::Listener,
        name: name.to_owned(),
        seat: Seat::None,
        muted: false,
        muted_by_host: false,
        accepted: false,
        banned: false,
        invite: None,
    }
}

/// The person listens on. A mute by a host outlasts the seat, so that nobody frees himself by coming anew.
fn leave(person: &mut Person) {
    person.seat = Seat::None;
    person.muted = person.muted_by_host;
}

fn demote(person: &mut Person) {
    person.role = Role::Listener;
    person.accepted = false;
    leave(person);
}
