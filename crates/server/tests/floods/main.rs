//! Floods against the real binary, small enough for every run: whatever is thrown at the crowd's door, those inside lose no
//! page of sound, and whoever is honest comes in. The rows are those of the test matrix; the bench has them at full size.

mod crowd;
#[path = "../node/hear.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod hear;
#[path = "../ingest_peer/mod.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod ingest_peer;
mod ladder;
mod noise;
mod rows;
#[path = "../node/speak.rs"]
mod speak;
#[path = "../node/world.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod world;
