//! Who was harmed, and how much; and which resource was how full.

use super::course::share;
use super::dependency::dead_air;
use super::finding::{Fullest, Harm};
use super::second::{RESOURCES, Second};
use super::seen::Seen;
use super::thresholds as t;

pub(super) fn harm(seen: &Seen<'_>) -> Harm {
    let course = &seen.course;
    let mut harm = Harm {
        told_to_wait: seen.total(Second::waits_for_a_seat),
        turned_away: seen.total(|second| second.knocks.turned_away.sum().into()),
        in_line_most: seen.in_line.iter().max().copied().unwrap_or(0),
        waited_seconds: seen.total(|second| second.in_line),
        ..Harm::default()
    };
    if let Some((from, to)) = seen.line {
        spans(&mut harm, course.at(from), course.at(to));
        let came = course.series(Second::newly_entered).sum(from, to + 1);
        let waited: u64 = course.series(|second| second.in_line).sum(from, to + 1);
        harm.wait_mean_s = waited.checked_div(came);
    }
    fell(seen, &mut harm);
    if let Some((from, to)) = dead_air(seen) {
        spans(&mut harm, course.at(from), course.at(to));
    }
    harm.dead_air_listener_seconds = seen.total(|second| {
        if second.silent_ms > 0 {
            second.inside
        } else {
            0
        }
    });
    refused_hands(seen, &mut harm);
    let errors = course.series(|second| second.own_errors);
    if errors.total() as f64 >= t::OWN_ERRORS {
        let at = course.at(errors.peak(10).0);
        spans(&mut harm, at, at + 10);
    }
    harm
}

/// People who fell out and wanted to stay: nobody is harmed by an end.
fn fell(seen: &Seen<'_>, harm: &mut Harm) {
    harm.fell_out = seen.total(|second| second.too_slow);
    harm.silent_listener_seconds = harm.fell_out;
    for fall in &seen.falls {
        if share(fall.back, fall.fell) < t::GONE_SHARE && !fall.on_record {
            continue;
        }
        let end = (fall.at + t::BACK_WITHIN as usize).min(seen.inside.len());
        let away = seen.inside[fall.at..end]
            .iter()
            .map(|inside| fall.before.saturating_sub(*inside).min(fall.fell));
        harm.fell_out = harm.fell_out.saturating_add(fall.fell);
        harm.silent_listener_seconds = harm.silent_listener_seconds.saturating_add(away.sum());
        spans(
            harm,
            seen.course.at(fall.at),
            seen.course.at(end.saturating_sub(1)),
        );
    }
}

/// Handshakes that failed in numbers: those people heard nothing and are in no other count.
fn refused_hands(seen: &Seen<'_>, harm: &mut Harm) {
    let (failed, done) = (
        seen.total(|second| second.handshakes_failed),
        seen.total(|second| second.handshakes),
    );
    if (failed as f64) < t::HANDSHAKES_LEAST || share(failed, failed + done) < t::HANDSHAKES_FAILED
    {
        return;
    }
    let course = &seen.course;
    if let Some((from, to)) = course.longest(|second| second.handshakes_failed > 0) {
        spans(harm, course.at(from), course.at(to));
    }
}

fn spans(harm: &mut Harm, from: u64, to: u64) {
    harm.from = Some(harm.from.map_or(from, |before| before.min(from)));
    harm.to = Some(harm.to.map_or(to, |before| before.max(to)));
}

/// The fullest first. Resources of which nothing is known are left out.
pub(super) fn resources(seen: &Seen<'_>) -> Vec<Fullest> {
    let course = &seen.course;
    let mut all = Vec::new();
    for (place, (name, _)) in RESOURCES.iter().enumerate() {
        let known = course
            .known()
            .filter_map(|(at, second)| Some((at, second.full_permille[place]?)));
        let Some((at, permille)) = known
            .clone()
            .max_by_key(|(at, permille)| (*permille, std::cmp::Reverse(*at)))
        else {
            continue;
        };
        let out = known
            .clone()
            .find(|(_, permille)| *permille as f64 >= t::RAN_OUT * 1_000.0);
        all.push(Fullest {
            resource: name,
            permille,
            at: course.at(at),
            ran_out_at: out.map(|(at, _)| course.at(at)),
        });
    }
    all.sort_by_key(|fullest| std::cmp::Reverse(fullest.permille));
    all
}
