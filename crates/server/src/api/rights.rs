//! Rights as a request's head shows them: by token or cookie, without asking the desk.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts as _, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hustings_control::spaces::Role;
use hustings_control::spaces::space::Person;

use super::App;
use super::auth::{AuthError, Claims, TokenRole};
use super::cookies::{Kind, cookie, cookie_name};
use super::door::Door;
use crate::house::Guest;
use crate::live::SpaceHandle;
use crate::shield::Friends;

/// Nobody was recognised, and why: a body of theirs is not even read where strangers have no business.
#[derive(Clone, Copy)]
pub(super) struct Nobody(pub(super) AuthError);

/// The space that the path names, if there is one.
pub(super) async fn space_of(parts: &mut Parts, door: &Door) -> Option<Arc<SpaceHandle>> {
    let params = RawPathParams::from_request_parts(parts, door).await.ok()?;
    let (_, id) = params.iter().find(|(name, _)| *name == "id")?;
    door.app.directory.by_text(id)
}

/// Whether a request shows a right of the node or of this space. What it may do with it is for the handler to say; this only
/// tells those who run the evening from strangers. A listener who has raised a hand is a stranger until it is accepted.
pub(super) fn shows_a_right(app: &App, headers: &HeaderMap, space: Option<&SpaceHandle>) -> bool {
    match bearer(headers) {
        Err(_) => false,
        Ok(Some(token)) => app
            .keys
            .verify(token, app.clock.wall())
            .is_ok_and(|claims| is_right(&claims, space)),
        Ok(None) => {
            let of_space = space.is_some_and(|space| speaks_by_cookie(app, headers, space));
            of_space || node_session(app, headers).is_ok()
        }
    }
}

fn is_right(claims: &Claims, space: Option<&SpaceHandle>) -> bool {
    let Some(of) = &claims.space else {
        return node_role(claims).is_ok();
    };
    let Some(space) = space.filter(|space| space.id == *of) else {
        return false;
    };
    let space = space.snapshot.load();
    let revoked = claims
        .invite_id()
        .and_then(|invite| space.invites.get(&invite))
        .is_some_and(|invite| invite.revoked);
    let banned = space
        .people
        .get(&claims.person_id())
        .is_some_and(|person| person.banned);
    claims.role.in_space() >= Role::Speaker && !revoked && !banned
}

fn speaks_by_cookie(app: &App, headers: &HeaderMap, space: &SpaceHandle) -> bool {
    [Kind::Studio, Kind::Hand].into_iter().any(|kind| {
        let session = cookie(headers, &cookie_name(app, kind, Some(&space.id)))
            .and_then(|value| app.keys.verify_session(value, app.clock.wall()).ok())
            .filter(|session| session.space.as_ref() == Some(&space.id));
        let person = session.and_then(|session| session.person());
        let known = space.snapshot.load();
        person
            .and_then(|person| known.people.get(&person))
            .is_some_and(may_speak)
    })
}

pub(super) fn may_speak(person: &Person) -> bool {
    !person.banned && (person.accepted || person.role >= Role::Speaker)
}

/// Those on stage and those who run it are never blocked, whoever offends in their name, and never make room for others. On
/// the crowd's listener nobody is a friend: there is no such extension.
pub(super) fn befriend(parts: &Parts) {
    if let Some(guest) = parts.extensions.get::<Guest>() {
        guest.has_a_right();
    }
    let friends = parts.extensions.get::<Option<Friends>>();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    if let (Some(Some(friends)), Some(ConnectInfo(peer))) = (friends, peer) {
        friends.note(peer.ip());
    }
}

pub(super) fn node_role(claims: &Claims) -> Result<TokenRole, AuthError> {
    match (claims.role, &claims.space) {
        (role @ (TokenRole::Operator | TokenRole::Host), None) => Ok(role),
        _ => Err(AuthError::WrongRole("operator, or host of the whole node,")),
    }
}

pub(super) fn node_session(app: &App, headers: &HeaderMap) -> Result<TokenRole, AuthError> {
    let value = cookie(headers, &cookie_name(app, Kind::Studio, None)).ok_or(AuthError::Missing)?;
    let session = app.keys.verify_session(value, app.clock.wall())?;
    if session.space.is_none() {
        Ok(session.role)
    } else {
        Err(AuthError::WrongSpace)
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or(AuthError::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Err(AuthError::Malformed)
    }
}
