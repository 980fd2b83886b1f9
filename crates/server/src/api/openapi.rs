//! The API's description, made from the handlers.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::{
    cadence, controls, enter, invites, knock, numbers, people, preflight, problem, reactions,
    rehearsals, seats, spaces, studio, whip,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Hustings", description = "Management of live audio spaces, on the stage listener. Errors are RFC 9457 problems. A browser signed in by cookie sends Origin with each change."),
    modifiers(&Bearer),
    security(("bearer" = [])),
    components(schemas(problem::Problem)),
    paths(
        enter::enter_space, enter::leave_space, enter::enter_node, enter::leave_node, enter::node_me,
        spaces::create, spaces::list, spaces::get, spaces::edit, spaces::open, spaces::live, spaces::end, spaces::cancel, controls::lock, controls::music,
        controls::put_hold_music, controls::delete_hold_music, controls::hush, controls::echo, spaces::log, spaces::delete_recording,
        invites::list, invites::create, invites::link_again, invites::revoke,
        people::me, people::raise_hand, people::lower_hand, people::accept, people::decline, people::decline_all, people::rename, people::mute, people::unmute, people::allow, people::remove, people::ban,
        studio::snapshot, studio::events,
        reactions::react, knock::knock, knock::serving, seats::rsvp,
        whip::offer, whip::patch, whip::hang_up,
        numbers::get,
        cadence::get, cadence::put, preflight::get,
        rehearsals::list, rehearsals::permit, rehearsals::end,
        seats::get, seats::put, seats::tickets,
    )
)]
struct Api;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let mut http = Http::new(HttpAuthScheme::Bearer);
        http.bearer_format = Some("JWT".to_owned());
        api.components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(http));
    }
}

pub(super) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(Api::openapi())
}

/// As it is checked in, `docs/openapi.json`.
pub fn text() -> String {
    let mut text = Api::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
