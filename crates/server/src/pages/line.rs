//! `/s/{id}/line`: the page that waits by itself, for those without script. Its place is in its links, so that it lives
//! with whoever waits, and never in a shared cache.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use hustings_control::gate::line::Estimate;
use hustings_control::gate::{Ask, Cause, Door, Mode, Reason, Shows, Verdict, Waiting};
use hustings_control::ids::UnixMillis;
use hustings_control::spaces::Space;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, OWN, Page, Serve, icon};
use super::words::number;
use super::{home, parts};
use crate::api::App;
use crate::api::knock::{client, is_own_visit};
use crate::live::SpaceHandle;

/// Seconds between two looks, whatever the gate says: a page costs more than a knock, and whoever has no script learns of a
/// turn only so.
const REFRESH_S_MIN: u32 = 3;
const REFRESH_S_MAX: u32 = 60;
/// Seconds to the first look when nobody knows how long it takes; each later one waits twice as long, up to what the gate says.
const REFRESH_S_SOON: u32 = 6;
/// Looks in a row that are counted in the link: by then the gate's own time is shorter.
const LOOKS_MAX: u32 = 4;
/// People drawn before somebody at most: more are too small to see.
const QUEUE_DRAWN: u64 = 40;

#[derive(Deserialize)]
pub(super) struct Asked {
    place: Option<String>,
    /// Looks in a row at which nobody knew how long it takes.
    looks: Option<u32>,
}

/// Where somebody without script stands.
pub(super) enum LineState {
    /// No ticket is needed now.
    Open,
    /// A seat is held for this ticket.
    Turn { ticket: String },
    Waiting {
        waiting: Waiting,
        place: String,
        /// Milliseconds to the draw that this place takes part in.
        draw_ms: Option<u64>,
    },
    /// What was shown is worth nothing; the next look begins anew.
    TurnedAway(Reason),
}

pub(super) async fn page(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let Some(handle) = app.directory.by_text(&id) else {
        return home::lost(&app, "There is no space under this link.");
    };
    handle
        .counts
        .pages
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let door = handle.door.load_full();
    let Some(door) = door.filter(|_| is_own_visit(request.headers())) else {
        return Redirect::to(&format!("/s/{}", handle.id)).into_response();
    };
    let state = stand(
        &app,
        &door,
        client(&request),
        asked.place.unwrap_or_default(),
    );
    let again = again(&handle, &state, asked.looks.unwrap_or(0).min(LOOKS_MAX));
    show(&handle, &state, again, app.clock.wall())
}

fn stand(app: &App, door: &Arc<Door>, from: IpAddr, place: String) -> LineState {
    let mut wicket = app.wicket.lock().unwrap_or_else(PoisonError::into_inner);
    let shows = if place.is_empty() {
        Shows::Nothing
    } else {
        Shows::Token(place.as_bytes())
    };
    match wicket.knock(door, from, Ask::Right, shows) {
        Verdict::Enter(entry) => {
            wicket.hold(entry.pass);
            match entry.ticket {
                Some(ticket) => LineState::Turn {
                    ticket: ticket.as_str().to_owned(),
                },
                None => LineState::Open,
            }
        }
        Verdict::Wait(Waiting {
            cause: Cause::Open,
            place: Some(ticket),
            ..
        }) => LineState::Turn {
            ticket: ticket.as_str().to_owned(),
        },
        Verdict::Wait(Waiting {
            cause: Cause::Open, ..
        })
        | Verdict::Prove(_) => LineState::Open,
        Verdict::Wait(waiting) => LineState::Waiting {
            place: waiting
                .place
                .map_or(place, |place| place.as_str().to_owned()),
            waiting,
            draw_ms: door
                .draws_in_ms(wicket.now())
                .filter(|_| door.mode() == Mode::Storm),
        },
        Verdict::TurnAway(reason) => LineState::TurnedAway(reason),
    }
}

