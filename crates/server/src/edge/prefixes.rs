//! How crowded the prefixes are from which connections come: /24 for IPv4; /64, /56 and /48 for IPv6, where one
//! customer may have any of them, with rising thresholds. Seats are no matter of prefixes: many people listen behind one
//! address, so what is bounded are connections that have said nothing yet, and how fast they come.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// A prefix of one of the lengths; 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Prefix {
    level: Level,
    bits: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Level {
    /// Those whose prefix says nothing: all of them together.
    Unbounded,
    V4Net24,
    V6Net64,
    V6Net56,
    V6Net48,
}

/// A number for each length of prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PerLevel {
    pub(crate) v4_24: u32,
    pub(crate) v6_64: u32,
    pub(crate) v6_56: u32,
    pub(crate) v6_48: u32,
}

impl Prefix {
    /// One that no address is in.
    pub(crate) const NOBODY: Self = Self {
        level: Level::Unbounded,
        bits: u128::MAX,
    };
}

impl PerLevel {
    pub(crate) fn of(&self, prefix: &Prefix) -> u32 {
        match prefix.level {
            Level::Unbounded => u32::MAX,
            Level::V4Net24 => self.v4_24,
            Level::V6Net64 => self.v6_64,
            Level::V6Net56 => self.v6_56,
            Level::V6Net48 => self.v6_48,
        }
    }
}

/// The prefixes round an address, the narrowest first.
pub(crate) fn prefixes(address: Option<IpAddr>) -> impl Iterator<Item = Prefix> {
    let (bits, levels): (u128, &[(Level, u32)]) =
        match address.map(|address| address.to_canonical()) {
            None => (0, &[(Level::Unbounded, 1)]),
            Some(IpAddr::V4(v4)) => (u128::from(u32::from(v4)) << 96, &[(Level::V4Net24, 24)]),
            Some(IpAddr::V6(v6)) => (
                v6.into(),
                &[
                    (Level::V6Net64, 64),
                    (Level::V6Net56, 56),
                    (Level::V6Net48, 48),
                ],
            ),
        };
    levels.iter().map(move |&(level, length)| Prefix {
        level,
        bits: bits >> (128 - length),
    })
}

/// Connections that have said nothing yet, by prefix. The caller bounds how many there are, and so the memory.
#[derive(Debug)]
pub(crate) struct Crowding {
    caps: PerLevel,
    by_number: HashMap<u64, Option<IpAddr>>,
    members: HashMap<Prefix, BTreeSet<u64>>,
    /// Prefixes by how full they are, in `FULL`ths of their cap.
    by_fullness: BTreeSet<(u64, Prefix)>,
}

/// A prefix that is exactly at its cap.
const FULL: u64 = 1 << 20;

impl Crowding {
    pub(crate) fn new(caps: PerLevel) -> Self {
        Self {
            caps,
            by_number: HashMap::new(),
            members: HashMap::new(),
            by_fullness: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// `numbers` grow with time. Gives the connection that must go because a prefix of the newcomer was at its cap: the
    /// oldest of it, for it had the most time.
    pub(crate) fn enter(&mut self, number: u64, address: Option<IpAddr>) -> Option<u64> {
        self.by_number.insert(number, address);
        let mut victim = None;
        for prefix in prefixes(address) {
            let fullness = self.change(prefix, |members| {
                members.insert(number);
            });
            if fullness > FULL && victim.is_none() {
                victim = self.oldest_of(&prefix);
            }
        }
        victim
    }

    pub(crate) fn leave(&mut self, number: u64) {
        let Some(address) = self.by_number.remove(&number) else {
            return;
        };
        for prefix in prefixes(address) {
            self.change(prefix, |members| {
                members.remove(&number);
            });
        }
    }

    /// The oldest connection of the prefix that is fullest by its own measure.
    pub(crate) fn oldest_of_the_most_crowded(&self) -> Option<u64> {
        let (_, prefix) = self.by_fullness.last()?;
        self.oldest_of(prefix)
    }

    fn oldest_of(&self, prefix: &Prefix) -> Option<u64> {
        self.members.get(prefix)?.first().copied()
    }

    fn change(&mut self, prefix: Prefix, change: impl FnOnce(&mut BTreeSet<u64>)) -> u64 {
        let cap = u64::from(self.caps.of(&prefix).max(1));
        let fullness = |members: &BTreeSet<u64>| members.len() as u64 * FULL / cap;
        let members = self.members.entry(prefix).or_default();
        self.by_fullness.remove(&(fullness(members), prefix));
        change(members);
        let now = fullness(members);
        if members.is_empty() {
            self.members.remove(&prefix);
        } else {
            self.by_fullness.insert((now, prefix));
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: PerLevel = PerLevel {
        v4_24: 4,
        v6_64: 2,
        v6_56: 4,
        v6_48: 8,
    };

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn at_its_cap_the_oldest_of_the_prefix_goes_and_nobody_else() {
        let mut crowding = Crowding::new(CAPS);
        assert_eq!(crowding.enter(1, ip("198.51.100.1")), None);
        for number in 2..6 {
            assert_eq!(
                crowding.enter(number, ip(&format!("203.0.113.{number}"))),
                None
            );
        }
        assert_eq!(crowding.enter(6, ip("203.0.113.2")), Some(2));
        crowding.leave(2);
        assert_eq!(crowding.enter(7, ip("::ffff:203.0.113.9")), Some(3));
    }

    #[test]
    fn wider_prefixes_have_wider_caps() {
        let mut crowding = Crowding::new(CAPS);
        let mut number = 0;
        let mut enter = |crowding: &mut Crowding, text: &str| {
            number += 1;
            crowding.enter(number, ip(text)).inspect(|victim| {
                crowding.leave(*victim);
            })
        };
        assert_eq!(enter(&mut crowding, "2001:db8::1"), None);
        assert_eq!(enter(&mut crowding, "2001:db8::2"), None);
        assert_eq!(
            enter(&mut crowding, "2001:db8::3"),
            Some(1),
            "a /64 is full"
        );
        assert_eq!(enter(&mut crowding, "2001:db8:0:1::1"), None);
        assert_eq!(enter(&mut crowding, "2001:db8:0:2::1"), None);
        assert_eq!(
            enter(&mut crowding, "2001:db8:0:3::1"),
            Some(2),
            "a /56 is full"
        );
        for net in 1..5 {
            assert_eq!(
                enter(&mut crowding, &format!("2001:db8:0:{net}00::1")),
                None
            );
        }
        assert_eq!(
            enter(&mut crowding, "2001:db8:0:500::1"),
            Some(3),
            "a /48 is full"
        );
        assert_eq!(enter(&mut crowding, "2001:db8:1::1"), None);
    }

    #[test]
    fn the_oldest_of_the_most_crowded_goes_first_and_nothing_is_left_behind() {
        let mut crowding = Crowding::new(PerLevel { v4_24: 100, ..CAPS });
        for number in 0..10 {
            crowding.enter(number, ip(&format!("198.51.{number}.1")));
        }
        for number in 10..15 {
            crowding.enter(number, ip("203.0.113.1"));
        }
        let mut gone = Vec::new();
        while let Some(number) = crowding.oldest_of_the_most_crowded() {
            gone.push(number);
            crowding.leave(number);
        }
        assert_eq!(
            gone.get(..4),
            Some(&[10, 11, 12, 13][..]),
            "the crowd shrinks to what others have"
        );
        assert_eq!((gone.len(), crowding.len()), (15, 0));
        assert!(crowding.members.is_empty() && crowding.by_fullness.is_empty());
    }
}
