//! Invitations: links with tokens in the fragment, listed, issued anew and revoked.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hustings_control::ids::{InviteId, SpaceId, UnixMillis};
use hustings_control::spaces::{Command, Refusal, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::auth::{AuthError, TokenRole, draw, invite_ends_s, parse_hex};
use super::door::In;
use super::problem::{Answer, Problem};
use super::rights::may_speak;
use super::view::InviteView;
use super::who::InSpace;

#[derive(Deserialize, ToSchema)]
pub(super) struct NewInvite {
    /// `host`, `co-host`, `speaker` or `listener`; at most one's own.
    #[schema(value_type = String)]
    role: Role,
    /// How the guest is called until they name themselves.
    #[serde(default)]
    name: String,
    #[serde(default)]
    expires_at: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Invites {
    invites: Vec<InviteView>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct InviteLink {
    #[serde(flatten)]
    invite: InviteView,
    /// Bearer token; the link carries the same in its fragment.
    token: String,
    link: String,
    /// Unix milliseconds until which this link is good; revoking the invitation ends it sooner.
    good_until: u64,
}

/// Invitations of a space
#[utoipa::path(get, path = "/api/v1/spaces/{id}/invites", tag = "invitations", params(("id" = String, Path)), responses((status = 200, body = Invites), (status = "4XX", body = Problem)))]
pub(super) async fn list(at: InSpace) -> Answer<Json<Invites>> {
    at.needs_manager()?;
    let space = at.space.snapshot.load();
    Ok(Json(Invites {
        invites: space
            .invites
            .iter()
            .map(|(id, invite)| InviteView::of(*id, invite))
            .collect(),
    }))
}

/// Invite somebody
#[utoipa::path(post, path = "/api/v1/spaces/{id}/invites", tag = "invitations", params(("id" = String, Path)), request_body = NewInvite,
    responses((status = 201, body = InviteLink), (status = "4XX", body = Problem)))]
pub(super) async fn create(at: InSpace, In(new): In<NewInvite>) -> Answer<impl IntoResponse> {
    let invite = InviteId(draw().map_err(|e| Problem::internal(&e))?);
    at.command(Command::Invite {
        invite,
        role: new.role,
        name: new.name,
        expires_at: new.expires_at.map(UnixMillis),
    })
    .await?;
    Ok((StatusCode::CREATED, Json(linked(&at, invite)?)))
}

/// The link of an invitation once more
#[utoipa::path(post, path = "/api/v1/spaces/{id}/invites/{invite}/link", tag = "invitations", params(("id" = String, Path), ("invite" = String, Path)),
    responses((status = 200, body = InviteLink), (status = "4XX", body = Problem)))]
pub(super) async fn link_again(at: InSpace) -> Answer<Json<InviteLink>> {
    at.needs_manager()?;
    linked(&at, parse(&at.param)?).map(Json)
}

/// Revoke an invitation: its links are worthless from now on, and who came by them is a listener again
#[utoipa::path(delete, path = "/api/v1/spaces/{id}/invites/{invite}", tag = "invitations", params(("id" = String, Path), ("invite" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn revoke(at: InSpace) -> Answer<StatusCode> {
    let invite = parse(&at.param)?;
    let came_by_it: Vec<_> = at
        .space
        .snapshot
        .load()
        .people
        .iter()
        .filter(|(_, person)| person.invite == Some(invite))
        .map(|(id, _)| *id)
        .collect();
    at.command(Command::Revoke { invite }).await?;
    let after = at.space.snapshot.load_full();
    for person in came_by_it {
        // Who revokes the own link keeps the role, and the connection with it.
        if !after.people.get(&person).is_some_and(may_speak) {
            at.app.ingest.hang_up(&at.space.id, person).await;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Token and link of an invitation that is written down already.
pub fn link(
    app: &App,
    space: &SpaceId,
    invite: InviteId,
    role: Role,
    expires_at: Option<UnixMillis>,
) -> Answer<(String, String)> {
    let token = app
        .keys
        .mint_invite(space, invite, role, expires_at, app.clock.wall())
        .map_err(|e| Problem::internal(&e))?;
    let link = format!("{}/studio/{space}#token={token}", app.stage_url);
    Ok((token, link))
}

fn linked(at: &InSpace, id: InviteId) -> Answer<InviteLink> {
    let space = at.space.snapshot.load();
    let invite = space
        .invites
        .get(&id)
        .ok_or_else(|| Problem::unknown("invitation"))?;
    if invite.revoked {
        return Err(Refusal::Revoked.into());
    }
    // A co-host who could read a host's link could become one.
    if at.node.is_none() && at.role() < Some(invite.role) {
        return Err(AuthError::WrongRole(match TokenRole::from(invite.role) {
            TokenRole::CoHost => "co-host",
            _ => "host",
        })
        .into());
    }
    let (token, link) = link(&at.app, &space.id, id, invite.role, invite.expires_at)?;
    Ok(InviteLink {
        invite: InviteView::of(id, invite),
        token,
        link,
        good_until: invite_ends_s(invite.expires_at, at.app.clock.wall()) * 1_000,
    })
}

fn parse(text: &str) -> Answer<InviteId> {
    parse_hex(text)
        .map(InviteId)
        .ok_or_else(|| Problem::unknown("invitation"))
}
