//! What several rules need: who came, the surge, the falls, and when people were harmed.

use hustings_control::gate::Cause;

use super::course::{Course, Series, TEN, share};
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
    /// People who wait, at most.
    pub(super) in_line: Vec<u64>,
    /// Places called, and people who came in, all night.
    pub(super) places: (u64, u64),
    /// Whether the pages that this machine sent tell how many came; otherwise caches before it send them, or few want a page.
    pub(super) by_pages: bool,
    /// Knocks that showed nothing of worth and were told so.
    pub(super) bare: Series,
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
        let falls = falls(&course, &inside);
        let (called, came) = places(&course);
        let used = if called == 0 {
            1.0
        } else {
            share(came, called).min(1.0)
        };
        let by_pages = by_pages(&course);
        let surge = surge(&arrivals(&course, &falls, used, by_pages));
        let line = line(&course);
        let in_line = waiting(&course, line, used);
        let offered = course.series(|second| second.knocks.offered.into());
        Self {
            offered,
            surge,
            falls,
            inside,
            in_line,
            line,
            places: (called, came),
            by_pages,
            bare: course.series(bare_knocks),
            course,
        }
    }

    pub(super) fn total(&self, of: impl Fn(&Second) -> u64) -> u64 {
        self.course.series(of).total()
    }

    /// Bare knocks for each page that was sent, or for each who came in if those were more, where they are a flood's.
    pub(super) fn flood(&self, unused: bool) -> Option<f64> {
        let (pages, came) = (self.total(|second| second.pages), self.places.1);
        let each = self.bare.total() as f64 / pages.max(came).max(1) as f64;
        let many = self.bare.total() as f64 >= t::BARE_LEAST && each >= t::BARE_EACH;
        // Where caches send the pages, only places that nobody uses tell a flood from people who ask again.
        (many && (self.by_pages || unused)).then_some(each)
    }

    /// Those inside who came with a mark or a right, second by second: of all inside as many as of all who had come in.
    pub(super) fn marked_inside(&self) -> Vec<u64> {
        let entered = self.course.series(|second| second.entered);
        let marked = self.course.series(|second| second.as_page);
        let part = |at: usize| share(marked.sum(0, at + 1), entered.sum(0, at + 1)).min(1.0);
        let each = self.inside.iter().enumerate();
        each.map(|(at, inside)| (*inside as f64 * part(at)) as u64)
            .collect()
    }

    /// Whether a fall, after which people came again, was within the minute before.
    pub(super) fn is_after_a_fall(&self, index: usize) -> bool {
        let after = |fall: &Fall| (fall.at..fall.at + AFTER_A_FALL).contains(&index);
        self.falls.iter().any(after)
    }
}

