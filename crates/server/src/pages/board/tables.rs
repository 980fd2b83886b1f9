//! Tables of the board, and the forms of what can be done.

use hustings_control::gate::Lane;
use hustings_control::limits::MESSAGE_CHARS_MAX;
use hustings_control::spaces::Phase;
use maud::{Markup, html};

use super::view::Now;
use crate::api::App;
use crate::glance::Glance;
use crate::pages::words::number;
use crate::preflight::{EXPECT_DEFAULT, Preflight, Verdict};

/// Rows of a table; of more spaces the fullest are shown.
const ROWS_MAX: usize = 24;

pub(super) fn spaces(now: &Now) -> Markup {
    let seats = now.standing.map_or(0, |standing| standing.capacity);
    html! { section data-part="spaces" aria-labelledby="sh" {
        (super::head("sh", "Spaces and their shares", "a share is guaranteed, idle rest is lent"))
        (table("sh", &["Space", "Door", "Inside", "Waiting", "Of all seats"], html! {
            @for glance in now.spaces.iter().take(ROWS_MAX) {
                @let inside = glance.door.map_or(0, |door| door.inside);
                @let part = u64::from(inside) * 100 / u64::from(seats.max(1));
                tr {
                    th scope="row" { a href={ "/board?open=" (glance.space.id) "#do" } { bdi { (glance.space.title) } } }
                    td { (door_word(glance)) }
                    td class="num" { (number(inside.into())) }
                    td class="num" { (number(glance.waiting())) }
                    td { progress max="100" value=(part) aria-label={ (glance.space.title) ", part of all seats in use: " (part) " per cent" } {} }
                }
            }
        }))
        @if now.spaces.is_empty() { p class="soft" { "No space is posted, open or live." } }
    } }
}

fn door_word(glance: &Glance) -> String {
    match glance.door {
        None => "opens".to_owned(),
        Some(door) if door.wish.dropped => "dropped".to_owned(),
        Some(door) if door.wish.paused => "paused".to_owned(),
        Some(door) => door.mode.name().to_owned(),
    }
}

/// How the newest second's knocks spread. Networks are never shown: what is kept of them is salted.
pub(super) fn prefixes(app: &App) -> Markup {
    let (knocks, distinct, entropy) = app.entrance.book().spread;
    html! { section data-part="prefixes" aria-labelledby="at" {
        (super::head("at", "Who knocks", "whole networks, never persons"))
        (table("at", &["Of the busiest core’s newest second with knocks", "Number"], html! {
            tr { th scope="row" { "Knocks" } td class="num" { (number(knocks.into())) } }
            tr { th scope="row" { "Networks (/24, /56), about" } td class="num" { (number(distinct.round() as u64)) } }
            tr { th scope="row" { "Spread, in bits" } td class="num" { (format!("{:.1}", entropy.abs())) } }
        }))
        p class="small soft" { "A crowd has many networks and near 8 bits; a flood from few networks has few." }
    } }
}

pub(super) fn stage(now: &Now) -> Markup {
    let running = || {
        let runs = |glance: &&Glance| matches!(glance.space.phase, Phase::Open | Phase::Live);
        now.spaces.iter().filter(runs)
    };
    html! { section data-part="stage" aria-labelledby="st" {
        (super::head("st", "On stage", ""))
        (table("st", &["Space", "Stage", "Who", "Recording"], html! {
            @for glance in running().take(ROWS_MAX) {
                tr {
                    th scope="row" { bdi { (glance.space.title) } }
                    td { (stage_word(glance)) }
                    td { @for (index, person) in glance.stage.people.iter().enumerate() {
                        @if index > 0 { ", " } bdi { (person.name) } (if person.lost { " (lost)" } else if person.muted { " (muted)" } else { "" })
                    } @if glance.stage.people.is_empty() { "nobody" } }
                    td { (if glance.stage.recording { "yes" } else { "no" }) }
                }
            }
        }))
        @if running().next().is_none() { p class="soft" { "No stage runs." } }
    } }
}

