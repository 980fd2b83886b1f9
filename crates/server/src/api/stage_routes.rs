//! Routes of the stage listener: /api/v1, /s/{id}/whip, sign-in. Pages of the studio come from `pages`.

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, patch, post, put};

use super::door::{self, Door};
use super::{
    App, cadence, controls, enter, invites, numbers, openapi, people, preflight, problem,
    rehearsals, seats, spaces, studio, whip,
};

pub fn router(app: App) -> axum::Router {
    let door = Door::new(app);
    let space = axum::Router::new()
        .route("/", get(spaces::get).patch(spaces::edit))
        .route("/open", post(spaces::open))
        .route("/live", post(spaces::live))
        .route("/end", post(spaces::end))
        .route("/cancel", post(spaces::cancel))
        .route("/lock", post(controls::lock))
        .route("/music", post(controls::music))
        .route("/hush", post(controls::hush))
        .route("/echo", post(controls::echo))
        .route(
            "/hold-music",
            put(controls::put_hold_music).delete(controls::delete_hold_music),
        )
        .route("/log", get(spaces::log))
        .route("/recording", delete(spaces::delete_recording))
        .route("/invites", get(invites::list).post(invites::create))
        .route("/invites/{invite}", delete(invites::revoke))
        .route("/invites/{invite}/link", post(invites::link_again))
        .route("/me", get(people::me))
        .route(
            "/hands",
            post(people::raise_hand).delete(people::lower_hand),
        )
        .route("/hands/decline", post(people::decline_all))
        .route("/hands/{person}/accept", post(people::accept))
        .route("/hands/{person}/decline", post(people::decline))
        .route("/people/{person}", patch(people::rename))
        .route("/people/{person}/mute", post(people::mute))
        .route("/people/{person}/unmute", post(people::unmute))
        .route("/people/{person}/allow", post(people::allow))
        .route("/people/{person}/remove", post(people::remove))
        .route("/people/{person}/ban", post(people::ban))
        .route("/door", get(seats::get).put(seats::put))
        .route("/numbers", get(numbers::get))
        .route("/tickets", post(seats::tickets))
        .route("/studio.json", get(studio::snapshot))
        .route("/studio-events", get(studio::events));
    axum::Router::new()
        .route("/api/v1/openapi.json", get(openapi::serve))
        .route("/api/v1/me", get(enter::node_me))
        .route("/api/v1/cadence", get(cadence::get).put(cadence::put))
        .merge(rehearsals())
        .route("/api/v1/spaces", get(spaces::list).post(spaces::create))
        .nest("/api/v1/spaces/{id}", space)
        .route(
            "/studio/enter",
            post(enter::enter_node).delete(enter::leave_node),
        )
        .route(
            "/studio/{id}/enter",
            post(enter::enter_space).delete(enter::leave_space),
        )
        .route("/s/{id}/whip", post(whip::offer).options(whip::options))
        .route(
            "/s/{id}/whip/{session}",
            patch(whip::patch)
                .delete(whip::hang_up)
                .options(whip::options),
        )
        .method_not_allowed_fallback(problem::no_method)
        .fallback(problem::no_route)
        .layer(from_fn_with_state(door.clone(), door::cors))
        .layer(from_fn_with_state(door.clone(), door::bounded))
        // Bodies are bounded where they are read, with a deadline.
        .layer(DefaultBodyLimit::disable())
        .with_state(door)
}

/// What comes before the night.
fn rehearsals() -> axum::Router<Door> {
    axum::Router::new()
        .route("/api/v1/preflight", get(preflight::get))
        .route(
            "/api/v1/rehearsals",
            get(rehearsals::list).post(rehearsals::permit),
        )
        .route("/api/v1/rehearsals/{rehearsal}", delete(rehearsals::end))
}
