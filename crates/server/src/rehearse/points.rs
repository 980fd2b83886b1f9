//! The loads of a claim: each held for a while, all of them several times; and the load that is really reached.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hustings_control::gate::limits::LOSS_KEPT_S;
use hustings_rehearse::fit::Point;

use super::schedule::{Deed, Nothing, Schedule};
use super::standing::{self, Standing};
use super::visitor::{Coming, Manner};
use super::wire::Wire;

/// After the last press of a load, until it counts: joining costs more than listening.
const SETTLE: Duration = Duration::from_secs(3);
/// Longer than a load is pressed for, for those whom the door keeps waiting a moment.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two rounds, and before a crowd that is to be compared with them. To the door all connections of a round were lost at
/// once: it counts losses for three seconds and then keeps the seats of those people for `LOSS_KEPT_S` seconds more. Whoever
/// came meanwhile would find a door in a rush, and wait in line for seats that nobody has.
pub const REST: Duration = Duration::from_secs(LOSS_KEPT_S as u64 + 5);
/// Between two looks whether all are inside.
const STEP: Duration = Duration::from_millis(100);
/// The number of the first of those who are to fill it up: nobody of their networks was there when loads were held, who would be
/// let in again by the seats that are kept for those who come back.
const STRANGERS: u64 = 30_000;
/// Whoever is there to be carried stays to the end.
const STAYS: Duration = Duration::from_secs(24 * 3_600);
/// A load is reached when it grows by less than a two-hundredth in so many seconds.
const STILL_S: usize = 8;

/// What is to be held.
#[derive(Clone, Debug)]
pub struct Loads {
    pub space: Arc<str>,
    /// Listeners of the highest load, and how many loads there are: as far from each other as the first is from nobody.
    pub top: u32,
    pub points: u32,
    pub rounds: u32,
    pub hold: Duration,
    /// Presses a second.
    pub rate: f64,
    /// This driver's part, counted from 0, and of how many.
    pub part: (u32, u32),
}

/// Presses that come evenly.
pub struct Even {
    space: Arc<str>,
    next: Instant,
    every: Duration,
    left: u32,
    number: u64,
}

impl Even {
    /// `first` is the number of the first who comes: it makes the network and the mark.
    pub fn new(space: &Arc<str>, count: u32, rate: f64, first: u64) -> Self {
        Self {
            space: Arc::clone(space),
            next: Instant::now(),
            every: Duration::from_secs_f64(1.0 / rate.max(1e-3)),
            left: count,
            number: first,
        }
    }
}

impl Schedule for Even {
    fn next(&mut self) -> Option<Instant> {
        (self.left > 0).then_some(self.next)
    }

    fn due(&mut self, now: Instant) -> Option<(Instant, Deed)> {
        if self.left == 0 || self.next > now {
            return None;
        }
        let (meant, number) = (self.next, self.number);
        self.next += self.every;
        self.left -= 1;
        self.number += 1;
        // Two of three have script.
        let manner = if number % 3 == 2 {
            Manner::NoScript
        } else {
            Manner::Page
        };
        let coming = Coming {
            manner,
            space: Arc::clone(&self.space),
            from: network(number),
            stays: STAYS,
            patience: None,
            number: mark(number),
            thief: false,
        };
        Some((meant, Deed::Come(coming)))
    }
}

/// Every number another /24 of 127/8, then the next address in it.
pub(super) fn network(number: u64) -> Ipv4Addr {
    const NETWORKS: u64 = 224 * 256;
    let at = number % NETWORKS;
    Ipv4Addr::new(
        127,
        16 + (at / 256) as u8,
        (at % 256) as u8,
        1 + (number / NETWORKS % 250) as u8,
    )
}

/// What a visitor calls itself: not to be guessed from a neighbour's.
pub(super) fn mark(number: u64) -> u64 {
    let mixed = (number ^ 0x5eed_0000_0000).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)).max(1)
}

impl Loads {
    /// Holds all loads in all rounds. Ends early when the target ends the rehearsal; then the points so far are given.
    ///
    /// # Errors
    /// When the driver itself fails.
    pub fn hold_all(
        &self,
        wire: &mut Wire,
        mut told: impl FnMut(&Point),
    ) -> anyhow::Result<Vec<Point>> {
        let (part, parts) = (u64::from(self.part.0), self.part.1.max(1));
        let mut points = Vec::new();
        let mut first = part << 32;
        for round in 1..=self.rounds {
            for at in 1..=self.points {
                let load = u64::from(self.top) * u64::from(at) / u64::from(self.points);
                let own = u32::try_from(load / u64::from(parts)).unwrap_or(u32::MAX);
                let more = own.saturating_sub(wire.inside());
                let point = self.hold(wire, round, more, first)?;
                first += u64::from(more);
                if wire.refused().is_some() {
                    return Ok(points);
                }
                told(&point);
                points.push(point);
            }
            wire.clear();
            if round < self.rounds {
                wire.run(&mut Nothing, Instant::now() + REST)?;
            }
        }
        Ok(points)
    }

