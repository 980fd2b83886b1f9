//! The stage listener from outside, by HTTP over loopback.

mod board;
mod links;
#[path = "../ingest_peer/mod.rs"]
#[allow(dead_code, reason = "the ingest's own tests use more of it")]
mod peer;
mod people;
mod preflight;
mod seats;
mod sign_in;
mod spaces;
mod strangers;
mod support;
mod whip;
