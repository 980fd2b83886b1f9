//! Hold music: a loop that comes and goes softly.

use std::sync::Arc;

use super::mix::{Fade, Tick};
use crate::time::Now;

/// Samples (400 ms). The crossfade between the music and the stage.
const CROSSFADE_SAMPLES: u32 = 19_200;
/// Microseconds (20 s) that music which shall play is waited for: after a restart it is made or read again, and a busy machine
/// takes long for that. Later its silence counts as any other.
const COMES_WITHIN_US: u64 = 20_000_000;

pub(super) struct Music {
    pcm: Option<Arc<[f32]>>,
    /// Set while the old loop fades out.
    next: Option<Arc<[f32]>>,
    at: usize,
    fade: Fade,
    /// Since when it shall play and is not there.
    missed_since: Option<Now>,
}

impl Default for Music {
    fn default() -> Self {
        Self {
            pcm: None,
            next: None,
            at: 0,
            fade: Fade::over(CROSSFADE_SAMPLES),
            missed_since: None,
        }
    }
}

impl Music {
    pub(super) fn set(&mut self, pcm: Arc<[f32]>) {
        self.next = Some(pcm);
    }

    /// Whether music that is missed is still waited for.
    pub(super) fn comes(&mut self, missed: bool, now: Now) -> bool {
        if !missed {
            self.missed_since = None;
            return false;
        }
        let since = *self.missed_since.get_or_insert(now);
        now.since(since) < COMES_WITHIN_US
    }

    /// Writes a tick of music, or silence; true while any is heard.
    pub(super) fn play(&mut self, on: bool, out: &mut Tick) -> bool {
        if self.fade.is_off()
            && let Some(next) = self.next.take()
        {
            self.pcm = Some(next);
            self.at = 0;
        }
        out.fill(0.0);
        let on = on && self.next.is_none();
        if !on && self.fade.is_off() {
            return false;
        }
        let Some(pcm) = self.pcm.as_deref().filter(|pcm| !pcm.is_empty()) else {
            return false;
        };
        for sample in out.iter_mut() {
            (*sample, self.at) = looped(pcm, self.at);
        }
        self.fade.apply(on, out);
        true
    }
}

/// The sample at `at` and the place of the next.
fn looped(pcm: &[f32], at: usize) -> (f32, usize) {
    let sample = pcm[at];
    (
        if sample.is_nan() {
            0.0
        } else {
            sample.clamp(-1.0, 1.0)
        },
        (at + 1) % pcm.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TICK_SAMPLES;

    #[test]
    fn it_comes_and_goes_softly_and_never_ends() {
        let mut music = Music::default();
        let mut out = [0.0; TICK_SAMPLES];
        assert!(!music.play(true, &mut out));
        music.set(
            (0..9_600)
                .map(|i| (i as f32 * std::f32::consts::TAU / 4_800.0).sin() * 0.5)
                .collect(),
        );
        let (mut last, mut heard) = (0.0f32, 0);
        for tick in 0..200 {
            heard += usize::from(music.play((20..150).contains(&tick), &mut out));
            for sample in out {
                assert!(
                    (sample - last).abs() < 0.001,
                    "tick {tick}: {last} then {sample}"
                );
                last = sample;
            }
        }
        assert_eq!(heard, 130 + 20);
    }

    #[test]
    fn tiny_loops_do_no_harm() {
        for length in 0..5 {
            let mut music = Music::default();
            music.set(vec![0.5; length].into());
            let mut out = [0.0; TICK_SAMPLES];
            assert_eq!(music.play(true, &mut out), length > 0);
        }
    }
}
