//! Did something fail that we need and do not run inside the node?

use super::finding::{Class, Kind};
use super::rules::{self as r, Case};
use super::second::DEPENDENCIES;
use super::seen::Seen;
use super::thresholds as t;
use super::words::{clock, duration};
use crate::row::What;

/// Which kind each of `DEPENDENCIES` is.
const KINDS: [Kind; DEPENDENCIES.len()] = [Kind::Database, Kind::Slow, Kind::Slow, Kind::Slow];

pub(super) fn case(seen: &Seen<'_>) -> Case {
    let mut case = Case::new(Class::DependencyFailure);
    database(seen, &mut case);
    calls(seen, &mut case);
    host(seen, &mut case);
    if case.evidence.is_empty() {
        case.add(
            r::ALL_ANSWERED,
            None,
            "Every dependency answered in time, and no speaker was lost.".to_owned(),
        );
    }
    case
}

fn database(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    let Some(gone) = course.happened(&[What::DatabaseGone]).first().copied() else {
        return;
    };
    let from = gone.at.0 / 1_000;
    let back = course
        .happened(&[What::DatabaseBack])
        .into_iter()
        .map(|back| back.at.0 / 1_000)
        .find(|back| *back >= from);
    let until = back.map_or("to the end of the rows".to_owned(), |back| {
        format!("until {}", clock(back))
    });
    case.add(
        r::GONE,
        Some(from),
        format!("The database did not answer from {} {until}.", clock(from)),
    );
    case.kind(Kind::Database);
    let until = back.unwrap_or(course.to());
    case.spans(from, until);
    case.lasted(until.saturating_sub(from));
}

fn calls(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    // A full disk is a mistake of ours and is told there: nothing can be written to the database then either.
    if !course.happened(&[What::DiskFull]).is_empty() {
        return;
    }
    for (at, name) in DEPENDENCIES.iter().enumerate() {
        let long = |span: Option<(usize, usize)>| {
            span.filter(|(from, to)| (to - from + 1) as f64 >= t::DEPENDENCY_SECONDS)
        };
        let failed = long(course.longest(|second| second.dependency_failures[at] > 0));
        let slow = long(
            course.longest(|second| second.dependency_us[at] as f64 >= t::DEPENDENCY_MS * 1_000.0),
        );
        let (rule, (from, to), what) = match (failed, slow) {
            (Some(span), _) => (r::GONE, span, "failed"),
            (None, Some(span)) => (r::SLOW_ANSWER, span, "took a second and more"),
            (None, None) => continue,
        };
        let (first, last) = (course.at(from), course.at(to));
        if !case.has(rule) {
            let words = format!(
                "From {} to {} calls of {name} {what}.",
                clock(first),
                clock(last)
            );
            case.add(rule, Some(first), words);
        }
        case.kind(KINDS[at]);
        case.spans(first, last);
        case.lasted(last - first + 1);
    }
}

fn host(seen: &Seen<'_>, case: &mut Case) {
    let course = &seen.course;
    let mut lost = course.happened(&[What::SpeakerLost, What::StageEmpty]);
    // A stage on which nobody sat before is empty too when it begins anew: nobody was lost by that.
    lost.retain(|event| event.what == What::SpeakerLost || course.sat_before(event.at.0 / 1_000));
    let silent = course.longest(|second| second.silent_ms > 0 || second.speakers_lost > 0);
    let Some(first) = lost.first() else { return };
    let at = first.at.0 / 1_000;
    let silence = dead_air(seen);
    case.kind(Kind::HostLine);
    match silence {
        Some((from, to)) => {
            let words = format!(
                "A speaker's connection was lost at {}, and from {} on nobody was heard for {}.",
                clock(at),
                clock(course.at(from)),
                duration((to - from + 1) as u64)
            );
            case.add(r::HOST_LOST, Some(at), words);
            case.spans(at, course.at(to));
        }
        None => {
            let to = silent.map_or(at, |(_, to)| course.at(to).max(at));
            case.add(
                r::HOST_SHORT,
                Some(at),
                format!("A speaker's connection was lost at {}.", clock(at)),
            );
            case.spans(at, to);
        }
    }
}

/// The longest silence of a live stage, if it was long.
pub(super) fn dead_air(seen: &Seen<'_>) -> Option<(usize, usize)> {
    let silent = seen.course.longest(|second| second.silent_ms > 0);
    silent.filter(|(from, to)| (to - from + 1) as f64 >= t::DEAD_AIR_SECONDS)
}
