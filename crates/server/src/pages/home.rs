//! `/`: what is on now, what comes, what was heard already. And what stands under a link that leads nowhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hustings_control::ids::UnixMillis;
use hustings_control::spaces::{Phase, Space};
use maud::{Markup, html};

use super::frame::{self, CROWD_CACHE, Page, Serve, icon};
use super::parts;
use super::words::{As, duration, moment, number};
use crate::api::App;
use crate::live::Directory;

/// Rows of each list; those further away are left out, for nobody reads more on one page.
const ROWS_MAX: usize = 60;

/// A listed space with the count that stands beside it.
struct Row {
    space: Arc<Space>,
    listening: u64,
}

#[derive(Default)]
struct Bill {
    on: Vec<Row>,
    coming: Vec<Row>,
    past: Vec<Row>,
}

pub(super) async fn page(State(app): State<App>) -> Response {
    let now = app.clock.wall();
    let bill = read(&app.directory);
    let page = Page {
        title: if bill.on.is_empty() {
            "Spaces".into()
        } else {
            format!("On now: {}", bill.on[0].space.title)
        },
        scripts: &["home.js"],
        icons: &["play", "date"],
        skip: "Skip to the spaces",
        nav: html! {},
        description: "Live audio: what is on now, what comes, and what can be heard again.".into(),
        main: html! { div class="wrap" {
            h1 class="vh" { "Live audio spaces" }
            (on_now(&bill, now))
            (coming(&bill, now))
            (past(&bill, now))
        } },
        ..Page::default()
    };
    frame::respond(
        page,
        &Serve {
            status: StatusCode::OK,
            cache: CROWD_CACHE,
            connect: "",
        },
    )
}

pub(super) async fn nothing_here(State(app): State<App>) -> Response {
    lost(&app, "There is no page under this link.")
}

/// An unknown space: useful, but a 404 for machines.
pub(super) fn lost(app: &App, sentence: &str) -> Response {
    let now = app.clock.wall();
    let bill = read(&app.directory);
    let page = Page {
        title: "No space here".into(),
        scripts: &["home.js"],
        icons: &["play", "date"],
        skip: "Skip to the spaces",
        main: html! { div class="wrap" {
            div class="sect stack" {
                h1 { (sentence) }
                p class="stand" { "Perhaps a letter is missing. Here is what is on now." }
            }
            (on_now(&bill, now))
            (coming(&bill, now))
        } },
        ..Page::default()
    };
    frame::respond(
        page,
        &Serve {
            status: StatusCode::NOT_FOUND,
            cache: CROWD_CACHE,
            connect: "",
        },
    )
}

fn read(directory: &Directory) -> Bill {
    let mut bill = Bill::default();
    for handle in directory.all().values() {
        let space = handle.snapshot.load_full();
        if !space.listed {
            continue;
        }
        let row = Row {
            listening: handle.counts.listening(),
            space,
        };
        match row.space.phase {
            Phase::Open | Phase::Live => bill.on.push(row),
            Phase::Posted => bill.coming.push(row),
            Phase::Ended | Phase::Cancelled => bill.past.push(row),
        }
    }
    let far = UnixMillis(u64::MAX);
    bill.on.sort_by_key(|r| {
        (
            r.space.phase != Phase::Live,
            std::cmp::Reverse(r.listening),
            r.space.id.clone(),
        )
    });
    bill.coming
        .sort_by_key(|r| (r.space.starts_at.unwrap_or(far), r.space.id.clone()));
    bill.past.sort_by_key(|r| {
        (
            std::cmp::Reverse(r.space.ended_at.or(r.space.starts_at)),
            r.space.id.clone(),
        )
    });
    for rows in [&mut bill.on, &mut bill.coming, &mut bill.past] {
        rows.truncate(ROWS_MAX);
    }
    bill
}

fn on_now(bill: &Bill, now: UnixMillis) -> Markup {
    html! {
        section class="sect" aria-labelledby="on-now" {
            div class="head" { h2 id="on-now" { "On now" } span class="soft" { (moment(now, As::Weekday, now)) } }
            div class="bill" {
                @if let Some((lead, others)) = bill.on.split_first() {
                    (self::lead(lead, now))
                    @for row in others { (entry_on(row, now)) }
                } @else {
                    p class="entry soft" { "Nothing is on at the moment." }
                }
            }
        }
    }
}

fn state_line(row: &Row, now: UnixMillis) -> Markup {
    let space = &row.space;
    html! {
        div class="state" {
            @if space.phase == Phase::Live {
                span class="live" { span class="lamp dot" aria-hidden="true" {} "Live" @if let Some(at) = space.live_at { " since " (moment(at, As::Near, now)) } }
            } @else {
                span { b { "Doors open" } @if let Some(at) = space.starts_at { ", starts " (moment(at, As::Near, now)) } }
            }
            span { bdi class="n" { (number(row.listening)) } " listening" }
        }
    }
}

