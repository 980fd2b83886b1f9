//! What has happened in a space. Events are stored as JSON; names and fields may be added, never changed.

use serde::{Deserialize, Serialize};

use super::command::{Actor, DoorSet};
use super::role::Role;
use crate::ids::{InviteId, PersonId, SpaceId, UnixMillis};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    Created {
        id: SpaceId,
        title: String,
        description: String,
        listed: bool,
        starts_at: Option<UnixMillis>,
        record: bool,
    },
    /// Says only what changed. `starts_at` is null when the time was taken off.
    Edited {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listed: Option<bool>,
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            with = "super::space::double_option"
        )]
        starts_at: Option<Option<UnixMillis>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<bool>,
    },
    Opened,
    WentLive,
    Ended {
        by_itself: bool,
    },
    Cancelled {
        reason: String,
    },
    Invited {
        invite: InviteId,
        role: Role,
        name: String,
        expires_at: Option<UnixMillis>,
    },
    Revoked {
        invite: InviteId,
    },
    Entered {
        person: PersonId,
        invite: InviteId,
        role: Role,
        name: String,
    },
    Renamed {
        person: PersonId,
        name: String,
    },
    HandRaised {
        person: PersonId,
        name: String,
        question: String,
    },
    HandLowered {
        person: PersonId,
    },
    HandAccepted {
        person: PersonId,
    },
    HandDeclined {
        person: PersonId,
    },
    SeatTaken {
        person: PersonId,
    },
    ConnectionLost {
        person: PersonId,
    },
    SeatLeft {
        person: PersonId,
        ran_out: bool,
    },
    Muted {
        person: PersonId,
        by_host: bool,
    },
    Unmuted {
        person: PersonId,
    },
    TalkAllowed {
        person: PersonId,
    },
    Removed {
        person: PersonId,
    },
    Banned {
        person: PersonId,
    },
    StageLocked {
        locked: bool,
    },
    HoldMusic {
        on: bool,
        by_itself: bool,
    },
    Told {
        message: String,
    },
    DoorSet(DoorSet),
    HoldMusicSet {
        object: Option<String>,
    },
    RecordingClosed {
        object: String,
        millis: u64,
    },
    RecordingDeleted,
    EmptyWarned,
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps, per space.
    pub seq: u64,
    pub at: UnixMillis,
    pub by: Actor,
    pub event: Event,
}
