//! HTTP for hosts, speakers, integrators and operators.

pub mod auth;
#[cfg(test)]
mod auth_tests;
pub(crate) mod board_session;
mod cadence;
mod claims;
mod controls;
mod cookies;
mod door;
mod enter;
mod hands;
mod invites;
pub mod knock;
mod numbers;
pub mod openapi;
mod people;
mod preflight;
pub mod problem;
pub mod reactions;
mod rehearsals;
mod rights;
pub mod seats;
pub(crate) mod secrets;
mod spaces;
pub mod stage_routes;
mod strangers;
mod studio;
mod view;
mod whip;
mod who;

use std::sync::{Arc, Mutex};

pub use invites::link as invite_link;

use crate::alarms::Watched;
use crate::archive::Archive;
use crate::clock::Clock;
use crate::config::Serve;
use crate::desk::Desk;
use crate::ingest::Ingest;
use crate::live::{Directory, Ending};
use crate::ops::flight::Flight;
use crate::usher::{Entrance, Wicket};

pub(crate) use claims::parse_hex;
pub(crate) use preflight::{Asked as PreflightAsked, wanted as preflight_wanted};

/// A body of at most `max` bytes that comes in time.
pub(crate) async fn read_body(body: axum::body::Body, max: usize) -> problem::Answer<bytes::Bytes> {
    door::read(body, max, door::BODY_READ_MAX).await
}

/// What handlers of every listener share.
#[derive(Clone)]
pub struct App {
    pub desk: Desk,
    pub directory: Arc<Directory>,
    pub archive: Archive,
    pub ingest: Ingest,
    pub keys: Arc<auth::Keys>,
    pub clock: Clock,
    /// The crowd's door: what all its gates share, and the gate of the pages' threads.
    pub entrance: Arc<Entrance>,
    pub wicket: Arc<Mutex<Wicket>>,
    /// What happens goes there, and the heads that it publishes are read there.
    pub flight: Flight,
    /// Alarms that are up, and what the board draws.
    pub watched: Arc<Watched>,
    /// What the node was started with.
    pub config: Arc<Serve>,
    /// Event streams end when this begins.
    pub ending: Ending,
    /// Without a trailing slash, such as http://127.0.0.1:8080 .
    pub public_url: Arc<str>,
    pub stage_url: Arc<str>,
    /// Links are https: cookies get `Secure` and the `__Host-` prefix.
    pub secure: bool,
}
