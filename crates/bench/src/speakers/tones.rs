//! The tones that a pair measures by, and how late the peers' own codec gives one back.

use hustings_media::limits::TICK_SAMPLES;
use hustings_media::opus::{Decoder, Encoder, PACKET_SAMPLES_MAX};

/// Packets from one onset to the next: half a second.
pub(super) const EVERY_PACKETS: u64 = 25;
/// Packets that one tone lasts.
const TONE_PACKETS: u64 = 3;
const TONE_HZ: f32 = 1_000.0;
const TONE_PEAK: f32 = 0.4;
/// A tone has begun where a sample passes this. Silence between has no sample of it.
pub(super) const ONSET: f32 = 0.1;

/// The sound of packet `number`: a tone for some packets of each half second, else silence.
pub(super) fn sound(number: u64) -> Vec<f32> {
    let step = std::f32::consts::TAU * TONE_HZ / 48_000.0;
    let loud = number % EVERY_PACKETS < TONE_PACKETS;
    (0..TICK_SAMPLES)
        .map(|i| {
            if loud {
                (i as f32 * step).cos() * TONE_PEAK
            } else {
                0.0
            }
        })
        .collect()
}

/// The sound of any packet of one tone without end: a packet holds a whole number of its waves.
pub(super) fn steady() -> Vec<f32> {
    let step = std::f32::consts::TAU * TONE_HZ / 48_000.0;
    (0..TICK_SAMPLES)
        .map(|i| (i as f32 * step).cos() * TONE_PEAK)
        .collect()
}

/// Samples from a tone's beginning to where it is heard when a packet goes straight from encoder to decoder.
pub(super) fn own_delay() -> anyhow::Result<usize> {
    let (mut encoder, mut decoder) = (Encoder::new(48_000, false)?, Decoder::new()?);
    let (mut packet, mut pcm) = (Vec::new(), vec![0.0; PACKET_SAMPLES_MAX]);
    for number in 1..=4 * EVERY_PACKETS {
        encoder.encode(&sound(number), &mut packet)?;
        let samples = decoder.decode(&packet, &mut pcm)?;
        let onset = pcm[..samples].iter().position(|x| x.abs() > ONSET);
        if let (Some(onset), true) = (onset, number == 4 * EVERY_PACKETS) {
            return Ok(onset);
        }
    }
    anyhow::bail!("the codec does not give the tone back within its first packet")
}
