//! Did those who were inside fall out together and come again?

use super::course::share;
use super::finding::Class;
use super::rules::{self as r, Case};
use super::seen::{Fall, Seen};
use super::thresholds as t;
use super::words::{clock, duration, number, percent};
use crate::row::What;

/// Seconds before and after a leaving in which a cause of it is looked for: a silence of half a minute sends people away.
const BEFORE: u64 = 60;
const AFTER: u64 = 10;
const ENDS: [What; 3] = [What::SpaceEnded, What::SpaceCancelled, What::RehearsalEnded];
/// After any of these people may have left because of it.
const FAILURES: [What; 9] = [
    What::SpeakerLost,
    What::StageEmpty,
    What::DeadAir,
    What::CertificateExpired,
    What::CertificateFailed,
    What::DiskFull,
    What::DatabaseGone,
    What::NodeStopped,
    What::DoorPaused,
];

pub(super) fn case(seen: &Seen<'_>) -> Case {
    let mut case = Case::new(Class::ReconnectStorm);
    let Some(fall) = seen.falls.iter().max_by_key(|fall| (fall.back, fall.fell)) else {
        case.add(
            r::NOBODY_FELL,
            None,
            "At no time were many of those inside gone at once.".to_owned(),
        );
        return case;
    };
    let at = seen.course.at(fall.at);
    let part = share(fall.back, fall.fell);
    if part < t::GONE_SHARE && !fall.on_record {
        left_together(seen, &mut case, fall);
        return case;
    }
    case.spans(at, at + t::BACK_WITHIN as u64);
    let words = format!(
        "At {} {} of {} who were inside were gone within ten seconds ({}).",
        clock(at),
        number(fall.fell),
        number(fall.before),
        percent(share(fall.fell, fall.before))
    );
    case.add(r::FELL, Some(at), words);
    if fall.on_record {
        case.add(
            r::CAUSE_KNOWN,
            Some(at),
            "A restart or lost connections are on record at that time.".to_owned(),
        );
    }
    let words = format!(
        "Of them {} came again within {} ({}).",
        number(fall.back),
        duration(t::BACK_WITHIN as u64),
        percent(part)
    );
    if part >= t::BACK_SHARE {
        case.add(r::BACK, Some(at), words);
    } else if part < t::GONE_SHARE {
        case.add(r::LEFT, Some(at), words);
    }
    case
}

/// Who leaves with many others and stays away was not thrown out by what a restart or a lost connection does.
fn left_together(seen: &Seen<'_>, case: &mut Case, fall: &Fall) {
    let at = seen.course.at(fall.at);
    let near = |what: &[What]| {
        let mut happened = seen.course.happened(what).into_iter();
        happened.any(|one| {
            let second = one.at.0 / 1_000;
            second.saturating_add(BEFORE) >= at && second <= at + AFTER
        })
    };
    let why = if near(&ENDS) {
        ", when something planned ended"
    } else if near(&FAILURES) {
        ""
    } else {
        ", as at an end; no failure is on record"
    };
    let words = format!(
        "At {} {} of {} who were inside left together ({}), and {} of them came again within {}{why}.",
        clock(at),
        number(fall.fell),
        number(fall.before),
        percent(share(fall.fell, fall.before)),
        number(fall.back),
        duration(t::BACK_WITHIN as u64)
    );
    case.add(r::LEFT, Some(at), words);
}
