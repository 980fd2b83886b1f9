//! Ogg Opus files (RFC 7845): the container by its library, the sound by our own codec module.

use std::io::Cursor;

use ogg::PacketReader;

use super::{MUSIC_SECONDS_MAX, MusicError};
use crate::limits::SAMPLE_RATE;
use crate::opus::{Decoder, PACKET_SAMPLES_MAX};

/// Bytes before the first packet of a stream: a page head with one segment.
const FIRST_PACKET: usize = 28;
const MAGIC: &[u8] = b"OpusHead";

pub(super) fn is(file: &[u8]) -> bool {
    file.starts_with(b"OggS") && file.get(FIRST_PACKET..FIRST_PACKET + MAGIC.len()) == Some(MAGIC)
}

pub(super) fn decode(file: &[u8]) -> Result<Vec<f32>, MusicError> {
    let mut reader = PacketReader::new(Cursor::new(file));
    let head = next(&mut reader)?.ok_or(MusicError::Empty)?;
    let serial = head.stream_serial();
    let head = Head::parse(&head.data)?;
    let mut decoder = Decoder::new().map_err(|error| MusicError::NotSound(error.to_string()))?;
    let mut pcm = Vec::new();
    let mut scratch = vec![0.0; PACKET_SAMPLES_MAX];
    let mut tags = true;
    let mut end = None;
    // Each turn takes a packet out of a file that is in memory, so the file's size bounds the loop.
    while let Ok(Some(packet)) = reader.read_packet() {
        if packet.stream_serial() != serial || std::mem::take(&mut tags) {
            continue;
        }
        // A broken packet is as long as nothing: the music goes on behind it.
        let written = decoder.decode(&packet.data, &mut scratch).unwrap_or(0);
        pcm.extend(scratch[..written].iter().map(|sample| sample * head.gain));
        if pcm.len() > (MUSIC_SECONDS_MAX * SAMPLE_RATE) as usize + head.skip {
            return Err(MusicError::TooLong(MUSIC_SECONDS_MAX));
        }
        if packet.last_in_stream() {
            end = usize::try_from(packet.absgp_page()).ok();
            break;
        }
    }
    if let Some(end) = end.filter(|end| *end > head.skip) {
        // The last page tells where the sound ends within the last packet.
        pcm.truncate(end);
    }
    pcm.drain(..head.skip.min(pcm.len()));
    Ok(pcm)
}

fn next(reader: &mut PacketReader<Cursor<&[u8]>>) -> Result<Option<ogg::Packet>, MusicError> {
    reader
        .read_packet()
        .map_err(|error| MusicError::NotSound(error.to_string()))
}

struct Head {
    skip: usize,
    gain: f32,
}

impl Head {
    fn parse(data: &[u8]) -> Result<Self, MusicError> {
        let refuse = |why: &str| Err(MusicError::NotSound(why.into()));
        let Some(
            &[
                version,
                channels,
                skip_low,
                skip_high,
                _,
                _,
                _,
                _,
                gain_low,
                gain_high,
                family,
            ],
        ) = data.get(MAGIC.len()..MAGIC.len() + 11)
        else {
            return refuse("its Opus head is cut off");
        };
        if version & 0xf0 != 0 || !(1..=2).contains(&channels) || family > 1 {
            return refuse("its Opus is of a kind that is not for mono or stereo");
        }
        let gain = f32::from(i16::from_le_bytes([gain_low, gain_high])) / 256.0;
        Ok(Self {
            skip: usize::from(u16::from_le_bytes([skip_low, skip_high])),
            gain: 10f32.powf(gain / 20.0),
        })
    }
}
