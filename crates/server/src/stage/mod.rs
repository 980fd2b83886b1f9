//! Runs the pure stages: one task a space ticks every 20 ms, packs, and pushes pages into the space's rings. A host task
//! starts and stops them as the desk's notices say, and starts one anew that has panicked.

mod beat;
pub mod demo;
mod host;
mod roster;
mod run;
mod space;

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use hustings_control::ids::PersonId;
use hustings_media::stage::{SourceKey, SourcePacket, StageAlarm};
use tokio::sync::mpsc;

pub use host::StageHost;

/// Sent to a running stage by ingest sessions and the api. The queue is bounded: `try_send`, and drop sound when full.
pub enum StageCall {
    /// A session is connected; `out` gets what its person shall hear (20 ms Opus packets), by `try_send`. The stage drops
    /// `out` when it does not (or no longer) seat the source: ask again then.
    Seat {
        person: PersonId,
        source: SourceKey,
        out: mpsc::Sender<Heard>,
    },
    Unseat {
        source: SourceKey,
    },
    Packet {
        source: SourceKey,
        packet: SourcePacket,
    },
    Echo {
        source: SourceKey,
        on: bool,
    },
    /// Silence is meant for `millis`.
    Hush {
        millis: u64,
    },
    /// Give me who sits where (for levels by person).
    Seats {
        reply: tokio::sync::oneshot::Sender<Vec<(SourceKey, PersonId)>>,
    },
    /// Panics the stage's task, so that a test sees it start again.
    #[cfg(test)]
    Panic,
}

/// What a seated person is sent.
#[derive(Clone, Debug)]
pub enum Heard {
    /// 20 ms of Opus at this RTP time (48 kHz).
    Sound {
        media_time: u64,
        opus: Bytes,
    },
    Alarm(StageAlarm),
}

/// Calls that wait for a stage. 13 speakers send 650 packets a second; this is 3 s of them.
pub const STAGE_CALLS_MAX: usize = 2_048;
/// Packets that wait for a session (half a second); older sound is worthless, so newer is dropped when full.
pub const HEARD_MAX: usize = 25;

static NEXT_SOURCE: AtomicU32 = AtomicU32::new(1);

/// A key that no other source of this node has had.
pub fn next_source() -> SourceKey {
    SourceKey(NEXT_SOURCE.fetch_add(1, Ordering::Relaxed))
}
