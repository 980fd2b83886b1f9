//! One space: its state, what a command does to it, and what an event makes of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::command::{Actor, Command};
use super::event::{Event, Recorded};
use super::refusal::Refusal;
use super::role::Role;
use crate::ids::{InviteId, PersonId, SpaceId, UnixMillis};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase { Posted, Open, Live, Ended, Cancelled }

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat { None, Taken, LostSince(UnixMillis) }

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person { pub role: Role, pub name: String, pub seat: Seat, pub muted: bool, pub muted_by_host: bool, pub accepted: bool, pub banned: bool, pub invite: Option<InviteId> }

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hand { pub since: UnixMillis, pub question: String }

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite { pub role: Role, pub name: String, pub expires_at: Option<UnixMillis>, pub revoked: bool }

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording { pub object: String, pub millis: u64, pub deleted: bool }

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
    pub ended_at: Option<UnixMillis>,
    pub cancel_reason: String,
    pub stage_locked: bool,
    pub hold_music: bool,
    pub hold_music_object: Option<String>,
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
pub struct Draft { pub title: String, pub description: String, pub listed: bool, pub starts_at: Option<UnixMillis>, pub record: bool }

impl Space {
    /// Checks a draft; gives the first event of a new space.
    pub fn create(id: SpaceId, draft: Draft, now: UnixMillis) -> Result<Event, Refusal> { let _ = (id, draft, now); todo!() }
    /// Rebuilds from the log; `None` when the first event is not `Created`.
    pub fn replay<'a>(log: impl IntoIterator<Item = &'a Recorded>) -> Option<Self> { let _ = log.into_iter(); todo!() }
    /// What would happen. Changes nothing.
    pub fn decide(&self, by: Actor, command: Command, now: UnixMillis) -> Result<Vec<Event>, Refusal> { let _ = (by, command, now); todo!() }
    pub fn apply(&mut self, recorded: &Recorded) { let _ = recorded; todo!() }
    pub fn role_of(&self, actor: Actor) -> Option<Role> { let _ = actor; todo!() }
    pub fn seated(&self) -> usize { todo!() }
    /// When `Command::Tick` should next be given.
    pub fn next_tick(&self) -> Option<UnixMillis> { todo!() }
    /// Checks the state's invariants; the message names the broken one.
    pub fn check_invariants(&self) -> Result<(), String> { todo!() }
}

/// `None` and `Some(None)` differ in JSON: absent, and null.
pub mod double_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    pub fn serialize<T: Serialize, S: Serializer>(value: &Option<Option<T>>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Option::as_ref).flatten().serialize(to)
    }
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
        Ok(Some(Option::deserialize(from)?))
    }
}
