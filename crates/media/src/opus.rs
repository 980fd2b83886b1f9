//! The one codec module: nobody else names the codec's crate.

#[derive(Debug, thiserror::Error)]
pub enum CodecError { #[error("the Opus packet cannot be decoded")] Packet, #[error("the Opus codec refused its settings: {0}")] Settings(String) }

/// Mono, 48 kHz, 20 ms.
pub struct Encoder { _todo: () }
impl Encoder {
    pub fn new(bitrate: u32, in_band_fec: bool) -> Result<Self, CodecError> { let _ = (bitrate, in_band_fec); todo!() }
    /// `pcm` has TICK_SAMPLES samples in -1..1; the packet is written into `out` (cleared).
    pub fn encode(&mut self, pcm: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> { let _ = (pcm, out); todo!() }
}
/// Decodes to mono, 48 kHz, clamped to -1..1.
pub struct Decoder { _todo: () }
impl Decoder {
    pub fn new() -> Result<Self, CodecError> { todo!() }
    /// Returns samples written. A packet may hold 2.5 to 120 ms.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> { let _ = (packet, out); todo!() }
    /// Recovers the packet lost before `next` from its in-band FEC.
    pub fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, CodecError> { let _ = (next, out); todo!() }
    pub fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> { let _ = out; todo!() }
}
/// Silence as a 20 ms packet.
pub const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];