fn lead(row: &Row, now: UnixMillis) -> Markup {
    let space = &row.space;
    html! {
        article class="entry lead" {
            div class="stack" {
                h3 class="big" { a href={ "/s/" (space.id) } { (space.title) } }
                @if !space.description.is_empty() { p class="stand" { (first_words(&space.description)) } }
                a class="listen" href={ "/s/" (space.id) "#listen" } {
                    span class="eye" { (icon("play")) }
                    span { b { "Listen live" } small { "Sound in a second. No account, no app." } }
                }
            }
            div class="stack" { (state_line(row, now)) (parts::stage(space)) }
        }
    }
}

fn entry_on(row: &Row, now: UnixMillis) -> Markup {
    let space = &row.space;
    html! {
        article class="entry" {
            p class="when" {
                @if space.phase == Phase::Live {
                    b class="row" { span class="lamp dot" aria-hidden="true" {} "Live" }
                    @if let Some(at) = space.live_at { "since " (moment(at, As::Near, now)) }
                } @else { b { "Doors open" } @if let Some(at) = space.starts_at { "starts " (moment(at, As::Near, now)) } }
            }
            div { h3 { a href={ "/s/" (space.id) } { (space.title) } }
                p class="soft small" { @if !space.description.is_empty() { (first_words(&space.description)) " · " } bdi class="n" { (number(row.listening)) } " listening" } }
            div class="btns does" { a class="btn main" href={ "/s/" (space.id) } { (icon("play")) "Listen" span class="vh" { " to " (space.title) } } }
        }
    }
}

fn coming(bill: &Bill, now: UnixMillis) -> Markup {
    html! {
        @if !bill.coming.is_empty() {
            section class="sect" aria-labelledby="next" {
                div class="head" { h2 id="next" { "Coming up" } }
                ul class="bill" { @for row in &bill.coming { li class="entry" {
                    p class="when" { @match row.space.starts_at { Some(at) => { b { (moment(at, As::Weekday, now)) } (moment(at, As::Clock, now)) }, None => b { "No time yet" } } }
                    div { h3 { a href={ "/s/" (row.space.id) } { (row.space.title) } }
                        @if !row.space.description.is_empty() { p class="soft small" { (first_words(&row.space.description)) } } }
                    div class="btns does" { @if row.space.starts_at.is_some() {
                        a class="btn" href={ "/s/" (row.space.id) "/event.ics" } { (icon("date")) "Calendar" span class="vh" { ": " (row.space.title) } }
                    } }
                } } }
            }
        }
    }
}

fn past(bill: &Bill, now: UnixMillis) -> Markup {
    html! {
        @if !bill.past.is_empty() {
            section class="sect" aria-labelledby="before" {
                div class="head" { h2 id="before" { "Heard already" } }
                ul class="bill" { @for row in &bill.past { (entry_past(&row.space, now)) } }
            }
        }
    }
}

fn entry_past(space: &Space, now: UnixMillis) -> Markup {
    let replay = parts::replay_of(space);
    html! {
        li class="entry" {
            p class="when" {
                @if let Some(at) = space.live_at.or(space.ended_at).or(space.starts_at) { b { (moment(at, As::Date, now)) } }
                @match replay { Some((_, millis)) => (duration(millis)), None => "no recording" }
            }
            div { h3 { a href={ "/s/" (space.id) } { (space.title) } }
                p class="soft small" { @if space.phase == Phase::Cancelled { "Cancelled by the host" } @else { (first_words(&space.description)) } } }
            div class="btns does" { @if replay.is_some() {
                a class="btn" href={ "/s/" (space.id) "/replay" } { (icon("play")) "Replay" span class="vh" { ": " (space.title) } }
            } }
        }
    }
}

/// Characters of a description that a list shows.
const FIRST_WORDS: usize = 160;

fn first_words(text: &str) -> String {
    let line = text.lines().next().unwrap_or("").trim();
    if line.chars().count() <= FIRST_WORDS {
        return line.to_owned();
    }
    let cut: String = line.chars().take(FIRST_WORDS).collect();
    let whole = cut
        .rsplit_once(' ')
        .map_or(cut.as_str(), |(words, _)| words);
    format!("{whole}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_cut_between_words() {
        assert_eq!(first_words("One line.\nAnother."), "One line.");
        let long = first_words(&"word ".repeat(100));
        assert!(
            long.chars().count() <= FIRST_WORDS && long.ends_with("word…"),
            "{long}"
        );
    }
}
