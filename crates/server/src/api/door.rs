//! What stands before every handler: bounds on requests and bodies, the guard against other sites, and CORS for our own
//! public page.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::App;
use super::auth::AuthError;
use super::hands::HandsByNetwork;
use super::problem::{Answer, Problem};
use super::rights::{Nobody, shows_a_right, space_of};
use super::strangers::Strangers;
use crate::house::Guest;

/// Bytes of a JSON or SDP body. The largest real one (an offer with many candidates) has about 8,000; more is refused.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an uploaded sound: ten minutes of WAV at 16 kHz, or hours of MP3. More is refused.
pub(super) const UPLOAD_BYTES_MAX: usize = 20 * 1024 * 1024;
/// A body that has not come whole after this is refused, and its memory freed.
pub(super) const BODY_READ_MAX: Duration = Duration::from_secs(10);
/// Uploads get longer, for a phone's uplink needs a minute for the largest.
pub(super) const UPLOAD_READ_MAX: Duration = Duration::from_secs(60);
/// Uploads held in memory at once; one more is told to come again.
pub(super) const UPLOADS_MAX: usize = 2;
/// Requests with a right in work at once on the stage listener; one more is told to come again. Hosts are few, and strangers
/// have places of their own (`strangers`).
pub(super) const REQUESTS_MAX: usize = 256;
/// Open studios (SSE) at once; one more is told to come again, and works by `studio.json`.
pub(super) const STUDIOS_MAX: usize = 512;

/// Paths that our public page calls from its own origin (another port or host name than the stage listener's).
const PUBLIC_PATHS: [&str; 7] = [
    "/api/v1/spaces/{id}/me",
    "/api/v1/spaces/{id}/hands",
    "/api/v1/spaces/{id}/people/{person}",
    "/api/v1/spaces/{id}/people/{person}/mute",
    "/api/v1/spaces/{id}/people/{person}/unmute",
    "/s/{id}/whip",
    "/s/{id}/whip/{session}",
];

/// The stage listener's state: the node's parts, and this listener's own bounds.
#[derive(Clone)]
pub(super) struct Door {
    pub app: App,
    pub(super) uploads: Arc<Semaphore>,
    pub(super) requests: Arc<Semaphore>,
    pub(super) studios: Arc<Semaphore>,
    pub(super) strangers: Arc<Strangers>,
    pub(super) hands: HandsByNetwork,
}

impl Door {
    pub(super) fn new(app: App) -> Self {
        let places = |max| Arc::new(Semaphore::new(max));
        Self {
            strangers: Strangers::new(Arc::clone(&app.directory)),
            hands: HandsByNetwork::default(),
            app,
            uploads: places(UPLOADS_MAX),
            requests: places(REQUESTS_MAX),
            studios: places(STUDIOS_MAX),
        }
    }
}

/// Refuses at once what is over the bound: a queue of waiting requests would only hide that. Whoever shows no right takes no
/// place from those who do.
pub(super) async fn bounded(State(door): State<Door>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let space = space_of(&mut parts, &door).await;
    let right = shows_a_right(&door.app, &parts.headers, space.as_deref());
    let request = Request::from_parts(parts, body);
    if !right {
        let from = request.extensions().get::<Guest>();
        let (_place, pushed_out) = door.strangers.enter(from.and_then(Guest::bounded));
        return tokio::select! {
            biased;
            answer = next.run(request) => answer,
            Ok(why) = pushed_out => Problem::from(why).into_response(),
        };
    }
    let Ok(_place) = door.requests.try_acquire() else {
        return Problem::busy("too many requests are in work; try again in a second")
            .into_response();
    };
    next.run(request).await
}

/// Lets our public page read answers of the paths that are meant for it, with its cookies. Nobody else is answered.
pub(super) async fn cors(State(door): State<Door>, request: Request, next: Next) -> Response {
    let from_public = is_public_path(request.extensions().get::<MatchedPath>())
        && header_text(request.headers(), header::ORIGIN) == Some(origin_of(&door.app.public_url));
    if !from_public {
        return next.run(request).await;
    }
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if let Ok(origin) = HeaderValue::from_str(origin_of(&door.app.public_url)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Location, ETag, Retry-After"),
    );
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if preflight {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PATCH, DELETE"),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Content-Type, If-Match"),
        );
        headers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("600"),
        );
    }
    response
}

/// A change asked for without a bearer token must come from our own pages, and say so. Older browsers send no
/// Sec-Fetch-Site, but all that run our pages send Origin with a change.
pub(super) fn guard(
    app: &App,
    method: &Method,
    path: Option<&MatchedPath>,
    headers: &HeaderMap,
) -> Result<(), AuthError> {
    if method.is_safe() {
        return Ok(());
    }
    let origin = header_text(headers, header::ORIGIN).ok_or(AuthError::CrossSite)?;
    let site = header_text(headers, header::HeaderName::from_static("sec-fetch-site"));
    let own = (origin == origin_of(&app.stage_url) || is_host_itself(origin, headers))
        && matches!(site, None | Some("same-origin"));
    let public = is_public_path(path)
        && origin == origin_of(&app.public_url)
        && matches!(site, None | Some("same-origin" | "same-site"));
    if own || public {
        Ok(())
    } else {
        Err(AuthError::CrossSite)
    }
}

