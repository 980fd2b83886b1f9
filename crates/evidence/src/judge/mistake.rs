//! Was it something we changed, forgot, or set too low?

use hustings_control::gate::Resource;

use super::course::{TEN, share};
use super::finding::{Class, Kind};
use super::minutes::say;
use super::rules::{self as r, Case};
use super::second::{RESOURCES, Second};
use super::seen::Seen;
use super::thresholds as t;
use super::words::{clock, duration, number, percent};
use crate::row::{What, Who};

/// What somebody did, and could have left undone.
const CHANGES: [What; 4] = [
    What::ConfigChanged,
    What::Deployed,
    What::LimitChanged,
    What::CadenceChanged,
];

/// The most that a rehearsal has shown this installation to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Listeners inside at once.
    pub listeners: u64,
}

pub(super) fn case(seen: &Seen<'_>, proven: Option<Proven>) -> Case {
    let mut case = Case::new(Class::OwnMistake);
    certificate(seen, &mut case);
    disk(seen, &mut case);
    changes(seen, &mut case);
    limit(seen, &mut case);
    paused(seen, &mut case);
    errors(seen, &mut case);
    let found = !case.evidence.is_empty();
    rehearsed(seen, proven, &mut case);
    if !found {
        let words = "Nothing was changed before the harm, no limit of ours stood before a resource's, and nothing of ours failed.";
        case.add(r::NO_CHANGE, None, words.to_owned());
    }
    case
}

fn certificate(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    let told = course
        .happened(&[What::CertificateExpired])
        .first()
        .map(|told| told.at.0 / 1_000);
    let over = course
        .known()
        .find(|(_, second)| second.certificate_left_s < 0)
        .map(|(at, _)| course.at(at));
    let Some(at) = over.or(told) else { return };
    let failed = course.series(|second| second.handshakes_failed).total();
    let words = format!(
        "The certificate had expired by {}; {} handshakes failed.",
        clock(at),
        number(failed)
    );
    case.add(r::CERTIFICATE, Some(at), words);
    case.kind(Kind::Certificate);
    case.spans(at, course.to());
}

fn disk(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    let Some(full) = course.happened(&[What::DiskFull]).first().copied() else {
        return;
    };
    let from = full.at.0 / 1_000;
    let back = course
        .happened(&[What::DiskBack])
        .into_iter()
        .map(|back| back.at.0 / 1_000)
        .find(|back| *back >= from);
    let until = back.map_or("to the end of the rows".to_owned(), |back| {
        format!("until {}", clock(back))
    });
    let words = format!(
        "The disk was full from {} {until}: recordings stopped, and changes were refused.",
        clock(from)
    );
    case.add(r::DISK, Some(from), words);
    case.kind(Kind::Disk);
    case.spans(from, back.unwrap_or(course.to()));
}

fn changes(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    for change in course.happened(&CHANGES) {
        let at = change.at.0 / 1_000;
        let index = course.index(at);
        let Some((before, after)) = seats_round(seen, index) else {
            continue;
        };
        let Some(from) = harmed_from(seen, index) else {
            continue;
        };
        let late = course.at(from).saturating_sub(at);
        if late as f64 > t::CHANGE_BEFORE || case.has(r::SEATS_FELL) {
            continue;
        }
        if after < t::SEATS_FELL * before {
            let words = format!(
                "{}: of {} seats {} were left, and {} later people were told to wait.",
                say(change),
                number(before as u64),
                number(after as u64),
                duration(late)
            );
            case.add(r::SEATS_FELL, Some(at), words);
            case.kind(Kind::Change);
            case.spans(at, course.at(from));
        }
        if !case.has(r::CHANGED) {
            let words = format!(
                "{}, {} before people were told to wait.",
                say(change),
                duration(late)
            );
            case.add(r::CHANGED, Some(at), words);
        }
    }
}

/// Seats that people could have, the mean of the minute before and the minute after.
fn seats_round(seen: &Seen<'_>, index: usize) -> Option<(f64, f64)> {
    let mean = |from: usize, to: usize| {
        let known = (from..to).filter_map(|at| seen.course.get(at));
        let seats: Vec<u64> = known
            .filter(|second| second.seats > 0)
            .map(Second::open_seats)
            .collect();
        (!seats.is_empty())
            .then(|| seats.iter().map(|n| *n as f64).sum::<f64>() / seats.len() as f64)
    };
    // The seconds right after a change still show what was before.
    Some((
        mean(index.saturating_sub(60), index)?,
        mean(index + 3, index + 63)?,
    ))
}

