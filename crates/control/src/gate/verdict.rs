//! What is asked of a gate, and what it answers.

use std::sync::Arc;

use super::door::Door;
use super::lanes::Lane;
use super::line::Estimate;
use super::pass::Pass;
use super::prefix::Prefix;
use super::seats::SeatKey;
use super::ticket::{TokenFault, TokenText};
use crate::ids::UnixMillis;
use hustings_media::time::Now;

/// The two clocks of a knock: the machine's, which never goes back, for rates and waits; the wall's for what tokens say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub now: Now,
    pub wall: UnixMillis,
}

/// Somebody at the door.
#[derive(Clone, Copy)]
pub struct Knock<'a> {
    pub door: &'a Arc<Door>,
    pub from: Prefix,
    pub ask: Ask,
    pub shows: Shows<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The sound itself (`live.ogg`). Who has to wait gets no place with this: a player could not keep it.
    Sound,
    /// A way in (`POST /knock`, `/line`): a seat held for 30 s and a ticket for it, or a place in line.
    Right,
    /// A puzzle, to come in by the effort lane. Where none is needed, the same as `Right`.
    Puzzle,
}

#[derive(Clone, Copy)]
pub enum Shows<'a> {
    Nothing,
    /// A ticket, a resume ticket, a place, or a puzzle with its solution: the text as it came.
    Token(&'a [u8]),
    /// A random number that the listener calls itself by (`?n=`): no right, but what its seat is bound to, so that the
    /// player can get a resume ticket for it once its sound has begun.
    Mark(u64),
}

#[derive(Debug)]
pub enum Verdict {
    Enter(Entry),
    Wait(Waiting),
    Prove(Puzzle),
    TurnAway(Reason),
}

/// A seat.
#[derive(Debug)]
pub struct Entry {
    pub pass: Pass,
    /// To ask for the sound with, when a way in was asked for.
    pub ticket: Option<TokenText>,
    /// The connection that had this seat until now: the shell closes it (`Pass::key` is equal).
    pub took_over: Option<SeatKey>,
}

/// No seat now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub cause: Cause,
    /// To come again with. None: with what was shown, if anything was.
    pub place: Option<TokenText>,
    /// How many places are before this one, those not in use any more included.
    pub ahead: u64,
    /// The place as a number to compare with `serving.json`'s `called`.
    pub position: u64,
    pub wait: Estimate,
    /// Milliseconds until it is worth asking again, jitter included.
    pub poll_ms: u32,
}

/// Why somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nothing to wait for: ask for the sound, with the ticket that stands where else a place does, if there is one.
    Open,
    /// Shows no right, or one too young to use.
    NoRight,
    /// Others are first.
    NotYourTurn,
    /// May enter, but no seat is free in the lane.
    NoSeat,
    /// May enter, but the prefix has its share of the seats for now.
    PrefixShare,
    /// The node has no files, memory or time for one more.
    NodeFull,
    /// The same right came in again and again, more often than anybody moves. Its seat stays with who has it.
    TooOften,
}

pub const CAUSES: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Puzzle {
    pub token: TokenText,
    /// Mean number of hashes to a solution.
    pub tries: u32,
}

/// Turned away. Each is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The space is over, was opened anew, or an operator has dropped its public door.
    Closed,
    Token(TokenFault),
    /// A right that was used and whose seat was left too long ago.
    Spent,
    /// The solution does not solve the puzzle.
    WrongSolution,
    /// A puzzle is no right before it is solved.
    Unsolved,
    /// The same right came on two cores in one instant; this one is the second.
    Race,
}

pub const REASONS: usize = 12;

impl Reason {
    pub const ALL: [Self; REASONS] = [
        Self::Closed,
        Self::Token(TokenFault::Malformed),
        Self::Token(TokenFault::UnknownKey),
        Self::Token(TokenFault::Forged),
        Self::Token(TokenFault::WrongSpace),
        Self::Token(TokenFault::WrongEpoch),
        Self::Token(TokenFault::FutureDated),
        Self::Token(TokenFault::Expired),
        Self::Spent,
        Self::WrongSolution,
        Self::Unsolved,
        Self::Race,
    ];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Closed => 0,
            Self::Token(fault) => 1 + fault as usize,
            Self::Spent => 8,
            Self::WrongSolution => 9,
            Self::Unsolved => 10,
            Self::Race => 11,
        }
    }

    /// As metrics and the report name it.
    pub fn name(self) -> &'static str {
        [
            "closed",
            "malformed",
            "unknown_key",
            "forged",
            "wrong_space",
            "wrong_epoch",
            "future_dated",
            "expired",
            "spent",
            "wrong_solution",
            "unsolved",
            "race",
        ][self.index()]
    }
}

impl Cause {
    pub const ALL: [Self; CAUSES] = [
        Self::Open,
        Self::NoRight,
        Self::NotYourTurn,
        Self::NoSeat,
        Self::PrefixShare,
        Self::NodeFull,
        Self::TooOften,
    ];

    pub fn name(self) -> &'static str {
        [
            "open",
            "no_right",
            "not_your_turn",
            "no_seat",
            "prefix_share",
            "node_full",
            "too_often",
        ][self as usize]
    }
}

/// Under which lane a knock is counted: what it proved to be, else free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) lane: Lane,
    /// Came from another prefix than the one its token was made for.
    pub(crate) moved: bool,
}
