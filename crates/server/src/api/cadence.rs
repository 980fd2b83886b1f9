//! How often listeners are written to: its bounds, which an operator may move while everything runs.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::claims::TokenRole;
use super::door::In;
use super::problem::{Answer, Problem};
use super::who::OnNode;
use crate::actions;

#[derive(Deserialize, ToSchema)]
pub(super) struct SetCadence {
    /// Milliseconds between sweeps at least, 100 to 2,000.
    min_ms: u64,
    /// Milliseconds at most. The same as `min_ms`: the cadence is fixed.
    max_ms: u64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct CadenceView {
    min_ms: u64,
    max_ms: u64,
    /// Milliseconds: the widest interval that listeners are told to be ready for now.
    announced_ms: u64,
}

/// The bounds of the cadence
#[utoipa::path(get, path = "/api/v1/cadence", tag = "node",
    responses((status = 200, body = CadenceView), (status = "4XX", body = Problem)))]
pub(super) async fn get(who: OnNode) -> Answer<Json<CadenceView>> {
    needs_operator(&who)?;
    Ok(Json(view(&who)))
}

/// Move the bounds of the cadence; shards follow no faster than players stretch
#[utoipa::path(put, path = "/api/v1/cadence", tag = "node", request_body = SetCadence,
    responses((status = 200, body = CadenceView), (status = "4XX", body = Problem)))]
pub(super) async fn put(who: OnNode, In(set): In<SetCadence>) -> Answer<Json<CadenceView>> {
    needs_operator(&who)?;
    actions::set_cadence(&who.app, set.min_ms, set.max_ms)?;
    Ok(Json(view(&who)))
}

fn needs_operator(who: &OnNode) -> Answer<()> {
    if who.needed()? == TokenRole::Operator {
        return Ok(());
    }
    Err(Problem::caller(
        StatusCode::FORBIDDEN,
        "operator-only",
        "Only an operator may look at or move the cadence.",
    ))
}

fn view(who: &OnNode) -> CadenceView {
    let pace = &who.app.directory.pace;
    let bounds = pace.bounds();
    CadenceView {
        min_ms: bounds.min_ms(),
        max_ms: bounds.max_ms(),
        announced_ms: pace.announced_ms(),
    }
}
