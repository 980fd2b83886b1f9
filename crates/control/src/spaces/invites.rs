//! Commands about links: making and revoking them, coming in by one.

use super::command::Actor;
use super::decide::{Decision, changes};
use super::event::Event;
use super::people::{needs_self_or_node, room};
use super::refusal::Refusal;
use super::role::Role;
use super::space::{Person, Space};
use super::text;
use crate::ids::{InviteId, PersonId, UnixMillis};
use crate::limits::{INVITES_KEPT_MAX, INVITES_MAX, NAME_CHARS_MAX, PEOPLE_MAX};

impl Space {
    pub(super) fn invite(
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

    pub(super) fn decide_revoke(&self, by: Actor, invite: InviteId) -> Decision {
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

    pub(super) fn enter(
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
