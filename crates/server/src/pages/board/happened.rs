//! What happened, newest first, in words. What an operator did can be undone from here, as long as it is the newest of its
//! kind.

use std::collections::BTreeSet;

use hustings_control::gate::{ModeOf, Resource, Step};
use hustings_control::ids::UnixMillis;
use hustings_evidence::judge::say_what;
use hustings_evidence::row::{Happening, What, Who};
use maud::{Markup, html};

use super::view::Now;
use crate::actions::Done;
use crate::pages::words::{As, duration, moment};
use crate::usher::NodeEvent;

/// Rows; older ones are in the records.
const ROWS_MAX: usize = 24;

pub(super) fn log(now: &Now) -> Markup {
    let mut seen = BTreeSet::new();
    let rows: Vec<_> = now
        .events
        .iter()
        .rev()
        // What an operator did stands there already, in a sentence.
        .filter(|event| !matches!(event, NodeEvent::Happening(one) if one.who == Who::Operator))
        .map(|event| (event, newest_of_its_kind(event, &mut seen)))
        .take(ROWS_MAX)
        .collect();
    html! { section data-part="log" aria-labelledby="ev" {
        (super::head("ev", "What happened", ""))
        @if rows.is_empty() { p class="soft" { "Nothing yet." } }
        ol class="log" { @for (event, newest) in rows {
            @let (at, words) = told(event, now);
            li { (moment(at, As::Second, now.at)) span { (words)
                @if let NodeEvent::Action(done) = event { @if newest && !done.undo.is_empty() { " " (undo(done)) } }
            } }
        } }
    } }
}

fn undo(done: &Done) -> Markup {
    html! { form class="undo" method="get" action="/board/ask" {
        @for (name, value) in &done.undo { input type="hidden" name=(name) value=(value); }
        button class="aslink" type="submit" aria-label={ "Undo: " (done.what) } { "Undo" }
    } }
}

/// Of doors, messages, music and cadence only the newest change of a space can be undone: the one before is no more.
fn newest_of_its_kind(event: &NodeEvent, seen: &mut BTreeSet<(String, String)>) -> bool {
    let NodeEvent::Action(done) = event else {
        return false;
    };
    let kind = match done.does.as_str() {
        "pause" | "resume" => "pause",
        "drop" | "restore" => "drop",
        other => other,
    };
    let space = done.space.as_ref().map(ToString::to_string);
    seen.insert((kind.to_owned(), space.unwrap_or_default()))
}

fn told(event: &NodeEvent, now: &Now) -> (UnixMillis, Markup) {
    match event {
        NodeEvent::Ladder(step) => {
            let words = match (step.to > step.from, step.to) {
                (true, Step::Cadence) => "The cadence widens",
                (true, Step::Side) => "Side features are shed",
                (true, _) => "Newcomers wait in line",
                (false, Step::Ground) => "All is as usual again",
                (false, Step::Cadence) => "Side features are back",
                (false, _) => "The line opens",
            };
            let share = f64::from(step.permille) / 10.0;
            (
                step.at,
                html! { (words) ": " (resource(step.because)) " in use: " (format!("{share:.0} %")) "." },
            )
        }
        NodeEvent::Mode(mode) => {
            let of = match &mode.of {
                ModeOf::Space(space) => format!("The door of “{}”", now.title(space)),
                ModeOf::Shard(shard) => format!("Core {shard}"),
            };
            (
                mode.at,
                html! { (of) " goes from " (mode.from.name()) " to " (mode.to.name()) ", because of " (resource(mode.because)) "." },
            )
        }
        NodeEvent::Happening(happening) => (happening.at, happened(happening, now)),
        NodeEvent::Action(done) => (
            done.at,
            html! { (done.what) " " span class="soft" { "by the " (done.by) } },
        ),
        NodeEvent::Alarm(change) if change.raised => {
            (change.at, html! { b { "Alarm. " } (change.alarm.what) })
        }
        NodeEvent::Alarm(change) => {
            let lasted = change.at.0.saturating_sub(change.alarm.since.0);
            (
                change.at,
                html! { b { "Over" } " after " (duration(lasted)) ", the alarm: " (change.alarm.what) },
            )
        }
    }
}

fn happened(one: &Happening, now: &Now) -> Markup {
    html! {
        @match one.what {
            What::NodeStarted => { "The node started, version " (one.after.as_str()) "." }
            What::NodeStopped => { "The node stopped in order." }
            What::NodeWasKilled => { "The run before was killed or lost its power." }
            _ => {
                @if let Some(space) = &one.space { bdi { (now.title(space)) } ": " }
                (super::sentence(&say_what(one)))
            }
        }
    }
}

fn resource(of: Resource) -> &'static str {
    match of {
        Resource::Cpu => "cores",
        Resource::Memory => "memory",
        Resource::Files => "open files",
        Resource::Uplink => "the uplink",
        Resource::Seats => "seats",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::{Alarm, Change, Kind};

    #[test]
    fn what_happened_is_told_in_sentences() {
        let now = Now::empty(UnixMillis(90_000_000));
        let happening = |what, name: &str, after: &str| {
            NodeEvent::Happening(Happening {
                what,
                name: name.into(),
                after: after.into(),
                ..Happening::default()
            })
        };
        let alarm = |raised| {
            NodeEvent::Alarm(Change {
                at: UnixMillis(21_000),
                raised,
                alarm: Alarm {
                    alarm: Kind::DeadAir,
                    space: None,
                    since: UnixMillis(5_000),
                    what: "Town hall: nobody has been heard for 10 s.".to_owned(),
                },
            })
        };
        for (event, words) in [
            (happening(What::ShieldGone, "", ""), "The shield was gone."),
            (
                happening(What::RehearsalBegan, "00af", "at most 5 listeners"),
                "A rehearsal began (00af): at most 5 listeners.",
            ),
            (alarm(true), "<b>Alarm. </b>Town hall: nobody"),
            (alarm(false), "<b>Over</b> after 16 s, the alarm: Town hall"),
        ] {
            let told = told(&event, &now).1.into_string();
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}
