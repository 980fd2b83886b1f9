//! Packers cut pages: Opus packets of 20 ms in, container bytes out. Each knows one container and nothing of rings' readers.

mod aside;
mod collect;
pub mod mp4;
mod mp4_head;
pub mod ogg;
pub mod ogg_heads;
mod ogg_page;
mod paged;
pub mod webm;

use bytes::Bytes;

use crate::fanout::ring::CutPage;
use crate::limits::SAMPLE_RATE;
use crate::time::{Epoch, MediaTime};

/// One 20 ms Opus packet of the program.
#[derive(Clone, Debug)]
pub struct ProgramPacket {
    pub epoch: Epoch,
    pub media_time: MediaTime,
    pub opus: Bytes,
}

/// A container for the same packets. `roster` is JSON for our own player, put between the sound where the container can.
pub trait Packer: Send {
    /// Constant bytes that come before any page (codec head, tags, init segment). Same for every node and epoch.
    fn head(&self) -> Bytes;
    /// Takes one packet; gives a page each `PAGE_TICKS` packets.
    fn push(&mut self, packet: &ProgramPacket) -> Option<CutPage>;
    /// The roster to carry in the next page (replaces an unsent one). Containers that carry none ignore it.
    fn roster(&mut self, json: &[u8]) {
        let _ = json;
    }
    /// Levels to carry between two rosters (replaces unsent ones): a few bytes that only our own player reads.
    fn levels(&mut self, message: &[u8]) {
        let _ = message;
    }
    /// Cuts what is collected, at the end of a space.
    fn flush(&mut self) -> Option<CutPage>;
    fn content_type(&self) -> &'static str;
}

/// OpusHead (RFC 7845 section 5.1): mono, 48 kHz, no gain.
fn opus_head(pre_skip: u16) -> [u8; 19] {
    let mut head = *b"OpusHead\x01\x01\0\0\0\0\0\0\0\0\0";
    head[10..12].copy_from_slice(&pre_skip.to_le_bytes());
    head[12..16].copy_from_slice(&SAMPLE_RATE.to_le_bytes());
    head
}
