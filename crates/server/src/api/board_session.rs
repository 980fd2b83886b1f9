//! The board's cookie. It has a name of its own, for all listeners of a node share a host name.

use axum::http::{HeaderMap, HeaderValue};

use super::App;
use super::auth::{AuthError, Session, TokenRole};
use super::cookies::{Kind, cookie, cookie_name, set_cookie};
use super::problem::Answer;

/// `Set-Cookie`; without a session the cookie is taken away.
pub(crate) fn cookie_for(app: &App, session: Option<&Session>) -> Answer<HeaderValue> {
    set_cookie(app, &cookie_name(app, Kind::Board, None), session)
}

/// Whether the browser is an operator's.
pub(crate) fn operator(app: &App, headers: &HeaderMap) -> Result<(), AuthError> {
    let name = cookie_name(app, Kind::Board, None);
    let value = cookie(headers, &name).ok_or(AuthError::Missing)?;
    let session = app.keys.verify_session(value, app.clock.wall())?;
    match (session.role, &session.space) {
        (TokenRole::Operator, None) => Ok(()),
        (_, Some(_)) => Err(AuthError::WrongSpace),
        _ => Err(AuthError::WrongRole("operator")),
    }
}
