//! How often listeners are written to: its bounds, which an operator may move while everything runs.

use axum::Json;
use axum::http::StatusCode;
use hustings_evidence::row::{Happening, What, Who};
use hustings_media::fanout::{Cadence, CadenceBounds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::claims::TokenRole;
use super::door::In;
use super::problem::{Answer, Problem};
use super::who::OnNode;
use crate::ops::flight::happening;

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
    let Some(bounds) = CadenceBounds::new(set.min_ms, set.max_ms) else {
        return Err(Problem::caller(
            StatusCode::UNPROCESSABLE_ENTITY,
            "cadence-out-of-bounds",
            format!(
                "The cadence may move between {} and {} ms, and min_ms is at most max_ms.",
                Cadence::MS_MIN,
                Cadence::MS_MAX
            ),
        ));
    };
    let before = who.app.directory.pace.bounds();
    who.app.directory.pace.set_bounds(bounds);
    let range = |bounds: CadenceBounds| format!("{}-{}", bounds.min_ms(), bounds.max_ms());
    who.app.entrance.happened(Happening {
        what: What::CadenceChanged,
        who: Who::Operator,
        before: range(before).as_str().into(),
        after: range(bounds).as_str().into(),
        ..happening(&who.app.clock)
    });
    tracing::info!(
        set.min_ms,
        set.max_ms,
        "the bounds of the cadence were moved"
    );
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
