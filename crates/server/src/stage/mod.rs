//! Runs the pure stages: one task a space ticks every 20 ms, packs, and pushes pages into the space's rings. A host task
//! starts and stops them as the desk's notices say, and starts one anew that has panicked.

use bytes::Bytes;
use hustings_control::ids::PersonId;
use hustings_media::stage::{SourceKey, SourcePacket, StageAlarm};
use tokio::sync::mpsc;

/// Sent to a running stage by ingest sessions and the api. The queue is bounded: `try_send`, and drop sound when full.
pub enum StageCall {
    /// A session is connected; `out` gets what its person shall hear (20 ms Opus packets), by `try_send`.
    Seat { person: PersonId, source: SourceKey, out: mpsc::Sender<Heard> },
    Unseat { source: SourceKey },
    Packet { source: SourceKey, packet: SourcePacket },
    Echo { source: SourceKey, on: bool },
    /// Silence is meant for `millis`.
    Hush { millis: u64 },
    /// Give me who sits where (for levels by person).
    Seats { reply: tokio::sync::oneshot::Sender<Vec<(SourceKey, PersonId)>> },
}

/// What a seated person is sent.
#[derive(Clone, Debug)]
pub enum Heard {
    /// 20 ms of Opus at this RTP time (48 kHz).
    Sound { media_time: u64, opus: Bytes },
    Alarm(StageAlarm),
}

/// Calls that wait for a stage. 13 speakers send 650 packets a second; this is 3 s of them.
pub const STAGE_CALLS_MAX: usize = 2_048;
/// Packets that wait for a session (half a second); older sound is worthless, so newer is dropped when full.
pub const HEARD_MAX: usize = 25;

pub struct StageHost;

impl StageHost {
    /// Starts the host task: follows `desk.notices()`, runs a stage for each space that is open or live (also those found so
    /// at start), puts rings and call queue into the `SpaceHandle`s, takes levels out, and rebuilds `state_json`/roster.
    pub fn start(desk: crate::desk::Desk, store: crate::store::Store, directory: std::sync::Arc<crate::live::Directory>, archive: crate::archive::Archive, clock: crate::clock::Clock) -> Self { let _ = (desk, store, directory, archive, clock); todo!() }
    /// Stops all stages, last pages pushed, rings closed.
    pub async fn stop(self) { todo!() }
}
