//! One space: its state, what a command does to it, and what an event makes of it.

use std::collections::BTreeMap;

use super::command::Actor;
use super::event::{Event, Recorded};
use super::phase::Phase;
use super::refusal::Refusal;
use super::role::Role;
use super::text;
use crate::ids::{InviteId, PersonId, SpaceId, UnixMillis};
use crate::limits::{DESCRIPTION_CHARS_MAX, TITLE_CHARS_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    None,
    Taken,
    LostSince(UnixMillis),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub role: Role,
    pub name: String,
    pub seat: Seat,
    pub muted: bool,
    pub muted_by_host: bool,
    pub accepted: bool,
    pub banned: bool,
    pub invite: Option<InviteId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hand {
    pub since: UnixMillis,
    pub question: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub role: Role,
    pub name: String,
    pub expires_at: Option<UnixMillis>,
    pub revoked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub object: String,
    pub millis: u64,
    pub deleted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    pub id: SpaceId,
    pub title: String,
    pub description: String,
    pub listed: bool,
    pub record: bool,
    pub phase: Phase,
    pub created_at: UnixMillis,
    pub starts_at: Option<UnixMillis>,
    pub opened_at: Option<UnixMillis>,
    pub live_at: Option<UnixMillis>,
    /// When it ended or was cancelled.
    pub ended_at: Option<UnixMillis>,
    pub cancel_reason: String,
    pub stage_locked: bool,
    pub hold_music: bool,
    /// The music came because the live stage was empty; it goes when somebody takes a seat.
    pub hold_music_by_itself: bool,
    pub hold_music_object: Option<String>,
    /// What the operator tells all who listen and wait; empty when nothing.
    pub message: String,
    pub people: BTreeMap<PersonId, Person>,
    /// Raised hands, by person; the longest wait first when sorted by `since`.
    pub hands: BTreeMap<PersonId, Hand>,
    pub invites: BTreeMap<InviteId, Invite>,
    pub recording: Option<Recording>,
    /// Since when nobody sits on the live stage.
    pub empty_since: Option<UnixMillis>,
    pub empty_warned: bool,
    /// Sequence of the newest event applied.
    pub seq: u64,
}

/// What a new space is made of.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub title: String,
    pub description: String,
    pub listed: bool,
    pub starts_at: Option<UnixMillis>,
    pub record: bool,
}

impl Space {
    /// Checks a draft; gives the first event of a new space.
    pub fn create(id: SpaceId, draft: Draft, now: UnixMillis) -> Result<Event, Refusal> {
        let title = text::some_line(&draft.title, "the title", TITLE_CHARS_MAX)?;
        let description =
            text::lines(&draft.description, "the description", DESCRIPTION_CHARS_MAX)?;
        if draft.starts_at.is_some_and(|at| at < now) {
            return Err(Refusal::StartInPast);
        }
        let Draft {
            listed,
            starts_at,
            record,
            ..
        } = draft;
        Ok(Event::Created {
            id,
            title,
            description,
            listed,
            starts_at,
            record,
        })
    }

    /// Rebuilds from the log; `None` when the first event is not `Created`.
    pub fn replay<'a>(log: impl IntoIterator<Item = &'a Recorded>) -> Option<Self> {
        let mut log = log.into_iter();
        let mut space = Self::created(log.next()?)?;
        for recorded in log {
            space.apply(recorded);
        }
        Some(space)
    }

    /// The role that the actor has here; an operator stands in for the host, the node and strangers have none.
    pub fn role_of(&self, actor: Actor) -> Option<Role> {
        match actor {
            Actor::Operator => Some(Role::Host),
            Actor::Person(id) => self
                .people
                .get(&id)
                .filter(|person| !person.banned)
                .map(|person| person.role),
            Actor::Node => None,
        }
    }

    /// Seats taken, those kept for a lost connection included.
    pub fn seated(&self) -> usize {
        self.people
            .values()
            .filter(|person| person.seat != Seat::None)
            .count()
    }

    /// Whether the space has neither ended nor been cancelled.
    pub const fn is_going(&self) -> bool {
        matches!(self.phase, Phase::Posted | Phase::Open | Phase::Live)
    }

    fn created(first: &Recorded) -> Option<Self> {
        let Event::Created {
            id,
            title,
            description,
            listed,
            starts_at,
            record,
        } = &first.event
        else {
            return None;
        };
        Some(Self {
            id: id.clone(),
            title: title.clone(),
            description: description.clone(),
            listed: *listed,
            record: *record,
            phase: Phase::Posted,
            created_at: first.at,
            starts_at: *starts_at,
            opened_at: None,
            live_at: None,
            ended_at: None,
            cancel_reason: String::new(),
            stage_locked: false,
            hold_music: false,
            hold_music_by_itself: false,
            hold_music_object: None,
            message: String::new(),
            people: BTreeMap::new(),
            hands: BTreeMap::new(),
            invites: BTreeMap::new(),
            recording: None,
            empty_since: None,
            empty_warned: false,
            seq: first.seq,
        })
    }
}

impl Person {
    /// Whether the person may take a seat on stage.
    pub const fn may_speak(&self) -> bool {
        !self.banned && (self.accepted || !matches!(self.role, Role::Listener))
    }
}

/// `None` and `Some(None)` differ in JSON: absent, and null.
pub mod double_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    pub fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(to)
    }
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Ok(Some(Option::deserialize(from)?))
    }
}
