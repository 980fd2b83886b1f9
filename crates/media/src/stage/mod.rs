//! The stage of one space: up to 13 sources in, one program out, and a mix-minus for each picked source.

use bytes::Bytes;

use crate::pack::ProgramPacket;
use crate::time::{Epoch, MediaTime, Now};

/// Who a source is, is none of the media plane's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(pub u32);

#[derive(Clone, Debug)]
pub struct SourcePacket {
    /// Extended by the receiver so that it never wraps.
    pub sequence: u64,
    /// RTP time, 48 kHz.
    pub timestamp: u32,
    pub opus: Bytes,
    /// RFC 6464: -dBov, 0 loudest .. 127 silence, when the sender tells it.
    pub level: Option<u8>,
}

/// What plays when nobody is on stage or before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bed { None, HoldMusic }

/// 0..=9 as the lamps of the pages show it (0: nothing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceState { pub source: SourceKey, pub level: u8, pub picked: bool, pub lost: bool, pub muted: bool, /** Open and connected, but only digital zeros for 3 s. */ pub zeros: bool }

/// Warnings of the stage; edges, not states: each is emitted once when it begins and once when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageAlarm { DeadAir { silent_ms: u64, all_muted: bool, zeros: bool, lost: bool }, DeadAirOver, SourceLost(SourceKey), SourceBack(SourceKey) }

/// Reused by the caller from tick to tick, so that a tick allocates nothing of its own.
#[derive(Default)]
pub struct TickOutput {
    pub program: Option<ProgramPacket>,
    /// Mix-minus packets for picked sources; all others are sent `program`.
    pub minus: Vec<(SourceKey, Bytes)>,
    pub alarms: Vec<StageAlarm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all seats on the stage are taken")]
pub struct StageFull;

pub struct Stage { _todo: () }

impl Stage {
    pub fn new(epoch: Epoch, start: MediaTime, now: Now) -> Self { let _ = (epoch, start, now); todo!() }
    pub fn seat(&mut self, source: SourceKey, now: Now) -> Result<(), StageFull> { let _ = (source, now); todo!() }
    pub fn unseat(&mut self, source: SourceKey) { let _ = source; todo!() }
    pub fn mute(&mut self, source: SourceKey, muted: bool) { let _ = (source, muted); todo!() }
    /// Live or not: dead air is watched only while live; before, sources are metered (sound check) but not heard.
    pub fn on_air(&mut self, on: bool, now: Now) { let _ = (on, now); todo!() }
    /// Own echo for the sound check: the source's minus is its own sound.
    pub fn echo(&mut self, source: SourceKey, on: bool) { let _ = (source, on); todo!() }
    /// Silence meant: no dead-air alarm until `until`.
    pub fn hush(&mut self, until: Now) { let _ = until; todo!() }
    pub fn packet(&mut self, source: SourceKey, packet: SourcePacket, now: Now) { let _ = (source, packet, now); todo!() }
    /// PCM of 48 kHz mono, played in a loop when the bed is `HoldMusic`, crossfaded in and out.
    pub fn hold_music(&mut self, pcm: std::sync::Arc<[f32]>) { let _ = pcm; todo!() }
    pub fn bed(&mut self, bed: Bed) { let _ = bed; todo!() }
    /// Every 20 ms. Late ticks are made up by the caller calling once per missed tick, at most 25, then silence is skipped over by media time.
    pub fn tick(&mut self, now: Now, out: &mut TickOutput) { let _ = (now, out); todo!() }
    pub fn states(&self, out: &mut Vec<SourceState>) { let _ = out; todo!() }
    pub fn media_time(&self) -> MediaTime { todo!() }
}
