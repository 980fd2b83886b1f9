//! Speakers over real sockets: what they say is in the ring, what they hear is the others, and what goes wrong is told.

mod addresses;
#[path = "../ingest_peer/mod.rs"]
mod peer;
mod speakers;
mod wire;
mod world;
