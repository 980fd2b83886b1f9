//! Rehearsals of this node: who is permitted one, what it does, and its end.

use axum::Json;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::claims::{TokenRole, draw, hex, parse_hex};
use super::door::In;
use super::problem::{Answer, Problem};
use super::who::OnNode;
use crate::rehearsal::{Kept, Permit, Told};

/// Seconds that a permit holds unless it is said.
const HOLDS_S: u32 = 3_600;

#[derive(Serialize, ToSchema)]
pub(super) struct Rehearsals {
    /// Host and port that permits of this node name.
    target: String,
    /// Listeners of rehearsals now.
    listening: u64,
    /// Those under way, and those of the last hour.
    rehearsals: Vec<Told>,
    /// Those that are over, oldest first; 200 at most.
    kept: Vec<Kept>,
    /// Ids of permits that were ended or revoked and whose window is not known to be over.
    revoked: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPermit {
    /// Requests a second of all drivers together.
    rate: u32,
    /// Listeners at once.
    people: u32,
    /// Unix seconds from which it holds; null: now.
    from_s: Option<u32>,
    /// Seconds that it holds, at most a day; null: an hour.
    holds_s: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct NewRehearsal {
    /// By which it is ended.
    id: String,
    target: String,
    /// For `hustings rehearse --permit`. Whoever has it may load this node within its bounds.
    permit: String,
    from_s: u32,
    until_s: u32,
}

/// Rehearsals under way
#[utoipa::path(get, path = "/api/v1/rehearsals", tag = "node",
    responses((status = 200, body = Rehearsals), (status = "4XX", body = Problem)))]
pub(super) async fn list(who: OnNode) -> Answer<Json<Rehearsals>> {
    needs_operator(&who)?;
    let rehearsals = &who.app.directory.rehearsals;
    Ok(Json(Rehearsals {
        target: rehearsals.target().unwrap_or_default().to_owned(),
        listening: rehearsals.listening(),
        rehearsals: rehearsals.told(who.app.clock.wall()),
        kept: rehearsals.kept(),
        revoked: rehearsals
            .revoked(who.app.clock.wall())
            .into_iter()
            .map(hex)
            .collect(),
    }))
}

/// Permit a rehearsal of this node
#[utoipa::path(post, path = "/api/v1/rehearsals", tag = "node", request_body = NewPermit,
    responses((status = 201, body = NewRehearsal), (status = "4XX", body = Problem)))]
pub(super) async fn permit(who: OnNode, In(new): In<NewPermit>) -> Answer<impl IntoResponse> {
    needs_operator(&who)?;
    let rehearsals = &who.app.directory.rehearsals;
    let now_s = u32::try_from(who.app.clock.wall().0 / 1_000).unwrap_or(u32::MAX);
    let from_s = new.from_s.unwrap_or(now_s);
    let permit = Permit {
        id: draw().map_err(|e| Problem::internal(&e))?,
        target: rehearsals.target().unwrap_or_default().to_owned(),
        from_s,
        until_s: from_s.saturating_add(new.holds_s.unwrap_or(HOLDS_S)),
        rate: new.rate,
        people: new.people,
    };
    let sealed = who.app.keys.permits().seal(&permit).map_err(|why| {
        Problem::caller(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad-permit",
            why.to_string(),
        )
    })?;
    crate::actions::rehearsal_permitted(&who.app, &permit);
    let new = NewRehearsal {
        id: hex(permit.id),
        target: permit.target,
        permit: sealed,
        from_s,
        until_s: permit.until_s,
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(new)))
}

/// End a rehearsal, or revoke a permit before it is used
///
/// Its listeners are closed, and its drivers are told so at their next request. An id of which nothing is known yet is
/// revoked: permits are also minted beside the node.
#[utoipa::path(delete, path = "/api/v1/rehearsals/{rehearsal}", tag = "node", params(("rehearsal" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn end(who: OnNode, Path(rehearsal): Path<String>) -> Answer<StatusCode> {
    needs_operator(&who)?;
    let id = parse_hex(&rehearsal).ok_or_else(|| {
        Problem::caller(
            StatusCode::NOT_FOUND,
            "no-rehearsal",
            "A rehearsal is named by its permit's id: 16 hex digits.",
        )
    })?;
    crate::actions::end_rehearsal(&who.app, id)?;
    Ok(StatusCode::NO_CONTENT)
}

fn needs_operator(who: &OnNode) -> Answer<()> {
    if who.needed()? == TokenRole::Operator {
        return Ok(());
    }
    Err(Problem::caller(
        StatusCode::FORBIDDEN,
        "operator-only",
        "Only an operator may look at rehearsals, permit or end them.",
    ))
}