/// A press on the crowd's listener carries no cookie, so another site gains nothing by it but noise: what a browser sends
/// must come from our page. A client that is no browser sends neither header, and may press too.
pub(super) fn from_own_page(app: &App, headers: &HeaderMap) -> Result<(), AuthError> {
    let site = header_text(headers, header::HeaderName::from_static("sec-fetch-site"));
    let own = match header_text(headers, header::ORIGIN) {
        None => true,
        Some(origin) => origin == origin_of(&app.public_url) || is_host_itself(origin, headers),
    };
    if own && matches!(site, None | Some("same-origin")) {
        Ok(())
    } else {
        Err(AuthError::CrossSite)
    }
}

/// JSON of a bounded body. An absent body is `{}`, so that commands without fields need none. Who was not recognised is told
/// so, and the body is not read.
pub(super) struct In<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Door> for In<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Door) -> Answer<Self> {
        if let Some(Nobody(why)) = request.extensions().get() {
            return Err((*why).into());
        }
        parse_json(request, BODY_BYTES_MAX, BODY_READ_MAX)
            .await
            .map(Self)
    }
}

/// The same where strangers have business too.
pub(super) struct FromAnybody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Door> for FromAnybody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Door) -> Answer<Self> {
        parse_json(request, BODY_BYTES_MAX, BODY_READ_MAX)
            .await
            .map(Self)
    }
}

/// JSON of a body of at most `max` bytes that comes whole within `within`.
pub(super) async fn parse_json<T: DeserializeOwned>(
    request: Request,
    max: usize,
    within: Duration,
) -> Answer<T> {
    let kind = header_text(request.headers(), header::CONTENT_TYPE).map(str::to_owned);
    let body = read(request.into_body(), max, within).await?;
    if body.is_empty() {
        return parse(b"{}");
    }
    // Forms of other sites cannot send this type, which is one more guard.
    if !kind.is_some_and(|kind| is_type(&kind, "application/json")) {
        return Err(Problem::caller(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "send the body as application/json",
        ));
    }
    parse(&body)
}

pub(super) async fn read(body: Body, max: usize, within: Duration) -> Answer<Bytes> {
    match tokio::time::timeout(within, Limited::new(body, max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Problem::caller(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("the body is larger than {max} bytes"),
        )),
        Ok(Err(_)) => Err(Problem::caller(
            StatusCode::BAD_REQUEST,
            "broken-body",
            "the body broke off",
        )),
        Err(_) => Err(Problem::caller(
            StatusCode::REQUEST_TIMEOUT,
            "slow-body",
            format!("the body did not come within {} s", within.as_secs()),
        )),
    }
}

pub(super) fn is_type(value: &str, wanted: &str) -> bool {
    value
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}

pub(super) fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::caller(
            StatusCode::BAD_REQUEST,
            "bad-json",
            format!("the body is not the JSON that is expected here: {error}"),
        )
    })
}

fn is_public_path(path: Option<&MatchedPath>) -> bool {
    path.is_some_and(|path| PUBLIC_PATHS.contains(&path.as_str()))
}

/// Scheme and authority of a URL, as browsers put them into Origin.
fn origin_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    url[authority..]
        .find('/')
        .map_or(url, |path| &url[..authority + path])
}

/// The page was loaded from the very name that it now calls, such as `localhost` for 127.0.0.1.
fn is_host_itself(origin: &str, headers: &HeaderMap) -> bool {
    let host = header_text(headers, header::HOST);
    host.is_some() && origin.split_once("://").map(|(_, authority)| authority) == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(
            origin_of("https://live.example.org"),
            "https://live.example.org"
        );
        assert_eq!(
            origin_of("https://live.example.org:8443/a/b"),
            "https://live.example.org:8443"
        );
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_refused_in_time_and_size() {
        let slow = Body::new(http_body_util::StreamBody::new(tokio_stream::pending::<
            Result<hyper::body::Frame<Bytes>, std::io::Error>,
        >()));
        let patience = Duration::from_millis(10);
        assert_eq!(read(slow, 10, patience).await.unwrap_err().status, 408);
        assert_eq!(
            read(Body::from(vec![0; 11]), 10, BODY_READ_MAX)
                .await
                .unwrap_err()
                .status,
            413
        );
        assert_eq!(
            read(Body::from(vec![0; 10]), 10, BODY_READ_MAX)
                .await
                .unwrap()
                .len(),
            10
        );
    }

    #[test]
    fn types_are_compared_without_parameters() {
        assert!(is_type(
            "Application/JSON; charset=utf-8",
            "application/json"
        ));
        assert!(!is_type("text/plain", "application/json"));
    }
}
