//! Uploaded files of every kind that is promised, made from our own tone by the common encoders.

use hustings_media::music;

fn strength(pcm: &[f32], hertz: f32) -> f32 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (i, sample) in pcm.iter().enumerate() {
        let angle = std::f32::consts::TAU * hertz * i as f32 / 48_000.0;
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
    }
    2.0 * (sine * sine + cosine * cosine).sqrt() / pcm.len() as f32
}

const FILES: [(&str, &[u8]); 4] = [
    ("MP3", include_bytes!("stage_files/tone.mp3")),
    ("FLAC", include_bytes!("stage_files/tone.flac")),
    ("Vorbis", include_bytes!("stage_files/tone.ogg")),
    ("Opus", include_bytes!("stage_files/tone.opus")),
];

#[test]
fn each_kind_is_read_in_its_length_and_pitch() {
    for (kind, file) in FILES {
        let pcm = music::decode(file).unwrap_or_else(|error| panic!("{kind}: {error}"));
        // 0.6 s less the blended seam; MP3 pads to whole frames.
        assert!(
            (25_500..=30_500).contains(&pcm.len()),
            "{kind}: {} samples",
            pcm.len()
        );
        let middle = &pcm[7_200..16_800];
        assert!(
            (0.11..0.14).contains(&strength(middle, 1_000.0)),
            "{kind}: {}",
            strength(middle, 1_000.0)
        );
        assert!(strength(middle, 1_100.0) < 0.01, "{kind}");
    }
}

#[test]
fn torn_and_scratched_files_never_panic() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for (kind, file) in FILES {
        for round in 0..40usize {
            let mut torn = file[..file.len() * (round + 1) / 41].to_vec();
            for hit in 0..round % 7 {
                let place = (round * 7_919 + hit * 104_729) % torn.len();
                torn[place] ^= 1 << (hit % 8);
            }
            if let Ok(pcm) = music::decode(&torn) {
                assert!(
                    pcm.iter().all(|sample| (-1.0..=1.0).contains(sample)),
                    "{kind} {round}"
                );
            }
        }
    }
    std::panic::set_hook(quiet);
}
