//! Where a space stands in its life.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Posted,
    Open,
    Live,
    Ended,
    Cancelled,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Posted => "posted",
            Self::Open => "open",
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
        })
    }
}
