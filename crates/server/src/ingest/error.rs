//! Why an offer or an order to a session is not taken.

use std::net::SocketAddr;

use super::MediaAddress;
use crate::desk::DeskError;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the media address {0} cannot be used; choose another with --media: {1}")]
    Bind(MediaAddress, std::io::Error),
    #[error(
        "--media-public {0} cannot be told to browsers: give an address and a port that they reach"
    )]
    Public(SocketAddr),
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
    Desk(#[from] DeskError),
    #[error("no stage runs in this space now")]
    NoStage,
    /// The space is open or live and its stage not there yet, as after a restart of the node.
    #[error("the stage is being set up; try again in a moment")]
    StageStarting,
    /// RFC 9725: 428.
    #[error("the If-Match header is missing: send the session's ETag")]
    NeedsEtag,
    /// RFC 9725: 422; the session goes on as it was.
    #[error("the ICE restart is refused: {0}")]
    RestartRefused(String),
    #[error("the trickle-ice fragment cannot be read: {0}")]
    BadFragment(String),
}
