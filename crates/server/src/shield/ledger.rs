//! Who has offended how often, in fixed memory. Pure: time is a parameter.
//!
//! Every offence counts for the address and for the prefixes round it, with rising thresholds, and is forgotten by half
//! every minute. An address shared by many people (CGNAT) is so blocked for what one of them does again and again; but
//! only its new connections, and at first for a minute.

use std::hash::BuildHasher;
use std::net::IpAddr;

use ipnet::IpNet;

/// Something that people who only want to listen do seldom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offence {
    /// Connected and said nothing until it had to go.
    Silent,
    /// More connections or handshakes at once than its prefix may have.
    OverCap,
    /// A request's head came so slowly that it was given up.
    SlowHead,
    /// A body came so slowly that it was given up.
    SlowBody,
    /// An answer was taken so slowly that it was given up.
    SlowReader,
    /// No HTTP request, or a head larger than any browser's.
    BadHead,
    /// No TLS handshake, or one that was not finished.
    BadHandshake,
    /// A ticket that this node has not made.
    ForgedTicket,
    /// A ticket that was spent before.
    ReplayedTicket,
    /// A puzzle's answer that is none.
    WrongProof,
}

impl Offence {
    /// 100 in a minute are too many. What also happens to people with a bad network weighs little.
    fn weight(self) -> f32 {
        match self {
            Self::OverCap => 1.0,
            Self::Silent | Self::ReplayedTicket => 2.0,
            Self::BadHead | Self::BadHandshake | Self::ForgedTicket | Self::WrongProof => 5.0,
            Self::SlowHead | Self::SlowBody | Self::SlowReader => 10.0,
        }
    }
}

/// A prefix to drop, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub prefix: IpNet,
    pub seconds: u64,
}

/// Prefix length and the score from which it is blocked. A wide prefix needs several offenders, for one that is blocked
/// already does not count for the wider ones.
const LEVELS_V4: [(u8, f32); 2] = [(32, 100.0), (24, 400.0)];
const LEVELS_V6: [(u8, f32); 3] = [(64, 100.0), (56, 400.0), (48, 1_600.0)];
/// Milliseconds in which a score is forgotten by half.
const HALF_LIFE_MS: f32 = 60_000.0;
/// Seconds of a first block; each further one is twice as long, up to `SECONDS_LAST`.
const SECONDS_FIRST: u64 = 60;
const SECONDS_LAST: u64 = 3_600;
/// Milliseconds after the end of a block in which the next one is a further one.
const FORGIVEN_MS: u64 = 4 * 3_600 * 1_000;
/// Prefixes known at once, in sets of `WAYS`; one more takes the place of the least offender of its set. 1.3 MiB.
const SETS: usize = 2_048;
const WAYS: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Entry {
    prefix: IpNet,
    score: f32,
    /// When the score was that.
    at_ms: u64,
    blocks: u8,
    blocked_until_ms: u64,
}

/// The table. `S` is salted, so that nobody can choose prefixes that fall into one set.
pub struct Ledger<S> {
    salt: S,
    entries: Vec<Option<Entry>>,
}

impl<S: BuildHasher> Ledger<S> {
    pub fn new(salt: S) -> Self {
        Self {
            salt,
            entries: vec![None; SETS * WAYS],
        }
    }

    /// Counts an offence; `block` is called for every prefix that has now offended too often, at most once a prefix
    /// until its block has ended. Milliseconds of a clock that never runs back.
    pub fn note(
        &mut self,
        by: IpAddr,
        offence: Offence,
        now_ms: u64,
        mut block: impl FnMut(Block),
    ) {
        let by = by.to_canonical();
        let levels: &[(u8, f32)] = if by.is_ipv4() { &LEVELS_V4 } else { &LEVELS_V6 };
        for &(length, threshold) in levels {
            let Ok(whole) = IpNet::new(by, length) else {
                return;
            };
            let Some(entry) = self.entry(whole.trunc(), now_ms) else {
                return;
            };
            if entry.blocked_until_ms > now_ms {
                return;
            }
            entry.score = entry.decayed(now_ms) + offence.weight();
            entry.at_ms = now_ms;
            if entry.score >= threshold {
                block(entry.block(now_ms));
            }
        }
    }

    /// The block came to nothing: its next offences count again.
    pub fn unblock(&mut self, prefix: IpNet) {
        for entry in self.set_of(&prefix).iter_mut().flatten() {
            if entry.prefix == prefix {
                entry.blocked_until_ms = 0;
                entry.blocks = entry.blocks.saturating_sub(1);
            }
        }
    }

    fn set_of(&mut self, prefix: &IpNet) -> &mut [Option<Entry>] {
        let at = (self.salt.hash_one(prefix) % SETS as u64) as usize * WAYS;
        self.entries.get_mut(at..at + WAYS).unwrap_or_default()
    }

    /// `None` when every place is taken by one that is blocked.
    fn entry(&mut self, prefix: IpNet, now_ms: u64) -> Option<&mut Entry> {
        let set = self.set_of(&prefix);
        let known = set
            .iter()
            .position(|entry| entry.is_some_and(|entry| entry.prefix == prefix));
        if let Some(at) = known {
            return set.get_mut(at)?.as_mut();
        }
        let least = set
            .iter_mut()
            .filter(|entry| entry.is_none_or(|entry| entry.blocked_until_ms <= now_ms))
            .min_by(|a, b| score(a, now_ms).total_cmp(&score(b, now_ms)))?;
        Some(least.insert(Entry {
            prefix,
            score: 0.0,
            at_ms: now_ms,
            blocks: 0,
            blocked_until_ms: 0,
        }))
    }
}

