//! Alarms: what an operator must know now, and what to do about it. `rules` is pure: facts in, alarms out. `watch` finds the
//! facts once a second; `webhook` tells the changes elsewhere. What each means stands in docs/alarms.md.

pub mod certificate;
pub mod facts;
mod receiver;
pub mod rules;
pub mod watch;
pub mod webhook;

use hustings_control::ids::{SpaceId, UnixMillis};

pub use self::rules::{Alarms, Facts};
pub use self::watch::{Sample, Watched};
pub use self::webhook::Webhook;

/// The JSON is a promise: add, never change.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A space is live, and nobody is heard.
    DeadAir,
    HostLost,
    SeatsShort,
    Certificate,
    Disk,
    Clock,
    /// Something that the node depends on is slow or gone: its store.
    Dependency,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::DeadAir,
        Self::HostLost,
        Self::SeatsShort,
        Self::Certificate,
        Self::Disk,
        Self::Clock,
        Self::Dependency,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::DeadAir => "dead-air",
            Self::HostLost => "host-lost",
            Self::SeatsShort => "seats-short",
            Self::Certificate => "certificate",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Dependency => "dependency",
        }
    }

    /// What an operator does about it.
    pub fn todo(self) -> &'static str {
        match self {
            Self::DeadAir => "Call the host. Hold music tells listeners that their sound works.",
            Self::HostLost => {
                "Nothing at once: listeners hear hold music and the seat is kept 30 s. If it lasts, call the host."
            }
            Self::SeatsShort => {
                "Nothing for those inside. A message tells those who wait; more seats come from what is short."
            }
            Self::Certificate => {
                "Renew it now; the node takes the new files by itself. After its end nobody gets in by https."
            }
            Self::Disk => {
                "Make room on the disk of the data folder. The sound goes on; recordings wait 60 s in memory."
            }
            Self::Clock => {
                "Look at the machine's time service. Tickets and times are wrong by as much."
            }
            Self::Dependency => {
                "Look at the disk and at what else writes to it. Changes are refused; the sound goes on."
            }
        }
    }
}

/// Something is so, since then.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Alarm {
    pub alarm: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceId>,
    pub since: UnixMillis,
    /// What was seen, in a sentence.
    pub what: String,
}

/// An alarm has come or gone: stored, shown, and told by webhook.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    pub at: UnixMillis,
    pub raised: bool,
    #[serde(flatten)]
    pub alarm: Alarm,
}
