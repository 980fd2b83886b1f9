//! Parts that several pages show: the rail, name plates, the Listen button, and the roster's JSON.

use bytes::Bytes;
use hustings_control::ids::{PersonId, UnixMillis};
use hustings_control::limits::SPEAKERS_MAX;
use hustings_control::numbers::Number;
use hustings_control::spaces::space::Person;
use hustings_control::spaces::{Phase, Role, Seat, Space};
use maud::{Markup, html};
use serde_json::json;

use super::frame::icon;
use super::words::{As, moment, number};

pub(super) const fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Posted => "posted",
        Phase::Open => "open",
        Phase::Live => "live",
        Phase::Ended => "ended",
        Phase::Cancelled => "cancelled",
    }
}

/// A recording that can be heard: its object and milliseconds.
pub(super) fn replay_of(space: &Space) -> Option<(&str, u64)> {
    space
        .recording
        .as_ref()
        .filter(|r| !r.deleted)
        .map(|r| (r.object.as_str(), r.millis))
}

/// Where this space stands in its own time.
pub(super) fn rail(space: &Space, now: UnixMillis) -> Markup {
    let replay = replay_of(space).is_some();
    let step = match space.phase {
        Phase::Posted | Phase::Cancelled => 0,
        Phase::Open => 1,
        Phase::Live => 2,
        Phase::Ended => 3,
    };
    let near = |at: Option<UnixMillis>, before: &str, none: &str| {
        html! {
            @match at { Some(at) => { (before) (moment(at, As::Near, now)) }, None => (none) }
        }
    };
    let doors = near(
        space.opened_at,
        "",
        if step == 0 {
            "before the start"
        } else {
            "not opened"
        },
    );
    let live = near(
        space.live_at.or(space.starts_at),
        if step == 2 { "since " } else { "" },
        "no time yet",
    );
    let last = match (space.phase, replay) {
        (Phase::Ended, true) => html! { "you are here" },
        (Phase::Ended, false) => near(space.ended_at, "", ""),
        (Phase::Cancelled, _) => html! { "none" },
        _ if space.record => html! { "same link" },
        _ => html! { "no recording" },
    };
    let last_name = if space.phase == Phase::Ended && !replay {
        "Ended"
    } else {
        "Replay"
    };
    let first_name = if space.phase == Phase::Cancelled {
        "Cancelled"
    } else {
        "Posted"
    };
    let stations = [
        (first_name, moment(space.created_at, As::Near, now)),
        ("Doors", doors),
        ("Live", live),
        (last_name, last),
    ];
    html! {
        ol class="rail" aria-label="Where this space stands" {
            @for (index, (name, small)) in stations.into_iter().enumerate() {
                li class={ @if index < step { "done" } @else if index == step { "now" } @if index == step && space.phase == Phase::Live { " lit" } }
                    aria-current=[(index == step).then_some("step")] { b { (name) } small { (small) } }
            }
        }
    }
}

/// What the operator tells everybody, for those without script; the script shows it in its banner.
pub(super) fn message(space: &Space) -> Markup {
    html! { @if !space.message.is_empty() { noscript { p class="stand" { b { "From the operator. " } bdi { (space.message) } } } } }
}

/// The link that works without script; the script turns it into a button.
pub(super) fn listen(space: &Space, name: &str, small: Markup) -> Markup {
    html! {
        a class="listen" id="listen" href={ "/s/" (space.id) "/live.ogg" } {
            span class="eye" { (icon("play")) }
            span { b { (name) } small { (small) } }
            svg class="row-of" viewBox="0 0 104 48" aria-hidden="true" focusable="false" {
                path d="M0 48v-7h5v7zM8 48v-11h5v11zM16 48v-8h5v8zM24 48v-14h5v14zM32 48v-9h5v9zM40 48v-12h5v12zM48 48v-7h5v7zM56 48v-16h5v16zM64 48v-10h5v10zM72 48v-8h5v8zM80 48v-13h5v13zM88 48v-9h5v9zM96 48v-6h5v6z" {}
            }
        }
        noscript { audio controls preload="none" src={ "/s/" (space.id) "/live.ogg" } {} }
    }
}

/// Those who are seen on stage: seated ones while a stage runs, else those who are expected to speak.
pub(super) fn on_stage(space: &Space) -> Vec<(PersonId, &Person)> {
    let running = matches!(space.phase, Phase::Open | Phase::Live);
    let mut people: Vec<_> = space
        .people
        .iter()
        .filter(|(_, p)| {
            !p.banned
                && if running {
                    p.seat != Seat::None
                } else {
                    p.role >= Role::Speaker
                }
        })
        .map(|(id, p)| (*id, p))
        .collect();
    people.sort_by_key(|(id, p)| (std::cmp::Reverse(p.role), *id));
    people
}

