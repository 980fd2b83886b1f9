//! What is true of every space at every moment. Sims check it after each step.

use super::phase::Phase;
use super::role::Role;
use super::space::{Person, Seat, Space};
use crate::ids::PersonId;
use crate::limits::{
    DESCRIPTION_CHARS_MAX, HANDS_MAX, INVITES_KEPT_MAX, INVITES_MAX, NAME_CHARS_MAX, PEOPLE_MAX,
    QUESTION_CHARS_MAX, REASON_CHARS_MAX, SPEAKERS_MAX, TITLE_CHARS_MAX,
};

impl Space {
    /// Checks the state's invariants; the message names the broken one.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.check_phase()?;
        self.check_bounds()?;
        self.check_stage()?;
        for (id, person) in &self.people {
            self.check_person(*id, person)?;
        }
        for id in self.hands.keys() {
            let person = self
                .people
                .get(id)
                .ok_or_else(|| format!("the hand of {id:?} belongs to nobody known"))?;
            hold(!person.may_speak() && !person.banned, || {
                format!("{id:?} has a hand up and may speak or is banned")
            })?;
            hold(matches!(self.phase, Phase::Open | Phase::Live), || {
                format!("a hand is up in a {} space", self.phase)
            })?;
        }
        Ok(())
    }

    fn check_phase(&self) -> Result<(), String> {
        let (opened, live, ended) = (
            self.opened_at.is_some(),
            self.live_at.is_some(),
            self.ended_at.is_some(),
        );
        let fits = match self.phase {
            Phase::Posted => !opened && !live && !ended,
            Phase::Open => opened && !live && !ended,
            Phase::Live => opened && live && !ended,
            Phase::Ended => opened && ended,
            Phase::Cancelled => !live && ended,
        };
        hold(fits, || {
            format!(
                "times do not fit phase {}: {opened} {live} {ended}",
                self.phase
            )
        })?;
        hold(self.opened_at <= self.live_at || !live, || {
            "live before open".into()
        })?;
        hold(self.recording.is_none() || live, || {
            "a recording of what was never live".into()
        })?;
        hold(
            self.phase == Phase::Cancelled || self.cancel_reason.is_empty(),
            || "a reason without cancelling".into(),
        )
    }

    fn check_bounds(&self) -> Result<(), String> {
        let live_invites = self
            .invites
            .values()
            .filter(|invite| !invite.revoked)
            .count();
        let bounds = [
            ("seats", self.seated(), SPEAKERS_MAX),
            ("hands", self.hands.len(), HANDS_MAX),
            ("people", self.people.len(), PEOPLE_MAX),
            ("live invitations", live_invites, INVITES_MAX),
            ("invitations", self.invites.len(), INVITES_KEPT_MAX),
            (
                "characters of the title",
                self.title.chars().count(),
                TITLE_CHARS_MAX,
            ),
            (
                "characters of the description",
                self.description.chars().count(),
                DESCRIPTION_CHARS_MAX,
            ),
            (
                "characters of the reason",
                self.cancel_reason.chars().count(),
                REASON_CHARS_MAX,
            ),
            (
                "characters of a question",
                self.hands
                    .values()
                    .map(|hand| hand.question.chars().count())
                    .max()
                    .unwrap_or(0),
                QUESTION_CHARS_MAX,
            ),
        ];
        for (what, is, max) in bounds {
            hold(is <= max, || format!("{is} {what}, at most {max}"))?;
        }
        hold(!self.title.is_empty(), || "no title".into())?;
        hold(self.seq >= 1, || "no sequence".into())
    }

    fn check_stage(&self) -> Result<(), String> {
        let empty = self.phase == Phase::Live && self.seated() == 0;
        hold(self.empty_since.is_some() == empty, || {
            format!("empty is {empty}, since {:?}", self.empty_since)
        })?;
        hold(!self.empty_warned || empty, || {
            "warned of a stage that is not empty".into()
        })?;
        hold(self.is_going() || self.seated() == 0, || {
            format!("seats in a {} space", self.phase)
        })?;
        let music = match self.phase {
            Phase::Open => self.hold_music,
            Phase::Live => true,
            Phase::Posted | Phase::Ended | Phase::Cancelled => !self.hold_music,
        };
        hold(music, || {
            format!("hold music {} in a {} space", self.hold_music, self.phase)
        })?;
        hold(
            !self.hold_music_by_itself || (self.hold_music && empty),
            || "music by itself beside speakers".into(),
        )
    }

    fn check_person(&self, id: PersonId, person: &Person) -> Result<(), String> {
        hold(person.seat == Seat::None || person.may_speak(), || {
            format!("{id:?} sits without the right to")
        })?;
        hold(!person.muted_by_host || person.muted, || {
            format!("{id:?} is muted by a host and talks")
        })?;
        hold(!person.accepted || person.role == Role::Listener, || {
            format!("{id:?} was accepted and has a role too")
        })?;
        hold(!person.accepted || self.is_going(), || {
            format!("{id:?} is accepted in a {} space", self.phase)
        })?;
        hold(
            !person.banned || (person.role == Role::Listener && !person.accepted),
            || format!("{id:?} is banned with a role"),
        )?;
        hold(
            person
                .invite
                .is_none_or(|invite| self.invites.contains_key(&invite)),
            || format!("{id:?} came by no invitation"),
        )?;
        let name = person.name.chars().count();
        hold((1..=NAME_CHARS_MAX).contains(&name), || {
            format!("the name of {id:?} has {name} characters")
        })
    }
}

fn hold(is: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if is { Ok(()) } else { Err(broken()) }
}