fn stage_word(glance: &Glance) -> &'static str {
    let stage = &glance.stage;
    match glance.space.phase {
        Phase::Open => "doors open, hold music",
        _ if stage.host_lost => "host lost",
        _ if stage.music => "hold music",
        _ if stage.dead_air => "silent",
        _ => "live",
    }
}

pub(super) fn lanes(app: &App) -> Markup {
    let sum = app.entrance.book().sum;
    html! { section data-part="lanes" aria-labelledby="la" {
        (super::head("la", "The door by lane", "since the start"))
        (table("la", &["Lane", "Knocks", "Entered", "In line", "Puzzles", "Turned away"], html! {
            @for lane in Lane::ALL {
                @let tally = sum.lane(lane);
                tr {
                    th scope="row" { (lane.name()) }
                    @for count in [tally.offered, tally.admitted(), tally.waiting.iter().sum(), tally.proving, tally.turned_away.iter().sum()] { td class="num" { (number(count)) } }
                }
            }
        }))
    } }
}

/// The form that asks for it.
pub(super) fn preflight_form(now: &Now) -> Markup {
    html! { section data-part="preflight" aria-labelledby="pf" {
        (super::head("pf", "Preflight", "go or no-go before an event"))
        form class="form" method="get" action="/board/preflight" {
            label class="stacked" { "Space" span class="field" { select name="space" {
                option value="" { "the node alone" }
                @for glance in now.spaces.iter().take(ROWS_MAX) { option value=(glance.space.id) { (glance.space.title) } }
            } } }
            label class="stacked" { "People expected at once" span class="field" { input type="number" name="expect" min="1" value=(EXPECT_DEFAULT) required; } }
            label class="tick" { input type="checkbox" name="without_rehearsal" value="true"; "Go without a rehearsal" }
            div class="btns" { button class="btn slim" type="submit" { "Look" } }
        }
    } }
}

pub(super) fn preflight(seen: &Preflight) -> Markup {
    let word = |verdict: Verdict| match verdict {
        Verdict::Go => "go",
        Verdict::NoGo => "no-go",
        Verdict::Unknown => "not known",
    };
    let stops = seen
        .lines
        .iter()
        .filter(|line| line.verdict == Verdict::NoGo)
        .count();
    html! { div class="wrap board" { div class="sect stack" id="preflight" data-go=(seen.go) {
        h1 class="verdict" { @if seen.go { "Go." } @else if stops == 1 { "No-go: one thing stops it." } @else { "No-go: " (stops) " things stop it." } }
        p class="soft" { "For " (number(seen.expect.into())) " people at once" @if let Some(space) = &seen.space { ", in " (space) } ". What is not known stops nobody, but somebody must know it." }
        h2 id="lines" class="vh" { "Lines" }
        // On a phone its rows stand one below the other: roles keep it a table for those who do not see that.
        table class="stacks" role="table" aria-labelledby="lines" {
            thead role="rowgroup" { tr role="row" { @for head in ["Line", "Verdict", "Seen", "Needed", "What to do"] { th scope="col" role="columnheader" { (head) } } } }
            tbody role="rowgroup" { @for line in &seen.lines { tr role="row" data-line=(line.name) {
                th scope="row" role="rowheader" { (line.name) } td role="cell" { @if line.verdict == Verdict::NoGo { b { (word(line.verdict)) } } @else { (word(line.verdict)) } }
                td role="cell" data-head="Seen" { (line.seen) } td role="cell" data-head="Needed" { (line.needed) } td role="cell" data-head="Do" { (line.todo) }
            } } }
        }
        p { a class="btn" href="/board" { "Back to the board" } }
    } } }
}

fn table(label: &str, heads: &[&str], rows: Markup) -> Markup {
    const NUMBERS: [&str; 9] = [
        "Inside",
        "Waiting",
        "Number",
        "Knocks",
        "Entered",
        "In line",
        "Puzzles",
        "Turned away",
        "Forged",
    ];
    html! { div class="scroll" tabindex="0" role="group" aria-labelledby=(label) { table {
        thead { tr { @for head in heads { th scope="col" class=[NUMBERS.contains(head).then_some("num")] { (head) } } } }
        tbody { (rows) }
    } } }
}

