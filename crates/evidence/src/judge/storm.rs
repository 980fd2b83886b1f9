//! Did those who were inside fall out together and come again?

use super::course::share;
use super::finding::Class;
use super::rules::{self as r, Case};
use super::seen::Seen;
use super::thresholds as t;
use super::words::{clock, duration, number, percent};

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
    let part = share(fall.back, fall.fell);
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
