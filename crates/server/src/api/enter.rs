//! Signing in: a token from a link's fragment is exchanged for a cookie that no script reads.

use axum::Json;
use axum::extract::{MatchedPath, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use hustings_control::ids::{InviteId, PersonId};
use hustings_control::spaces::{Command, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{AuthError, Session, TokenRole, draw};
use super::cookies::{Kind, cookie_name, set_cookie};
use super::door::{Door, FromAnybody, guard};
use super::problem::{Answer, Problem};
use super::rights::node_role;
use super::view::Me;
use super::who::{InSpace, OnNode};

#[derive(Deserialize, ToSchema)]
pub(super) struct Enter {
    /// From the link's fragment. Absent: whoever is signed in on the node comes as a host.
    #[serde(default)]
    token: Option<String>,
    /// How the person wants to be called.
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct EnterNode {
    token: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct NodeMe {
    /// `operator`, `host`, or null for who is not signed in.
    role: Option<TokenRole>,
}

type WithCookie<T> = (AppendHeaders<[(header::HeaderName, HeaderValue); 1]>, T);

fn with_cookie<T>(cookie: HeaderValue, body: T) -> WithCookie<T> {
    (AppendHeaders([(header::SET_COOKIE, cookie)]), body)
}

/// Exchange an invitation's token for a cookie
#[utoipa::path(post, path = "/studio/{id}/enter", tag = "sign-in", params(("id" = String, Path)), request_body = Enter,
    responses((status = 200, body = Me), (status = "4XX", body = Problem)))]
pub(super) async fn enter_space(
    mut at: InSpace,
    FromAnybody(enter): FromAnybody<Enter>,
) -> Answer<impl IntoResponse> {
    let known = at.person;
    let person = known
        .map_or_else(|| draw().map(PersonId), Ok)
        .map_err(|e| Problem::internal(&e))?;
    let role = match enter.token.as_deref() {
        Some(token) => {
            let now = at.app.clock.wall();
            let claims = at.app.keys.verify(token, now)?;
            match &claims.space {
                Some(space) if *space != at.space.id => return Err(AuthError::WrongSpace.into()),
                Some(_) => at.enter(&claims, person, enter.name).await?,
                None => {
                    at.node = Some(node_role(&claims)?);
                    enter_as_host(&at, person, enter.name).await?;
                }
            }
            claims.role
        }
        None => {
            if at.node.is_none() {
                return Err(AuthError::Missing.into());
            }
            enter_as_host(&at, person, enter.name).await?;
            TokenRole::Host
        }
    };
    at.person = Some(person);
    let session = Session::of_person(at.space.id.clone(), person, role, at.app.clock.wall());
    let cookie = set_cookie(
        &at.app,
        &cookie_name(&at.app, Kind::Studio, Some(&at.space.id)),
        Some(&session),
    )?;
    Ok(with_cookie(cookie, Json(Me::of(&at))))
}

/// Who is signed in on the node needs no link: an invitation is made for this one coming.
async fn enter_as_host(at: &InSpace, person: PersonId, name: Option<String>) -> Answer<()> {
    let is_host = at
        .space
        .snapshot
        .load()
        .people
        .get(&person)
        .is_some_and(|known| known.role == Role::Host);
    if is_host {
        return Ok(());
    }
    let invite = InviteId(draw().map_err(|e| Problem::internal(&e))?);
    let desk = &at.app.desk;
    let by = hustings_control::spaces::Actor::Operator;
    desk.command(
        &at.space.id,
        by,
        Command::Invite {
            invite,
            role: Role::Host,
            name: name.clone().unwrap_or_default(),
            expires_at: None,
        },
    )
    .await?;
    desk.command(
        &at.space.id,
        by,
        Command::Enter {
            person,
            invite,
            name,
        },
    )
    .await?;
    Ok(())
}

/// Sign out of a space
#[utoipa::path(delete, path = "/studio/{id}/enter", tag = "sign-in", params(("id" = String, Path)), responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn leave_space(at: InSpace) -> Answer<impl IntoResponse> {
    let cookie = set_cookie(
        &at.app,
        &cookie_name(&at.app, Kind::Studio, Some(&at.space.id)),
        None,
    )?;
    Ok(with_cookie(cookie, StatusCode::NO_CONTENT))
}

/// Exchange an operator's or node host's token for a cookie
#[utoipa::path(post, path = "/studio/enter", tag = "sign-in", request_body = EnterNode, responses((status = 200, body = NodeMe), (status = "4XX", body = Problem)))]
pub(super) async fn enter_node(
    State(door): State<Door>,
    path: MatchedPath,
    headers: HeaderMap,
    FromAnybody(enter): FromAnybody<EnterNode>,
) -> Answer<impl IntoResponse> {
    let app = &door.app;
    guard(app, &Method::POST, Some(&path), &headers)?;
    let now = app.clock.wall();
    let claims = app.keys.verify(&enter.token, now)?;
    let role = node_role(&claims)?;
    let cookie = set_cookie(
        app,
        &cookie_name(app, Kind::Studio, None),
        Some(&Session::of_node(&claims, now)),
    )?;
    Ok(with_cookie(cookie, Json(NodeMe { role: Some(role) })))
}

/// Sign out of the node
#[utoipa::path(delete, path = "/studio/enter", tag = "sign-in", responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn leave_node(who: OnNode) -> Answer<impl IntoResponse> {
    let cookie = set_cookie(&who.app, &cookie_name(&who.app, Kind::Studio, None), None)?;
    Ok(with_cookie(cookie, StatusCode::NO_CONTENT))
}

/// Who am I on this node
#[utoipa::path(get, path = "/api/v1/me", tag = "sign-in", responses((status = 200, body = NodeMe)))]
pub(super) async fn node_me(who: OnNode) -> Json<NodeMe> {
    Json(NodeMe {
        role: who.role.ok(),
    })
}
