//! How often something may happen: for each prefix in fixed memory, and for all together. Pure: time is a parameter.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use super::limits::{RATE_SETS, RATE_WAYS};
use super::prefixes::{PerLevel, Prefix, prefixes};

/// How often something may happen from each prefix: a rate, and how much at once. Fixed memory: a prefix that is not
/// known takes the place of the one that is longest at rest.
#[derive(Debug)]
pub(crate) struct Rates {
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
    pub(crate) fn new(per_s: PerLevel, burst_s: u32) -> Self {
        let nobody = Place {
            prefix: Prefix::NOBODY,
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
    pub(crate) fn allow(&mut self, address: IpAddr, now_us: u64) -> bool {
        let burst_us = u64::from(self.burst_s) * 1_000_000;
        let within = |place: &Place| place.rests_at_us.saturating_sub(now_us) < burst_us;
        if !prefixes(Some(address)).all(|prefix| within(self.place(prefix))) {
            return false;
        }
        for prefix in prefixes(Some(address)) {
            let step_us = 1_000_000 / u64::from(self.per_s.of(&prefix).max(1));
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
pub(crate) struct Pace {
    step_us: u64,
    burst_us: u64,
    rests_at_us: u64,
}

impl Pace {
    pub(crate) fn new(per_s: u32, burst_s: u32) -> Self {
        Self {
            step_us: 1_000_000 / u64::from(per_s.max(1)),
            burst_us: u64::from(burst_s) * 1_000_000,
            rests_at_us: 0,
        }
    }

    /// Microseconds to wait, at most `longest_us`; none when it would be longer, and then it does not count.
    pub(crate) fn wait(&mut self, now_us: u64, longest_us: u64) -> Option<u64> {
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

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
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
                .filter(|_| rates.allow(ip(address), at_s * 1_000_000))
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
        let busy = ip("203.0.113.1");
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