pub(super) fn stage(space: &Space) -> Markup {
    let people = on_stage(space);
    let running = matches!(space.phase, Phase::Open | Phase::Live);
    html! {
        section class="stage" aria-labelledby="onstage" {
            div class="head" {
                h2 id="onstage" { @if running { "On stage" } @else { "Who speaks" } }
                @if running { span class="soft" { span id="places" { (people.len()) } " of " (SPEAKERS_MAX) " places" span id="hands" {
                    @if !space.hands.is_empty() { " · " (hands(space.hands.len())) }
                } } }
            }
            ul class="plates" id="plates" { @for (id, person) in &people { (plate(*id, person, running)) } }
            div class="plank" {}
            p class="small soft" id="nobody" hidden[!people.is_empty()] { @if running { "Nobody is on stage yet." } @else { "Nobody has taken a place yet." } }
        }
    }
}

pub(super) fn hands(count: usize) -> String {
    match count {
        1 => "1 hand".into(),
        n => format!("{} hands", number(n as u64)),
    }
}

fn plate(id: PersonId, person: &Person, running: bool) -> Markup {
    let lost = matches!(person.seat, Seat::LostSince(_));
    let muted = person.muted || person.muted_by_host;
    let (class, word) = match (running, lost, person.muted_by_host, muted) {
        (false, ..) => ("", ""),
        (_, true, ..) => ("lost", "Connection lost, seat is kept"),
        (_, _, true, _) => ("muted", "Muted by the host"),
        (_, _, _, true) => ("muted", "Muted"),
        _ => ("open", "Microphone open"),
    };
    let lamp = match class {
        "muted" => "off",
        other => other,
    };
    let role = match person.role {
        Role::Host => "Host",
        Role::CoHost => "Co-host",
        _ => "",
    };
    let small = match (role, word) {
        ("", "") => "Speaker".to_owned(),
        (role, "") => role.to_owned(),
        ("", word) => word.to_owned(),
        (role, word) => format!("{role} · {}{}", word[..1].to_lowercase(), &word[1..]),
    };
    html! {
        li class={ "plate " (class) } data-person=(format!("{:016x}", id.0)) {
            span class={ "lamp " (lamp) } aria-hidden="true" {}
            span class="who" { b { bdi { (person.name) } } small { (small) } }
        }
    }
}

/// The roster as its contract says, made from the snapshot alone: for spaces whose stage does not run.
pub(super) fn roster_of(space: &Space, listening: u64) -> Bytes {
    let people: Vec<_> = on_stage(space)
        .into_iter()
        .map(|(id, p)| {
            json!({"id": format!("{:016x}", id.0), "name": p.name, "role": p.role, "level": 0, "muted": p.muted || p.muted_by_host,
                "lost": matches!(p.seat, Seat::LostSince(_)), "reason": null})
        })
        .collect();
    let replay = replay_of(space);
    let value = json!({
        "v": 1, "id": space.id, "phase": phase_word(space.phase), "title": space.title, "startsAt": space.starts_at, "liveAt": space.live_at,
        "endedAt": space.ended_at, "listening": listening, "recording": space.record && space.phase == Phase::Live, "music": space.hold_music,
        "locked": space.stage_locked, "hands": space.hands.len(), "hostLost": false, "deadAir": false, "cadenceMs": 100, "mediaMs": 0,
        "people": people, "replay": replay.is_some(), "replayMs": replay.map(|(_, millis)| millis), "cancelReason": space.cancel_reason,
    });
    value.to_string().into()
}

/// Name, icon and word of each reaction, in the order they stand.
pub(super) const REACTIONS: [(&str, &str, &str); 4] = [
    ("applaud", "clap", "Applaud"),
    ("agree", "check", "Agree"),
    ("disagree", "cross", "Disagree"),
    ("louder", "sound", "Louder"),
];

/// The microphone, always at hand. Hidden until the script has somebody who may speak.
pub(super) fn deck() -> Markup {
    html! {
        section class="deck" id="deck" aria-label="Your microphone" hidden { div class="wrap" {
            button class="mic" id="mic" type="button" aria-pressed="true" disabled {
                (icon("micoff")) span { b id="mic-state" { "Your microphone is not open yet" } small id="mic-does" {} }
            }
            div class="meter" id="meter" {
                div class="bar" id="bar" role="meter" aria-label="Level of your microphone" aria-valuemin="0" aria-valuemax="100" aria-valuenow="0" aria-valuetext="nothing" { span class="aim" {} }
                div class="marks" aria-hidden="true" { span { "too quiet" } span { "good" } span { "too loud" } }
            }
            div class="btns" id="deck-does" {}
        } }
    }
}

/// A number's definition as a sentence, to stand beside it.
pub(super) fn means(number: Number) -> String {
    let definition = number.definition();
    let mut words = definition.words.to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{words}; {}.", definition.exactness)
}
