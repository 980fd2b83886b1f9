//! The finding in sentences.

use super::finding::{Class, Explanation, Finding, Kind, Outcome, Part};
use super::thresholds as t;
use super::words::{clock, duration, number, percent};

pub(super) fn finding(finding: &mut Finding) {
    finding.headline = headline(finding);
    finding.summary = summary(finding);
    finding.would_have_helped = helped(finding);
    finding.unseen = unseen(finding);
}

fn headline(finding: &Finding) -> String {
    let verdict = verdict(finding);
    let known = |class: &Class| finding.explanation(*class);
    let all = finding.named.iter().filter_map(known);
    if finding.rehearsed_permille >= 500 && all.clone().all(|each| each.rehearsed) {
        return format!("This was a rehearsal. {verdict}");
    }
    verdict
}

fn verdict(finding: &Finding) -> String {
    match (finding.outcome, finding.named.first()) {
        (Outcome::Quiet, _) => "Nothing went wrong.".to_owned(),
        (Outcome::Undetermined, _) | (_, None) => "We cannot say.".to_owned(),
        (Outcome::Found, Some(first)) => {
            // What mattered to people comes before what it was; of an attack its own sentence says so.
            let harmless = finding.harm.is_none() && *first != Class::Attack;
            let nobody = harmless.then(|| "Nobody was harmed.".to_owned());
            let said = |(at, class)| sentence(finding, at == 0, class);
            let named = finding.named.iter().copied().enumerate().map(said);
            let words: Vec<String> = nobody.into_iter().chain(named).collect();
            words.join(" ")
        }
    }
}

fn sentence(finding: &Finding, first: bool, class: Class) -> String {
    let each = finding.explanation(class);
    if let Some(failure) = each.filter(|each| each.class == Class::DependencyFailure)
        && let Some(seconds) = failure.lasted_s.filter(|_| is_harmless(finding, failure))
    {
        return stalled(first, seconds);
    }
    words_of(each, first, class).to_owned()
}

fn is_harmless(finding: &Finding, each: &Explanation) -> bool {
    !finding.harm.is_any() || each.part == Part::Present
}

/// Of a dependency that failed for a while, which nobody felt.
fn stalled(first: bool, seconds: u64) -> String {
    let failed = if (seconds as f64) < t::STALL_SECONDS {
        "stalled"
    } else {
        "failed"
    };
    let as_well = if first { "" } else { " as well" };
    format!(
        "Something we depend on {failed} for {}{as_well}.",
        duration(seconds)
    )
}

fn words_of(each: Option<&Explanation>, first: bool, class: Class) -> &'static str {
    let rehearsed = each.is_some_and(|each| each.rehearsed);
    let harmless = class == Class::Attack && each.is_some_and(|each| each.part == Part::Present);
    match (first, harmless, rehearsed) {
        (true, true, false) => "There was an attack. It kept nobody out.",
        (true, true, true) => "There was a rehearsed attack. It kept nobody out.",
        (false, true, false) => "There was an attack as well, which kept nobody out.",
        (false, true, true) => "There was a rehearsed attack as well, which kept nobody out.",
        (true, false, false) => class.sentence(),
        (true, false, true) => class.rehearsed_sentence(),
        (false, false, false) => class.lesser_sentence(),
        (false, false, true) => class.rehearsed_lesser_sentence(),
    }
}

fn summary(finding: &Finding) -> String {
    let mut words = Vec::new();
    if finding.outcome == Outcome::Undetermined {
        words.push(why_undetermined(finding));
    }
    for class in &finding.named {
        let Some(each) = finding.explanation(*class) else {
            continue;
        };
        if !each.kinds.is_empty() {
            let kinds: Vec<&str> = each.kinds.iter().map(|kind| kind.words()).collect();
            words.push(format!("{}: {}.", class.title(), kinds.join(", ")));
        }
        if let Some(strongest) = each
            .supporting
            .iter()
            .filter(|each| !each.private)
            .max_by_key(|each| each.points)
        {
            words.push(strongest.words.clone());
        }
    }
    if finding.rehearsed_permille > 0 {
        let part = finding.rehearsed_permille as f64 / 1_000.0;
        words.push(format!(
            "Of the knocks {} were a rehearsal's.",
            percent(part)
        ));
    }
    words.push(harmed(finding));
    if let Some(resource) = finding.ran_out_first {
        words.push(format!("What ran out first: {resource}."));
    }
    words.join(" ")
}

fn why_undetermined(finding: &Finding) -> String {
    if (finding.seconds_known as f64) < t::SECONDS_LEAST {
        return format!(
            "There are {} seconds of rows; a verdict needs {}.",
            number(finding.seconds_known),
            t::SECONDS_LEAST
        );
    }
    let known = finding.known_permille as f64 / 1_000.0;
    if known < t::COVERAGE_LEAST {
        return format!(
            "Of the time from first to last row {} is kept; a verdict needs {}.",
            percent(known),
            percent(t::COVERAGE_LEAST)
        );
    }
    "People were harmed, and no rule says by what.".to_owned()
}

