//! The numbers of a space, each with what it counts and how exact it is.

use axum::Json;
use hustings_control::numbers::{Definition, Exactness, Number};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Answer, Problem};
use super::who::InSpace;
use crate::numbers::{self, Value};

#[derive(Serialize, ToSchema)]
pub(super) struct Numbers {
    /// Milliseconds since 1970: when the node started. Counts begin there, those of a run before are in its records (`hustings report`).
    since: u64,
    numbers: Vec<NumberView>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct NumberView {
    /// `attempts`, `admitted`, `listening`, `peak`, `stayed_60s`, `listener_minutes`, `uniques`, `replay_plays` or `waiting`.
    key: &'static str,
    title: &'static str,
    value: f64,
    /// Of the value, what came with a rehearsal's permit; of `peak` and `uniques`, what rehearsals alone came to. Absent when
    /// there was none, and where it is not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsed: Option<f64>,
    /// Of the value: `1` when it counts things, `min` for minutes.
    unit: &'static str,
    /// What it counts.
    definition: &'static str,
    /// Whether the value is exactly that.
    exact: bool,
    /// Share of the value within which two of three estimates lie; absent when the value is no estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<f64>,
    /// How exact it is, in words.
    exactness: String,
}

/// The numbers of a space, each with its definition
#[utoipa::path(get, path = "/api/v1/spaces/{id}/numbers", tag = "spaces", params(("id" = String, Path)),
    responses((status = 200, body = Numbers), (status = "4XX", body = Problem)))]
pub(super) async fn get(at: InSpace) -> Answer<Json<Numbers>> {
    at.needs_manager()?;
    let view = |number: Number| {
        let Definition {
            key,
            title,
            unit,
            words,
            exactness,
        } = number.definition();
        let in_units = |value| match value {
            Value::Count(count) => count as f64,
            Value::Millis(millis) => millis as f64 / 60_000.0,
        };
        let value = in_units(numbers::of_space(&at.space, number));
        let rehearsed = numbers::of_rehearsals(&at.space, number).map(in_units);
        let standard_error = match exactness {
            Exactness::StandardError(parts) => Some(f64::from(parts) / 10_000.0),
            Exactness::Exact | Exactness::Words(_) => None,
        };
        NumberView {
            key,
            title,
            value,
            rehearsed: rehearsed.filter(|rehearsed| *rehearsed > 0.0),
            unit,
            definition: words,
            exact: standard_error.is_none(),
            standard_error,
            exactness: exactness.to_string(),
        }
    };
    let numbers = Number::OF_A_SPACE.map(view).into();
    Ok(Json(Numbers {
        since: at.app.clock.started().0,
        numbers,
    }))
}
