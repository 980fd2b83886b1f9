//! The real binary, from outside: how it starts, what it says when it cannot, what it bears, how it ends.

mod clock;
#[path = "../floods/crowd.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod crowd;
mod disk;
mod files;
mod flight;
mod flood;
mod hear;
mod house;
mod http2;
#[path = "../ingest_peer/mod.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod ingest_peer;
mod matrix;
mod metrics;
mod nights;
mod records;
mod rehearse;
mod restart;
mod speak;
mod start;
mod stop;
mod told;
mod world;
