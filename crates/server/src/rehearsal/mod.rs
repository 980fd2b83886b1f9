//! Rehearsals as the rehearsed node sees them: permits are verified, what comes with one is counted apart, kept within what
//! the permit says, and ended when the operator says so. The driver is `crate::rehearse`.

mod book;
mod kept;
mod permit;
mod running;

pub use book::{CannotEnd, Ends, Rehearsals, Told, Turn};
pub(crate) use kept::best;
pub use kept::{Claimed, Kept, Outcome, proven, read as read_kept};
pub use permit::{BadPermit, HEADER, Permit, PermitKey, target_of};
pub(crate) use running::{Mark, Running, Seat};

use std::fmt;

/// Why a request with a permit is not answered as it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody here signed it.
    Forged,
    /// Signed here, but for the name of another installation.
    OtherTarget,
    Early,
    Expired,
    /// More requests a second than it allows.
    Rate,
    /// As many listen as it allows.
    People,
    /// The operator ended this rehearsal.
    Ended,
    /// As many rehearsals as a node looks after are under way.
    Crowded,
}

impl Refusal {
    pub const ALL: [Self; 8] = [
        Self::Forged,
        Self::OtherTarget,
        Self::Early,
        Self::Expired,
        Self::Rate,
        Self::People,
        Self::Ended,
        Self::Crowded,
    ];

    /// As it stands in the answer's header `Rehearsal`, and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::OtherTarget => "other-target",
            Self::Early => "early",
            Self::Expired => "expired",
            Self::Rate => "rate",
            Self::People => "people",
            Self::Ended => "ended",
            Self::Crowded => "crowded",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.name() == name)
    }

    /// Whether the driver must stop: nothing that it sends will be answered any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Rate | Self::People)
    }

    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Rate | Self::People | Self::Crowded => 429,
            Self::Ended => 410,
            _ => 403,
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forged => "the rehearsal permit was not signed by this installation",
            Self::OtherTarget => "the rehearsal permit is for another installation",
            Self::Early => "the rehearsal permit does not hold yet",
            Self::Expired => "the rehearsal permit has run out",
            Self::Rate => "more requests a second than the rehearsal permit allows",
            Self::People => "as many listen as the rehearsal permit allows",
            Self::Ended => "the operator ended this rehearsal",
            Self::Crowded => "too many rehearsals are under way here",
        })
    }
}
