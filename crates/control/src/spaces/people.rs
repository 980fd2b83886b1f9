//! Commands about people: hands, seats, mutes, removals; those about their links in `invites`.

use super::command::{Actor, Command};
use super::decide::{Decision, changes};
use super::event::Event;
use super::phase::Phase;
use super::refusal::Refusal;
use super::role::Role;
use super::space::{Person, Seat, Space};
use super::text;
use crate::ids::{PersonId, UnixMillis};
use crate::limits::{HANDS_MAX, NAME_CHARS_MAX, PEOPLE_MAX, QUESTION_CHARS_MAX, SPEAKERS_MAX};

impl Space {
    pub(super) fn decide_on_people(
        &self,
        by: Actor,
        command: Command,
        now: UnixMillis,
    ) -> Decision {
        match command {
            // Coming back by the same link is no change, also when the space is over.
            Command::Enter {
                person,
                invite,
                name,
            } => return self.enter(by, person, invite, name.as_deref(), now),
            _ => self.needs_going()?,
        }
        match command {
            Command::Invite {
                invite,
                role,
                name,
                expires_at,
            } => self.invite(by, invite, role, &name, expires_at, now),
            Command::Revoke { invite } => self.decide_revoke(by, invite),
            Command::Rename { person, name } => self.rename(by, person, &name),
            Command::RaiseHand {
                person,
                name,
                question,
            } => self.raise_hand(by, person, &name, &question),
            Command::LowerHand { person } => self.lower_hand(by, person),
            Command::AcceptHand { person } => self.accept_hand(by, person),
            Command::DeclineHand { person } => self.decline_hand(by, person),
            Command::TakeSeat { person } => self.take_seat(by, person, now),
            Command::LoseConnection { person } => self.lose_connection(by, person),
            Command::LeaveSeat { person } => self.leave_seat(by, person),
            Command::Mute { person } => self.mute(by, person),
            Command::Unmute { person } => self.unmute(by, person),
            Command::AllowTalk { person } => self.allow_talk(by, person),
            Command::Remove { person } => self.remove(by, person),
            Command::Ban { person } => self.ban(by, person),
            // The others are the space's own doings, decided before.
            _ => Ok(Vec::new()),
        }
    }

    fn rename(&self, by: Actor, person: PersonId, name: &str) -> Decision {
        if by != Actor::Person(person) {
            self.needs_power_over(by, person)?;
        }
        let name = text::some_line(name, "the name", NAME_CHARS_MAX)?;
        changes(self.person(person)?.name != name, "the name is so already")?;
        Ok(vec![Event::Renamed { person, name }])
    }

    fn raise_hand(&self, by: Actor, person: PersonId, name: &str, question: &str) -> Decision {
        if by != Actor::Person(person) && by != Actor::Operator {
            return Err(Refusal::OnlySelf);
        }
        self.needs_phase(
            &[Phase::Open, Phase::Live],
            "hands go up when the doors are open",
        )?;
        let name = text::some_line(name, "the name", NAME_CHARS_MAX)?;
        let question = text::lines(question, "the question", QUESTION_CHARS_MAX)?;
        match self.people.get(&person) {
            Some(known) if known.banned => return Err(Refusal::Banned),
            Some(known) => changes(!known.may_speak(), "the person may speak already")?,
            None => room(self.people.len(), PEOPLE_MAX, "places for people")?,
        }
        changes(
            !self.hands.contains_key(&person),
            "the hand is raised already",
        )?;
        room(self.hands.len(), HANDS_MAX, "hands")?;
        Ok(vec![Event::HandRaised {
            person,
            name,
            question,
        }])
    }

    fn lower_hand(&self, by: Actor, person: PersonId) -> Decision {
        self.needs_self_or_manager(by, person)?;
        let called = self.people.get(&person).filter(|known| known.accepted);
        if let Some(known) = called
            && known.seat != Seat::None
        {
            return self.leave_seat(by, person);
        }
        let up = self.hands.contains_key(&person) || called.is_some();
        changes(up, "no hand is raised")?;
        Ok(vec![Event::HandLowered { person }])
    }

    fn accept_hand(&self, by: Actor, person: PersonId) -> Decision {
        self.needs_manager(by)?;
        self.needs_hand(person)?;
        // Nobody is promised a seat that is not there.
        self.needs_free_seat()?;
        if self.stage_locked {
            return Err(Refusal::Locked);
        }
        Ok(vec![Event::HandAccepted { person }])
    }

    fn decline_hand(&self, by: Actor, person: PersonId) -> Decision {
        self.needs_manager(by)?;
        self.needs_hand(person)?;
        Ok(vec![Event::HandDeclined { person }])
    }

