//! Sound that is not spoken live: uploaded hold music decoded, and our own synthetic loop and voices.

mod file;
mod ogg_opus;
mod synth;
mod voice;

pub use self::synth::hold_loop;
pub use self::voice::voice;

/// Seconds (10 minutes) of an uploaded sound: as samples that is 115 MB. A longer one is refused whole.
pub const MUSIC_SECONDS_MAX: u32 = 600;

#[derive(Debug, thiserror::Error)]
pub enum MusicError {
    #[error("the file is no sound that can be read (WAV, FLAC, Ogg Vorbis, Ogg Opus or MP3): {0}")]
    NotSound(String),
    #[error("the sound is longer than {0} seconds")]
    TooLong(u32),
    #[error("the file holds no sound")]
    Empty,
}

/// Decodes a whole file to mono 48 kHz, its end blended into its beginning so that it loops without a click.
pub fn decode(file: &[u8]) -> Result<Vec<f32>, MusicError> {
    // The readers of containers are others' code, and the file may be anything: a panic there is a file that cannot be read.
    let decoded = std::panic::catch_unwind(|| {
        if ogg_opus::is(file) {
            ogg_opus::decode(file)
        } else {
            file::decode(file)
        }
    });
    let mut pcm =
        decoded.unwrap_or_else(|_| Err(MusicError::NotSound("it is malformed".into())))?;
    for sample in &mut pcm {
        *sample = if sample.is_nan() {
            0.0
        } else {
            sample.clamp(-1.0, 1.0)
        };
    }
    if pcm.is_empty() {
        Err(MusicError::Empty)
    } else {
        Ok(blend_ends(pcm))
    }
}

/// Samples (50 ms) at a file's end that blend into its beginning.
const SEAM_SAMPLES: usize = 2_400;

/// The last stretch fades out while the first fades in, and stands in its place.
fn blend_ends(mut pcm: Vec<f32>) -> Vec<f32> {
    let seam = SEAM_SAMPLES.min(pcm.len() / 4);
    let kept = pcm.len() - seam;
    for i in 0..seam {
        let share = i as f32 / seam as f32;
        pcm[i] = pcm[i] * share + pcm[kept + i] * (1.0 - share);
    }
    pcm.truncate(kept);
    pcm
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn wav(rate: u32, channels: u16, pcm: &[i16]) -> Vec<u8> {
        let data = (pcm.len() * 2) as u32;
        let mut out = Vec::new();
        out.extend_from_slice(b"RIFF");
        out.extend_from_slice(&(36 + data).to_le_bytes());
        out.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
        out.extend_from_slice(&channels.to_le_bytes());
        out.extend_from_slice(&rate.to_le_bytes());
        out.extend_from_slice(&(rate * u32::from(channels) * 2).to_le_bytes());
        out.extend_from_slice(&(channels * 2).to_le_bytes());
        out.extend_from_slice(b"\x10\0data");
        out.extend_from_slice(&data.to_le_bytes());
        pcm.iter()
            .for_each(|s| out.extend_from_slice(&s.to_le_bytes()));
        out
    }

    fn tone(rate: u32, seconds: f32, channels: u16) -> Vec<i16> {
        let frames = (rate as f32 * seconds) as usize;
        let sample = |i: usize| {
            ((i as f32 * 1_000.0 * std::f32::consts::TAU / rate as f32).sin() * 16_000.0) as i16
        };
        (0..frames)
            .flat_map(|i| std::iter::repeat_n(sample(i), usize::from(channels)))
            .collect()
    }

    fn crossings(pcm: &[f32]) -> usize {
        pcm.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count()
    }

    #[test]
    fn waves_of_any_rate_become_48_kilohertz_mono() {
        let check = |rate: u32, channels: u16| {
            let pcm = decode(&wav(rate, channels, &tone(rate, 1.0, channels))).unwrap();
            assert!(
                (45_500..=45_700).contains(&pcm.len()),
                "{rate}/{channels}: {} samples",
                pcm.len()
            );
            let hertz = crossings(&pcm[4_800..40_800]) as f32 / 0.75;
            assert!(
                (hertz - 1_000.0).abs() < 5.0,
                "{rate}/{channels}: {hertz} Hz"
            );
            let peak = pcm[4_800..40_800]
                .iter()
                .fold(0.0f32, |p, s| p.max(s.abs()));
            assert!(
                (peak - 0.488).abs() < 0.02,
                "{rate}/{channels}: peak {peak}"
            );
        };
        check(48_000, 1);
        check(44_100, 2);
        check(22_050, 1);
        check(8_000, 2);
        check(96_000, 1);
    }

    #[test]
    fn what_is_no_sound_is_refused_with_a_reason() {
        let check = |file: &[u8], expected: &str| {
            let told = decode(file).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        };
        check(b"", "no sound that can be read");
        check(
            b"<html><body>not music</body></html>",
            "no sound that can be read",
        );
        check(&wav(48_000, 1, &[]), "no sound");
        check(
            &wav(8_000, 1, &vec![0; 8_000 * 601]),
            "longer than 600 seconds",
        );
        check(
            b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead",
            "no sound that can be read",
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_and_torn_files_never_panic(start in 0usize..6, noise in proptest::collection::vec(0u8..=255, 0..2_000), cut in 0usize..3_000, hits in proptest::collection::vec((0usize..3_000, 0u8..=255), 0..12)) {
            let mut whole = wav(44_100, 1, &tone(44_100, 0.02, 1));
            let heads: [&[u8]; 6] = [b"", b"fLaC\0\0\0\x22", b"ID3\x04\0\0\0\0\0\0", b"\xff\xfb\x90\x64", b"OggS\0\x02", &whole.clone()];
            if start < 5 {
                whole = [heads[start], &noise].concat();
            }
            whole.truncate(cut);
            for (place, value) in hits {
                if let Some(byte) = whole.get_mut(place) {
                    *byte = value;
                }
            }
            let read = || if ogg_opus::is(&whole) { ogg_opus::decode(&whole) } else { file::decode(&whole) };
            let _ = read();
        }
    }
}
