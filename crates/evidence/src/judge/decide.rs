//! From the points to the verdict.

use super::course::share;
use super::finding::{Class, Explanation, Finding, Harm, Outcome, Part, Strength};
use super::harm::{harm, resources};
use super::rules::Case;
use super::second::Second;
use super::seen::Seen;
use super::tell;
use super::thresholds as t;

/// Seconds by which harm may follow its cause.
const FOLLOWS: u64 = 60;

/// Of no rows at all.
pub(super) fn nothing() -> Finding {
    let mut finding = Finding {
        outcome: Outcome::Undetermined,
        named: Vec::new(),
        headline: String::new(),
        summary: String::new(),
        explanations: Vec::new(),
        resources: Vec::new(),
        ran_out_first: None,
        harm: Harm::default(),
        would_have_helped: Vec::new(),
        unseen: Vec::new(),
        from: 0,
        to: 0,
        seconds_known: 0,
        known_permille: 0,
        rehearsed_permille: 0,
    };
    tell::finding(&mut finding);
    finding
}

pub(super) fn finding(seen: &Seen<'_>, cases: Vec<Case>) -> Finding {
    let course = &seen.course;
    let (harm, resources) = (harm(seen), resources(seen));
    let coverage = course.coverage();
    let seconds_known = course.known().count() as u64;
    let enough = seconds_known as f64 >= t::SECONDS_LEAST && coverage >= t::COVERAGE_LEAST;
    let named = if enough {
        named(&cases, &harm)
    } else {
        Vec::new()
    };
    let outcome = match (enough, named.is_empty(), harm.is_any()) {
        (true, true, false) => Outcome::Quiet,
        (true, false, _) => Outcome::Found,
        _ => Outcome::Undetermined,
    };
    let first = resources
        .iter()
        .filter_map(|each| Some((each.ran_out_at?, each.resource)));
    let mut finding = Finding {
        outcome,
        explanations: cases
            .into_iter()
            .map(|case| explain(seen, case, &named, &harm))
            .collect(),
        named,
        headline: String::new(),
        summary: String::new(),
        ran_out_first: first.min().map(|(_, resource)| resource),
        resources,
        harm,
        would_have_helped: Vec::new(),
        unseen: Vec::new(),
        from: course.from,
        to: course.to(),
        seconds_known,
        known_permille: (coverage * 1_000.0) as u64,
        rehearsed_permille: {
            let knocks = seen.offered.total();
            (share(seen.total(|second| second.rehearsed), knocks) * 1_000.0) as u64
        },
    };
    tell::finding(&mut finding);
    finding
}

/// The weightiest first: who may have harmed somebody before who harmed nobody, then by points.
fn named(cases: &[Case], harm: &Harm) -> Vec<Class> {
    let mut named: Vec<&Case> = cases
        .iter()
        .filter(|case| case.points() as f64 >= t::NAMED_FROM)
        .collect();
    named.sort_by_key(|case| (!may_have_harmed(case, harm), -case.points(), case.class));
    named.into_iter().map(|case| case.class).collect()
}

fn may_have_harmed(case: &Case, harm: &Harm) -> bool {
    match (case.span, harm.from, harm.to) {
        (Some((from, to)), Some(first), Some(last)) => {
            from <= last && first <= to.saturating_add(FOLLOWS)
        }
        _ => false,
    }
}

/// Whether most of those who knocked meanwhile, or were inside when nobody knocked, came with a permit.
fn is_rehearsed(seen: &Seen<'_>, span: Option<(u64, u64)>) -> bool {
    let course = &seen.course;
    let (from, to) = span.map_or((0, course.len()), |(from, to)| {
        (course.index(from), course.index(to) + 1)
    });
    let sum = |of: fn(&Second) -> u64| course.series(of).sum(from, to);
    let (knocks, rehearsed) = (seen.offered.sum(from, to), sum(|second| second.rehearsed));
    if knocks > 0 {
        return rehearsed * 2 >= knocks;
    }
    let (inside, rehearsed) = (
        sum(|second| second.inside),
        sum(|second| second.rehearsed_inside),
    );
    inside > 0 && rehearsed * 2 >= inside
}

fn explain(seen: &Seen<'_>, case: Case, named: &[Class], harm: &Harm) -> Explanation {
    let points = case.points();
    let part = if named.first() == Some(&case.class)
        && (may_have_harmed(&case, harm) || !harm.is_any() && case.class != Class::Attack)
    {
        Part::Main
    } else if named.contains(&case.class) {
        if may_have_harmed(&case, harm) {
            Part::Contributed
        } else {
            Part::Present
        }
    } else if points > 0 {
        Part::NotShown
    } else {
        Part::RuledOut
    };
    let rehearsed = points > 0 && is_rehearsed(seen, case.span);
    let (supporting, against) = case.evidence.into_iter().partition(|each| each.points > 0);
    Explanation {
        class: case.class,
        kinds: case.kinds,
        part,
        strength: Strength::of(points),
        points,
        rehearsed,
        lasted_s: case.lasted_s,
        supporting,
        against,
    }
}
