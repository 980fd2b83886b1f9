//! The frames of `/studio` and `/studio/{id}`: their scripts fill them from the API.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hustings_control::numbers::Number;
use maud::{Markup, html};

use super::frame::{self, OWN, Page, Serve};
use super::parts;
use crate::api::App;

const SPEAKING_NEEDS_SCRIPT: &str = "Speaking needs JavaScript. Whoever listens needs none: the page of the space plays without it.";

pub(super) async fn list(State(app): State<App>) -> Response {
    let page = Page {
        title: "Studio".into(),
        house: "Studio",
        scripts: &["studio.js"],
        icons: &[
            "play", "link", "date", "mic", "out", "cross", "check", "info",
        ],
        data: common(&app),
        skip: "Skip to the main part",
        home: "/studio",
        nav: nav(&app),
        foot: false,
        main: html! { div class="wrap" {
            div class="sect stack loose" id="view" {
                h1 { "Studio" }
                noscript { p class="stand" { "Making spaces here needs JavaScript. The API under /api/v1 does the same." } }
                p class="soft" id="wait" { "One moment." }
            }
        } },
        ..Page::default()
    };
    frame::respond(
        page,
        &Serve {
            status: StatusCode::OK,
            cache: OWN,
            connect: "",
        },
    )
}

pub(super) async fn space(State(app): State<App>, Path(id): Path<String>) -> Response {
    // Whether the space exists is told by the API, to those who may know.
    let mut data = common(&app);
    data.push(("listening", parts::means(Number::Listening)));
    data.push(("waiting", parts::means(Number::Waiting)));
    data.push((
        "space",
        id.chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(64)
            .collect(),
    ));
    let page = Page {
        title: "Studio".into(),
        house: "Studio",
        scripts: &["stage.js"],
        icons: &[
            "play", "pause", "link", "lock", "mic", "micoff", "music", "sound", "soundoff",
            "check", "wait", "hand", "out", "cross", "alert", "info", "clap",
        ],
        data,
        skip: "Skip to the main part",
        home: "/studio",
        nav: html! { button class="plainbtn" type="button" id="keys" hidden { "Keys" } (nav(&app)) },
        foot: false,
        main: html! { div class="wrap" id="view" {
            div class="sect stack" {
                h1 { "Studio" }
                noscript { p class="stand" { (SPEAKING_NEEDS_SCRIPT) } }
                p class="soft" id="wait" { "One moment." }
            }
        } },
        after: parts::deck(),
        ..Page::default()
    };
    frame::respond(
        page,
        &Serve {
            status: StatusCode::OK,
            cache: OWN,
            connect: "",
        },
    )
}

fn common(app: &App) -> Vec<(&'static str, String)> {
    vec![("public", app.public_url.to_string())]
}

fn nav(app: &App) -> Markup {
    html! { button class="plainbtn" type="button" id="sign-out" hidden { "Sign out" } a href={ (app.public_url) "/" } { "All spaces" } }
}