fn bare_knocks(second: &Second) -> u64 {
    u64::from(second.knocks.waiting.of(Cause::NoRight)) + u64::from(second.knocks.proving)
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
    let started = started(course);
    let returned = course.series(|second| {
        second
            .returned
            .max(second.resume.min(second.entered + second.in_line))
    });
    let entered = course.series(|second| second.entered);
    let lost = course.series(|second| second.lost.saturating_add(second.too_slow));
    let gone_early = course.series(|second| second.gone_early);
    let heard_out = course.series(|second| second.heard_out);
    let (mut found, mut at): (Vec<Fall>, usize) = (Vec::new(), 0);
    while at + 1 < inside.len() {
        let end = (at + TEN).min(inside.len() - 1);
        // Those who come again fill the seats of those who fell out: connections that broke count too.
        let least = inside[at..=end].iter().min().copied().unwrap_or(0);
        let began = started.iter().any(|start| (at + 1..=end).contains(start));
        let least = if began { 0 } else { least };
        let fell = inside[at]
            .saturating_sub(least)
            .max(lost.sum(at, end + 1).min(inside[at]))
            // At the end of a space all go, and who only looks in goes by himself: those did not fall out.
            .saturating_sub(heard_out.sum(at, end + 2))
            .saturating_sub(gone_early.sum(at, end + 2));
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

/// Where a node started again: it has nobody inside then, though its first row may come when many are back.
fn started(course: &Course<'_>) -> Vec<usize> {
    let starts = course.happened(&[What::NodeStarted]).into_iter();
    starts
        .map(|happening| happening.at.0 / 1_000)
        .filter(|at| *at > course.from)
        .map(|at| course.index(at))
        .collect()
}

/// New people, a second: the pages that were sent; where caches before this machine send them, those who came in or took a
/// place, of places as many as are used. Who comes right after a failure would have come before: those are left out.
fn arrivals(course: &Course<'_>, falls: &[Fall], used: f64, by_pages: bool) -> Series {
    let failed = course.series(|second| second.handshakes_failed);
    let mut before: Option<&Second> = None;
    let mut each = vec![0; course.len()];
    for (at, second) in course.known() {
        let after = |fall: &Fall| (fall.at..fall.at + AFTER_A_FALL).contains(&at);
        let failed =
            failed.sum(at.saturating_sub(AFTER_A_FALL), at + 1) as f64 >= t::HANDSHAKES_LEAST;
        let storm = falls.iter().any(|fall| after(fall) && fall.back > 0);
        let (issued, called) = before.map_or((0, 0), |before| {
            (
                second.issued.saturating_sub(before.issued),
                second.called.saturating_sub(before.called),
            )
        });
        let scaled = |places: u64| (places as f64 * used) as u64;
        if !storm && !failed {
            each[at] = if by_pages {
                second.pages
            } else {
                second.newly_entered().saturating_sub(scaled(called)) + scaled(issued)
            };
        }
        before = Some(second);
    }
    Series::of(&each)
}

/// Whoever has our page asks with the mark that it gave: with many more such newcomers than pages, somebody else sends pages.
/// Who asks without one may be a flood's request that a calm door let in: only `PLAIN_EACH` of them for each page are players.
fn by_pages(course: &Course<'_>) -> bool {
    let total = |of: fn(&Second) -> u64| course.series(of).total() as f64;
    let pages = total(|second| second.pages);
    let (marked, newly) = (total(Second::newly_marked), total(Second::newly_entered));
    marked <= pages * t::MARKED_EACH && newly <= pages * t::PLAIN_EACH
}

/// Places called, and people who came in, of the whole night.
fn places(course: &Course<'_>) -> (u64, u64) {
    let (mut called, mut before) = (0_u64, None);
    for (_, second) in course.known() {
        let more = before.map_or(second.called, |before| second.called.saturating_sub(before));
        called = called.saturating_add(more.min(1_000_000_000));
        before = Some(second.called);
    }
    (called, course.series(Second::newly_entered).total())
}

/// How many wait, by the rows. Where nobody came again with a place (all players were plain), at most: places given out since
/// the line opened, less those who came in since. Who gave up is still counted. Nobody waits when for a minute nobody was told to.
fn waiting(course: &Course<'_>, line: Option<(usize, usize)>, used: f64) -> Vec<u64> {
    let mut waiting = course.level(|second| second.in_line);
    let Some((from, to)) = line.filter(|_| waiting.iter().all(|people| *people == 0)) else {
        return waiting;
    };
    let issued = course.level(|second| second.issued);
    let entered = course.series(Second::newly_entered);
    let told = course.series(Second::waits_for_a_seat);
    // The line opens with the first who are told to wait, a little before they are many.
    let from = from.saturating_sub(TEN);
    let to = (to + TEN).min(course.len() - 1);
    for (at, waiting) in waiting.iter_mut().enumerate().take(to + 1).skip(from) {
        let places = issued[at].saturating_sub(issued[from]) as f64 * used;
        let out = (places as u64).saturating_sub(entered.sum(from, at + 1));
        if told.sum(at.saturating_sub(60), at + 1) > 0 {
            *waiting = (*waiting).max(out);
        }
    }
    waiting
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
