//! The one codec module: nobody else names the codec's crate.

use opus_pure::{Application, OpusDecoder, OpusEncoder};

use crate::limits::{OPUS_PACKET_BYTES_MAX, SAMPLE_RATE, TICK_SAMPLES};

/// Silence as a 20 ms packet.
pub const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

/// Samples. The longest sound one packet may hold (120 ms, RFC 6716 section 3.2.5); a decode buffer of this size fits every packet.
pub const PACKET_SAMPLES_MAX: usize = 5_760;

/// Bytes. One 20 ms frame and its first byte; the encoder codes to fit.
const ENCODED_BYTES_MAX: usize = 1_276;
/// 0..=10. Level 5 was measured at two thirds of the time of 10 for 0.02 of a quality step.
const COMPLEXITY: i32 = 5;
/// Per cent. With FEC asked for, this is the loss the encoder prepares for.
const EXPECTED_LOSS: i32 = 10;
/// Samples. The shortest Opus frame (2.5 ms); concealment comes in multiples of it.
pub const FRAME_SAMPLES_MIN: usize = 120;

#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("the Opus packet cannot be decoded")]
    Packet,
    #[error("the Opus codec refused its settings: {0}")]
    Settings(String),
}

/// Mono, 48 kHz, 20 ms.
pub struct Encoder {
    inner: OpusEncoder,
}

impl Encoder {
    pub fn new(bitrate: u32, in_band_fec: bool) -> Result<Self, CodecError> {
        let bitrate = i32::try_from(bitrate).map_err(|e| CodecError::Settings(e.to_string()))?;
        let mut inner = OpusEncoder::new(SAMPLE_RATE as i32, 1, Application::Audio)
            .map_err(|e| CodecError::Settings(e.to_string()))?;
        inner.bitrate_bps = bitrate;
        inner.complexity = COMPLEXITY;
        inner.use_dtx = false;
        inner.use_inband_fec = in_band_fec;
        inner.packet_loss_perc = if in_band_fec { EXPECTED_LOSS } else { 0 };
        Ok(Self { inner })
    }

    /// `pcm` has TICK_SAMPLES samples in -1..1; the packet is written into `out` (cleared).
    pub fn encode(&mut self, pcm: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.clear();
        if pcm.len() != TICK_SAMPLES {
            return Err(CodecError::Settings(format!(
                "{} samples in a tick",
                pcm.len()
            )));
        }
        out.resize(ENCODED_BYTES_MAX, 0);
        match self.inner.encode(pcm, TICK_SAMPLES, out) {
            Ok(bytes) => {
                out.truncate(bytes);
                Ok(())
            }
            Err(_) => {
                out.clear();
                Err(CodecError::Packet)
            }
        }
    }

    /// Samples by which the decoded sound trails what was encoded: the pre-skip of a container.
    pub fn lookahead(&self) -> usize {
        self.inner.lookahead()
    }
}

/// Decodes to mono, 48 kHz, clamped to -1..1.
pub struct Decoder {
    inner: OpusDecoder,
}

impl Decoder {
    pub fn new() -> Result<Self, CodecError> {
        let inner = OpusDecoder::new(SAMPLE_RATE as i32, 1)
            .map_err(|e| CodecError::Settings(e.to_string()))?;
        Ok(Self { inner })
    }

    /// Returns samples written. A packet may hold 2.5 to 120 ms.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        if packet.is_empty() || packet.len() > OPUS_PACKET_BYTES_MAX {
            return Err(CodecError::Packet);
        }
        let room = out.len().min(PACKET_SAMPLES_MAX);
        let written = self
            .inner
            .decode(packet, room, &mut out[..room])
            .map_err(|_| CodecError::Packet)?;
        clamp(&mut out[..written]);
        Ok(written)
    }

    /// Recovers the packet lost before `next` from its in-band FEC; without any it conceals. `out` is as long as the loss.
    pub fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        if next.is_empty() || next.len() > OPUS_PACKET_BYTES_MAX {
            return Err(CodecError::Packet);
        }
        let room = whole_frames(out.len());
        let written = self
            .inner
            .decode_fec(next, room, &mut out[..room])
            .map_err(|_| CodecError::Packet)?;
        clamp(&mut out[..written]);
        Ok(written)
    }

    pub fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        let room = whole_frames(out.len());
        let written = self
            .inner
            .decode(&[], room, &mut out[..room])
            .map_err(|_| CodecError::Packet)?;
        clamp(&mut out[..written]);
        Ok(written)
    }

    /// Forgets the stream so far, for an unrelated one that follows.
    pub fn reset(&mut self) {
        // It only restores what `new` accepted already, so there is nothing to do about a refusal.
        let _ = self.inner.reset_state();
    }
}

/// Samples of sound in a packet, read from its first bytes; `None` if it is not well formed.
pub fn packet_samples(packet: &[u8]) -> Option<usize> {
    if packet.is_empty() || packet.len() > OPUS_PACKET_BYTES_MAX {
        return None;
    }
    opus_pure::packet::samples_48k(packet)
        .ok()
        .filter(|samples| (FRAME_SAMPLES_MIN..=PACKET_SAMPLES_MAX).contains(samples))
}

fn whole_frames(samples: usize) -> usize {
    samples.min(PACKET_SAMPLES_MAX) / FRAME_SAMPLES_MIN * FRAME_SAMPLES_MIN
}

/// A hostile packet decodes to any number at all; what is no number counts as silence.
fn clamp(pcm: &mut [f32]) {
    for sample in pcm {
        *sample = if sample.is_nan() {
            0.0
        } else {
            sample.clamp(-1.0, 1.0)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(from: usize) -> Vec<f32> {
        (from..from + TICK_SAMPLES)
            .map(|i| (i as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.5)
            .collect()
    }

    #[test]
    fn a_tone_survives_the_way() {
        let mut encoder = Encoder::new(48_000, false).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (mut packet, mut pcm) = (Vec::new(), vec![0.0; PACKET_SAMPLES_MAX]);
        let mut energy = 0.0;
        for tick in 0..20 {
            encoder
                .encode(&tone(tick * TICK_SAMPLES), &mut packet)
                .unwrap();
            assert_eq!(packet_samples(&packet), Some(TICK_SAMPLES));
            assert_eq!(decoder.decode(&packet, &mut pcm).unwrap(), TICK_SAMPLES);
            energy = pcm[..TICK_SAMPLES].iter().map(|s| s * s).sum::<f32>() / TICK_SAMPLES as f32;
        }
        assert!((energy - 0.125).abs() < 0.02, "{energy}");
    }

    #[test]
    fn the_silence_packet_is_silent() {
        let mut decoder = Decoder::new().unwrap();
        let mut pcm = vec![1.0; PACKET_SAMPLES_MAX];
        assert_eq!(decoder.decode(SILENCE, &mut pcm).unwrap(), TICK_SAMPLES);
        assert!(pcm[..TICK_SAMPLES].iter().all(|s| s.abs() < 1e-4));
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_or_bounded(packets in proptest::collection::vec(proptest::collection::vec(0u8..=255, 0..200), 1..12)) {
            let mut decoder = Decoder::new().unwrap();
            let mut pcm = vec![0.0; PACKET_SAMPLES_MAX];
            for packet in &packets {
                let _ = packet_samples(packet);
                for written in [decoder.decode(packet, &mut pcm), decoder.recover(packet, &mut pcm[..960]), decoder.conceal(&mut pcm[..960])].into_iter().flatten() {
                    assert!(written <= PACKET_SAMPLES_MAX);
                }
                assert!(pcm.iter().all(|s| (-1.0..=1.0).contains(s)));
            }
        }
    }
}