/// From when on, after a change, people were told to wait for a seat.
fn harmed_from(seen: &Seen<'_>, index: usize) -> Option<usize> {
    let (first, last) = seen.line?;
    if first >= index {
        return Some(first);
    }
    (index <= last).then_some(index)
}

/// People waited for something that we limit, while what the machine has lay idle.
fn limit(seen: &Seen<'_>, case: &mut Case) {
    let Some((from, to)) = seen.line else { return };
    let (mut files, mut wished, mut all) = (0_u64, 0_u64, 0_u64);
    for at in from..=to {
        let Some(second) = seen.course.get(at).filter(|second| second.in_line > 0) else {
            continue;
        };
        let full = |of: Resource| {
            let at = RESOURCES.iter().position(|(_, resource)| *resource == of);
            at.and_then(|at| second.full_permille[at]).unwrap_or(0) as f64 / 1_000.0
        };
        let idle = [Resource::Cpu, Resource::Memory, Resource::Uplink]
            .into_iter()
            .all(|of| full(of) < t::IDLE);
        all += 1;
        files += u64::from(idle && second.short == Some(Resource::Files));
        wished += u64::from(
            idle && second.limit.is_some_and(|limit| {
                limit < second.seats && second.inside >= limit.saturating_mul(9) / 10
            }),
        );
    }
    if (all as f64) < t::LINE_SECONDS {
        return;
    }
    for (seconds, what) in [
        (files, "open files"),
        (wished, "the limit set for this space"),
    ] {
        if share(seconds, all) >= 0.5 && !case.has(r::IDLE_LIMIT) {
            let words = format!(
                "For {} of the {} in which people stood in line, {what} left no seat, and processor, memory and uplink were below {}.",
                duration(seconds),
                duration(all),
                percent(t::IDLE)
            );
            case.add(r::IDLE_LIMIT, Some(seen.course.at(from)), words);
            case.kind(Kind::Limit);
            case.spans(seen.course.at(from), seen.course.at(to));
        }
    }
}

fn paused(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    let Some((from, to)) = course.longest(|second| second.paused && second.waits() > 0) else {
        return;
    };
    let waits = course.series(|second| second.waits()).sum(from, to + 1);
    if waits as f64 >= t::HARM_RATE * TEN as f64 {
        let words = format!(
            "The door was paused from {} to {}, and {} knocks were told to wait.",
            clock(course.at(from)),
            clock(course.at(to)),
            number(waits)
        );
        case.add(r::PAUSED, Some(course.at(from)), words);
        case.kind(Kind::Change);
        case.spans(course.at(from), course.at(to));
    }
}

fn errors(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    let errors = course.series(|second| second.own_errors);
    if errors.total() as f64 >= t::OWN_ERRORS {
        let at = course.at(errors.peak(TEN).0);
        case.add(
            r::ERRORS,
            Some(at),
            format!(
                "{} answers failed by our own fault, most from {} on.",
                number(errors.total()),
                clock(at)
            ),
        );
        case.kind(Kind::OwnErrors);
        case.spans(at, at + TEN as u64);
    }
    let restarted = course.happened(&[What::NodeStarted, What::Deployed]);
    let restarted = restarted
        .into_iter()
        .find(|start| start.at.0 / 1_000 > course.from && start.who == Who::Operator);
    if let Some(start) = restarted {
        let at = start.at.0 / 1_000;
        let inside = seen.inside[course.index(at).saturating_sub(1)];
        if inside as f64 >= t::FELL_LEAST {
            case.add(
                r::RESTARTED,
                Some(at),
                format!(
                    "The node was started anew at {} with {} people inside.",
                    clock(at),
                    number(inside)
                ),
            );
        }
    }
}

/// What was rehearsed, against what came.
fn rehearsed(seen: &Seen<'_>, proven: Option<Proven>, case: &mut Case) {
    let (Some(proven), Some((from, to))) = (proven, seen.line) else {
        return;
    };
    let most = seen.inside[from..=to].iter().max().copied().unwrap_or(0);
    let words = format!(
        "People stood in line with {} inside; this installation was rehearsed with {}.",
        number(most),
        number(proven.listeners)
    );
    if most < proven.listeners.saturating_mul(9) / 10 {
        case.add(r::PROVEN, Some(seen.course.at(from)), words);
        case.kind(Kind::Limit);
        case.spans(seen.course.at(from), seen.course.at(to));
    } else {
        case.add(r::MORE_THAN_PROVEN, None, words);
    }
}
