//! WAV, FLAC, MP3 and Ogg Vorbis by one library, then to mono and 48 kHz.

use std::io::Cursor;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::{MUSIC_SECONDS_MAX, MusicError};
use crate::limits::SAMPLE_RATE;

/// Hertz of files that are read.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
/// Channels mixed to one; more than 7.1 is no music for a phone line.
const CHANNELS_MAX: usize = 8;
/// Packets that may be broken before the whole file counts as such.
const BROKEN_MAX: u32 = 1_000;
/// Packets read: 10 minutes of the shortest packets of these formats, generously; a file that goes on is refused.
const PACKETS_MAX: u32 = 4_000_000;
/// Samples the resampler works on at once.
const CHUNK: usize = 1_024;

pub(super) fn decode(file: &[u8]) -> Result<Vec<f32>, MusicError> {
    // The reader wants to own what it reads; uploads are bounded by the shell.
    let source = MediaSourceStream::new(Box::new(Cursor::new(file.to_vec())), Default::default());
    let probed = symphonia::default::get_probe().probe(
        &Hint::new(),
        source,
        FormatOptions::default(),
        MetadataOptions::default(),
    );
    let mut format = probed.map_err(not_sound)?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or(MusicError::Empty)?;
    let id = track.id;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or(MusicError::Empty)?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(not_sound)?;
    let (rate, pcm) = read(format.as_mut(), decoder.as_mut(), id)?;
    if pcm.is_empty() || rate == SAMPLE_RATE {
        Ok(pcm)
    } else {
        resample(rate, &pcm)
    }
}

fn read(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track: u32,
) -> Result<(u32, Vec<f32>), MusicError> {
    let (mut rate, mut pcm, mut frames, mut broken) = (0, Vec::new(), Vec::new(), 0);
    for _ in 0..PACKETS_MAX {
        let packet = match format.next_packet() {
            Ok(Some(packet)) if packet.track_id == track => packet,
            Ok(Some(_)) => continue,
            // A file that was cut off plays as far as it goes.
            Ok(None) | Err(Error::IoError(_)) => return Ok((rate, pcm)),
            Err(error) if pcm.is_empty() => return Err(not_sound(error)),
            Err(_) => return Ok((rate, pcm)),
        };
        let sound = match decoder.decode(&packet) {
            Ok(sound) => sound,
            Err(Error::DecodeError(_) | Error::IoError(_)) if broken < BROKEN_MAX => {
                broken += 1;
                continue;
            }
            Err(error) => return Err(not_sound(error)),
        };
        let (now, channels) = (sound.spec().rate(), sound.num_planes());
        if !RATES.contains(&now)
            || !(1..=CHANNELS_MAX).contains(&channels)
            || (rate != 0 && rate != now)
        {
            return Err(MusicError::NotSound(format!(
                "{channels} channels at {now} Hz"
            )));
        }
        rate = now;
        frames.clear();
        sound.copy_to_vec_interleaved(&mut frames);
        pcm.extend(
            frames
                .chunks_exact(channels)
                .map(|frame: &[f32]| frame.iter().sum::<f32>() / channels as f32),
        );
        if pcm.len() > (MUSIC_SECONDS_MAX * rate) as usize {
            return Err(MusicError::TooLong(MUSIC_SECONDS_MAX));
        }
    }
    Err(MusicError::NotSound("it has too many pieces".into()))
}

fn resample(rate: u32, pcm: &[f32]) -> Result<Vec<f32>, MusicError> {
    let trouble = |error: &dyn std::fmt::Display| MusicError::NotSound(error.to_string());
    let mut resampler = Fft::<f32>::new(
        rate as usize,
        SAMPLE_RATE as usize,
        CHUNK,
        1,
        FixedSync::Both,
    )
    .map_err(|error| trouble(&error))?;
    let source = InterleavedSlice::new(pcm, 1, pcm.len()).map_err(|error| trouble(&error))?;
    let resampled = resampler
        .process_all(&source, pcm.len(), None)
        .map_err(|error| trouble(&error))?;
    Ok(resampled.take_data())
}

fn not_sound(error: Error) -> MusicError {
    MusicError::NotSound(error.to_string())
}
