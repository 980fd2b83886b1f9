//! What people and the node ask of a space.

use serde::{Deserialize, Serialize};

use super::role::Role;
use crate::ids::{InviteId, PersonId, UnixMillis};

/// Who asks. The shell has proved it (token, cookie) before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// Holder of an operator's token.
    Operator,
    /// Somebody with a role in the space.
    Person(PersonId),
    /// The node itself: timers, the ingest.
    Node,
}

/// How an operator has set a space's door.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DoorSet {
    /// Share of the node's seats that it always gets, in thousandths; none: the node's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guaranteed_permille: Option<u32>,
    /// Listeners at most; none: as many as there are seats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Newcomers wait.
    pub paused: bool,
    /// Newcomers are turned away.
    pub dropped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Changes what is `Some`. `starts_at: Some(None)` takes the time off.
    Edit {
        title: Option<String>,
        description: Option<String>,
        listed: Option<bool>,
        starts_at: Option<Option<UnixMillis>>,
        record: Option<bool>,
    },
    /// Doors open: hold music plays.
    Open,
    GoLive,
    End,
    Cancel {
        reason: String,
    },
    Invite {
        invite: InviteId,
        role: Role,
        name: String,
        expires_at: Option<UnixMillis>,
    },
    Revoke {
        invite: InviteId,
    },
    /// An invitation's token was shown: the person gets the invitation's role.
    Enter {
        person: PersonId,
        invite: InviteId,
        name: Option<String>,
    },
    Rename {
        person: PersonId,
        name: String,
    },
    RaiseHand {
        person: PersonId,
        name: String,
        question: String,
    },
    LowerHand {
        person: PersonId,
    },
    AcceptHand {
        person: PersonId,
    },
    DeclineHand {
        person: PersonId,
    },
    /// The person's WHIP session is connected; takes (or takes back) a seat.
    TakeSeat {
        person: PersonId,
    },
    /// The connection is lost; the seat is kept for `SEAT_KEPT_MS`.
    LoseConnection {
        person: PersonId,
    },
    /// The person left by own will.
    LeaveSeat {
        person: PersonId,
    },
    Mute {
        person: PersonId,
    },
    Unmute {
        person: PersonId,
    },
    /// A host lets a person who was muted by a host talk again.
    AllowTalk {
        person: PersonId,
    },
    Remove {
        person: PersonId,
    },
    Ban {
        person: PersonId,
    },
    LockStage {
        locked: bool,
    },
    /// By hand: hold music on or off while live.
    HoldMusic {
        on: bool,
    },
    /// What all who listen and wait are told; empty takes it away.
    Tell {
        message: String,
    },
    /// An operator has set the door, by the shell: kept for the audit trail.
    NoteDoor(DoorSet),
    /// Another hold music file (its key in the archive), or the bundled loop.
    SetHoldMusic {
        object: Option<String>,
    },
    /// The recording of the space was closed, with its duration.
    RecordingClosed {
        object: String,
        millis: u64,
    },
    DeleteRecording,
    /// Time passes: seats run out, empty stages get music, end.
    Tick,
}
