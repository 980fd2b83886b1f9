//! The night as a row of seconds without holes, and sums over any stretch of it.

use super::second::Second;
use crate::row::{Happening, What};

/// Seconds that are judged: two days. What comes later is left out, and the finding's `to` says so.
const SECONDS_MAX: u64 = 172_800;
/// The most that one second counts for in a sum: several of a second's counters together.
const SAMPLE_MAX: u64 = 1_000_000_000_000;
/// Milliseconds that one second's rows can cover: a machine that stood still writes one row for several.
const COVERS_MS_MAX: u64 = 5_000;
/// Seconds round a peak that are looked at as one stretch.
pub(super) const TEN: usize = 10;

pub(super) struct Course<'a> {
    pub(super) from: u64,
    /// By second after `from`.
    seconds: Vec<Option<&'a Second>>,
    pub(super) happenings: Vec<&'a Happening>,
}

/// Sums of one number.
pub(super) struct Series {
    /// Sum of all seconds before the one with this index.
    before: Vec<u64>,
}

impl<'a> Course<'a> {
    /// None: no second at all.
    pub(super) fn new(seconds: &'a [Second], happenings: &'a [Happening]) -> Option<Self> {
        let from = seconds.iter().map(|second| second.at).min()?;
        let last = seconds.iter().map(|second| second.at).max()?;
        let length = (last - from).min(SECONDS_MAX - 1) + 1;
        let mut dense = vec![None; length as usize];
        for second in seconds {
            if let Some(place) = dense.get_mut((second.at - from) as usize) {
                *place = Some(second);
            }
        }
        let mut happenings: Vec<_> = happenings.iter().collect();
        happenings.sort_by_key(|happening| happening.at.0);
        Some(Self {
            from,
            seconds: dense,
            happenings,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.seconds.len()
    }

    pub(super) fn to(&self) -> u64 {
        self.from + self.seconds.len() as u64 - 1
    }

    pub(super) fn at(&self, index: usize) -> u64 {
        self.from + index as u64
    }

    /// The index of a time: before the first second 0, after the last the last.
    pub(super) fn index(&self, at: u64) -> usize {
        (at.saturating_sub(self.from)).min(self.seconds.len() as u64 - 1) as usize
    }

    pub(super) fn known(&self) -> impl Iterator<Item = (usize, &'a Second)> + Clone {
        let known = |(at, second): (usize, &Option<&'a Second>)| Some((at, (*second)?));
        self.seconds.iter().enumerate().filter_map(known)
    }

    pub(super) fn get(&self, index: usize) -> Option<&'a Second> {
        self.seconds.get(index).copied().flatten()
    }

    /// Of 1: seconds known, and known whole.
    pub(super) fn coverage(&self) -> f64 {
        // Two rows that fell into one second leave a hole beside it, and cover it.
        let covered: u64 = self
            .known()
            .map(|(_, second)| second.covers_ms.min(COVERS_MS_MAX))
            .sum();
        (covered as f64 / 1_000.0 / self.seconds.len() as f64).min(1.0)
    }

    pub(super) fn series(&self, of: impl Fn(&Second) -> u64) -> Series {
        let each: Vec<u64> = self
            .seconds
            .iter()
            .map(|second| second.map_or(0, &of))
            .collect();
        Series::of(&each)
    }

    /// Level of something that holds on (people inside, seats): where a second is missing, as in the last one known.
    pub(super) fn level(&self, of: impl Fn(&Second) -> u64) -> Vec<u64> {
        let mut last = 0;
        let mut levels = Vec::with_capacity(self.seconds.len());
        for second in &self.seconds {
            last = second.map_or(last, |second| of(second).min(SAMPLE_MAX));
            levels.push(last);
        }
        levels
    }

    /// In the order of their times.
    pub(super) fn happened(&self, what: &[What]) -> Vec<&'a Happening> {
        let is = |happening: &&Happening| what.contains(&happening.what);
        self.happenings
            .iter()
            .copied()
            .filter(|each| is(each))
            .collect()
    }

    /// Whether somebody was on stage before this second.
    pub(super) fn sat_before(&self, at: u64) -> bool {
        self.known()
            .any(|(index, second)| self.at(index) < at && second.seated > 0)
    }

    /// The longest stretch in which `is` holds, missing seconds passed over: first and last index.
    pub(super) fn longest(&self, is: impl Fn(&Second) -> bool) -> Option<(usize, usize)> {
        let mut longest: Option<(usize, usize)> = None;
        let mut now = None;
        for (at, second) in self.known() {
            now = match (is(second), now) {
                (true, Some((from, _))) => Some((from, at)),
                (true, None) => Some((at, at)),
                (false, _) => None,
            };
            if let Some((from, to)) = now
                && longest.is_none_or(|(a, b)| to - from > b - a)
            {
                longest = now;
            }
        }
        longest
    }
}

impl Series {
    /// Of each second's number.
    pub(super) fn of(each: &[u64]) -> Self {
        let mut sum = 0_u64;
        let mut before = vec![0];
        for number in each {
            sum += (*number).min(SAMPLE_MAX);
            before.push(sum);
        }
        Self { before }
    }

