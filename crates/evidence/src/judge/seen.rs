//! What several rules need: who came, the surge, the falls, and when people were harmed.

use super::course::{Course, Series, TEN};
use super::second::Second;
use super::thresholds as t;
use crate::row::What;

/// Seconds after a fall in which those who come are taken for those who fell out.
const AFTER_A_FALL: usize = 90;

pub(super) struct Seen<'a> {
    pub(super) course: Course<'a>,
    pub(super) offered: Series,
    pub(super) surge: Option<Surge>,
    pub(super) falls: Vec<Fall>,
    pub(super) inside: Vec<u64>,
    pub(super) in_line: Vec<u64>,
    /// First and last index at which people were told to wait for a seat.
    pub(super) line: Option<(usize, usize)>,
}

/// The ten seconds in which most newcomers came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surge {
    pub(super) from: usize,
    /// Newcomers a second.
    pub(super) rate: f64,
    pub(super) usual: f64,
    /// Newcomers from half a minute before to half a minute after.
    pub(super) people: u64,
}

/// Many inside were gone at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fall {
    pub(super) at: usize,
    pub(super) before: u64,
    pub(super) fell: u64,
    /// Came again within the time that players need.
    pub(super) back: u64,
    /// A restart, a shard's failure or lost listeners are on record.
    pub(super) on_record: bool,
}

impl<'a> Seen<'a> {
    pub(super) fn new(course: Course<'a>) -> Self {
        let inside = course.level(|second| second.inside);
        let in_line = course.level(|second| second.in_line);
        let falls = falls(&course, &inside);
        let arrivals = arrivals(&course, &falls);
        let surge = surge(&arrivals);
        let line = line(&course);
        let offered = course.series(|second| second.knocks.offered.into());
        Self {
            offered,
            surge,
            falls,
            inside,
            in_line,
            line,
            course,
        }
    }

    pub(super) fn total(&self, of: impl Fn(&Second) -> u64) -> u64 {
        self.course.series(of).total()
    }

    /// Whether a fall, after which people came again, was within the minute before.
    pub(super) fn is_after_a_fall(&self, index: usize) -> bool {
        let after = |fall: &Fall| (fall.at..fall.at + AFTER_A_FALL).contains(&index);
        self.falls.iter().any(after)
    }
}

fn falls(course: &Course<'_>, inside: &[u64]) -> Vec<Fall> {
    let restarts = [
        What::NodeStarted,
        What::NodeWasKilled,
        What::ShardRestarted,
        What::StageRestarted,
        What::ListenersLost,
        What::Deployed,
    ];
    let recorded: Vec<usize> = course
        .happened(&restarts)
        .iter()
        .map(|happening| happening.at.0 / 1_000)
        // The start of the evening ended nobody's connection.
        .filter(|at| *at > course.from)
        .map(|at| course.index(at))
        .collect();
    let returned = course.series(|second| {
        second
            .returned
            .max(second.resume.min(second.entered + second.in_line))
    });
    let entered = course.series(|second| second.entered);
    let lost = course.series(|second| second.lost.saturating_add(second.too_slow));
    let heard_out = course.series(|second| second.heard_out);
    let (mut found, mut at): (Vec<Fall>, usize) = (Vec::new(), 0);
    while at + 1 < inside.len() {
        let end = (at + TEN).min(inside.len() - 1);
        // Those who come again fill the seats of those who fell out: connections that broke count too.
        let least = inside[at..=end].iter().min().copied().unwrap_or(0);
        let fell = inside[at]
            .saturating_sub(least)
            .max(lost.sum(at, end + 1).min(inside[at]))
            // At the end of a space all go, and nobody fell out.
            .saturating_sub(heard_out.sum(at, end + 2));
        let is = fell as f64 >= t::FELL_LEAST && fell as f64 >= t::FELL_SHARE * inside[at] as f64;
        if !is {
            at += 1;
            continue;
        }
        let begins = (at..end)
            .find(|i| inside[*i + 1] + fell / 10 < inside[at] || lost.sum(*i, *i + 2) > fell / 10);
        let begins = begins.unwrap_or(at);
        let until = begins + t::BACK_WITHIN as usize;
        let near = |index: &usize| (at.saturating_sub(30)..=end + 10).contains(index);
        let on_record = recorded.iter().any(near);
        let mut back = returned.sum(begins, until);
        if on_record {
            // After a restart some come without a right: plain players.
            back = back.max(entered.sum(begins, until));
        }
        found.push(Fall {
            at: begins,
            before: inside[at],
            fell,
            back: back.min(fell),
            on_record,
        });
        at = end + t::BACK_WITHIN as usize;
    }
    found
}

fn arrivals(course: &Course<'_>, falls: &[Fall]) -> Series {
    let none = Second::default();
    let mut before = course.known().next().map_or(&none, |(_, second)| second);
    let mut each = vec![0; course.len()];
    for (at, second) in course.known() {
        let after = |fall: &Fall| (fall.at..fall.at + AFTER_A_FALL).contains(&at);
        let storm = falls.iter().any(|fall| after(fall) && fall.back > 0);
        if !storm {
            each[at] = second.arrivals(before);
        }
        before = second;
    }
    Series::of(&each)
}

fn surge(arrivals: &Series) -> Option<Surge> {
    let (from, most) = arrivals.peak(TEN);
    let rate = most as f64 / TEN as f64;
    let usual = arrivals.usual();
    let people = arrivals.sum(from.saturating_sub(30), from + 40);
    let is = rate >= t::SURGE_RATE
        && rate >= t::SURGE_FACTOR * usual
        && people as f64 >= t::SURGE_PEOPLE;
    is.then_some(Surge {
        from,
        rate,
        usual,
        people,
    })
}

/// From the first to the last ten seconds in which people were told to wait for a seat.
fn line(course: &Course<'_>) -> Option<(usize, usize)> {
    let waits = course.series(Second::waits_for_a_seat);
    let least = (t::HARM_RATE * TEN as f64) as u64;
    let first = waits.first(TEN, least)?;
    let last = (first..course.len())
        .rev()
        .find(|at| waits.sum(at.saturating_sub(TEN), *at) >= least);
    Some((first, last.unwrap_or(first).max(first)))
}
