//! Rehearsals under way: what each does of what its permit allows, and its end.

use hustings_control::ids::UnixMillis;
use maud::{Markup, html};

use super::view::Now;
use crate::pages::words::{As, moment, number};
use crate::rehearsal::Told;

pub(super) fn rehearsals(now: &Now) -> Markup {
    html! { section data-part="rehearsals" aria-labelledby="re" {
        (super::head("re", "Rehearsals", "under way, and of the last hour"))
        @if now.rehearsals.is_empty() { p class="soft" { "None. Their listeners would be counted apart." } }
        @for one in &now.rehearsals { (rehearsal(one, now.at)) }
    } }
}

fn rehearsal(one: &Told, now: UnixMillis) -> Markup {
    let state = if one.ended {
        "ended by an operator"
    } else if one.until <= now.0 {
        "its permit has run out"
    } else {
        "under way"
    };
    html! { div class="stack tight" data-rehearsal=(one.id) {
        p { b { code { (one.id) } } ", " (state) ". Its newest request came at " (moment(UnixMillis(one.last), As::Clock, now)) "; its permit holds until " (moment(UnixMillis(one.until), As::Clock, now)) "." }
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
