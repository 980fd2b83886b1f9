//! Sound that comes in: WebRTC sessions over one UDP port (and ICE-TCP), by WHIP.

use std::net::SocketAddr;
use std::sync::Arc;

use hustings_control::ids::{PersonId, SpaceId};

use crate::clock::Clock;
use crate::desk::Desk;
use crate::live::Directory;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the media address {0} cannot be used: {1}")]
    Bind(SocketAddr, std::io::Error),
    #[error("the offer is no SDP that can be read: {0}")]
    BadOffer(String),
    #[error("the offer has no Opus audio")]
    NoOpus,
    #[error("this node holds {0} sessions already")]
    Full(usize),
    #[error("there is no such session")]
    NoSession,
    #[error("the If-Match header does not name the session's current ETag")]
    StaleEtag,
    #[error(transparent)]
    Desk(#[from] crate::desk::DeskError),
    #[error("no stage runs in this space now")]
    NoStage,
    /// RFC 9725: 428.
    #[error("the If-Match header is missing: send the session's ETag")]
    NeedsEtag,
    /// RFC 9725: 422.
    #[error("an ICE restart is not supported here: post a new offer, it takes the same seat")]
    RestartRefused,
    #[error("the trickle-ice fragment cannot be read: {0}")]
    BadFragment(String),
}

/// What WHIP's POST gives back.
pub struct Accepted {
    /// Unguessable name of the session's resource.
    pub session: String,
    pub etag: String,
    pub answer_sdp: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Ingest;

impl Ingest {
    /// Binds UDP and TCP at `media` and starts its task(s). `public` replaces the host candidate's address.
    pub async fn start(media: SocketAddr, public: Option<SocketAddr>, desk: Desk, directory: Arc<Directory>, clock: Clock) -> Result<Self, IngestError> { let _ = (media, public, desk, directory, clock); todo!() }
    /// A second offer of the same person replaces the first session, in the same seat.
    pub async fn offer(&self, space: SpaceId, person: PersonId, sdp: String) -> Result<Accepted, IngestError> { let _ = (space, person, sdp); todo!() }
    /// Trickle ICE or ICE restart (RFC 9725 section 4.3). Gives the body to answer (None: 204) and the new ETag.
    pub async fn patch(&self, session: &str, if_match: Option<&str>, fragment: String) -> Result<(Option<String>, String), IngestError> { let _ = (session, if_match, fragment); todo!() }
    /// The person hangs up.
    pub async fn delete(&self, session: &str) -> Result<(), IngestError> { let _ = session; todo!() }
    /// Who a session belongs to, for authorisation.
    pub fn owner(&self, session: &str) -> Option<(SpaceId, PersonId)> { let _ = session; todo!() }
    /// Ends a person's sessions (removed, banned).
    pub async fn hang_up(&self, space: &SpaceId, person: PersonId) { let _ = (space, person); todo!() }
    /// Connection quality of the last seconds: (loss share 0..1, jitter ms, round trip ms).
    pub fn quality(&self, space: &SpaceId, person: PersonId) -> Option<(f32, f32, f32)> { let _ = (space, person); todo!() }
    pub async fn stop(self) {}
}
