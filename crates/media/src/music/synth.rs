//! The bundled hold music: four soft chords and some plucked notes, written for this house and made by sums of sines.

use std::f32::consts::{PI, TAU};

const RATE: f32 = 48_000.0;
/// Seconds of one chord, and chords of the loop.
const CHORD_SECONDS: f32 = 6.0;
/// Notes as half steps from A4: C major 7, A minor 7, F major 7, G 6, low and wide.
const CHORDS: [[i32; 4]; 4] = [
    [-21, -14, -9, -5],
    [-24, -17, -12, -9],
    [-28, -16, -12, -5],
    [-26, -19, -14, -10],
];
/// When (in eighths of a chord) a string is plucked, which note of the chord and how many octaves up.
const PLUCKS: [(u8, usize, i32); 7] = [
    (0, 1, 1),
    (1, 2, 1),
    (2, 3, 1),
    (3, 2, 2),
    (4, 3, 1),
    (6, 1, 2),
    (7, 2, 1),
];
/// -12 dBFS: clearly quieter than people who speak.
const PEAK: f32 = 0.251;

/// The bundled hold music, synthesised: our own making, 24 s. Loops without a seam.
pub fn hold_loop() -> Vec<f32> {
    let mut pcm = vec![0.0; (CHORD_SECONDS * RATE) as usize * CHORDS.len()];
    for (index, chord) in CHORDS.iter().enumerate() {
        let begins = index as f32 * CHORD_SECONDS;
        for (voice, note) in chord.iter().enumerate() {
            pad(&mut pcm, begins, hertz(*note), 1.0 - 0.12 * voice as f32);
        }
        for (eighth, note, octaves) in PLUCKS {
            // Every other chord leaves out the busiest notes, so that the loop breathes.
            if index % 2 == 1 && (eighth == 3 || eighth == 6) {
                continue;
            }
            let strength = 0.55 - 0.04 * f32::from(eighth % 4);
            pluck(
                &mut pcm,
                begins + f32::from(eighth) * CHORD_SECONDS / 8.0,
                hertz(chord[note] + 12 * octaves),
                strength,
            );
        }
    }
    let peak = pcm
        .iter()
        .fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    pcm.iter_mut()
        .for_each(|sample| *sample *= PEAK / peak.max(f32::MIN_POSITIVE));
    pcm
}

fn hertz(half_steps: i32) -> f32 {
    440.0 * (half_steps as f32 / 12.0).exp2()
}

/// A note that swells and fades past its chord on both sides.
fn pad(pcm: &mut [f32], begins: f32, hertz: f32, strength: f32) {
    let seconds = CHORD_SECONDS + 1.6;
    ring(pcm, begins - 0.8, seconds, |t| {
        let swell = (t / 1.6).min((seconds - t) / 1.6).clamp(0.0, 1.0);
        let drift = 1.0 + 0.15 * (TAU * 0.31 * t).sin();
        let phase = TAU * hertz * t;
        let tone = phase.sin()
            + 0.28 * (2.0 * phase).sin()
            + 0.10 * (3.003 * phase).sin()
            + 0.4 * (1.0017 * phase).sin();
        (PI / 2.0 * swell).sin().powi(2) * drift * strength * 0.16 * tone
    });
}

/// A string: its overtones die sooner than its ground tone.
fn pluck(pcm: &mut [f32], begins: f32, hertz: f32, strength: f32) {
    ring(pcm, begins, 2.5, |t| {
        let attack = (t / 0.004).min(1.0);
        let end = ((2.5 - t) / 0.2).clamp(0.0, 1.0);
        let phase = TAU * hertz * t;
        let tone = (-2.2 * t).exp() * phase.sin()
            + 0.4 * (-4.5 * t).exp() * (2.0 * phase).sin()
            + 0.15 * (-8.0 * t).exp() * (3.0 * phase).sin();
        attack * end * strength * tone
    });
}

/// Adds a sound to the loop, over its end into its beginning.
fn ring(pcm: &mut [f32], begins: f32, seconds: f32, sound: impl Fn(f32) -> f32) {
    let length = pcm.len() as i64;
    let first = (begins * RATE) as i64;
    for step in 0..(seconds * RATE) as i64 {
        pcm[(first + step).rem_euclid(length) as usize] += sound(step as f32 / RATE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_soft_and_loops() {
        let pcm = hold_loop();
        assert_eq!(pcm.len(), 24 * 48_000);
        let peak = pcm.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        assert!((peak - PEAK).abs() < 1e-3);
        let step = |i: usize| (pcm[(i + 1) % pcm.len()] - pcm[i]).abs();
        let largest = (0..pcm.len() - 1).map(step).fold(0.0, f32::max);
        assert!(step(pcm.len() - 1) <= largest, "a click at the seam");
        for second in pcm.chunks(48_000) {
            let rms = (second.iter().map(|s| s * s).sum::<f32>() / 48_000.0).sqrt();
            assert!((0.015..0.12).contains(&rms), "{rms}");
        }
    }
}
