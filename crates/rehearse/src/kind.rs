//! Kinds of people, those who behave and those who do not.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
}

pub(crate) const KINDS: usize = 16;

/// What `Scenario::attacks` may name.
pub const ATTACKS: [Kind; 7] = [
    Kind::Flood,
    Kind::Forged,
    Kind::Replay,
    Kind::Native,
    Kind::Prefixes,
    Kind::Botnet,
    Kind::Farm,
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
        ][self as usize]
    }

    pub fn attack(name: &str) -> Option<Self> {
        ATTACKS.into_iter().find(|kind| kind.name() == name)
    }

    pub fn is_attack(self) -> bool {
        self >= Self::Flood
    }

    /// Sends knocks and keeps nothing: what is not let in is shed.
    pub(crate) fn only_knocks(self) -> bool {
        matches!(
            self,
            Self::Flood | Self::Forged | Self::Replay | Self::Native
        )
    }

    /// Who of the crowd somebody is, by a number below 1,000.
    pub(crate) fn of_the_crowd(number: u32) -> Self {
        let mut least = 0;
        for (kind, share) in MIX {
            least += share;
            if number < least {
                return kind;
            }
        }
        Self::Page
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
        let pages = (0..1_000).filter(|n| Kind::of_the_crowd(*n) == Kind::Page);
        assert_eq!(pages.count(), 550);
    }
}
