//! Sums sound without clicks and without clipping.

use crate::limits::TICK_SAMPLES;

/// Peak after the limiter (-1 dBFS): the codec rings a little over what it was given.
pub(super) const CEILING: f32 = 0.891;
/// Samples (2.5 ms). The limiter looks ahead by one block, so its gain is down before the peak comes.
const BLOCK: usize = 120;
const BLOCKS: usize = TICK_SAMPLES / BLOCK;
/// Gain a block. From half strength back to full in 0.5 s: faster would pump.
const RELEASE: f32 = 0.0025;
/// Samples (10 ms). Sound comes and goes in this time, so that nothing clicks.
pub(super) const FADE_SAMPLES: u32 = 480;

pub(super) type Tick = [f32; TICK_SAMPLES];

/// A gain on its way to 0 or 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fade {
    gain: f32,
    step: f32,
}

impl Fade {
    pub(super) fn over(samples: u32) -> Self {
        Self {
            gain: 0.0,
            step: 1.0 / samples as f32,
        }
    }

    /// Multiplies a tick, moving towards on or off.
    pub(super) fn apply(&mut self, on: bool, pcm: &mut [f32]) {
        let target = if on { 1.0 } else { 0.0 };
        for sample in pcm {
            self.gain = self.next(target);
            *sample *= self.gain;
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.gain <= 0.0
    }

    fn next(&self, target: f32) -> f32 {
        if self.gain < target {
            (self.gain + self.step).min(target)
        } else {
            (self.gain - self.step).max(target)
        }
    }
}

pub(super) fn add(sum: &mut Tick, pcm: &Tick) {
    for (sum, sample) in sum.iter_mut().zip(pcm) {
        *sum += sample;
    }
}

/// Keeps a mix under `CEILING`, one block late.
pub(super) struct Limiter {
    held: [f32; BLOCK],
    /// What the held block needs.
    held_need: f32,
    /// Gain at the start of the held block.
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            held: [0.0; BLOCK],
            held_need: 1.0,
            gain: 1.0,
        }
    }
}

impl Limiter {
    pub(super) fn apply(&mut self, pcm: &mut Tick) {
        for block in 0..BLOCKS {
            let mut incoming = [0.0; BLOCK];
            let place = &mut pcm[block * BLOCK..(block + 1) * BLOCK];
            incoming.copy_from_slice(place);
            let need = need(&incoming);
            // The gain at a border suits the blocks on both sides, and between borders it is a straight line.
            let end = (self.gain + RELEASE).min(need).min(self.held_need);
            for (i, sample) in place.iter_mut().enumerate() {
                let share = i as f32 / BLOCK as f32;
                *sample = self.held[i] * (self.gain * (1.0 - share) + end * share);
            }
            self.held = incoming;
            self.held_need = need;
            self.gain = end;
        }
    }
}

fn need(block: &[f32]) -> f32 {
    let peak = block
        .iter()
        .fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    if peak > CEILING { CEILING / peak } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_at_full_scale_stay_under_the_ceiling() {
        let mut limiter = Limiter::default();
        for tick in 0..100usize {
            let mut sum = [0.0; TICK_SAMPLES];
            for source in 0..13 {
                // They begin to laugh at different times, so the gain moves while sound is on.
                let on = tick > source * 5 && (tick / 7 + source) % 3 != 0;
                let pcm: Tick = std::array::from_fn(|i| {
                    let t = (tick * TICK_SAMPLES + i) as f32 / 48_000.0;
                    if on && (t * (100.0 + source as f32 * 37.0)).fract() < 0.5 {
                        1.0
                    } else {
                        -f32::from(on)
                    }
                });
                add(&mut sum, &pcm);
            }
            limiter.apply(&mut sum);
            assert!(sum.iter().all(|s| s.abs() <= CEILING + 1e-5));
        }
    }

    #[test]
    fn what_is_quiet_passes_unchanged_one_block_late() {
        let mut limiter = Limiter::default();
        let mut pcm: Tick = std::array::from_fn(|i| i as f32 / 2_000.0);
        limiter.apply(&mut pcm);
        assert!(
            (0..TICK_SAMPLES - BLOCK).all(|i| (pcm[i + BLOCK] - i as f32 / 2_000.0).abs() < 1e-6)
        );
    }

    #[test]
    fn a_fade_has_no_step() {
        let mut fade = Fade::over(FADE_SAMPLES);
        let mut last = 0.0f32;
        for tick in 0..6 {
            let mut pcm = [1.0; TICK_SAMPLES];
            fade.apply(tick % 2 == 0, &mut pcm);
            for sample in pcm {
                assert!((sample - last).abs() < 0.003);
                last = sample;
            }
        }
        assert!(fade.is_off());
    }
}
