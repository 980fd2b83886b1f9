//! What happens between the seconds: changes, restarts, actions, failures.

use std::fmt;

use hustings_control::ids::{SpaceId, UnixMillis};
use serde::{Deserialize, Deserializer, Serialize};

use super::parts;

parts! {
    /// Something that happened, at its own time. Ladder and modes stand here too.
    pub struct Happening {
        /// milliseconds since 1970 by the wall's clock
        pub at: UnixMillis,
        /// milliseconds since the node's start by the machine's clock
        pub up_ms: u64,
        /// what, see below
        pub what: What,
        /// who did it: `node`, `operator`, `host`, `outside`
        pub who: Who,
        /// the space that it concerns; none: the node
        pub space: Option<SpaceId>,
        /// what exactly: a setting's or a resource's name, a reason; at most 160 characters
        pub name: Text,
        /// value before, as text; at most 160 characters
        pub before: Text,
        /// value after, as text; at most 160 characters
        pub after: Text,
        /// whatever number belongs to it, in the unit that the table of happenings says (rows lost, milliseconds, thousandths, people)
        pub number: i64,
        /// a rehearsal did it
        pub rehearsal: bool,
    }
}

/// What happened. Names are a promise: add, never change.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The node began; `after`: its version; `name`: fingerprint of the configuration.
    NodeStarted,
    /// The node ended in order.
    NodeStopped,
    /// The run before had not ended in order: it was killed or lost its power; `number`: milliseconds since its last row.
    NodeWasKilled,
    /// Another version runs than before; `before`, `after`.
    Deployed,
    /// A setting differs from the run before, or was changed while running; `name`, `before`, `after`.
    ConfigChanged,
    /// The wall's clock was set; `number`: milliseconds, ahead above 0.
    ClockStepped,
    /// A step of the ladder; `before`, `after`: steps; `name`: the resource; `number`: thousandths of it in use.
    Ladder,
    /// A door's or a shard's mode; `before`, `after`: modes; `name`: the resource.
    Mode,
    /// An operator shut the door for newcomers, or opened it again.
    DoorPaused,
    DoorResumed,
    /// An operator changed a space's limit (`name`: `limit`) or its guaranteed share (`guaranteed`); `before`, `after`.
    LimitChanged,
    /// An operator changed the bounds of the cadence; `before`, `after`.
    CadenceChanged,
    /// Any other action of an operator; `name` says which.
    OperatorActed,
    SpaceCreated,
    SpaceOpened,
    SpaceLive,
    SpaceEnded,
    SpaceCancelled,
    SpaceChanged,
    /// Hold music was put on or off; `after`: `on` or `off`.
    HoldMusic,
    /// A host's or a speaker's connection was lost, or came back.
    SpeakerLost,
    SpeakerBack,
    /// Nobody is on stage any more while the space is live, or somebody is again.
    StageEmpty,
    StageTaken,
    DeadAir,
    DeadAirOver,
    /// A stage panicked and was started again in the same rings.
    StageRestarted,
    /// A sweep panicked, or a shard was started again; `number`: listeners who had to come again.
    ShardRestarted,
    /// A certificate was loaded; `number`: seconds until it expires.
    CertificateLoaded,
    /// A certificate expires within days, or has expired; `number`: seconds left, below 0 when over.
    CertificateExpires,
    CertificateExpired,
    /// A certificate could not be loaded; the old one stays.
    CertificateFailed,
    DiskFull,
    DiskBack,
    DatabaseGone,
    DatabaseBack,
    WebhookGone,
    WebhookBack,
    ShieldGone,
    ShieldBack,
    /// Keys of tickets or sign-in were changed.
    KeysChanged,
    /// A permit was shown for the first time, or again after its rehearsal was over; `name`: the permit's id, `number`: listeners that it allows.
    RehearsalBegan,
    /// `name`: the permit's id, `after`: how it went, `number`: its listeners at once, the most.
    RehearsalEnded,
    /// Many who were inside came off at once; `number`: how many.
    ListenersLost,
    /// Of a newer version.
    #[default]
    #[serde(other)]
    Unknown,
}

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    #[default]
    Node,
    Operator,
    Host,
    Outside,
    #[serde(other)]
    Unknown,
}

/// Characters of a text at most; what is longer ends with `…`.
pub const TEXT_MAX: usize = 160;

/// Text of at most [`TEXT_MAX`] characters, without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let mut clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut kept: String = clean.by_ref().take(TEXT_MAX).collect();
        if clean.next().is_some() {
            kept.pop();
            kept.push('…');
        }
        Self(kept)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
