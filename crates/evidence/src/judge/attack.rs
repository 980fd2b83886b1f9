//! Was it somebody who wanted no sound, but harm or what is not theirs?

use hustings_control::gate::Reason;
use hustings_control::gate::ticket::TokenFault;

use super::course::{Series, TEN, share};
use super::crowd::{spread, stayed, unused};
use super::finding::{Class, Kind};
use super::rules::{self as r, Case};
use super::seen::Seen;
use super::thresholds as t;
use super::words::{clock, number, percent, rate};
use crate::row::Shed;

const FORGED: [Reason; 4] = [
    Reason::Token(TokenFault::Malformed),
    Reason::Token(TokenFault::UnknownKey),
    Reason::Token(TokenFault::Forged),
    Reason::WrongSolution,
];
const REPLAYED: [Reason; 2] = [Reason::Spent, Reason::Race];
const SLOW: [Shed; 6] = [
    Shed::SilentShed,
    Shed::Silent,
    Shed::SlowHead,
    Shed::SlowBody,
    Shed::BadHead,
    Shed::BadHandshake,
];
/// Seconds of the stretch in which replays are counted.
const MINUTE: usize = 60;

pub(super) fn case(seen: &Seen<'_>) -> Case {
    let mut case = Case::new(Class::Attack);
    forged(seen, &mut case);
    replayed(seen, &mut case);
    bare(seen, &mut case);
    slow(seen, &mut case);
    packets(seen, &mut case);
    does_not_listen(seen, &mut case);
    if case.evidence.is_empty() {
        let words = "Forged, replayed and bare knocks, silent connections and dropped packets all stayed below their thresholds.";
        case.add(r::NOBODY_HOSTILE, None, words.to_owned());
    } else if let Some((top, _)) = spread(seen)
        && top >= t::TOP_NETWORK
    {
        case.add_private(
            r::FEW_NETWORKS,
            None,
            format!("The busiest network had {} of the knocks.", percent(top)),
        );
    }
    case
}

fn forged(seen: &Seen<'_>, case: &mut Case) {
    let forged = seen.course.series(|second| second.turned_away(&FORGED));
    let part = share(forged.total(), seen.offered.total());
    if (forged.total() as f64) < t::FORGED_LEAST || part < t::FORGED_SHARE {
        return;
    }
    let (from, to) = span(&forged);
    let words = format!(
        "{} knocks, {} of all, showed rights that nobody gave, from {} to {}, {} a second at most.",
        number(forged.total()),
        percent(part),
        clock(seen.course.at(from)),
        clock(seen.course.at(to)),
        rate(most(&forged))
    );
    attack(seen, case, r::FORGED, Kind::ForgedRights, &forged, words);
}

fn replayed(seen: &Seen<'_>, case: &mut Case) {
    let mut each = vec![0; seen.course.len()];
    for (at, second) in seen.course.known() {
        // Who fell out comes again with what it has, sometimes twice.
        if !seen.is_after_a_fall(at) {
            each[at] = second.replaced + second.turned_away(&REPLAYED) + second.strays;
        }
    }
    let replayed = Series::of(&each);
    let (from, most) = replayed.peak(MINUTE);
    let inside = seen.inside.get(from).copied().unwrap_or(0);
    let part = share(most, inside.max(1));
    if (most as f64) < t::REPLAY_LEAST || part < t::REPLAY_SHARE {
        return;
    }
    let words = format!(
        "In the minute from {} rights were shown {} times that had been used, or were in use, or were made for another space; {} people were inside.",
        clock(seen.course.at(from)),
        number(most),
        number(inside)
    );
    attack(
        seen,
        case,
        r::REPLAYED,
        Kind::ReplayedRights,
        &replayed,
        words,
    );
}

fn bare(seen: &Seen<'_>, case: &mut Case) {
    let unused = unused(seen);
    if let Some(each) = seen.flood(unused.is_some()) {
        let words = format!(
            "{} knocks showed nothing and got no further, {} for each page that was sent or each who came in.",
            number(seen.bare.total()),
            rate(each)
        );
        attack(seen, case, r::BARE, Kind::Flood, &seen.bare, words);
    }
    if let Some((came, called)) = unused {
        let words = format!(
            "{} places were taken and called, and {} people came in.",
            number(called),
            number(came)
        );
        case.add(r::PLACES_UNUSED, None, words);
        case.kind(Kind::Flood);
    }
}

fn slow(seen: &Seen<'_>, case: &mut Case) {
    let slow = seen.course.series(|second| second.shed(&SLOW));
    let all = seen
        .total(|second| second.accepted)
        .max(seen.offered.total() + slow.total());
    let part = share(slow.total(), all);
    let certificate = seen
        .course
        .known()
        .any(|(_, second)| second.certificate_left_s < 0);
    if certificate || (slow.total() as f64) < t::SLOW_LEAST || part < t::SLOW_SHARE {
        return;
    }
    let words = format!(
        "{} connections, {} of all, said nothing, nonsense, or a little at a time, until they were closed.",
        number(slow.total()),
        percent(part)
    );
    attack(seen, case, r::SLOW, Kind::SlowHeads, &slow, words);
}

fn packets(seen: &Seen<'_>, case: &mut Case) {
    let dropped = seen
        .course
        .series(|second| second.dropped.saturating_add(second.listen_drops));
    let rate_most = most(&dropped);
    if rate_most < t::DROPS_RATE {
        return;
    }
    let (from, _) = dropped.peak(TEN);
    let words = format!(
        "From {} the kernel dropped {} packets a second over ten seconds.",
        clock(seen.course.at(from)),
        rate(rate_most)
    );
    attack(seen, case, r::DROPPED, Kind::Packets, &dropped, words);
}

fn does_not_listen(seen: &Seen<'_>, case: &mut Case) {
    let (stayed, gone) = stayed(seen);
    if (stayed + gone) as f64 >= t::KNOWN_LEAST && share(gone, stayed + gone) >= t::UNLIKE_LEAST {
        let words = format!(
            "{} of {} who came in were gone before ten seconds ({}).",
            number(gone),
            number(stayed + gone),
            percent(share(gone, stayed + gone))
        );
        let went = seen.course.series(|second| second.gone_early);
        attack(seen, case, r::NOT_LISTENING, Kind::Bots, &went, words);
    }
}

fn attack(
    seen: &Seen<'_>,
    case: &mut Case,
    rule: r::Rule,
    kind: Kind,
    series: &Series,
    words: String,
) {
    let (from, to) = span(series);
    let (from, to) = (seen.course.at(from), seen.course.at(to));
    case.kind(kind);
    case.spans(from, to);
    case.add(rule, Some(from), words);
    let edge = series.edge();
    if edge >= t::SQUARE_EDGE && !case.has(r::SQUARE) {
        let words = format!(
            "It changed by {} of its height within five seconds, as something that is switched on or off.",
            percent(edge)
        );
        case.add(r::SQUARE, None, words);
    }
}

/// The first and the last second in which there was a tenth of the greatest.
fn span(series: &Series) -> (usize, usize) {
    let (peak, most) = series.peak(TEN);
    let least = (most / 10).max(1);
    let first = series.first(TEN, least).unwrap_or(peak);
    let last = (first..series.len())
        .rev()
        .find(|at| series.sum(at.saturating_sub(TEN), *at) >= least);
    (first, last.unwrap_or(first))
}

/// A second, over the ten with most.
fn most(series: &Series) -> f64 {
    series.peak(TEN).1 as f64 / TEN as f64
}
