//! Cookies of signed-in browsers.

use axum::http::{HeaderMap, HeaderValue, header};
use hustings_control::ids::SpaceId;

use super::App;
use super::auth::{SESSION_TTL_S, Session};
use super::door::header_text;
use super::problem::{Answer, Problem};

/// Bytes. More cookies than this come from nobody who uses one host name for this node alone; they are not read.
const COOKIES_BYTES_MAX: usize = 32 * 1024;

/// Which of our cookies. Studio and board share a host name with the public page, so each has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Studio,
    Hand,
    Board,
}

pub(super) fn cookie_name(app: &App, kind: Kind, space: Option<&SpaceId>) -> String {
    let prefix = if is_secure(app, kind) { "__Host-" } else { "" };
    let kind = match kind {
        Kind::Studio => "hustings_studio",
        Kind::Hand => "hustings_hand",
        Kind::Board => "hustings_board",
    };
    space.map_or_else(
        || format!("{prefix}{kind}"),
        |space| format!("{prefix}{kind}_{space}"),
    )
}

/// The operator listener speaks TLS only when it is told to.
fn is_secure(app: &App, kind: Kind) -> bool {
    match kind {
        Kind::Studio | Kind::Hand => app.secure,
        Kind::Board => app.config.operator_tls,
    }
}

/// `Set-Cookie` of a session; without one, the cookie is taken away.
pub(super) fn set_cookie(app: &App, name: &str, session: Option<&Session>) -> Answer<HeaderValue> {
    let (value, age) = match session {
        Some(session) => (
            app.keys
                .sign_session(session)
                .map_err(|e| Problem::internal(&e))?,
            SESSION_TTL_S,
        ),
        None => (String::new(), 0),
    };
    let secure = if name.starts_with("__Host-") {
        "; Secure"
    } else {
        ""
    };
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(cookie).map_err(|e| Problem::internal(&e))
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let fits =
        header_text(headers, header::COOKIE).is_some_and(|text| text.len() <= COOKIES_BYTES_MAX);
    let all = headers
        .get_all(header::COOKIE)
        .iter()
        .filter(|_| fits)
        .filter_map(|value| value.to_str().ok());
    all.flat_map(|text| text.split(';')).find_map(|pair| {
        pair.trim()
            .split_once('=')
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
    })
}