    pub(super) fn len(&self) -> usize {
        self.before.len() - 1
    }

    /// Of the seconds with these indexes; what lies outside the night counts as nothing.
    pub(super) fn sum(&self, from: usize, to: usize) -> u64 {
        let last = self.before.len() - 1;
        let (from, to) = (from.min(last), to.min(last));
        self.before[to].saturating_sub(self.before[from])
    }

    pub(super) fn total(&self) -> u64 {
        self.before[self.before.len() - 1]
    }

    /// The stretch of so many seconds with the greatest sum: where it begins, and the sum. The first of several.
    pub(super) fn peak(&self, seconds: usize) -> (usize, u64) {
        let last = (self.before.len() - 1).saturating_sub(seconds);
        let mut best = (0, 0);
        for from in 0..=last {
            let sum = self.sum(from, from + seconds);
            if sum > best.1 {
                best = (from, sum);
            }
        }
        best
    }

    /// The first stretch of so many seconds with at least this sum.
    pub(super) fn first(&self, seconds: usize, least: u64) -> Option<usize> {
        let last = (self.before.len() - 1).saturating_sub(seconds);
        (0..=last).find(|from| self.sum(*from, from + seconds) >= least)
    }

    /// The median of those stretches of ten seconds in which there was any, a second.
    pub(super) fn usual(&self) -> f64 {
        let stretches = (0..self.len() / TEN).map(|at| self.sum(at * TEN, at * TEN + TEN));
        let mut sums: Vec<u64> = stretches.filter(|sum| *sum > 0).collect();
        sums.sort_unstable();
        sums.get(sums.len() / 2).copied().unwrap_or(0) as f64 / TEN as f64
    }

    /// Whether it starts or ends like something switched: the greatest change between two neighbouring five seconds, of
    /// the greatest five seconds.
    pub(super) fn edge(&self) -> f64 {
        let length = self.len();
        let (_, most) = self.peak(5);
        let change = (5..length.saturating_sub(5)).map(|at| {
            let (before, after) = (self.sum(at - 5, at), self.sum(at, at + 5));
            before.abs_diff(after)
        });
        share(change.max().unwrap_or(0), most)
    }
}

/// 0 of nothing.
pub(super) fn share(part: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        part as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u64, polls: u64) -> Second {
        Second {
            at,
            polls,
            covers_ms: 1_000,
            ..Second::default()
        }
    }

    #[test]
    fn holes_count_as_nothing_and_times_far_apart_take_no_room() {
        let seconds = [second(100, 5), second(103, 7), second(u64::MAX, 9)];
        let course = Course::new(&seconds, &[]).unwrap();
        assert_eq!((course.from, course.len()), (100, SECONDS_MAX as usize));
        let polls = course.series(|second| second.polls);
        assert_eq!(
            (polls.total(), polls.sum(0, 3), polls.peak(1)),
            (12, 5, (3, 7))
        );
        assert!(course.coverage() < 0.001);
        assert!(Course::new(&[], &[]).is_none());
    }

    #[test]
    fn counters_that_are_wrong_do_not_run_over() {
        let seconds: Vec<_> = (0..100).map(|at| second(at, u64::MAX)).collect();
        let course = Course::new(&seconds, &[]).unwrap();
        let polls = course.series(|second| second.polls);
        assert_eq!(polls.total(), 100 * SAMPLE_MAX);
        assert!(polls.usual() > 0.0 && polls.edge() < 0.01);
    }
}
