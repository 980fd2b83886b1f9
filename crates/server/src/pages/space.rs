//! `/s/{id}`: the page of a space in each of its phases. The same for everyone, so that any cache may hold it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hustings_control::ids::UnixMillis;
use hustings_control::numbers::Number;
use hustings_control::spaces::{Phase, Space};
use maud::{Markup, html};

use super::frame::{self, CROWD_CACHE, Page, Serve, icon};
use super::words::{As, moment, number, title_moment};
use super::{assets, home, parts, replay};
use crate::api::App;
use crate::live::SpaceHandle;

/// Seconds after which a page without script looks again whether the doors are open.
const REFRESH_S: u32 = 30;

pub(super) async fn page(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.directory.by_text(&id) {
        Some(handle) => show(&app, &handle).await,
        None => home::lost(&app, "There is no space under this link."),
    }
}

pub(super) async fn show(app: &App, handle: &SpaceHandle) -> Response {
    handle
        .counts
        .pages
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let space = handle.snapshot.load_full();
    let now = app.clock.wall();
    let recording = parts::replay_of(&space).is_some();
    let main = match space.phase {
        Phase::Posted => posted(&space, now),
        Phase::Open | Phase::Live => running(&space, handle.counts.listening(), now),
        Phase::Ended if recording => {
            replay::player(
                app,
                &space,
                handle
                    .counts
                    .peak
                    .load(std::sync::atomic::Ordering::Relaxed),
                now,
            )
            .await
        }
        Phase::Ended => ended(&space, now),
        Phase::Cancelled => cancelled(&space, now),
    };
    let shown = if space.phase == Phase::Ended && recording {
        "replay"
    } else {
        parts::phase_word(space.phase)
    };
    let main = html! {
        div class="wrap" id="view" data-phase=(shown) data-starts=[space.starts_at.map(|t| t.0)] data-ended=[space.ended_at.map(|t| t.0)]
            data-record=(space.record) { (parts::rail(&space, now)) (parts::message(&space)) (main) }
    };
    let page = Page {
        title: title(&space, now),
        scripts: &["listen.js"],
        icons: &[
            "play", "pause", "sound", "soundoff", "date", "link", "hand", "mic", "micoff", "wait",
            "alert", "info", "save", "music", "cross", "clap", "check", "phone",
        ],
        refresh: matches!(space.phase, Phase::Posted).then_some(REFRESH_S),
        data: vec![
            ("space", space.id.to_string()),
            ("title", space.title.clone()),
            ("stage", app.stage_url.to_string()),
            ("hold", assets::href("hold.ogg")),
        ],
        main,
        after: parts::deck(),
        description: space.description.chars().take(200).collect(),
        ..Page::default()
    };
    frame::respond(
        page,
        &Serve {
            status: StatusCode::OK,
            cache: CROWD_CACHE,
            connect: &app.stage_url,
        },
    )
}

fn title(space: &Space, now: UnixMillis) -> String {
    let state = match space.phase {
        Phase::Posted => match space.starts_at {
            Some(at) if at < now => "Not started yet".to_owned(),
            Some(at) => format!("Starts {}", title_moment(at)),
            None => "Posted".to_owned(),
        },
        Phase::Open => "Doors open".to_owned(),
        Phase::Live => "Live".to_owned(),
        Phase::Ended if parts::replay_of(space).is_some() => "Replay".to_owned(),
        Phase::Ended => "Ended".to_owned(),
        Phase::Cancelled => "Cancelled".to_owned(),
    };
    format!("{state}: {}", space.title)
}

fn heading(space: &Space) -> Markup {
    html! {
        h1 { (space.title) }
        @for line in space.description.lines().filter(|line| !line.trim().is_empty()).take(12) { p class="stand" { (line) } }
    }
}

/// Words that one press says. What they add up to is shown to everybody; who pressed is known to nobody.
fn reactions() -> Markup {
    html! {
        div class="reactions" id="reactions" role="group" aria-label="React to what is said" {
            @for (name, symbol, word) in parts::REACTIONS {
                button class="btn slim" type="button" data-react=(name) { (icon(symbol)) (word) span class="n" hidden {} }
            }
        }
        details class="def small" { summary { "Presses of the last 10 seconds" } p { "Everybody sees the numbers, also those on stage. Who pressed is neither shown nor kept." } }
    }
}

fn share(space: &Space) -> Markup {
    html! {
        div class="btns" {
            @if space.starts_at.is_some() && space.phase == Phase::Posted { a class="btn" href={ "/s/" (space.id) "/event.ics" } { (icon("date")) "Add to calendar" } }
            button class="btn" type="button" data-do="copy" hidden { (icon("link")) "Copy link" }
        }
    }
}

