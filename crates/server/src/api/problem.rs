//! Errors as RFC 9457 problems: the one place that says which error is which status, and whose fault it is.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hustings_control::spaces::{Fault, Refusal};
use hustings_media::music::MusicError;
use serde::Serialize;

use super::auth::AuthError;
use crate::archive::ArchiveError;
use crate::desk::DeskError;
use crate::ingest::IngestError;

/// Seconds after which somebody who met a full node may try again.
const RETRY_AFTER_S: u64 = 2;

#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:hustings:problem:` and a stable word.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What happened and what to do, for people.
    pub detail: String,
    /// Who can mend it: `caller`, `space` or `node`.
    pub fault: &'static str,
}

pub type Answer<T> = Result<T, Problem>;

impl Problem {
    pub fn new(status: StatusCode, code: &str, fault: Fault, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:hustings:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            fault: match fault {
                Fault::Caller => "caller",
                Fault::Space => "space",
                Fault::Node => "node",
            },
        }
    }

    pub fn caller(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self::new(status, code, Fault::Caller, detail)
    }

    pub fn unknown_space() -> Self {
        Self::caller(
            StatusCode::NOT_FOUND,
            "unknown-space",
            "there is no space with this id on this node; check the link",
        )
    }

    pub fn unknown(what: &str) -> Self {
        Self::caller(
            StatusCode::NOT_FOUND,
            "unknown",
            format!("there is no such {what} in this space"),
        )
    }

    pub fn busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", Fault::Node, detail)
    }

    /// The reason goes to the log, not to whoever asked.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            Fault::Node,
            "the node could not do this; its log says why",
        )
    }

    pub fn code(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"hustings\""),
            );
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::TooLong { .. } | Refusal::Empty { .. } | Refusal::StartInPast => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Refusal::Unknown { .. } => StatusCode::NOT_FOUND,
            Refusal::NotAllowed { .. }
            | Refusal::OnlySelf
            | Refusal::NotOneself
            | Refusal::Revoked
            | Refusal::Expired
            | Refusal::Banned
            | Refusal::MutedByHost => StatusCode::FORBIDDEN,
            Refusal::Full { .. } if refusal.fault() == Fault::Node => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, refusal.code(), refusal.fault(), refusal.to_string())
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Refused(refusal) => refusal.into(),
            DeskError::NoSpace(_) => Self::unknown_space(),
            DeskError::TooManySpaces(max) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "spaces-full",
                Fault::Node,
                format!("this node holds {max} spaces already; end or cancel one"),
            ),
            DeskError::Exists(_) => Self::caller(
                StatusCode::CONFLICT,
                "id-taken",
                "a space with this id exists already; choose another id",
            ),
            DeskError::Busy => Self::busy("the desk is busy; try again in a second"),
            DeskError::Store(error) => {
                tracing::error!(%error, "the records cannot be written");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "records-unwritable",
                    Fault::Node,
                    "the records cannot be written now, so nothing was changed; the operator sees why in the log",
                )
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let (status, code) = match error {
            AuthError::Missing => (StatusCode::UNAUTHORIZED, "token-missing"),
            AuthError::Malformed => (StatusCode::UNAUTHORIZED, "token-malformed"),
            AuthError::Forged => (StatusCode::UNAUTHORIZED, "token-forged"),
            AuthError::Expired => (StatusCode::UNAUTHORIZED, "token-expired"),
            AuthError::WrongRole(_) => (StatusCode::FORBIDDEN, "wrong-role"),
            AuthError::WrongSpace => (StatusCode::FORBIDDEN, "wrong-space"),
            AuthError::NotAmong => (StatusCode::FORBIDDEN, "not-among"),
            AuthError::CrossSite => (StatusCode::FORBIDDEN, "cross-site"),
        };
        Self::caller(status, code, error.to_string())
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let detail = error.to_string();
        match error {
            IngestError::Desk(error) => error.into(),
            IngestError::BadOffer(_) => Self::caller(StatusCode::BAD_REQUEST, "bad-offer", detail),
            IngestError::NoOpus => Self::caller(
                StatusCode::UNPROCESSABLE_ENTITY,
                "no-opus",
                format!("{detail}; offer audio with opus/48000/2"),
            ),
            IngestError::Full(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "sessions-full",
                Fault::Node,
                detail,
            ),
            IngestError::NoSession => Self::caller(StatusCode::NOT_FOUND, "no-session", detail),
            IngestError::StaleEtag => {
                Self::caller(StatusCode::PRECONDITION_FAILED, "stale-etag", detail)
            }
            IngestError::NoStage => Self::new(
                StatusCode::CONFLICT,
                "no-stage",
                Fault::Space,
                "no stage runs in this space now: open it first",
            ),
            IngestError::StageStarting => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stage-starting",
                Fault::Node,
                detail,
            ),
            IngestError::NeedsEtag => Self::caller(
                StatusCode::PRECONDITION_REQUIRED,
                "if-match-missing",
                detail,
            ),
            IngestError::RestartRefused(_) => {
                Self::caller(StatusCode::UNPROCESSABLE_ENTITY, "restart-refused", detail)
            }
            IngestError::BadFragment(_) => {
                Self::caller(StatusCode::BAD_REQUEST, "bad-fragment", detail)
            }
            IngestError::Bind(..) | IngestError::Public(_) => Self::internal(&detail),
        }
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        let detail = error.to_string();
        match error {
            ArchiveError::Missing => Self::caller(StatusCode::NOT_FOUND, "no-file", detail),
            ArchiveError::TooLarge(_) => {
                Self::caller(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
            }
            ArchiveError::Music(MusicError::NotSound(_)) => {
                Self::caller(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-sound", detail)
            }
            ArchiveError::Music(_) => {
                Self::caller(StatusCode::UNPROCESSABLE_ENTITY, "unfit-sound", detail)
            }
            ArchiveError::Disk(_) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk",
                Fault::Node,
                "the disk does not take the file; the operator must make room",
            ),
            ArchiveError::Folder(..) => Self::internal(&detail),
        }
    }
}

/// Paths and methods that nobody serves.
pub async fn no_route() -> Problem {
    Problem::caller(
        StatusCode::NOT_FOUND,
        "no-route",
        "nothing is here; the API is described at /api/v1/openapi.json",
    )
}

pub async fn no_method() -> Problem {
    Problem::caller(
        StatusCode::METHOD_NOT_ALLOWED,
        "no-method",
        "this path does not know this method; see the Allow header",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_names_status_and_fault() {
        let expired = Problem::from(AuthError::Expired);
        assert_eq!(
            (expired.status, expired.code(), expired.fault),
            (401, "token-expired", "caller")
        );
        let bad = Problem::from(IngestError::BadOffer("line 1".into()));
        assert_eq!((bad.status, bad.fault), (400, "caller"));
        let full = Problem::from(IngestError::Full(64)).into_response();
        assert_eq!(full.headers()[header::RETRY_AFTER], "2");
        assert_eq!(
            full.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }
}