    fn hold(&self, wire: &mut Wire, round: u32, more: u32, first: u64) -> anyhow::Result<Point> {
        let rate = self.rate / f64::from(self.part.1.max(1));
        let pressing = Duration::from_secs_f64(f64::from(more) / rate) + PATIENCE;
        let mut crowd = Even::new(&self.space, more, rate, first);
        let ends = Instant::now() + pressing;
        // Drivers of several parts stay in step; one alone need not wait when all are inside.
        let alone = self.part.1 <= 1;
        let mut asking = 0.0_f64;
        while Instant::now() < ends && wire.refused().is_none() {
            wire.run(&mut crowd, (Instant::now() + STEP).min(ends))?;
            asking = asking.max(wire.standing().map_or(0.0, Standing::asking));
            if alone && crowd.left == 0 && wire.waiting() == 0 {
                break;
            }
        }
        let joining = wire.driver();
        wire.run(&mut Nothing, Instant::now() + SETTLE)?;
        let (harmed, begun) = (wire.harmed(), Instant::now());
        let (mut looks, mut listeners, mut count) = (Vec::new(), 0.0, 0.0_f64);
        while begun.elapsed() < self.hold && wire.refused().is_none() {
            wire.run(&mut Nothing, Instant::now() + Duration::from_secs(1))?;
            looks.extend(wire.standing().cloned());
            listeners += f64::from(wire.inside());
            count += 1.0;
        }
        Ok(Point {
            round,
            listeners: listeners / count.max(1.0),
            lasted_s: begun.elapsed().as_secs_f64(),
            uses: standing::mean(&looks),
            harmed: wire.harmed().saturating_sub(harmed) + wire.waiting() as u64,
            asking,
            driver: joining.worse(&wire.driver()),
        })
    }

    /// Presses until no more come in, though some are at the door; gives how many are inside then.
    ///
    /// # Errors
    /// When the driver itself fails, or is at its own end before the target is.
    pub fn reach(&self, wire: &mut Wire, most: u32) -> anyhow::Result<f64> {
        let mut crowd = Even::new(&self.space, most, self.rate, STRANGERS);
        let mut inside: Vec<f64> = Vec::new();
        loop {
            wire.run(&mut crowd, Instant::now() + Duration::from_secs(1))?;
            inside.push(f64::from(wire.inside()));
            let newest = &inside[inside.len().saturating_sub(STILL_S)..];
            let (low, high) = newest
                .iter()
                .fold((f64::INFINITY, 0.0_f64), |(low, high), one| {
                    (low.min(*one), high.max(*one))
                });
            let still = newest.len() == STILL_S && high - low <= high / 200.0;
            if still && wire.waiting() > 0 {
                // Nobody leaves, so that it only grows.
                return Ok(high);
            }
            anyhow::ensure!(
                wire.connections_left() > 0,
                "the driver has no connections left with {high:.0} inside"
            );
            anyhow::ensure!(
                !still || crowd.left > 0,
                "all {most} came inside: the target holds more"
            );
            if let Some(refusal) = wire.refused() {
                anyhow::bail!("{refusal}");
            }
        }
    }
}

/// Points of several drivers that held parts of the same loads at the same time.
pub(super) fn together(parts: &[&[Point]]) -> Vec<Point> {
    let Some((first, rest)) = parts.split_first() else {
        return Vec::new();
    };
    let add = |(at, point): (usize, &Point)| {
        let mut sum = point.clone();
        for part in rest.iter().filter_map(|points| points.get(at)) {
            sum.listeners += part.listeners;
            sum.harmed += part.harmed;
            sum.asking = sum.asking.max(part.asking);
            sum.driver = sum.driver.worse(&part.driver);
            sum.lasted_s = sum.lasted_s.min(part.lasted_s);
        }
        // Each looked at the same target.
        let looks = 1 + rest
            .iter()
            .filter(|points| points.get(at).is_some())
            .count();
        for one in &mut sum.uses {
            let others = rest.iter().filter_map(|points| {
                points
                    .get(at)?
                    .uses
                    .iter()
                    .find(|use_| use_.resource == one.resource)
            });
            let all = others.fold(one.used, |all, other| all + other.used);
            one.used = all / looks as f64;
        }
        sum
    };
    let held = parts.iter().map(|points| points.len()).min().unwrap_or(0);
    first.iter().enumerate().take(held).map(add).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use hustings_control::gate::Resource;
    use hustings_rehearse::fit::Use;

    use super::*;

    #[test]
    fn everybody_has_a_network_of_this_machine_and_a_mark_of_their_own() {
        let networks: HashSet<[u8; 3]> = (0..50_000)
            .map(|n| {
                let [a, b, c, _] = network(n).octets();
                [a, b, c]
            })
            .collect();
        assert_eq!(networks.len(), 50_000);
        assert!(
            (0..1_000_000)
                .step_by(997)
                .all(|n| network(n).is_loopback())
        );
        let marks: HashSet<u64> = (0..3)
            .flat_map(|part| (0..10_000).map(move |n| mark((part << 32) + n)))
            .collect();
        assert_eq!(marks.len(), 30_000);
    }

    #[test]
    fn loads_of_several_drivers_are_one() {
        let point = |listeners: f64, used: f64| Point {
            round: 1,
            listeners,
            uses: vec![Use {
                resource: Resource::Files,
                used,
                limit: 100.0,
            }],
            harmed: 1,
            ..Point::default()
        };
        let (one, other) = ([point(10.0, 20.0), point(20.0, 40.0)], [point(11.0, 22.0)]);
        let sum = together(&[&one, &other]);
        assert_eq!(sum.len(), 1, "what one of them did not hold was not held");
        assert_eq!(
            (sum[0].listeners, sum[0].harmed, sum[0].uses[0].used),
            (21.0, 2, 21.0)
        );
    }
}