fn posted(space: &Space, now: UnixMillis) -> Markup {
    html! {
        div class="cols" {
            div class="stack loose" {
                div class="stack" { (heading(space)) }
                div class="stack tight" id="wait" {
                    @match space.starts_at {
                        Some(at) if at <= now => p { b { "Not started yet. " } "It was planned for " (moment(at, As::When, now)) "." }
                        Some(at) => { p class="soft" { "Starts " (moment(at, As::When, now)) span data-local hidden { ", your time" } } (clock(at, now)) }
                        None => p class="soft" { "No time is set yet. This page shows it by itself." }
                    }
                }
                div class="stack" {
                    button class="listen" id="listen" type="button" hidden {
                        span class="eye" { (icon("sound")) }
                        span { b { "Play it when it starts" } small { "Press once and keep this page open." } }
                    }
                    @if space.starts_at.is_some() {
                        div class="stack tight" {
                            div class="btns" { button class="btn" id="rsvp" type="button" hidden { (icon("check")) "Keep a place for me" } }
                            p class="small soft" id="rsvp-kept" tabindex="-1" hidden { b { "A place is kept for you" } " on this device. If more people come than this server carries, you are among the first to come in." }
                        }
                    }
                    noscript { p class="small soft" { "This page looks again every " (REFRESH_S) " seconds, and then shows the sound." } }
                    (share(space))
                }
            }
            div class="stack loose" {
                @if !parts::on_stage(space).is_empty() { (parts::stage(space)) }
                section class="stack tight" aria-labelledby="what" {
                    h2 id="what" { "What this link will do" }
                    ul class="plain small" {
                        li { span class="lead-in" { "Doors" } span class="grow" { "You hear hold music, so you know that your sound works." } }
                        li { span class="lead-in" { @match space.starts_at { Some(at) => (moment(at, As::Near, now)), None => "Start" } } span class="grow" { "It begins by itself. Nothing to press." } }
                        li { span class="lead-in" { "After" } span class="grow" { @if space.record { "The recording is here, under this same link." } @else { "There is no recording: the host chose so." } } }
                    }
                }
            }
        }
    }
}

fn clock(at: UnixMillis, now: UnixMillis) -> Markup {
    let minutes = at.0.saturating_sub(now.0).div_ceil(60_000);
    let (days, hours, minutes) = (minutes / 1_440, minutes % 1_440 / 60, minutes % 60);
    let parts = [(days, "day"), (hours, "hour"), (minutes, "minute")];
    html! {
        div class="clock" id="clock" role="timer" aria-label={ "Starts in " (days) " days " (hours) " hours " (minutes) " minutes" } {
            @for (value, unit) in parts.into_iter().skip_while(|(value, unit)| *value == 0 && *unit != "minute") {
                div { span class="figure" { (value) } small { (unit) @if value != 1 { "s" } } }
            }
        }
    }
}

fn running(space: &Space, listening: u64, now: UnixMillis) -> Markup {
    let live = space.phase == Phase::Live;
    html! {
        div class="cols" {
            div class="stack loose" {
                div class="stack" {
                    (heading(space))
                    div class="state" {
                        @if live { span class="live" { span class="lamp dot" aria-hidden="true" {} "Live" } } @else { span id="doors" { b { "Doors open" } } }
                        details class="def" {
                            summary { bdi class="n" id="count" { (number(listening)) } " listening now" }
                            p { (parts::means(Number::Listening)) }
                        }
                        span class="soft" id="recorded" { @if space.record { @if live { "This is being recorded" } @else { "It will be recorded" } } @else { "Not recorded" } }
                    }
                    @if live { (parts::listen(space, "Listen live", html! { "Sound in a second. No account, no app." })) }
                    @else { (parts::listen(space, "Hear the hold music", html! {
                        @match space.starts_at {
                            Some(at) if at > now => { "It starts at " (moment(at, As::Clock, now)) " in this player." }
                            Some(at) => { "Not started yet. It was planned for " (moment(at, As::Clock, now)) "." }
                            None => "It starts in this player, by itself."
                        }
                    })) }
                    div class="sound" id="sound" hidden {
                        label class="field volume" { span { "Volume" } input type="range" id="volume" min="0" max="100" value="100" step="5"; }
                        p class="small soft" id="behind" {}
                    }
                }
                section class="stack" id="part" aria-labelledby="part-h" hidden {
                    h2 id="part-h" { "Take part" }
                    div class="btns" { button class="btn main" type="button" id="hand" aria-pressed="false" { (icon("hand")) span { "Raise hand" } } }
                    p class="small soft" id="hand-says" { "To be called you need a microphone. Nobody hears you until the host accepts and you press the button yourself." }
                    @if live { (reactions()) }
                }
            }
            div class="stack loose" {
                (parts::stage(space))
                section aria-labelledby="other" {
                    div class="head" { h2 id="other" { "Other ways to hear" } }
                    ul class="plain small" {
                        li { a class="grow" href={ "/s/" (space.id) "/live.ogg" } { "Ogg Opus stream" } span class="soft" { "players, VLC" } }
                        li { a class="grow" href={ "/s/" (space.id) "/live.webm" } { "WebM stream" } span class="soft" { "browsers" } }
                        li { a class="grow" href={ "/s/" (space.id) "/live.mp4" } { "MP4 stream" } span class="soft" { "browsers, phones" } }
                    }
                }
                (share(space))
            }
        }
    }
}

fn ended(space: &Space, now: UnixMillis) -> Markup {
    let deleted = space.recording.as_ref().is_some_and(|r| r.deleted);
    html! {
        div class="stack loose" {
            div class="stack" { (heading(space)) }
            p class="stand" {
                @match space.ended_at { Some(at) => { "It ended at " (moment(at, As::When, now)) ". " }, None => "It has ended. " }
                @if deleted { "The host has deleted the recording." }
                @else if space.record { "The recording will be here soon. This page shows it by itself." }
                @else { "The host chose not to keep a recording." }
            }
            p { a class="btn" href="/" { "What is on now" } }
        }
    }
}

fn cancelled(space: &Space, now: UnixMillis) -> Markup {
    html! {
        div class="stack loose" {
            div class="stack" { (heading(space)) }
            div class="stack tight" {
                p class="stand" { b { "Cancelled by the host" @if let Some(at) = space.ended_at { " on " (moment(at, As::Date, now)) } "." }
                    @if !space.cancel_reason.is_empty() { " " (space.cancel_reason) } }
                p { "Nothing will happen at this link." }
            }
            p { a class="btn" href="/" { "What is on now" } }
        }
    }
}
