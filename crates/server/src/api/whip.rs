//! WHIP (RFC 9725): speaking by one POST. The session's resource takes PATCH (trickle, restart) and DELETE.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hustings_control::spaces::{Actor, Command, Refusal};

use super::door::{BODY_BYTES_MAX, BODY_READ_MAX, header_text, is_type, read};
use super::problem::{Answer, Problem};
use super::who::InSpace;
use crate::ingest::IngestError;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Offer a session: speak, and hear the others when the offer says `sendrecv`
#[utoipa::path(post, path = "/s/{id}/whip", tag = "whip", params(("id" = String, Path)), request_body(content = String, content_type = "application/sdp"),
    responses((status = 201, body = String, content_type = "application/sdp", headers(("Location" = String), ("ETag" = String))), (status = "4XX", body = Problem)))]
pub(super) async fn offer(at: InSpace, headers: HeaderMap, body: Body) -> Answer<Response> {
    let person = at.needs_person()?;
    needs_type(&headers, SDP)?;
    let sdp = text(body).await?;
    // Told before any media is set up; the seat itself is taken when the session connects.
    let space = at.space.snapshot.load_full();
    match space.decide(
        Actor::Person(person),
        Command::TakeSeat { person },
        at.app.clock.wall(),
    ) {
        // A second offer replaces the person's first session, in the same seat.
        Ok(_) | Err(Refusal::Already { .. }) => {}
        Err(refusal) => return Err(refusal.into()),
    }
    let accepted = at
        .app
        .ingest
        .offer(at.space.id.clone(), person, sdp)
        .await?;
    let location = format!("/s/{}/whip/{}", at.space.id, accepted.session);
    let header = |text: &str| HeaderValue::from_str(text).map_err(|e| Problem::internal(&e));
    let head = [
        (header::LOCATION, header(&location)?),
        (header::ETAG, header(&accepted.etag)?),
        (header::CONTENT_TYPE, HeaderValue::from_static(SDP)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("accept-patch"),
            HeaderValue::from_static(FRAGMENT),
        ),
    ];
    Ok((StatusCode::CREATED, head, accepted.answer_sdp).into_response())
}

/// Trickle candidates, or restart ICE
#[utoipa::path(patch, path = "/s/{id}/whip/{session}", tag = "whip", params(("id" = String, Path), ("session" = String, Path), ("If-Match" = String, Header)),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"), responses((status = 200), (status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn patch(at: InSpace, headers: HeaderMap, body: Body) -> Answer<Response> {
    needs_owner(&at)?;
    needs_type(&headers, FRAGMENT)?;
    let if_match = header_text(&headers, header::IF_MATCH);
    let (answer, etag) = at
        .app
        .ingest
        .patch(&at.param, if_match, text(body).await?)
        .await?;
    let etag = HeaderValue::try_from(etag).map_err(|e| Problem::internal(&e))?;
    Ok(match answer {
        Some(fragment) => (
            [
                (header::ETAG, etag),
                (header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT)),
            ],
            fragment,
        )
            .into_response(),
        None => (StatusCode::NO_CONTENT, [(header::ETAG, etag)]).into_response(),
    })
}

/// Hang up
#[utoipa::path(delete, path = "/s/{id}/whip/{session}", tag = "whip", params(("id" = String, Path), ("session" = String, Path)), responses((status = 200), (status = "4XX", body = Problem)))]
pub(super) async fn hang_up(at: InSpace) -> Answer<StatusCode> {
    needs_owner(&at)?;
    at.app.ingest.delete(&at.param).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn options() -> impl IntoResponse {
    (
        StatusCode::NO_CONTENT,
        [
            ("accept-post", SDP),
            ("accept-patch", FRAGMENT),
            ("allow", "OPTIONS, POST"),
        ],
    )
}

/// Other people's sessions look as if they were not there.
fn needs_owner(at: &InSpace) -> Answer<()> {
    let person = at.needs_person()?;
    match at.app.ingest.owner(&at.param) {
        Some((space, owner)) if space == at.space.id && owner == person => Ok(()),
        Some(_) | None => Err(IngestError::NoSession.into()),
    }
}

fn needs_type(headers: &HeaderMap, wanted: &str) -> Answer<()> {
    if header_text(headers, header::CONTENT_TYPE).is_some_and(|kind| is_type(kind, wanted)) {
        Ok(())
    } else {
        Err(Problem::caller(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-type",
            format!("send the body as {wanted}"),
        ))
    }
}

async fn text(body: Body) -> Answer<String> {
    let body = read(body, BODY_BYTES_MAX, BODY_READ_MAX).await?;
    String::from_utf8(body.into())
        .map_err(|_| IngestError::BadOffer("it is not UTF-8".to_owned()).into())
}
