//! Kinds of people, those who behave and those who do not.

use serde::{Deserialize, Serialize};

use crate::limits::KNOCKS_A_BOT;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The page with script: polls as it is told, with jitter.
    Page = 0,
    /// The same on a phone: asleep at times, so late, and on another network now and then.
    Phone,
    /// The page without script: waits by its Refresh header.
    NoScript,
    /// Reloads every few seconds, in a private window every third time, so that the place is lost.
    Reloader,
    /// Pages behind a carrier: ten thousand share one /24.
    Carrier,
    /// A plain player: asks for the sound, comes again by Retry-After.
    Player,
    /// Has a ticket from before.
    Invited,
    /// Computes in place of waiting.
    Effort,
    /// The second space's listeners: pages.
    Beside,
    /// Bare requests for the sound.
    Flood,
    /// Tokens that nobody sealed, solutions that solve nothing.
    Forged,
    /// One good right, shown by all from everywhere, at the other door too.
    Replay,
    /// Native solvers: no puzzle takes them any time.
    Native,
    /// Pages, each from a network of its own: many /24, and /64 of a few /48.
    Prefixes,
    /// Pages, from networks in which honest people are.
    Botnet,
    /// Takes places from a few networks; one in ten is ever used.
    Farm,
    /// Opens connections and sends the head of a request so slowly that it never ends.
    SlowHeads,
}

pub(crate) const KINDS: usize = 17;

/// What `Scenario::attacks` may name.
pub const ATTACKS: [Kind; 8] = [
    Kind::Flood,
    Kind::Forged,
    Kind::Replay,
    Kind::Native,
    Kind::Prefixes,
    Kind::Botnet,
    Kind::Farm,
    Kind::SlowHeads,
];

/// Of a thousand who behave, how many are of each kind; the rest are pages.
const MIX: [(Kind, u32); 7] = [
    (Kind::Phone, 220),
    (Kind::Carrier, 80),
    (Kind::NoScript, 50),
    (Kind::Reloader, 40),
    (Kind::Invited, 30),
    (Kind::Player, 20),
    (Kind::Effort, 10),
];

impl Kind {
    pub const ALL: [Self; KINDS] = [
        Self::Page,
        Self::Phone,
        Self::NoScript,
        Self::Reloader,
        Self::Carrier,
        Self::Player,
        Self::Invited,
        Self::Effort,
        Self::Beside,
        Self::Flood,
        Self::Forged,
        Self::Replay,
        Self::Native,
        Self::Prefixes,
        Self::Botnet,
        Self::Farm,
        Self::SlowHeads,
    ];

    pub fn name(self) -> &'static str {
        [
            "page",
            "phone",
            "no-script",
            "reloader",
            "carrier",
            "player",
            "invited",
            "effort",
            "beside",
            "flood",
            "forged",
            "replay",
            "native",
            "prefixes",
            "botnet",
            "farm",
            "slow-heads",
        ][self as usize]
    }

    pub fn attack(name: &str) -> Option<Self> {
        ATTACKS.into_iter().find(|kind| kind.name() == name)
    }

    pub fn is_attack(self) -> bool {
        self >= Self::Flood
    }

    /// Asks for the sound without a mark of its own.
    pub(crate) fn shows_no_mark(self) -> bool {
        matches!(self, Self::Player | Self::NoScript | Self::Flood)
    }

    /// Loads the space's page first.
    pub(crate) fn loads_page(self) -> bool {
        !matches!(self, Self::Player | Self::Farm) && !self.only_knocks()
    }

    /// Sends knocks and keeps nothing: what is not let in is shed.
    pub(crate) fn only_knocks(self) -> bool {
        matches!(
            self,
            Self::Flood | Self::Forged | Self::Replay | Self::Native | Self::SlowHeads
        )
    }

    /// Machines or people of an attack of so many knocks, connections or people.
    pub(crate) fn attackers(self, size: f64) -> u32 {
        let number = match self {
            Self::Flood | Self::Forged | Self::Replay | Self::SlowHeads => {
                size / f64::from(KNOCKS_A_BOT)
            }
            Self::Native => size / 1_000.0,
            _ => size,
        };
        number.ceil() as u32
    }

    /// The kinds of a crowd of which nothing is said, with their weights.
    pub(crate) fn mix() -> Vec<(Self, f64)> {
        let rest: u32 = MIX.iter().map(|(_, share)| share).sum();
        let pages = (Self::Page, f64::from(1_000 - rest));
        let others = MIX.iter().map(|(kind, share)| (*kind, f64::from(*share)));
        std::iter::once(pages).chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place_and_name() {
        for (kind, at) in Kind::ALL.into_iter().zip(0..) {
            assert_eq!(kind as usize, at);
            assert_eq!(Kind::attack(kind.name()).is_some(), kind.is_attack());
        }
        let mix = Kind::mix();
        assert_eq!(mix[0], (Kind::Page, 550.0));
        assert_eq!(mix.iter().map(|(_, share)| share).sum::<f64>(), 1_000.0);
    }
}
