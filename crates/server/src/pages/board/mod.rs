//! `/board` on the operator listener: whether somebody is harmed, and what to do. Complete HTML without a script; the script
//! fetches it anew each second. Each action is asked for by a page of its own before it is done.

mod charts;
mod happened;
mod rehearsals;
mod sign_in;
mod tables;
mod view;
mod words;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};

use super::frame::{self, OWN, Page, Serve};
use crate::actions::Act;
use crate::api::App;
use crate::api::problem::{Answer, Problem};

/// Bytes of a form; a token has some 350, a message at most 1,120.
const FORM_BYTES_MAX: usize = 16 * 1_024;
/// Seconds after which the board without script looks again.
const REFRESH_S: u32 = 5;

type Fields = BTreeMap<String, String>;

/// `/board` and below, with its files; for the operator listener.
pub fn board_router(app: App) -> Router {
    Router::new()
        .route("/board", get(board))
        .route("/board/enter", post(sign_in::enter))
        .route("/board/leave", post(sign_in::leave))
        .route("/board/ask", get(ask))
        .route("/board/preflight", get(preflight))
        .route("/board/do", post(act))
        .merge(super::asset_routes())
        .with_state(app)
}

/// `open` names the space whose actions are unfolded: the one that was acted on, or chosen.
async fn board(
    State(app): State<App>,
    headers: HeaderMap,
    Query(fields): Query<Fields>,
) -> Response {
    if sign_in::is_operator(&app, &headers).is_err() {
        return sign_in::page(StatusCode::OK, "");
    }
    let main = view::board(&app, fields.get("open").map_or("", String::as_str));
    let page = Page {
        title: format!("Board: {}", main.title),
        scripts: &["board.js"],
        icons: &["alert", "info", "check", "wait"],
        refresh: Some(REFRESH_S),
        main: main.markup,
        nav: html! { form method="post" action="/board/leave" { button class="plainbtn" type="submit" { "Sign out" } } },
        ..empty()
    };
    send(StatusCode::OK, page)
}

/// The question before an action: its first focus is "No".
async fn ask(State(app): State<App>, headers: HeaderMap, Query(fields): Query<Fields>) -> Response {
    if sign_in::is_operator(&app, &headers).is_err() {
        return Redirect::to("/board").into_response();
    }
    let act = match Act::read(&fields) {
        Ok(act) => act,
        Err(problem) => return told(&problem),
    };
    let title = act
        .space()
        .and_then(|space| app.directory.get(space))
        .map(|handle| handle.snapshot.load().title.clone())
        .unwrap_or_default();
    let (head, more, yes) = act.question(&title);
    let all = if act.is_of_all() {
        going(&app)
    } else {
        Vec::new()
    };
    let page = Page {
        title: "Board: sure?".into(),
        main: html! { div class="wrap" { form class="sect stack near" id="ask" method="post" action="/board/do" {
            h1 { (head) }
            p class="stand" { (more) }
            @if !all.is_empty() { p { "It is done to each of these: " @for (index, title) in all.iter().enumerate() { @if index > 0 { "; " } bdi { (title) } } "." } }
            p class="small soft" { "It is kept in the audit trail" @if act.is_undoable() { ", and can be undone under “What happened”." } @else { ". Nothing undoes it." } }
            @for (name, value) in act.fields() { input type="hidden" name=(name) value=(value); }
            div class="btns" { a class="btn" href="/board" autofocus { "No" } button class="btn stop" type="submit" { (yes) } }
        } } },
        ..empty()
    };
    send(StatusCode::OK, page)
}

/// Titles of the spaces that are not over.
fn going(app: &App) -> Vec<String> {
    let all = app.directory.all();
    let spaces = all.values().map(|handle| handle.snapshot.load());
    let going = spaces.filter(|space| space.is_going());
    going.map(|space| space.title.clone()).collect()
}

/// Go or no-go, on a page of its own: it takes some seconds to look.
async fn preflight(
    State(app): State<App>,
    headers: HeaderMap,
    Query(asked): Query<crate::api::PreflightAsked>,
) -> Response {
    if sign_in::is_operator(&app, &headers).is_err() {
        return Redirect::to("/board").into_response();
    }
    let wanted = match crate::api::preflight_wanted(&app, asked) {
        Ok(wanted) => wanted,
        Err(problem) => return told(&problem),
    };
    let seen = crate::preflight::run(&app, &wanted).await;
    let page = Page {
        title: if seen.go {
            "Preflight: go".into()
        } else {
            "Preflight: no-go".into()
        },
        main: tables::preflight(&seen),
        nav: html! { a href="/board" { "Board" } },
        ..empty()
    };
    send(StatusCode::OK, page)
}

async fn act(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    let done = async {
        sign_in::needs_own_page(&headers)?;
        sign_in::is_operator(&app, &headers)?;
        let act = Act::read(&form(&headers, body).await?)?;
        let space = act.space().cloned();
        act.perform(&app).await?;
        Ok(space)
    };
    match done.await {
        Ok(Some(space)) => Redirect::to(&format!("/board?open={space}")).into_response(),
        Ok(None) => Redirect::to("/board").into_response(),
        Err(problem) => told(&problem),
    }
}

async fn form(headers: &HeaderMap, body: Body) -> Answer<Fields> {
    let kind = headers.get(header::CONTENT_TYPE);
    let is_form = kind
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let bad = |why: &str| Problem::caller(StatusCode::BAD_REQUEST, "bad-form", why);
    if !is_form {
        return Err(bad("send the fields as a form does"));
    }
    let body = crate::api::read_body(body, FORM_BYTES_MAX).await?;
    serde_urlencoded::from_bytes(&body).map_err(|_| bad("the fields of the form cannot be read"))
}

/// A refusal, as a page.
fn told(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut detail = problem.detail.clone();
    if let Some(first) = detail.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let page = Page {
        title: "Board: not done".into(),
        main: html! { div class="wrap" { div class="sect stack near" id="told" {
            h1 { "That was not done." }
            p class="stand" { (detail) "." }
            p { a class="btn main" href="/board" { "Back to the board" } }
        } } },
        ..empty()
    };
    send(status, page)
}

fn empty() -> Page<'static> {
    Page {
        title: "Board".into(),
        house: "Operator’s board",
        skip: "Skip to the main part",
        home: "/board",
        nav: html! {},
        foot: false,
        ..Page::default()
    }
}

fn send(status: StatusCode, page: Page<'_>) -> Response {
    let serve = Serve {
        status,
        cache: OWN,
        connect: "",
    };
    let mut response = frame::respond(page, &serve);
    // Without any referrer browsers call the origin of a form "null", and then nobody knows whose form it was.
    let headers = response.headers_mut();
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// A heading and what stands beside it.
fn head(id: &str, words: &str, beside: &str) -> Markup {
    html! { div class="head" { h2 id=(id) { (words) } @if !beside.is_empty() { span class="soft" { (beside) } } } }
}

/// Words that begin small, as a sentence.
fn sentence(words: &str) -> String {
    let mut all = words.chars();
    let first = all.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), all.as_str())
}
