//! Why a command is refused, and whose fault that is. Refusals are values; the shell maps them to problems (RFC 9457).

use super::phase::Phase;
use super::role::Role;

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Who asked: other input is needed, or another right.
    Caller,
    /// The space's state: it was possible before or will be later.
    Space,
    /// This node: a limit of it is reached.
    Node,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this needs the role {needed} in the space")]
    NotAllowed { needed: Role },
    #[error("only the person concerned can do this")]
    OnlySelf,
    #[error("nobody can do this to oneself")]
    NotOneself,
    #[error("{what} is longer than {max} characters")]
    TooLong { what: &'static str, max: usize },
    #[error("{what} is empty")]
    Empty { what: &'static str },
    #[error("{what} is not known in this space")]
    Unknown { what: &'static str },
    #[error("the space is {phase}; {why}")]
    WrongPhase { phase: Phase, why: &'static str },
    #[error("the invitation was revoked")]
    Revoked,
    #[error("the invitation ran out")]
    Expired,
    #[error("the stage is locked by the host")]
    Locked,
    #[error("all {max} {what} are taken")]
    Full { what: &'static str, max: usize },
    #[error("this person was banned from the space")]
    Banned,
    #[error("a host has muted this person; a host has to allow talking first")]
    MutedByHost,
    #[error("nothing would change: {why}")]
    Already { why: &'static str },
    #[error("the start lies in the past")]
    StartInPast,
}

impl Refusal {
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NotAllowed { .. }
            | Self::OnlySelf
            | Self::NotOneself
            | Self::TooLong { .. }
            | Self::Empty { .. }
            | Self::Unknown { .. }
            | Self::Revoked
            | Self::Expired
            | Self::Banned
            | Self::StartInPast => Fault::Caller,
            Self::WrongPhase { .. }
            | Self::Locked
            | Self::MutedByHost
            | Self::Already { .. }
            | Self::Full { .. } => Fault::Space,
        }
    }

    /// A stable word for the problem's type, such as "stage-locked".
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "not-allowed",
            Self::OnlySelf => "only-self",
            Self::NotOneself => "not-oneself",
            Self::TooLong { .. } => "too-long",
            Self::Empty { .. } => "empty",
            Self::Unknown { .. } => "unknown",
            Self::WrongPhase { .. } => "wrong-phase",
            Self::Revoked => "invitation-revoked",
            Self::Expired => "invitation-expired",
            Self::Locked => "stage-locked",
            Self::Full { .. } => "full",
            Self::Banned => "banned",
            Self::MutedByHost => "muted-by-host",
            Self::Already { .. } => "no-change",
            Self::StartInPast => "start-in-past",
        }
    }
}
