//! Was it many people at once?

use super::course::{TEN, share};
use super::finding::Class;
use super::rules::{self as r, Case};
use super::seen::{Seen, Surge};
use super::thresholds as t;
use super::words::{clock, duration, number, percent, rate};
use crate::row::What;

pub(super) fn case(seen: &Seen<'_>) -> Case {
    let mut case = Case::new(Class::FlashCrowd);
    if let Some(surge) = seen.surge {
        came_at_once(seen, &surge, &mut case);
    }
    stood_in_line(seen, &mut case);
    if case.evidence.is_empty() {
        return case;
    }
    behaved(seen, &mut case);
    where_from(seen, &mut case);
    case
}

fn came_at_once(seen: &Seen<'_>, surge: &Surge, case: &mut Case) {
    let course = &seen.course;
    let at = course.at(surge.from);
    let words = format!(
        "At {} newcomers came {} a second over ten seconds; the evening's median is {} a second. {} came within the minute round it.",
        clock(at),
        rate(surge.rate),
        rate(surge.usual),
        number(surge.people)
    );
    case.add(r::SURGE, Some(at), words);
    case.spans(at, at + TEN as u64);
    let starts = course.happened(&[What::SpaceOpened, What::SpaceLive]);
    let near = starts
        .iter()
        .map(|start| start.at.0 / 1_000)
        .find(|start| start.abs_diff(at) as f64 <= t::ANNOUNCED_NEAR);
    if let Some(start) = near {
        let words = format!(
            "The space began at {}, {} away from the surge.",
            clock(start),
            duration(start.abs_diff(at))
        );
        case.add(r::ANNOUNCED, Some(start), words);
    }
    let around = (surge.from.saturating_sub(30), surge.from + 40);
    let entered = course
        .series(|second| second.entered)
        .sum(around.0, around.1);
    let returned = course
        .series(|second| second.returned)
        .sum(around.0, around.1);
    if entered as f64 >= t::KNOWN_LEAST && returned * 2 >= entered {
        let words = format!(
            "{} of {} who came in around {} had been inside before.",
            number(returned),
            number(entered),
            clock(at)
        );
        case.add(r::CAME_BEFORE, Some(at), words);
    }
}

fn stood_in_line(seen: &Seen<'_>, case: &mut Case) {
    let Some((from, to)) = seen.line else { return };
    let course = &seen.course;
    let entered = course
        .series(|second| second.newly_entered())
        .sum(from, to + 1);
    // Against the most seats of the evening: what a change of ours took is no crowd's doing.
    let seats = course
        .known()
        .map(|(_, second)| second.open_seats())
        .max()
        .unwrap_or(0);
    // Who came in beside a flood and showed nothing may be the flood's: its seats make no crowd.
    let flood = seen.flood(unused(seen).is_some()).is_some();
    let marked = flood.then(|| seen.marked_inside());
    let inside = marked.as_ref().unwrap_or(&seen.inside);
    let full = course
        .known()
        .filter(|(at, _)| {
            (from..=to).contains(at)
                && share(inside[*at], seats) >= t::OVERFULL_FROM
                && !seen.is_after_a_fall(*at)
        })
        .count();
    if (full as f64) < t::LINE_SECONDS || (entered as f64) < t::KNOWN_LEAST {
        return;
    }
    let most = seen.in_line[from..=to].iter().max().copied().unwrap_or(0);
    let words = format!(
        "Between {} and {} people were told to wait for a seat, for {} of it with nearly all {} seats taken. At most {} waited at once, and {} came in meanwhile.",
        clock(course.at(from)),
        clock(course.at(to)),
        duration(full as u64),
        number(seats),
        number(most),
        number(entered)
    );
    case.add(r::OVERFULL, Some(course.at(from)), words);
    case.spans(course.at(from), course.at(to));
}

/// What became of those who came in, and of those who were called.
fn behaved(seen: &Seen<'_>, case: &mut Case) {
    let (stayed, gone) = stayed(seen);
    let judged = stayed + gone;
    if judged as f64 >= t::KNOWN_LEAST {
        let part = share(stayed, judged);
        let words = |what: &str| {
            format!(
                "{} of {} who came in were {what} ({}).",
                number(stayed),
                number(judged),
                percent(part)
            )
        };
        if part >= t::STAYED_LEAST {
            case.add(r::STAYED, None, words("still there after ten seconds"));
        }
        if 1.0 - part >= t::UNLIKE_LEAST {
            case.add(
                r::NOT_STAYED,
                None,
                words("still there after ten seconds, and the others were not"),
            );
        }
    }
}

fn where_from(seen: &Seen<'_>, case: &mut Case) {
    let Some((top, even)) = spread(seen) else {
        return;
    };
    let words = format!(
        "The busiest network had {} of the knocks, and they were spread by {} of what is possible.",
        percent(top),
        percent(even)
    );
    if top >= t::TOP_NETWORK {
        case.add_private(r::ONE_NETWORK, None, words);
    } else if even >= t::SPREAD_LEAST {
        case.add(r::SPREAD, None, words);
    }
}

/// How many were inside after ten seconds, and how many were gone before, those left out who went while something failed.
pub(super) fn stayed(seen: &Seen<'_>) -> (u64, u64) {
    let (mut stayed, mut gone) = (0_u64, 0_u64);
    for (at, second) in seen.course.known() {
        stayed += second.stayed_10s;
        // A fall takes newcomers too.
        if !seen.is_after_a_fall(at) && !seen.is_after_a_fall(at + 2) {
            // Whose right came in elsewhere did not go by himself.
            gone += second.gone_early.saturating_sub(second.replaced);
        }
    }
    (stayed, gone)
}

/// Places called, and how many came in, when those are next to nobody.
pub(super) fn unused(seen: &Seen<'_>) -> Option<(u64, u64)> {
    let (called, came) = seen.places;
    let few = share(came, called) < t::CALLED_CAME;
    (called as f64 >= t::BARE_LEAST && few).then_some((came, called))
}

/// The busiest network's share and the evenness, over the seconds in which most came, by knocks. None: too few to tell.
pub(super) fn spread(seen: &Seen<'_>) -> Option<(f64, f64)> {
    /// Knocks a second from which shares of a second say something.
    const ENOUGH: u32 = 8;
    let (mut knocks, mut top, mut even) = (0.0, 0.0, 0.0);
    for (_, second) in seen.course.known() {
        let offered = second.knocks.offered;
        if offered < ENOUGH || second.networks == 0 {
            continue;
        }
        let weight = f64::from(offered);
        // The sketch tells 256 networks apart at most.
        let possible = weight.min(256.0).log2();
        knocks += weight;
        top += weight * second.top_permille.min(1_000) as f64 / 1_000.0;
        even += weight * (second.entropy_mbit as f64 / 1_000.0 / possible).min(1.0);
    }
    (knocks >= 100.0).then(|| (top / knocks, even / knocks))
}
