//! Knocks and `serving.json` on connections that HTTP reads. Most are answered by the shards, which do not explain; this
//! answers the rest the same way, and says what is wrong with those that are not as they should be.

use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::auth::AuthError;
use super::door::{header_text, is_type, read};
use super::problem::{Answer, Problem};
use crate::usher::answer_knock;

/// Bytes. The longest knock (a puzzle with its solution) has about 200.
const KNOCK_BYTES_MAX: usize = 1_024;
/// A knock's body that has not come whole after this is refused.
const KNOCK_READ_MAX: Duration = Duration::from_secs(5);

/// What somebody at the door wants, and shows.
#[derive(Deserialize, Serialize, ToSchema)]
#[allow(
    dead_code,
    reason = "it describes; the gate's shell reads knocks without copying"
)]
pub(crate) struct KnockBody {
    /// `right` (a way in), `puzzle` (a puzzle to come in by computing), or `resume` (inside: the right to come back).
    ask: Option<String>,
    /// A place, a ticket, a puzzle: 80 characters as they were given; or a puzzle with its solution, 128.
    show: Option<String>,
    /// The mark that the sound was asked for with, `?n=`: up to 16 hex digits.
    n: Option<String>,
    /// The 48 characters of a solution, when `show` is the bare puzzle.
    solution: Option<String>,
}

/// What the door says; which fields there are follows from `verdict`.
#[derive(Serialize, ToSchema)]
#[allow(
    dead_code,
    reason = "it describes; the gate's shell writes answers without copying"
)]
pub(crate) struct KnockAnswer {
    /// `enter`, `wait`, `prove`, `resume` or `turn_away`.
    verdict: String,
    /// To ask for the sound with (`?t=`); null in calm, where none is needed.
    ticket: Option<String>,
    /// Milliseconds for which a seat is held for the ticket.
    held_ms: Option<u64>,
    /// Why there is no seat now.
    cause: Option<String>,
    /// To knock with next time; null: with what was shown.
    place: Option<String>,
    /// Places before this one, and this one as a number to compare with `called` of `serving.json`.
    ahead: Option<u64>,
    position: Option<u64>,
    /// Milliseconds to the draw among those who came in the first seconds; absent when there is none.
    draw_ms: Option<u64>,
    /// Milliseconds until it is worth asking again.
    poll_ms: Option<u32>,
    /// Whether `ask: puzzle` would be answered with one.
    puzzle_offered: Option<bool>,
    puzzle: Option<String>,
    /// Mean number of hashes to a solution.
    tries: Option<u32>,
    reason: Option<String>,
    retry_ms: Option<u32>,
    /// Milliseconds after which a resume ticket is to be renewed.
    renew_ms: Option<u64>,
}

/// Knock at a space's door, on the public listener: a way in when seats are short
#[utoipa::path(post, path = "/s/{id}/knock", tag = "listening", params(("id" = String, Path)), request_body = KnockBody, security(()),
    responses((status = 200, body = KnockAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn knock(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    not_foreign(request.headers())?;
    let space = app
        .directory
        .by_text(&id)
        .ok_or_else(Problem::unknown_space)?;
    let door = space.door.load_full().ok_or_else(over)?;
    let from = client(&request);
    let kind = header_text(request.headers(), header::CONTENT_TYPE).map(str::to_owned);
    let body = read(request.into_body(), KNOCK_BYTES_MAX, KNOCK_READ_MAX).await?;
    if !body.is_empty() && !kind.is_some_and(|kind| is_type(&kind, "application/json")) {
        return Err(Problem::caller(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "send the body as application/json",
        ));
    }
    let mut json = Vec::new();
    let mut wicket = app.wicket.lock().unwrap_or_else(PoisonError::into_inner);
    answer_knock(&mut wicket, &door, from, &body, &mut json).map_err(|_| {
        Problem::caller(
            StatusCode::BAD_REQUEST,
            "bad-json",
            "the body is not the JSON of a knock",
        )
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, json).into_response())
}

/// How far the line is, on the public listener: small, signed, the same for everybody, new each second
#[utoipa::path(get, path = "/s/{id}/serving.json", tag = "listening", params(("id" = String, Path)), security(()),
    responses((status = 200, content_type = "application/json"), (status = 304), (status = "4XX", body = Problem)))]
pub(crate) async fn serving(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let space = app
        .directory
        .by_text(&id)
        .ok_or_else(Problem::unknown_space)?;
    let serving = space.serving.load_full().ok_or_else(over)?;
    let etag = format!("\"{:016x}\"", serving.etag);
    let known = header_text(&headers, header::IF_NONE_MATCH) == Some(&etag);
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CACHE_CONTROL, "public, max-age=1".to_owned()),
        (header::ETAG, etag),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, serving.body.clone()).into_response())
}

pub(crate) fn over() -> Problem {
    Problem::caller(
        StatusCode::GONE,
        "over",
        "this space is over; nobody comes in any more",
    )
}

/// The visitors of another site must not knock for it.
pub(crate) fn not_foreign(headers: &HeaderMap) -> Result<(), AuthError> {
    let site = header_text(headers, header::HeaderName::from_static("sec-fetch-site"));
    if site == Some("cross-site") {
        return Err(AuthError::CrossSite);
    }
    Ok(())
}

/// Another site may link to a page that knocks, but must not knock by pictures and frames.
pub(crate) fn is_own_visit(headers: &HeaderMap) -> bool {
    let says = |name: &str, word: &str| headers.get(name).is_none_or(|line| line == word);
    // A frame navigates too; only its destination tells it from a tab.
    let visits = says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
    visits || not_foreign(headers).is_ok()
}

/// Who asks, as the edge has found out.
pub(crate) fn client(request: &Request) -> IpAddr {
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    client.map_or(IpAddr::from([0, 0, 0, 0]), |client| client.0.ip())
}
