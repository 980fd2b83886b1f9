//! Commands about people: invitations, hands, seats, mutes, removals.

use super::command::{Actor, Command};
use super::decide::{Decision, changes};
use super::event::Event;
use super::refusal::Refusal;
use super::role::Role;
use super::space::{Person, Phase, Seat, Space};
use super::text;
use crate::ids::{InviteId, PersonId, UnixMillis};
use crate::limits::{
    HANDS_MAX, INVITES_KEPT_MAX, INVITES_MAX, NAME_CHARS_MAX, PEOPLE_MAX, QUESTION_CHARS_MAX,
    SPEAKERS_MAX,
};

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
            Command::LowerHand { person } => {
                self.needs_self_or_manager(by, person)?;
                changes(self.hands.contains_key(&person), "no hand is raised")?;
                Ok(vec![Event::HandLowered { person }])
            }
            Command::AcceptHand { person } => {
                self.needs_manager(by)?;
                self.needs_hand(person)?;
                // Nobody is promised a seat that is not there.
                self.needs_free_seat()?;
                if self.stage_locked {
                    return Err(Refusal::Locked);
                }
                Ok(vec![Event::HandAccepted { person }])
            }
            Command::DeclineHand { person } => {
                self.needs_manager(by)?;
                self.needs_hand(person)?;
                Ok(vec![Event::HandDeclined { person }])
            }
            Command::TakeSeat { person } => self.take_seat(by, person, now),
            Command::LoseConnection { person } => {
                needs_self_or_node(by, person)?;
                changes(
                    self.person(person)?.seat == Seat::Taken,
                    "the person is not connected",
                )?;
                Ok(vec![Event::ConnectionLost { person }])
            }
            Command::LeaveSeat { person } => {
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
            Command::Mute { person } => self.mute(by, person),
            Command::Unmute { person } => self.unmute(by, person),
            Command::AllowTalk { person } => {
                self.needs_power_over(by, person)?;
                changes(
                    self.person(person)?.muted_by_host,
                    "no host has muted this person",
                )?;
                Ok(vec![Event::TalkAllowed { person }])
            }
            Command::Remove { person } => {
                self.needs_power_over(by, person)?;
                changes(self.person(person)?.may_speak(), "the person is no speaker")?;
                Ok(vec![Event::Removed { person }])
            }
            Command::Ban { person } => {
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
            // The others are the space's own doings, decided before.
            _ => Ok(Vec::new()),
        }
    }

    fn invite(
        &self,
        by: Actor,
        invite: InviteId,
        role: Role,
        name: &str,
        expires_at: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Decision {
        self.needs_manager(by)?;
        if self.role_of(by) < Some(role) {
            return Err(Refusal::NotAllowed { needed: role });
        }
        let name = text::line(name, "the name", NAME_CHARS_MAX)?;
        if expires_at.is_some_and(|at| at <= now) {
            return Err(Refusal::Expired);
        }
        changes(
            !self.invites.contains_key(&invite),
            "there is this invitation already",
        )?;
        let live = self
            .invites
            .values()
            .filter(|invite| !invite.revoked)
            .count();
        room(live, INVITES_MAX, "invitations")?;
        room(
            self.invites.len(),
            INVITES_KEPT_MAX,
            "invitations, revoked ones included,",
        )?;
        Ok(vec![Event::Invited {
            invite,
            role,
            name,
            expires_at,
        }])
    }

    fn decide_revoke(&self, by: Actor, invite: InviteId) -> Decision {
        self.needs_manager(by)?;
        let known = self.invites.get(&invite).ok_or(Refusal::Unknown {
            what: "this invitation",
        })?;
        if self.role_of(by) < Some(known.role) {
            return Err(Refusal::NotAllowed { needed: known.role });
        }
        changes(!known.revoked, "the invitation was revoked already")?;
        Ok(vec![Event::Revoked { invite }])
    }

    fn enter(
        &self,
        by: Actor,
        person: PersonId,
        invite: InviteId,
        name: Option<&str>,
        now: UnixMillis,
    ) -> Decision {
        needs_self_or_node(by, person)?;
        let known = self.people.get(&person);
        if known.is_some_and(|person| person.banned) {
            return Err(Refusal::Banned);
        }
        let link = self.invites.get(&invite).ok_or(Refusal::Unknown {
            what: "this invitation",
        })?;
        if link.revoked {
            return Err(Refusal::Revoked);
        }
        if link.expires_at.is_some_and(|at| at <= now) {
            return Err(Refusal::Expired);
        }
        // Who comes back by the same link finds the role that is left: a removed speaker does not undo the removal.
        let role = match known {
            Some(person) if person.invite == Some(invite) => person.role,
            Some(person) => person.role.max(link.role),
            None => link.role,
        };
        let name = match (name, known) {
            (Some(name), _) => text::some_line(name, "the name", NAME_CHARS_MAX)?,
            (None, Some(person)) => person.name.clone(),
            (None, None) if link.name.is_empty() => nameless(link.role).to_owned(),
            (None, None) => link.name.clone(),
        };
        if known.is_some_and(|known| {
            known.invite == Some(invite) && known.role == role && known.name == name
        }) {
            return Ok(Vec::new());
        }
        self.needs_going()?;
        if known.is_none() {
            room(self.people.len(), PEOPLE_MAX, "places for people")?;
        }
        // The link that gave the higher role is the one whose revoking takes it.
        let invite = match known {
            Some(Person {
                role: had,
                invite: Some(by),
                ..
            }) if *had > link.role => *by,
            _ => invite,
        };
        if known.is_some_and(|known| {
            known.invite == Some(invite) && known.role == role && known.name == name
        }) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::Entered {
            person,
            invite,
            role,
            name,
        }])
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

fn room(is: usize, max: usize, what: &'static str) -> Result<(), Refusal> {
    if is < max {
        Ok(())
    } else {
        Err(Refusal::Full { what, max })
    }
}

/// The node speaks for connections, people for themselves.
fn needs_self_or_node(by: Actor, person: PersonId) -> Result<(), Refusal> {
    if matches!(by, Actor::Node | Actor::Operator) || by == Actor::Person(person) {
        Ok(())
    } else {
        Err(Refusal::OnlySelf)
    }
}

/// What a person is called whose link names nobody.
const fn nameless(role: Role) -> &'static str {
    match role {
        Role::Listener => "Listener",
        Role::Speaker => "Speaker",
        Role::CoHost => "Co-host",
        Role::Host => "Host",
    }
}
