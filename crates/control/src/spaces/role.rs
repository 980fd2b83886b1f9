//! What somebody may do in a space.

use serde::{Deserialize, Serialize};

/// Ordered by what it may: each role may all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Listener,
    Speaker,
    CoHost,
    Host,
}

impl Role {
    /// Whether the role runs the room: doors, hands, mutes, invitations.
    pub const fn manages(self) -> bool {
        matches!(self, Self::CoHost | Self::Host)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Listener => "listener",
            Self::Speaker => "speaker",
            Self::CoHost => "co-host",
            Self::Host => "host",
        })
    }
}
