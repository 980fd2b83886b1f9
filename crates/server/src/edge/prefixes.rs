//! How crowded the prefixes are from which connections come: /24 for IPv4; /64, /56 and /48 for IPv6, where one
//! customer may have any of them, with rising thresholds. Seats are no matter of prefixes: many people listen behind one
//! address, so what is bounded are connections that have said nothing yet, and how fast they come.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use super::limits::{RATE_SETS, RATE_WAYS};

/// A prefix of one of the lengths; 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Prefix {
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
pub(super) struct PerLevel {
    pub(super) v4_24: u32,
    pub(super) v6_64: u32,
    pub(super) v6_56: u32,
    pub(super) v6_48: u32,
}

impl PerLevel {
    fn of(&self, level: Level) -> u32 {
        match level {
            Level::Unbounded => u32::MAX,
            Level::V4Net24 => self.v4_24,
            Level::V6Net64 => self.v6_64,
            Level::V6Net56 => self.v6_56,
            Level::V6Net48 => self.v6_48,
        }
    }
}

fn prefixes(address: Option<IpAddr>) -> impl Iterator<Item = Prefix> {
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
pub(super) struct Crowding {
    caps: PerLevel,
    by_number: HashMap<u64, Option<IpAddr>>,
    members: HashMap<Prefix, BTreeSet<u64>>,
    /// Prefixes by how full they are, in `FULL`ths of their cap.
    by_fullness: BTreeSet<(u64, Prefix)>,
}

/// A prefix that is exactly at its cap.
const FULL: u64 = 1 << 20;

impl Crowding {
    pub(super) fn new(caps: PerLevel) -> Self {
        Self {
            caps,
            by_number: HashMap::new(),
            members: HashMap::new(),
            by_fullness: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// `numbers` grow with time. Gives the connection that must go because a prefix of the newcomer was at its cap: the
    /// oldest of it, for it had the most time.
    pub(super) fn enter(&mut self, number: u64, address: Option<IpAddr>) -> Option<u64> {
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

    pub(super) fn leave(&mut self, number: u64) {
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
    pub(super) fn oldest_of_the_most_crowded(&self) -> Option<u64> {
        let (_, prefix) = self.by_fullness.last()?;
        self.oldest_of(prefix)
    }

    fn oldest_of(&self, prefix: &Prefix) -> Option<u64> {
        self.members.get(prefix)?.first().copied()
    }

    fn change(&mut self, prefix: Prefix, change: impl FnOnce(&mut BTreeSet<u64>)) -> u64 {
        let cap = u64::from(self.caps.of(prefix.level).max(1));
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

/// How often something may happen from each prefix: a rate, and how much at once. Fixed memory: a prefix that is not
/// known takes the place of the one that is longest at rest.
#[derive(Debug)]
pub(super) struct Rates {
    salt: RandomState,
    per_s: PerLevel,
    /// Seconds of the rate that may come at once.
    burst_s: u32,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    prefix: Prefix,
    /// When the prefix will be at rest again (GCRA's theoretical arrival time), microseconds.
    rests_at_us: u64,
}

impl Rates {
    pub(super) fn new(per_s: PerLevel, burst_s: u32) -> Self {
        let nobody = Place {
            prefix: Prefix {
                level: Level::V4Net24,
                bits: u128::MAX,
            },
            rests_at_us: 0,
        };
        Self {
            salt: RandomState::new(),
            per_s,
            burst_s,
            places: vec![nobody; RATE_SETS * RATE_WAYS],
        }
    }

    /// True when all prefixes of the address may once more; only then it counts.
    pub(super) fn allow(&mut self, address: IpAddr, now_us: u64) -> bool {
        let burst_us = u64::from(self.burst_s) * 1_000_000;
        let within = |place: &Place| place.rests_at_us.saturating_sub(now_us) < burst_us;
        if !prefixes(Some(address)).all(|prefix| within(self.place(prefix))) {
            return false;
        }
        for prefix in prefixes(Some(address)) {
            let step_us = 1_000_000 / u64::from(self.per_s.of(prefix.level).max(1));
            let place = self.place(prefix);
            place.rests_at_us = place.rests_at_us.max(now_us) + step_us;
        }
        true
    }

    fn place(&mut self, prefix: Prefix) -> &mut Place {
        let at = (self.salt.hash_one(prefix) % RATE_SETS as u64) as usize * RATE_WAYS;
        let set = at..at + RATE_WAYS;
        let known = set.clone().find(|at| self.places[*at].prefix == prefix);
        let at = known.unwrap_or_else(|| {
            let rested = set.min_by_key(|at| self.places[*at].rests_at_us);
            let at = rested.unwrap_or(at);
            self.places[at] = Place {
                prefix,
                rests_at_us: 0,
            };
            at
        });
        &mut self.places[at]
    }
}

/// One rate for all: who comes too early waits for his turn, and those who would wait too long are refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    step_us: u64,
    burst_us: u64,
    rests_at_us: u64,
}

impl Pace {
    pub(super) fn new(per_s: u32, burst_s: u32) -> Self {
        Self {
            step_us: 1_000_000 / u64::from(per_s.max(1)),
            burst_us: u64::from(burst_s) * 1_000_000,
            rests_at_us: 0,
        }
    }

    /// Microseconds to wait, at most `longest_us`; none when it would be longer, and then it does not count.
    pub(super) fn wait(&mut self, now_us: u64, longest_us: u64) -> Option<u64> {
        let rests_at = self.rests_at_us.max(now_us);
        let wait = (rests_at - now_us).saturating_sub(self.burst_us);
        if wait > longest_us {
            return None;
        }
        self.rests_at_us = rests_at + self.step_us;
        Some(wait)
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

    #[test]
    fn a_rate_holds_a_prefix_and_not_its_neighbours() {
        let per_s = PerLevel {
            v4_24: 10,
            v6_64: 10,
            v6_56: 20,
            v6_48: 40,
        };
        let mut rates = Rates::new(per_s, 2);
        let mut allowed = |address: &str, times: usize, at_s: u64| {
            (0..times)
                .filter(|_| rates.allow(ip(address).expect("one"), at_s * 1_000_000))
                .count()
        };
        assert_eq!(allowed("203.0.113.1", 100, 1), 20);
        assert_eq!(allowed("203.0.113.200", 10, 1), 0);
        assert_eq!(allowed("203.0.114.1", 5, 1), 5);
        assert_eq!(allowed("203.0.113.1", 100, 2), 10);
        assert_eq!(allowed("2001:db8::1", 100, 1), 20);
        assert_eq!(allowed("2001:db8:0:1::1", 100, 1), 20);
        assert_eq!(allowed("2001:db8:0:2::1", 100, 1), 0, "the /56 is spent");
        assert_eq!(allowed("2001:db8:0:100::1", 100, 1), 20);
    }

    #[test]
    fn a_flood_of_prefixes_takes_no_memory_and_frees_no_busy_prefix() {
        let per_s = PerLevel {
            v4_24: 10,
            v6_64: 10,
            v6_56: 10,
            v6_48: 10,
        };
        let mut rates = Rates::new(per_s, 100);
        let busy = ip("203.0.113.1").expect("one");
        while rates.allow(busy, 0) {}
        let places = rates.places.capacity();
        for number in 0..200_000_u32 {
            assert!(rates.allow(std::net::Ipv4Addr::from(number << 8).into(), 1));
        }
        assert_eq!(rates.places.capacity(), places);
        let again = (0..1_000).take_while(|_| rates.allow(busy, 2)).count();
        assert!(again <= 1, "{again} more at once");
    }

    #[test]
    fn who_comes_too_early_waits_and_who_would_wait_too_long_is_refused() {
        let mut pace = Pace::new(10, 1);
        let waits: Vec<_> = (0..14).map(|_| pace.wait(0, 300_000)).collect();
        assert_eq!(waits.get(..11), Some(&[Some(0); 11][..]));
        assert_eq!(
            waits.get(11..),
            Some(&[Some(100_000), Some(200_000), Some(300_000)][..])
        );
        assert_eq!(pace.wait(0, 300_000), None);
        assert_eq!(pace.wait(5_000_000, 300_000), Some(0));
    }
}