/// When the page looks again, and where; none when there is nothing to wait for.
fn again(handle: &SpaceHandle, state: &LineState, looks: u32) -> Option<(u32, String)> {
    let line = format!("/s/{}/line", handle.id);
    match state {
        LineState::Open | LineState::Turn { .. } => None,
        LineState::TurnedAway(Reason::Closed) => Some((REFRESH_S_MAX, line)),
        LineState::TurnedAway(_) => Some((REFRESH_S_MIN, line)),
        LineState::Waiting {
            waiting,
            place,
            draw_ms,
        } => {
            let seconds = waiting.poll_ms.div_ceil(1_000);
            let known = waiting.wait != Estimate::Unknown || draw_ms.is_some();
            let (seconds, looks) = if known {
                (seconds, String::new())
            } else {
                (
                    seconds.min(REFRESH_S_SOON << looks),
                    format!("&looks={}", looks + 1),
                )
            };
            // A busy door only asks to come twice.
            let least = if waiting.poll_ms <= 1_000 {
                1
            } else {
                REFRESH_S_MIN
            };
            Some((
                seconds.clamp(least, REFRESH_S_MAX),
                format!("{line}?place={place}{looks}"),
            ))
        }
    }
}

fn show(
    handle: &SpaceHandle,
    state: &LineState,
    again: Option<(u32, String)>,
    now: UnixMillis,
) -> Response {
    let space = handle.snapshot.load();
    let (heading, title) = match state {
        LineState::Open | LineState::Turn { .. } => ("Your turn.", "Your turn".to_owned()),
        LineState::TurnedAway(Reason::Closed) => ("The door is closed.", "Closed".to_owned()),
        LineState::TurnedAway(_) => ("At the door.", "You are in line".to_owned()),
        LineState::Waiting { waiting, .. } => {
            let title = match waiting.wait {
                Estimate::Between(..) => format!(
                    "You are in line, place {}",
                    number(waiting.position.saturating_add(1))
                ),
                Estimate::Unknown => "You are in line".to_owned(),
            };
            ("You are in line. This page lets you in.", title)
        }
    };
    let page = Page {
        title: format!("{title}: {}", space.title),
        icons: &["sound", "phone", "wait", "play"],
        again: again.clone(),
        main: html! { div class="wrap" id="view" {
            (parts::rail(&space, now))
            div class="stack loose near" id="line" {
                div class="stack tight" {
                    h1 { (heading) }
                    p class="stand" { @if again.is_some() && !matches!(state, LineState::TurnedAway(Reason::Closed)) { "More people want to hear " cite { (space.title) } " than come in now." } @else { (space.title) } }
                }
                @if !space.message.is_empty() { p id="message" { b { "From the operator. " } bdi { (space.message) } } }
                (body(&space, state, again.as_ref()))
            }
        } },
        ..Page::default()
    };
    let serve = Serve {
        status: StatusCode::OK,
        cache: OWN,
        connect: "",
    };
    let mut response = frame::respond(page, &serve);
    if let Some((seconds, next)) = again
        && let Ok(refresh) = HeaderValue::from_str(&format!("{seconds}; url={next}"))
    {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

fn body(space: &Space, state: &LineState, again: Option<&(u32, String)>) -> Markup {
    let id = &space.id;
    match state {
        LineState::Open => sound(&format!("/s/{id}/live.ogg")),
        LineState::Turn { ticket } => sound(&format!("/s/{id}/live.ogg?t={ticket}")),
        LineState::TurnedAway(reason) => html! { p data-reason=(reason.name()) {
            @if *reason == Reason::Closed { "Nobody new comes in for now. Who is inside hears on. This page looks again by itself." }
            @else { "Your place is no longer good. This page takes a new one by itself." }
        } },
        LineState::Waiting {
            waiting, draw_ms, ..
        } => html! {
            (ticket(waiting, draw_ms.is_some()))
            @if let Some((seconds, next)) = again {
                div class="btns" { a class="btn main" id="again" href=(next) { "Look now" } }
                p class="small soft" { "This page looks again by itself in " (seconds) " seconds." @if draw_ms.is_some() { " By then the draw is over." } }
                (help(space, id.as_str()))
            }
        },
    }
}

/// `drawn`: the draw is still to come, and no place says anything before it.
fn ticket(waiting: &Waiting, drawn: bool) -> Markup {
    let ahead = if drawn { 0 } else { waiting.ahead };
    html! {
        section class="ticket" aria-label="Your place in line" {
            div class="stub" {
                p class="small" { "Your place" }
                @if drawn {
                    p class="figure" { "\u{2013}" }
                    p class="small how" { "Places are drawn by lot." }
                } @else {
                    p class="figure" { (number(waiting.position.saturating_add(1))) }
                    p class="small how" { "Places go by arrival." }
                }
            }
            div {
                p id="line-wait" {
                    @if drawn {
                        b { "You take part in the draw." } br;
                        "Everybody who comes in the first seconds does. Coming earlier than others wins nothing."
                    } @else {
                        b { @match ahead { 0 => "Nobody is ahead of you.", 1 => "1 person is ahead of you.", _ => { (number(ahead)) " people are ahead of you." } } }
                        br; (wait(waiting))
                    }
                }
                (queue(ahead))
            }
        }
    }
}

/// You, those before you, and the door: decor.
fn queue(ahead: u64) -> Markup {
    let people = ahead.min(QUEUE_DRAWN);
    let tall = |i: u64| 20 + (i * i * 5 + i * 3) % 10;
    html! {
        svg class="queue" viewBox="0 0 600 68" aria-hidden="true" focusable="false" {
            rect class="you" x="60" y="14" width="6" height="48" {}
            circle class="ring" cx="63" cy="7" r="5" {}
            @for i in 0..people { rect class="them" x=(75 + i * 11) y=(62 - tall(i)) width="3.4" height=(tall(i)) {} }
            rect class="base" x="0" y="62" width="600" height="4" {}
            path class="base" d="M536 62V14h48v48h-5V19h-38v43z" {}
        }
    }
}

fn help(space: &Space, id: &str) -> Markup {
    html! {
        div class="cols even" {
            section class="stack" aria-labelledby="self" {
                h2 id="self" { "What happens by itself" }
                ul class="facts" {
                    li { (icon("sound")) span { "On your turn this page shows a player. Press play if it does not begin by itself." } }
                    li { (icon("phone")) span { "Your place stands in the address of this page: keep the page open, or keep the address." } }
                    li { (icon("wait")) span { "Reloading wins nothing and loses nothing. If your connection drops, your place is kept." } }
                }
            }
            section class="stack" aria-labelledby="cannot" {
                h2 id="cannot" { "If you cannot wait" }
                ul class="plain small" {
                    @if space.record { li { span class="grow" { "The recording will be under the link of this space" } } }
                    li { a class="grow" href={ "/s/" (id) } { "About this space" } }
                }
                p class="small soft" { "The line is the same for everybody: no account, no payment and no faster browser moves you forward." }
            }
        }
    }
}

fn sound(source: &str) -> Markup {
    html! {
        p { "The sound starts now. If it does not begin by itself, press play." }
        audio controls autoplay src=(source) {}
        p { a class="btn" href=(source) { (icon("play")) "Open the sound by itself" } }
    }
}

fn wait(waiting: &Waiting) -> String {
    let minutes = |seconds: u32| (seconds.saturating_add(30) / 60).max(1);
    match (waiting.cause, waiting.wait) {
        (Cause::NodeFull, _) => {
            "This server carries no more people at this moment. Your place is kept.".to_owned()
        }
        (Cause::PrefixShare, _) => {
            "Many people listen from your network already, and others come first. Your place is kept."
                .to_owned()
        }
        (Cause::NoSeat, _) | (_, Estimate::Between(_, 0..5)) => {
            "You are next. The next seat that comes free is yours.".to_owned()
        }
        (_, Estimate::Between(_, 5..60)) => "Less than a minute.".to_owned(),
        (_, Estimate::Between(low, high)) => {
            let about = minutes(low / 2 + high / 2);
            let unit = if about == 1 { "minute" } else { "minutes" };
            match (minutes(low), minutes(high)) {
                (low, high) if low == high => format!("About {about} {unit}, up to {}.", high + 1),
                (low, high) => format!("About {about} {unit}, between {low} and {high}."),
            }
        }
        (_, Estimate::Unknown) => {
            "People are entering slowly now, and we cannot say how long it takes. Your place is kept.".to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