/// Forms that ask first, each with its space: none is open by itself where there are several, for what is at hand is pressed. They hold still while somebody fills them in: the script leaves what has the focus.
pub(super) fn doings(app: &App, now: &Now, open: &str) -> Markup {
    let bounds = app.directory.pace.bounds();
    html! { section class="stack tight" data-part="doings" aria-labelledby="do" {
        (super::head("do", "What you can do", "each is asked twice and kept in the audit trail"))
        @if now.spaces.is_empty() { p class="soft" { "No space is posted, open or live." } }
        @for glance in now.spaces.iter().take(ROWS_MAX) { (doings_of(glance, now.spaces.len() == 1 || glance.space.id.as_str() == open)) }
        @if now.spaces.len() > 1 {
            details class="doing" data-space="*" { summary { "All " (now.spaces.len()) " spaces" }
                div class="btns" { (button("pause", "*", "Pause all doors…", "")) (button("resume", "*", "Open all doors…", "")) }
                (tell("*", "", "all spaces"))
            }
        }
        details class="doing" { summary { "Cadence: " (bounds.min_ms()) " to " (bounds.max_ms()) " ms" }
            form class="form" method="get" action="/board/ask" {
                input type="hidden" name="does" value="cadence";
                label class="stacked" { "At least, in milliseconds" span class="field" { input type="number" name="min_ms" min="100" max="2000" value=(bounds.min_ms()) required; } }
                label class="stacked" { "At most" span class="field" { input type="number" name="max_ms" min="100" max="2000" value=(bounds.max_ms()) required; } }
                div class="btns" { button class="btn slim" type="submit" { "Move the bounds…" } }
            }
        }
    } }
}

fn doings_of(glance: &Glance, open: bool) -> Markup {
    let id = glance.space.id.as_str();
    let wish = glance.door.map(|door| door.wish).unwrap_or_default();
    let music = glance.space.hold_music;
    let title = &glance.space.title;
    html! { details class="doing" data-space=(id) open[open] { summary { bdi { (glance.space.title) } }
        div class="btns" {
            @if wish.paused { (button("resume", id, "Open the door…", title)) } @else { (button("pause", id, "Pause the door…", title)) }
            @if wish.dropped { (button("restore", id, "Give the door back…", title)) } @else { (button("drop", id, "Drop the public door…", title)) }
            @if glance.space.phase == Phase::Live {
                @if music { (button("music-off", id, "Hold music off…", title)) } @else { (button("music", id, "Hold music on…", title)) }
            }
        }
        (tell(id, &glance.space.message, title))
        details { summary class="small" { "Limits" }
            form class="form" method="get" action="/board/ask" {
                input type="hidden" name="does" value="limits"; input type="hidden" name="space" value=(id);
                label class="stacked" { "Listeners at most" span class="field" { input type="number" name="limit" min="1" value=[wish.limit] placeholder="as many as there are seats"; } }
                label class="stacked" { "Share that is always kept, per cent" span class="field" { input type="number" name="share" min="0" max="100" step="0.1" value=[wish.guaranteed.map(|share| share * 100.0)] placeholder="the node’s"; } }
                div class="btns" { button class="btn slim" type="submit" { "Change the limits…" (whose(title)) } }
            }
        }
    } }
}

/// For those who hear a button's name alone.
fn whose(title: &str) -> Markup {
    html! { @if !title.is_empty() { span class="vh" { " (" (title) ")" } } }
}

fn tell(space: &str, message: &str, title: &str) -> Markup {
    html! { form class="tell" method="get" action="/board/ask" {
        input type="hidden" name="does" value="tell";
        input type="hidden" name="space" value=(space);
        label class="stacked" { "Message to listeners and those who wait" span class="field" { input type="text" name="message" maxlength=(MESSAGE_CHARS_MAX) value=(message); } }
        div class="btns" { button class="btn slim" type="submit" { "Tell them…" (whose(title)) } }
    } }
}

fn button(does: &str, space: &str, words: &str, title: &str) -> Markup {
    html! { form method="get" action="/board/ask" {
        input type="hidden" name="does" value=(does);
        input type="hidden" name="space" value=(space);
        button class="btn slim" type="submit" { (words) (whose(title)) }
    } }
}