fn score(entry: &Option<Entry>, now_ms: u64) -> f32 {
    entry.map_or(-1.0, |entry| entry.decayed(now_ms))
}

impl Entry {
    fn decayed(&self, now_ms: u64) -> f32 {
        let passed = now_ms.saturating_sub(self.at_ms) as f32;
        self.score * (-passed / HALF_LIFE_MS).exp2()
    }

    fn block(&mut self, now_ms: u64) -> Block {
        if now_ms > self.blocked_until_ms + FORGIVEN_MS {
            self.blocks = 0;
        }
        let doubled = SECONDS_FIRST << self.blocks.min(16);
        let seconds = doubled.min(SECONDS_LAST);
        self.blocks = self.blocks.saturating_add(1);
        self.score = 0.0;
        self.blocked_until_ms = now_ms + seconds * 1_000;
        Block {
            prefix: self.prefix,
            seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn many(
        ledger: &mut Ledger<RandomState>,
        by: &str,
        offence: Offence,
        times: usize,
        now_ms: u64,
    ) -> Vec<(String, u64)> {
        let mut blocks = Vec::new();
        for _ in 0..times {
            ledger.note(ip(by), offence, now_ms, |block| {
                blocks.push((block.prefix.to_string(), block.seconds));
            });
        }
        blocks
    }

    #[test]
    fn an_address_is_blocked_at_its_threshold_and_longer_each_time() {
        let mut ledger = Ledger::new(RandomState::new());
        assert!(many(&mut ledger, "203.0.113.7", Offence::SlowHead, 9, 1_000).is_empty());
        let mut now = 1_000;
        for expected in [60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
            let blocks = many(&mut ledger, "203.0.113.7", Offence::SlowHead, 20, now);
            assert_eq!(blocks.first(), Some(&("203.0.113.7/32".into(), expected)));
            assert_eq!(blocks.len(), 1, "while it is blocked nothing more is said");
            now += expected * 1_000;
        }
        // One offender alone never brings the prefix down with it: the neighbours come in.
        now += FORGIVEN_MS + 1;
        let blocks = many(&mut ledger, "203.0.113.7", Offence::SlowHead, 20, now);
        assert_eq!(blocks, [("203.0.113.7/32".to_owned(), 60)]);
    }

    #[test]
    fn several_offenders_bring_down_their_prefix() {
        let mut ledger = Ledger::new(RandomState::new());
        let v4: Vec<_> = (1..=4)
            .flat_map(|host| {
                many(
                    &mut ledger,
                    &format!("203.0.113.{host}"),
                    Offence::SlowHead,
                    10,
                    0,
                )
            })
            .collect();
        assert_eq!(v4.last(), Some(&("203.0.113.0/24".into(), 60)));
        let mut v6 = Vec::new();
        for net in 0..64 {
            let by = format!("2001:db8:0:{:x}::{net}", net * 256);
            v6.extend(many(&mut ledger, &by, Offence::SlowHead, 10, 0));
        }
        assert!(v6.contains(&("2001:db8:0:500::/64".into(), 60)), "{v6:?}");
        assert!(v6.contains(&("2001:db8::/48".into(), 60)), "{v6:?}");
        assert!(
            !v6.iter().any(|(prefix, _)| prefix.ends_with("/56")),
            "{v6:?}"
        );
        let within: Vec<_> = (0..4)
            .flat_map(|net| {
                many(
                    &mut ledger,
                    &format!("2001:db8:7:{net}::1"),
                    Offence::SlowHead,
                    10,
                    0,
                )
            })
            .collect();
        assert_eq!(within.last(), Some(&("2001:db8:7::/56".into(), 60)));
    }

    #[test]
    fn offences_are_forgotten() {
        let mut ledger = Ledger::new(RandomState::new());
        // Two slow heads a minute for an hour: a bad network and no attack.
        for minute in 0..60 {
            assert!(
                many(
                    &mut ledger,
                    "203.0.113.7",
                    Offence::SlowHead,
                    2,
                    minute * 60_000
                )
                .is_empty()
            );
        }
    }

    #[test]
    fn what_was_not_blocked_after_all_is_blocked_again() {
        let mut ledger = Ledger::new(RandomState::new());
        many(&mut ledger, "203.0.113.7", Offence::SlowHead, 10, 0);
        ledger.unblock("203.0.113.7/32".parse().expect("a prefix"));
        let again = many(&mut ledger, "203.0.113.7", Offence::SlowHead, 10, 1);
        assert_eq!(again, [("203.0.113.7/32".to_owned(), 60)]);
    }

    #[test]
    fn a_flood_of_prefixes_takes_no_memory_and_does_not_hide_an_offender() {
        let mut ledger = Ledger::new(RandomState::new());
        let room = ledger.entries.capacity();
        let mut found = false;
        for number in 0..200_000_u32 {
            let by = std::net::Ipv4Addr::from(0x0b00_0000 + number * 7_919).to_string();
            many(&mut ledger, &by, Offence::OverCap, 1, 0);
            if number % 10_000 == 0 {
                found |= !many(&mut ledger, "203.0.113.7", Offence::SlowHead, 1, 0).is_empty();
            }
        }
        assert_eq!(ledger.entries.capacity(), room);
        assert!(found, "ten slow heads among 200,000 prefixes were found");
    }
}
