//! What goes back to a speaker: everybody else (mix-minus), or his own echo in the sound check.

use bytes::Bytes;

use super::mix::{Limiter, Tick};
use crate::limits::TICK_SAMPLES;
use crate::opus::Encoder;

/// Bits a second. A speaker hears the others by this; the listeners get the program's rate.
const MINUS_BITRATE: u32 = 32_000;
/// Samples (400 ms). Short enough to be known as one's own, long enough not to be heard as room.
const ECHO_SAMPLES: usize = 19_200;

/// An encoder of a speaker's own, used while it gets other sound than the program.
pub(super) struct Feedback {
    encoder: Encoder,
    limiter: Limiter,
    /// Its last packet went out in the tick before.
    warm: bool,
    echo: Option<Vec<f32>>,
    echo_at: usize,
}

impl Feedback {
    pub(super) fn new() -> Self {
        Self {
            encoder: Encoder::new(MINUS_BITRATE, false)
                .expect("the codec takes our own constant settings"),
            limiter: Limiter::default(),
            warm: false,
            echo: None,
            echo_at: 0,
        }
    }

    pub(super) fn echo(&mut self, on: bool) {
        match (on, self.echo.is_some()) {
            (true, false) => {
                self.echo = Some(vec![0.0; ECHO_SAMPLES]);
                self.echo_at = 0;
            }
            (false, true) => self.echo = None,
            _ => {}
        }
    }

    pub(super) fn echoes(&self) -> bool {
        self.echo.is_some()
    }

    /// Own sound in, own sound of a while ago out.
    pub(super) fn echoed(&mut self, own: &mut Tick) {
        let Some(line) = &mut self.echo else { return };
        for sample in own {
            std::mem::swap(sample, &mut line[self.echo_at]);
            self.echo_at = (self.echo_at + 1) % ECHO_SAMPLES;
        }
    }

    /// Encodes one tick for this speaker alone. `before` is what the program held a tick ago: the speaker's decoder has
    /// just heard it, so an encoder that takes over is led in by it, and the change makes no click.
    pub(super) fn encode(
        &mut self,
        pcm: &mut Tick,
        before: &Tick,
        packet: &mut Vec<u8>,
    ) -> Option<Bytes> {
        if !self.warm {
            let _ = self.encoder.encode(before, packet);
            self.limiter = Limiter::default();
            self.warm = true;
        }
        self.limiter.apply(pcm);
        debug_assert_eq!(pcm.len(), TICK_SAMPLES);
        self.encoder.encode(pcm, packet).ok()?;
        Some(Bytes::copy_from_slice(packet))
    }

    /// This tick the speaker gets the program.
    pub(super) fn rest(&mut self) {
        self.warm = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_is_the_own_sound_later() {
        let mut feedback = Feedback::new();
        feedback.echo(true);
        let mut heard = Vec::new();
        for tick in 0..40 {
            let mut pcm: Tick = std::array::from_fn(|i| (tick * TICK_SAMPLES + i) as f32);
            feedback.echoed(&mut pcm);
            heard.extend_from_slice(&pcm);
        }
        assert!(heard[..ECHO_SAMPLES].iter().all(|s| *s == 0.0));
        assert!(
            heard[ECHO_SAMPLES..]
                .iter()
                .enumerate()
                .all(|(i, s)| *s == i as f32)
        );
    }
}