    fn lose_connection(&self, by: Actor, person: PersonId) -> Decision {
        needs_self_or_node(by, person)?;
        changes(
            self.person(person)?.seat == Seat::Taken,
            "the person is not connected",
        )?;
        Ok(vec![Event::ConnectionLost { person }])
    }

    fn leave_seat(&self, by: Actor, person: PersonId) -> Decision {
        needs_self_or_node(by, person)?;
        changes(
            self.person(person)?.seat != Seat::None,
            "the person has no seat",
        )?;
        Ok(vec![Event::SeatLeft {
            person,
            ran_out: false,
        }])
    }

    fn allow_talk(&self, by: Actor, person: PersonId) -> Decision {
        self.needs_power_over(by, person)?;
        changes(
            self.person(person)?.muted_by_host,
            "no host has muted this person",
        )?;
        Ok(vec![Event::TalkAllowed { person }])
    }

    fn remove(&self, by: Actor, person: PersonId) -> Decision {
        self.needs_power_over(by, person)?;
        changes(self.person(person)?.may_speak(), "the person is no speaker")?;
        Ok(vec![Event::Removed { person }])
    }

    fn ban(&self, by: Actor, person: PersonId) -> Decision {
        self.needs_power_over(by, person)?;
        if by == Actor::Person(person) {
            return Err(Refusal::NotOneself);
        }
        changes(
            !self.person(person)?.banned,
            "the person was banned already",
        )?;
        Ok(vec![Event::Banned { person }])
    }

    fn take_seat(&self, by: Actor, person: PersonId, now: UnixMillis) -> Decision {
        needs_self_or_node(by, person)?;
        let known = self.person(person)?;
        if known.banned {
            return Err(Refusal::Banned);
        }
        if !known.may_speak() {
            return Err(Refusal::NotAllowed {
                needed: Role::Speaker,
            });
        }
        changes(
            known.seat != Seat::Taken,
            "the person sits on stage, perhaps in another window",
        )?;
        if !Self::is_kept(known.seat, now) {
            if self.stage_locked && !known.role.manages() {
                return Err(Refusal::Locked);
            }
            // A seat that ran out and was not cleared yet is the person's own.
            if known.seat == Seat::None {
                self.needs_free_seat()?;
            }
        }
        let mut events = vec![Event::SeatTaken { person }];
        if self.hold_music_by_itself {
            events.push(Event::HoldMusic {
                on: false,
                by_itself: true,
            });
        }
        Ok(events)
    }

    fn mute(&self, by: Actor, person: PersonId) -> Decision {
        let by_host = by != Actor::Person(person);
        if by_host {
            self.needs_power_over(by, person)?;
        }
        let known = self.person(person)?;
        let new = if by_host {
            !known.muted_by_host
        } else {
            !known.muted
        };
        changes(new, "the person is muted already")?;
        Ok(vec![Event::Muted { person, by_host }])
    }

    fn unmute(&self, by: Actor, person: PersonId) -> Decision {
        // Nobody opens another one's microphone, a host neither.
        if by != Actor::Person(person) && by != Actor::Operator {
            return Err(Refusal::OnlySelf);
        }
        let known = self.person(person)?;
        if known.muted_by_host {
            return Err(Refusal::MutedByHost);
        }
        changes(known.muted, "the person is not muted")?;
        Ok(vec![Event::Unmuted { person }])
    }

    fn person(&self, id: PersonId) -> Result<&Person, Refusal> {
        self.people.get(&id).ok_or(Refusal::Unknown {
            what: "this person",
        })
    }

    fn needs_hand(&self, person: PersonId) -> Result<(), Refusal> {
        self.person(person)?;
        changes(self.hands.contains_key(&person), "no hand is raised")
    }

    fn needs_free_seat(&self) -> Result<(), Refusal> {
        room(self.seated(), SPEAKERS_MAX, "seats on stage")
    }

    fn needs_self_or_manager(&self, by: Actor, person: PersonId) -> Result<(), Refusal> {
        if by == Actor::Person(person) {
            Ok(())
        } else {
            self.needs_manager(by)
        }
    }

    /// A co-host has power over everybody but hosts.
    fn needs_power_over(&self, by: Actor, person: PersonId) -> Result<(), Refusal> {
        self.needs_manager(by)?;
        if self.person(person)?.role == Role::Host {
            self.needs_host(by)
        } else {
            Ok(())
        }
    }
}

pub(super) fn room(is: usize, max: usize, what: &'static str) -> Result<(), Refusal> {
    if is < max {
        Ok(())
    } else {
        Err(Refusal::Full { what, max })
    }
}

/// The node speaks for connections, people for themselves.
pub(super) fn needs_self_or_node(by: Actor, person: PersonId) -> Result<(), Refusal> {
    if matches!(by, Actor::Node | Actor::Operator) || by == Actor::Person(person) {
        Ok(())
    } else {
        Err(Refusal::OnlySelf)
    }
}
