//! People of a space: who am I, hands, names, mutes, removals.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use hustings_control::ids::PersonId;
use hustings_control::spaces::{Actor, Command};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Session, TokenRole, draw};
use super::cookies::{Kind, cookie_name, set_cookie};
use super::door::{Door, FromAnybody, In};
use super::problem::{Answer, Problem};
use super::view::Me;
use super::who::InSpace;
use crate::house::Guest;

#[derive(Deserialize, ToSchema)]
pub(super) struct RaiseHand {
    name: String,
    #[serde(default)]
    question: String,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Rename {
    name: String,
}

/// Who am I in this space; never refused
#[utoipa::path(get, path = "/api/v1/spaces/{id}/me", tag = "people", params(("id" = String, Path)), responses((status = 200, body = Me), (status = "4XX", body = Problem)))]
pub(super) async fn me(at: InSpace) -> impl IntoResponse {
    (
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(Me::of(&at)),
    )
}

/// Raise the own hand; a stranger becomes a listener with a cookie
#[utoipa::path(post, path = "/api/v1/spaces/{id}/hands", tag = "people", params(("id" = String, Path)), request_body = RaiseHand,
    responses((status = 201, body = Me), (status = "4XX", body = Problem)))]
pub(super) async fn raise_hand(
    State(door): State<Door>,
    guest: Option<Extension<Guest>>,
    mut at: InSpace,
    FromAnybody(RaiseHand { name, question }): FromAnybody<RaiseHand>,
) -> Answer<impl IntoResponse> {
    let mut headers = HeaderMap::new();
    let person = if let Some(known) = at.person {
        known
    } else {
        let drawn = PersonId(draw().map_err(|e| Problem::internal(&e))?);
        let session = Session::of_person(
            at.space.id.clone(),
            drawn,
            TokenRole::Listener,
            at.app.clock.wall(),
        );
        headers.insert(
            header::SET_COOKIE,
            set_cookie(
                &at.app,
                &cookie_name(&at.app, Kind::Hand, Some(&at.space.id)),
                Some(&session),
            )?,
        );
        drawn
    };
    let from = guest.and_then(|Extension(guest)| guest.bounded());
    let raising = door.hands.raise(&at.space, person, from)?;
    let (desk, space) = (at.app.desk.clone(), at.space.id.clone());
    // Runs to its end even if whoever asked goes away meanwhile: else hands went up uncounted.
    let raised = tokio::spawn(async move {
        let command = Command::RaiseHand {
            person,
            name,
            question,
        };
        let raised = desk.command(&space, Actor::Person(person), command).await;
        if raised.is_ok() {
            raising.done();
        }
        raised
    });
    raised.await.map_err(|e| Problem::internal(&e))??;
    at.person = Some(person);
    Ok((StatusCode::CREATED, headers, Json(Me::of(&at))))
}

/// Take the own hand down; who was called gives that back, and the seat too
#[utoipa::path(delete, path = "/api/v1/spaces/{id}/hands", tag = "people", params(("id" = String, Path)), responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn lower_hand(at: InSpace) -> Answer<StatusCode> {
    let person = at.needs_person()?;
    done(&at, Command::LowerHand { person }).await
}

/// Accept a raised hand: its person may speak
#[utoipa::path(post, path = "/api/v1/spaces/{id}/hands/{person}/accept", tag = "people", params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn accept(at: InSpace) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::AcceptHand { person }).await
}

/// Decline a raised hand
#[utoipa::path(post, path = "/api/v1/spaces/{id}/hands/{person}/decline", tag = "people", params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn decline(at: InSpace) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::DeclineHand { person }).await
}

#[derive(Serialize, ToSchema)]
pub(super) struct Declined {
    /// Hands that were declined.
    declined: usize,
}

/// Decline all raised hands: after a flood of them, and at the end of the questions
#[utoipa::path(post, path = "/api/v1/spaces/{id}/hands/decline", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = Declined), (status = "4XX", body = Problem)))]
pub(super) async fn decline_all(at: InSpace) -> Answer<Json<Declined>> {
    at.needs_manager()?;
    let waiting: Vec<_> = at.space.snapshot.load().hands.keys().copied().collect();
    let mut declined = 0;
    for person in waiting {
        match at.command(Command::DeclineHand { person }).await {
            Ok(_) => declined += 1,
            // Taken down or accepted in this moment.
            Err(problem) if at.space.snapshot.load().hands.contains_key(&person) => {
                return Err(problem);
            }
            Err(_) => {}
        }
    }
    Ok(Json(Declined { declined }))
}

/// Rename oneself (`me`), or as host somebody
#[utoipa::path(patch, path = "/api/v1/spaces/{id}/people/{person}", tag = "people", params(("id" = String, Path), ("person" = String, Path)), request_body = Rename,
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn rename(at: InSpace, In(Rename { name }): In<Rename>) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::Rename { person, name }).await
}

/// Mute oneself (`me`), or as host somebody
#[utoipa::path(post, path = "/api/v1/spaces/{id}/people/{person}/mute", tag = "people", params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn mute(at: InSpace) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::Mute { person }).await
}

/// Unmute oneself (`me`)
#[utoipa::path(post, path = "/api/v1/spaces/{id}/people/{person}/unmute", tag = "people", params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn unmute(at: InSpace) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::Unmute { person }).await
}

/// Let somebody whom a host has muted talk again
#[utoipa::path(post, path = "/api/v1/spaces/{id}/people/{person}/allow", tag = "people", params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn allow(at: InSpace) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::AllowTalk { person }).await
}

/// Take somebody off the stage
#[utoipa::path(post, path = "/api/v1/spaces/{id}/people/{person}/remove", tag = "people", params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn remove(at: InSpace) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::Remove { person }).await?;
    at.app.ingest.hang_up(&at.space.id, person).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Take somebody off the stage and keep them out
#[utoipa::path(post, path = "/api/v1/spaces/{id}/people/{person}/ban", tag = "people", params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn ban(at: InSpace) -> Answer<StatusCode> {
    let person = at.named()?;
    done(&at, Command::Ban { person }).await?;
    at.app.ingest.hang_up(&at.space.id, person).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn done(at: &InSpace, command: Command) -> Answer<StatusCode> {
    at.command(command).await?;
    Ok(StatusCode::NO_CONTENT)
}
