//! Rehearsals on the public listener: requests with a permit are counted and bounded here as the shards do it, and their
//! driver may read what the node uses.

use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hustings_control::gate::Used;
use serde_json::{Value, json};

use crate::api::App;
use crate::rehearsal::{HEADER, Mark, Outcome, Refusal};

pub(super) const PATH: &str = "/rehearsal.json";
/// Bytes of what a driver tells at its end.
const OUTCOME_BYTES_MAX: usize = 4_096;

/// What a driver that has done tells of its part. Without a good permit nobody is heard.
pub(super) async fn told(
    State(app): State<App>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let Some(shown) = headers.get(HEADER) else {
        return (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response();
    };
    let told = serde_json::from_slice::<Outcome>(&body).ok();
    let Some(outcome) = told.and_then(Outcome::bounded) else {
        return (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This is no part of a rehearsal that has ended.\n",
        )
            .into_response();
    };
    let rehearsals = &app.directory.rehearsals;
    match rehearsals.tell(Some(shown.as_bytes()), outcome, app.clock.wall()) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refused(refusal),
    }
}

pub(super) fn outcomes() -> DefaultBodyLimit {
    DefaultBodyLimit::max(OUTCOME_BYTES_MAX)
}

/// Before every page. Who shows no permit notices nothing of it.
pub(super) async fn marked(State(app): State<App>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(HEADER).map(HeaderValue::as_bytes);
    let wall = app.clock.wall();
    let asks = if request.uri().path() == PATH {
        Mark::Look
    } else {
        Mark::Page
    };
    match app.directory.rehearsals.judge(shown, asks, wall) {
        Ok(_) => next.run(request).await,
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
    let headers = [
        (header::CACHE_CONTROL.as_str(), "no-store"),
        (HEADER, refusal.name()),
    ];
    (status, headers, format!("{refusal}\n")).into_response()
}

/// What the node uses of what it has, for the driver of a rehearsal that shows its permit, and for nobody else.
pub(super) async fn standing(State(app): State<App>, headers: HeaderMap) -> Response {
    if !headers.contains_key(HEADER) {
        return (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response();
    }
    let Some(standing) = app.entrance.standing() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "not measured yet\n").into_response();
    };
    let (load, hall) = (standing.load, app.entrance.hall());
    let spaces = app.directory.all();
    let listening: u64 = spaces.values().map(|one| one.counts.listening()).sum();
    let body = json!({
        "wall_ms": app.clock.wall().0,
        "seats": standing.capacity,
        "seats_out": standing.out,
        "short": standing.short,
        "step": standing.step,
        "cadence_ms": load.cadence_ms,
        "listening": listening,
        "rehearsing": app.directory.rehearsals.listening(),
        // Beyond this share of a resource the door takes nobody in.
        "kept": hustings_control::gate::KEPT,
        "uses": {
            "cpu": { "used": load.cpu, "limit": 1.0 },
            "memory": of(load.memory),
            "files": of(load.files),
            "uplink": of(load.uplink),
            // Those that somebody has: shards hold some in hand besides, and would look dearer the fewer people there are.
            "seats": { "used": hall.inside(), "limit": hall.settings().seats },
        },
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn of(used: Used) -> Value {
    json!({ "used": used.used, "limit": used.limit })
}