fn harmed(finding: &Finding) -> String {
    let harm = &finding.harm;
    let (Some(from), Some(to)) = (harm.from, harm.to) else {
        return "Nobody was harmed as far as this machine could see.".to_owned();
    };
    let mut words = vec![format!(
        "People were harmed between {} and {}",
        clock(from),
        clock(to)
    )];
    if harm.in_line_most > 0 {
        let mean = harm.wait_mean_s.map_or(String::new(), |mean| {
            format!(", for {} each on average", duration(mean))
        });
        words.push(format!(
            "up to {} stood in line at once{mean}",
            number(harm.in_line_most)
        ));
    }
    if harm.fell_out > 0 {
        words.push(format!(
            "{} fell out and missed {} of sound together",
            number(harm.fell_out),
            duration(harm.silent_listener_seconds)
        ));
    }
    if harm.dead_air_listener_seconds > 0 {
        words.push(format!(
            "{} of listening were silence",
            duration(harm.dead_air_listener_seconds)
        ));
    }
    let first = words.remove(0);
    if words.is_empty() {
        format!("{first}.")
    } else {
        format!("{first}: {}.", words.join("; "))
    }
}

fn helped(finding: &Finding) -> Vec<String> {
    let named = |class: &Class| {
        let named = finding.named.contains(class);
        named.then(|| finding.explanation(*class)).flatten()
    };
    let mut helped: Vec<&str> = Vec::new();
    for class in Class::ALL {
        let Some(each) = named(&class) else { continue };
        match class {
            Class::FlashCrowd => against_a_crowd(each, finding.harm.in_line_most > 0, &mut helped),
            Class::Attack => against_an_attack(&each.kinds, &mut helped),
            Class::ReconnectStorm => helped.push(
                "A drain before a restart, so that nobody falls out; players then come again over a minute.",
            ),
            Class::OwnMistake => helped.extend(each.kinds.iter().map(|kind| against_a_mistake(*kind))),
            Class::DependencyFailure => against_a_failure(&each.kinds, &mut helped),
        }
    }
    helped.into_iter().map(str::to_owned).collect()
}

fn against_a_crowd(crowd: &Explanation, stood_in_line: bool, helped: &mut Vec<&str>) {
    if stood_in_line {
        helped.push(
            "More seats, or doors that open earlier, so that the same people come over a longer time.",
        );
    }
    if crowd
        .supporting
        .iter()
        .any(|each| each.rule == "at-the-announced-time")
    {
        helped.push("Doors a quarter of an hour before the announced time.");
    }
}

fn against_an_attack(kinds: &[Kind], helped: &mut Vec<&str>) {
    let loud = |kind: &Kind| matches!(kind, Kind::Flood | Kind::SlowHeads | Kind::Packets);
    if kinds.iter().any(loud) {
        helped.push(
            "The shield, which has the kernel drop repeat offenders; and a filter before this machine's line, for what fills the line itself.",
        );
    }
    if kinds.contains(&Kind::Bots) {
        helped.push(
            "Invitations issued before the event: bots that act like browsers cannot be told from people at the door.",
        );
    }
}

fn against_a_mistake(kind: Kind) -> &'static str {
    match kind {
        Kind::Change => {
            "No changes of settings or versions in the half hour before an event, or after a rehearsal with them."
        }
        Kind::Limit => {
            "The limit raised to what the machine holds: hustings preflight compares them."
        }
        Kind::Certificate => {
            "hustings preflight, which asks for a certificate that is valid until after the end."
        }
        Kind::Disk => "hustings preflight, which asks for the disk that the recording needs.",
        _ => "The node's log at the time of the errors; each is a bug to be reported.",
    }
}

fn against_a_failure(kinds: &[Kind], helped: &mut Vec<&str>) {
    if kinds.contains(&Kind::HostLine) {
        helped.push(
            "A second speaker on stage, or hold music at once: the line of one host is one line.",
        );
    }
    if kinds.iter().any(|kind| *kind != Kind::HostLine) {
        helped.push("An alarm on the dependency, and a look at its own records of that time.");
    }
}

fn unseen(finding: &Finding) -> Vec<String> {
    let mut unseen = vec![
        "Who gave up before the first packet reached this machine, and what happened in networks on the way.".to_owned(),
        "How many people shared one device, one room or one address.".to_owned(),
    ];
    if finding.named.contains(&Class::Attack) {
        unseen.push(
            "Who attacked, and why. Networks say where packets came from, not who sent them."
                .to_owned(),
        );
    } else {
        unseen.push(
            "Machines that do all that a listener does, and stay: they are counted as listeners."
                .to_owned(),
        );
    }
    if !finding
        .resources
        .iter()
        .any(|each| each.resource == "uplink")
    {
        unseen.push(
            "Whether the uplink was full: it was not told how much it carries (--uplink)."
                .to_owned(),
        );
    }
    if finding.known_permille < 995 {
        let missing = 1.0 - finding.known_permille.min(1_000) as f64 / 1_000.0;
        unseen.push(format!(
            "{} of the time: no rows were kept of it.",
            percent(missing)
        ));
    }
    unseen
}
