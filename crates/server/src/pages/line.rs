//! `/s/{id}/line`: the page that waits by itself, for those without script. Its place is in its links, so that it lives
//! with whoever waits, and never in a shared cache.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use hustings_control::gate::line::Estimate;
use hustings_control::gate::{Ask, Cause, Door, Reason, Shows, Verdict, Waiting};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, OWN, Page, Serve};
use super::home;
use super::words::number;
use crate::api::App;
use crate::api::knock::{client, not_foreign};
use crate::live::SpaceHandle;

/// Seconds between two looks at most: whoever has no script learns of a turn only so.
const REFRESH_S_MAX: u32 = 60;

#[derive(Deserialize)]
pub(super) struct Asked {
    place: Option<String>,
}

/// Where somebody without script stands.
pub(super) enum LineState {
    /// No ticket is needed now.
    Open,
    /// A seat is held for this ticket.
    Turn {
        ticket: String,
    },
    Waiting {
        waiting: Waiting,
        place: String,
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
    let door = handle.door.load_full();
    let Some(door) = door.filter(|_| not_foreign_page(&request)) else {
        return Redirect::to(&format!("/s/{}", handle.id)).into_response();
    };
    let state = stand(
        &app,
        &door,
        client(&request),
        asked.place.unwrap_or_default(),
    );
    show(&handle, &state)
}

/// A page of another site may link here, but must not knock by pictures and frames.
fn not_foreign_page(request: &Request) -> bool {
    let mode = request.headers().get("sec-fetch-mode");
    mode.is_none_or(|mode| mode == "navigate") || not_foreign(request.headers()).is_ok()
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
            cause: Cause::Open, ..
        })
        | Verdict::Prove(_) => LineState::Open,
        Verdict::Wait(waiting) => LineState::Waiting {
            place: waiting
                .place
                .map_or(place, |place| place.as_str().to_owned()),
            waiting,
        },
        Verdict::TurnAway(reason) => LineState::TurnedAway(reason),
    }
}

fn show(handle: &SpaceHandle, state: &LineState) -> Response {
    let space = handle.snapshot.load();
    let id = handle.id.as_str();
    let (heading, again) = match state {
        LineState::Open | LineState::Turn { .. } => ("It is your turn", None),
        LineState::Waiting { waiting, place } => {
            let seconds = waiting.poll_ms.div_ceil(1_000).clamp(1, REFRESH_S_MAX);
            (
                "In line",
                Some((seconds, format!("/s/{id}/line?place={place}"))),
            )
        }
        LineState::TurnedAway(_) => ("At the door", Some((2, format!("/s/{id}/line")))),
    };
    let page = Page {
        title: format!("{heading}: {}", space.title),
        main: html! { div class="wrap" {
            h1 { (space.title) }
            h2 { (heading) }
            (words(id, state))
            @if let Some((_, next)) = &again { p { a href=(next) { "Look now" } } }
            p { a href={ "/s/" (id) } { "About this space" } }
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
    // The place stands in the address: it is not for the next site.
    response.headers_mut().insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

fn words(id: &str, state: &LineState) -> Markup {
    match state {
        LineState::Open => sound(&format!("/s/{id}/live.ogg")),
        LineState::Turn { ticket } => sound(&format!("/s/{id}/live.ogg?t={ticket}")),
        LineState::Waiting { waiting, .. } => html! {
            @if waiting.ahead > 0 { p { (number(waiting.ahead)) " before you." } }
            p { (wait(waiting)) }
            p { "This page looks again by itself. Your place is in its address: keep the page, or the address." }
        },
        LineState::TurnedAway(reason) => html! { p data-reason=(reason.name()) {
            "Your place is no longer good. This page takes a new one by itself."
        } },
    }
}

fn sound(source: &str) -> Markup {
    html! {
        audio controls autoplay src=(source) {}
        p { "If it does not begin by itself, press play, or " a href=(source) { "open the sound" } "." }
    }
}

fn wait(waiting: &Waiting) -> String {
    let minutes = |seconds: u32| seconds.div_ceil(60).max(1);
    match (waiting.cause, waiting.wait) {
        (Cause::NodeFull, _) => "This node is full. You keep your place.".to_owned(),
        (Cause::PrefixShare, _) => {
            "Many listen from your network already; others come first. You keep your place."
                .to_owned()
        }
        (Cause::NoSeat, _) => "It is your turn as soon as a seat is free.".to_owned(),
        (_, Estimate::Between(_, 0)) => "It is about to be your turn.".to_owned(),
        (_, Estimate::Between(low, high)) => {
            format!("About {} to {} minutes.", minutes(low), minutes(high))
        }
        (_, Estimate::Unknown) => "Nobody can say yet how long it takes.".to_owned(),
    }
}
