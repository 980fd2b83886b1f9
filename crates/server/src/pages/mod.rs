//! Pages (maud), assets embedded in the binary, and the crowd's small endpoints (state.json, events, ics).

mod assets;
mod board;
mod calendar;
mod feed;
mod frame;
mod home;
mod line;
mod parts;
mod range;
mod rehearsal;
mod replay;
mod space;
mod status;
mod studio;
mod words;

use axum::Router;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

pub use self::board::board_router;
pub use self::status::StatusThread;
use crate::api::{App, knock, reactions, seats};

/// `/`, `/s/{id}`, `/s/{id}/state.json`, `/s/{id}/events`, `/s/{id}/reactions`, `/s/{id}/knock`, `/s/{id}/serving.json`, `/s/{id}/line`, `/s/{id}/status`, `/s/{id}/replay…`, `/s/{id}/event.ics`, `/assets/…` of the public listener.
pub fn public_router(app: App) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/s/{id}", get(space::page))
        .route("/s/{id}/state.json", get(feed::state))
        .route("/s/{id}/events", get(feed::events))
        .route(
            "/s/{id}/reactions",
            post(reactions::react).layer(reactions::limit()),
        )
        .route("/s/{id}/knock", post(knock::knock))
        .route("/s/{id}/serving.json", get(knock::serving))
        .route("/s/{id}/rsvp", post(seats::rsvp).layer(seats::rsvps()))
        .route("/s/{id}/line", get(line::page))
        .route("/s/{id}/status", get(status::page))
        .route("/s/{id}/replay", get(replay::page))
        .route("/s/{id}/replay.ogg", get(replay::file))
        .route("/s/{id}/event.ics", get(calendar::event))
        .route("/robots.txt", get(robots))
        .route(
            rehearsal::PATH,
            get(rehearsal::standing)
                .post(rehearsal::told)
                .layer(rehearsal::outcomes()),
        )
        .merge(asset_routes())
        .fallback(home::nothing_here)
        .layer(from_fn_with_state(app.clone(), rehearsal::marked))
        .with_state(app)
}

/// `/studio`, `/studio/{id}`, `/assets/…` of the stage listener.
pub fn studio_router(app: App) -> Router {
    Router::new()
        .route("/studio", get(studio::list))
        .route("/studio/{id}", get(studio::space))
        .merge(asset_routes())
        .with_state(app)
}

fn asset_routes() -> Router<App> {
    Router::new()
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.ico", get(assets::favicon))
        .route("/favicon.svg", get(assets::favicon))
        .route("/favicon", get(assets::favicon))
}

async fn robots() -> Response {
    const TEXT: &str = "User-agent: *\nDisallow: /studio\nDisallow: /s/*/live.ogg\nDisallow: /s/*/live.webm\nDisallow: /s/*/live.mp4\n";
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "public, max-age=3600"),
        ],
        TEXT,
    )
        .into_response()
}
