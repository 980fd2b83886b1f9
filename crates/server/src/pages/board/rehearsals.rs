//! Rehearsals: those under way, what each does of what its permit allows, and its end; and those that are over, also of runs
//! before this one.

use hustings_control::ids::UnixMillis;
use maud::{Markup, html};

use super::view::Now;
use crate::pages::words::{As, moment, number};
use crate::rehearsal::{Claimed, Kept, Told};

/// Rehearsals of before that are shown: the newest. The API has all that are kept.
const KEPT_SHOWN_MAX: usize = 8;

pub(super) fn rehearsals(now: &Now) -> Markup {
    let told = |kept: &Kept| {
        let mut all = now.rehearsals.iter();
        all.any(|told| told.finished && told.id == kept.id && told.first == kept.begun)
    };
    let before: Vec<&Kept> = now.kept.iter().rev().filter(|one| !told(one)).collect();
    let older = before.len().saturating_sub(KEPT_SHOWN_MAX);
    html! { section data-part="rehearsals" aria-labelledby="re" {
        (super::head("re", "Rehearsals", "newest first"))
        @if now.rehearsals.is_empty() && before.is_empty() { p class="soft" { "None yet. Their listeners would be counted apart." } }
        @for one in now.rehearsals.iter().rev() { (rehearsal(one, now)) }
        @for one in before.iter().take(KEPT_SHOWN_MAX) { (over(one, now.at)) }
        @if older > 0 { p class="small soft" { (number(older as u64)) " older are kept: " code { "GET /api/v1/rehearsals" } " has them." } }
    } }
}

fn rehearsal(one: &Told, now: &Now) -> Markup {
    let at = |ms: u64| moment(UnixMillis(ms), As::Second, now.at);
    let state = if one.ended {
        "ended by an operator"
    } else if one.finished {
        "over"
    } else if one.until <= now.at.0 {
        "its permit has run out"
    } else {
        "under way"
    };
    let kept = || now.kept.iter().rev().find(|kept| kept.id == one.id);
    html! { div class="stack tight" data-rehearsal=(one.id) {
        p { b { code { (one.id) } } ", " (state) ". Its newest request came at " (at(one.last)) "; its permit holds until " (at(one.until)) "." }
        @if one.finished { p { (super::sentence(&one.words)) (claim(kept().and_then(claimed))) } }
        p class="small" { (number(one.listening)) " listen of " (number(one.people.into())) " permitted (" (number(one.peak)) " at most); "
            (number(one.requests)) " requests, " (number(one.joins)) " let in, " (number(one.over)) " refused for being more than permitted (" (number(one.rate.into())) " a second)." }
        @if state == "under way" {
            form method="get" action="/board/ask" {
                input type="hidden" name="does" value="end-rehearsal"; input type="hidden" name="rehearsal" value=(one.id);
                button class="btn slim" type="submit" { "End it…" }
            }
        }
    } }
}

fn over(one: &Kept, now: UnixMillis) -> Markup {
    let at = |ms: u64, style| moment(UnixMillis(ms), style, now);
    html! { div class="stack tight" data-rehearsal=(one.id) {
        p { b { code { (one.id) } } ", over. " (at(one.begun, As::Date)) ", " (at(one.begun, As::Second)) " to " (at(one.ended, As::Second)) "." }
        p { (super::sentence(&one.words())) (claim(claimed(one))) }
    } }
}

/// Of several drivers the one that claimed.
fn claimed(kept: &Kept) -> Option<Claimed> {
    kept.outcomes.iter().find_map(|one| one.claimed)
}

fn claim(claimed: Option<Claimed>) -> Markup {
    let whole = |listeners: f64| number(listeners.max(0.0) as u64);
    html! { @if let Some(claim) = claimed {
        " It claims " (whole(claim.listeners)) " listeners at once (95 % interval: " (whole(claim.low)) " to " (whole(claim.high)) "); the page is where its driver ran."
    } }
}

#[cfg(test)]
mod tests {
    use hustings_control::ids::UnixMillis;

    use super::*;
    use crate::rehearsal::Outcome;

    const ENDED: u64 = 1_794_484_800_000;

    fn kept(id: &str) -> Kept {
        let outcome = Outcome {
            what: "claim".to_owned(),
            part: 1,
            of: 1,
            came: 40,
            heard: 40,
            claimed: Some(Claimed {
                listeners: 4_812.0,
                low: 4_500.4,
                high: 5_100.0,
            }),
            ..Outcome::default()
        };
        Kept {
            id: id.to_owned(),
            begun: ENDED - 61_000,
            ended: ENDED,
            peak: 40,
            outcomes: vec![outcome],
            ..Kept::default()
        }
    }

    #[test]
    fn what_was_rehearsed_before_a_restart_is_shown_newest_first() {
        let mut now = Now::empty(UnixMillis(ENDED + 86_400_000));
        assert!(rehearsals(&now).into_string().contains("None yet."));
        let mut failed = kept("00000000000000bb");
        failed.outcomes[0].harmed = 3;
        failed.outcomes[0].claimed = None;
        now.kept = vec![kept("00000000000000aa"), failed];
        let shown = rehearsals(&now).into_string();
        for words in [
            "11:58:59 UTC",
            "12 November 2026",
            "Claim, passed; 40 of 40 heard, 40 listened at once. It claims 4,812 listeners at once (95 % interval: 4,500 to 5,100)",
            "Claim, not passed: 3 were harmed",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(!shown.contains("None yet.") && !shown.contains("End it"));
        assert!(shown.find("bb</code>") < shown.find("aa</code>"), "{shown}");
        now.kept = vec![kept("00000000000000aa"); KEPT_SHOWN_MAX + 3];
        let many = rehearsals(&now).into_string();
        assert_eq!(many.matches("data-rehearsal").count(), KEPT_SHOWN_MAX);
        assert!(many.contains("3 older are kept"), "{many}");
    }
}
