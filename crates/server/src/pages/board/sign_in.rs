//! Who may see the board: whoever shows an operator's token once, and then by a cookie of the board's own. Nothing is done
//! for other sites: each change must say that it comes from this very host.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use maud::html;

use super::{Page, empty, form, send};
use crate::api::App;
use crate::api::auth::{AuthError, Session, TokenRole};
use crate::api::board_session;
use crate::api::problem::{Answer, Problem};
use crate::house::Guest;

pub(super) fn page(status: StatusCode, why: &str) -> Response {
    let page = Page {
        title: "Board: sign in".into(),
        main: html! { div class="wrap" { form class="sect stack near" id="enter" method="post" action="/board/enter" {
            h1 { "The operator’s board" }
            @if !why.is_empty() { p class="stand" id="why" { (why) } }
            label class="stacked" { "Operator’s token"
                span class="field" { input type="password" name="token" autocomplete="current-password" required autofocus; }
                small { "It lies in operator-token under the node’s data folder." } }
            div class="btns" { button class="btn main" type="submit" { "Sign in" } }
        } } },
        ..empty()
    };
    send(status, page)
}

pub(super) async fn enter(
    State(app): State<App>,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let entered = async {
        needs_own_page(&headers)?;
        let fields = form(&headers, body).await?;
        let token = fields.get("token").map_or("", String::as_str);
        let now = app.clock.wall();
        let claims = app.keys.verify(token, now)?;
        if claims.role != TokenRole::Operator || claims.space.is_some() {
            return Err(Problem::from(AuthError::WrongRole(
                "operator of the whole node",
            )));
        }
        board_session::cookie_for(&app, Some(&Session::of_node(&claims, now)))
    };
    match entered.await {
        Ok(cookie) => {
            if let Some(Extension(guest)) = guest {
                guest.has_a_right();
            }
            let set = AppendHeaders([(header::SET_COOKIE, cookie)]);
            (set, Redirect::to("/board")).into_response()
        }
        Err(problem) => {
            let status =
                StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            page(status, &format!("That did not work: {}.", problem.detail))
        }
    }
}

pub(super) async fn leave(State(app): State<App>, headers: HeaderMap) -> Response {
    let left = needs_own_page(&headers).and_then(|()| board_session::cookie_for(&app, None));
    match left {
        Ok(cookie) => {
            let set = AppendHeaders([(header::SET_COOKIE, cookie)]);
            (set, Redirect::to("/board")).into_response()
        }
        Err(problem) => super::told(&problem),
    }
}

pub(super) fn is_operator(app: &App, headers: &HeaderMap) -> Answer<()> {
    Ok(board_session::operator(app, headers)?)
}

/// All browsers that run this page send Origin with a form; newer ones say besides how the pages belong together.
pub(super) fn needs_own_page(headers: &HeaderMap) -> Answer<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authority = text("origin").and_then(|origin| origin.split_once("://"));
    let own = authority.is_some_and(|(_, authority)| Some(authority) == text("host"));
    if own && matches!(text("sec-fetch-site"), None | Some("same-origin")) {
        Ok(())
    } else {
        Err(AuthError::CrossSite.into())
    }
}
