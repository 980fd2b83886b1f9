//! Go or no-go, for operators: the same lines that the board and `hustings preflight` show.

use axum::Json;
use axum::extract::Query;
use axum::http::StatusCode;
use hustings_control::ids::SpaceId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::claims::TokenRole;
use super::problem::{Answer, Problem};
use super::who::OnNode;
use crate::preflight::{self, EXPECT_DEFAULT, Preflight, Wanted};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// The space whose hosts and hold music are looked at; none: only the node.
    #[serde(default)]
    space: Option<String>,
    /// People expected at once.
    #[serde(default)]
    expect: Option<u32>,
    /// Go without a rehearsal.
    #[serde(default)]
    without_rehearsal: bool,
}

/// Whether the node is ready for an event: each line with what was seen, what is needed, and what to do
#[utoipa::path(get, path = "/api/v1/preflight", tag = "node", params(Asked),
    responses((status = 200, body = Preflight), (status = "4XX", body = Problem)))]
pub(super) async fn get(who: OnNode, Query(asked): Query<Asked>) -> Answer<Json<Preflight>> {
    if who.needed()? != TokenRole::Operator {
        return Err(Problem::caller(
            StatusCode::FORBIDDEN,
            "operator-only",
            "Only an operator may ask for the preflight.",
        ));
    }
    let wanted = wanted(&who.app, asked)?;
    Ok(Json(preflight::run(&who.app, &wanted).await))
}

pub(crate) fn wanted(app: &super::App, asked: Asked) -> Answer<Wanted> {
    let space = match asked.space.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let id = SpaceId::parse(text).map_err(|_| Problem::unknown_space())?;
            app.directory.get(&id).ok_or_else(Problem::unknown_space)?;
            Some(id)
        }
    };
    Ok(Wanted {
        space,
        expect: asked.expect.unwrap_or(EXPECT_DEFAULT),
        without_rehearsal: asked.without_rehearsal,
    })
}
