//! One source's packets become a tick of sound: decoded, recovered, concealed, and its clock followed.

use super::level::energy;
use crate::jitter::{Due, Held, Jitter};
use crate::limits::TICK_SAMPLES;
use crate::opus::{Decoder, FRAME_SAMPLES_MIN, PACKET_SAMPLES_MAX};

/// Samples (60 ms). So long a concealed sound keeps its strength …
const CONCEAL_FULL: usize = 2_880;
/// … and after this many (200 ms) it is silent: longer, it is a drone.
const CONCEAL_END: usize = 9_600;
/// Samples (5 ms). The ramp back from concealment, and the join where time was taken out.
const RAMP: usize = 240;
/// Samples (20 ms). The cursor may be so far from its ideal without being moved.
const SLACK: i64 = 960;
/// Samples (120 ms). So much too much delay is taken out even where there is no pause.
const SLACK_MAX: i64 = 5_760;
/// Samples (1 s). Beyond, the cursor jumps.
const JUMP: i64 = 48_000;
/// Mean square (-50 dBFS). Quieter is a pause, in which time can be put in or taken out unheard.
const PAUSE: f32 = 1e-5;
/// Steps to fill one tick: 8 of the shortest packets, as many for time taken out, and gaps between. At the limit the tick ends in silence.
const STEPS_MAX: usize = 48;
/// Late packets dropped without decoding in one tick; the window holds no more.
const SKIP_MAX: usize = crate::jitter::WINDOW_PACKETS as usize;

pub(super) struct Player {
    decoder: Decoder,
    /// Decoded, not yet played. Less than a tick and a longest packet twice.
    ready: Vec<f32>,
    scratch: Vec<f32>,
    /// The last packet passed over undecoded: it warms the decoder when the source is picked.
    passed: Option<Held>,
    cold: bool,
    concealed: usize,
    gain: f32,
    pause: bool,
}

impl Player {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::new().expect("the codec takes its own constant settings"),
            ready: Vec::with_capacity(4 * PACKET_SAMPLES_MAX),
            scratch: vec![0.0; PACKET_SAMPLES_MAX],
            passed: None,
            cold: true,
            concealed: CONCEAL_END,
            gain: 0.0,
            pause: true,
        }
    }

    /// Passes over what is due, undecoded.
    pub(super) fn skim(&mut self, jitter: &mut Jitter, clock: i64) {
        jitter.seek(clock);
        for _ in 0..SKIP_MAX {
            match jitter.due() {
                Due::Packet { late, samples } if late >= samples => self.passed = jitter.pop(),
                _ => break,
            }
        }
        self.ready.clear();
        self.cold = true;
        self.pause = true;
    }

    /// Writes one tick. True if any of it came from packets.
    pub(super) fn play(&mut self, jitter: &mut Jitter, clock: i64, out: &mut [f32]) -> bool {
        if self.cold {
            self.warm();
        }
        let excess = self.steer(jitter, clock);
        let mut real = self.fill(jitter, clock, TICK_SAMPLES, true);
        if excess > 0 {
            real |= self.fill(jitter, clock, TICK_SAMPLES + RAMP + excess, false);
            self.take_out(excess);
            real |= self.fill(jitter, clock, TICK_SAMPLES, true);
        }
        out.copy_from_slice(&self.ready[..TICK_SAMPLES]);
        self.ready.drain(..TICK_SAMPLES);
        self.pause = energy(out) < PAUSE;
        real
    }

    fn warm(&mut self) {
        self.decoder.reset();
        self.cold = false;
        self.concealed = CONCEAL_END;
        self.gain = 0.0;
        if let Some(held) = self.passed.take() {
            let _ = self.decoder.decode(&held.opus, &mut self.scratch);
        }
    }

    /// Puts time in where there is too little delay; tells how many samples to take out where there is too much.
    fn steer(&mut self, jitter: &mut Jitter, clock: i64) -> usize {
        let ahead = jitter.settle(clock) - self.ready.len() as i64;
        if ahead.abs() > JUMP {
            jitter.seek(clock);
            self.ready.clear();
        } else if ahead > SLACK && self.pause && self.ready.is_empty() {
            self.ready
                .resize(ahead.min(TICK_SAMPLES as i64) as usize, 0.0);
        } else if ahead < -SLACK_MAX || (ahead < -SLACK && self.pause) {
            return (-ahead).min(TICK_SAMPLES as i64) as usize;
        }
        0
    }

    /// Fills up to `samples`; with `make_up` false only from packets and the sender's own silence.
    fn fill(&mut self, jitter: &mut Jitter, clock: i64, samples: usize, make_up: bool) -> bool {
        let mut real = false;
        for _ in 0..STEPS_MAX + SKIP_MAX {
            let missing = samples.saturating_sub(self.ready.len());
            if missing == 0 {
                return real;
            }
            match jitter.due() {
                Due::Packet { late, samples } => {
                    let ahead = jitter.settle(clock) - self.ready.len() as i64;
                    // A late packet is played whole where the delay should grow anyway, else only its rest.
                    let skip = if ahead > 0 { 0 } else { late };
                    let Some(held) = jitter.pop() else { break };
                    if skip < samples {
                        real |= self.decode(&held, skip);
                    } else {
                        // Keeps the cursor where it was: the packet was passed already.
                        jitter.advance(skip - samples);
                    }
                }
                Due::Gap(gap) => {
                    let made = self.conceal(gap.min(missing));
                    jitter.advance(made);
                }
                Due::Lost { samples, one: true }
                    if samples <= PACKET_SAMPLES_MAX && samples % FRAME_SAMPLES_MIN == 0 =>
                {
                    real |= self.recover(jitter, samples);
                    jitter.advance(samples);
                }
                Due::Lost { samples, .. } if make_up => {
                    let made = self.conceal(samples.min(missing));
                    jitter.advance(made);
                }
                Due::Nothing if make_up => {
                    let made = self.conceal(missing);
                    jitter.advance(made);
                }
                _ => return real,
            }
        }
        self.ready.resize(self.ready.len().max(samples), 0.0);
        real
    }

    fn decode(&mut self, held: &Held, skip: usize) -> bool {
        match self.decoder.decode(&held.opus, &mut self.scratch) {
            Ok(written) if written > skip => {
                self.append_real(skip, written);
                true
            }
            _ => {
                self.conceal(held.samples - skip);
                false
            }
        }
    }

    fn recover(&mut self, jitter: &Jitter, samples: usize) -> bool {
        // What FEC does not hold the decoder conceals, so such sound fades like any other that was made up.
        let written = jitter.first().and_then(|next| {
            self.decoder
                .recover(&next.opus, &mut self.scratch[..samples])
                .ok()
        });
        match written {
            Some(written) if written == samples => self.append_faded(samples),
            _ => self.append_silence(samples),
        }
        false
    }

    /// Makes up at least `samples`, in whole frames of the codec; tells how many.
    fn conceal(&mut self, samples: usize) -> usize {
        let samples = samples
            .clamp(1, PACKET_SAMPLES_MAX)
            .div_ceil(FRAME_SAMPLES_MIN)
            * FRAME_SAMPLES_MIN;
        if self.concealed >= CONCEAL_END {
            self.append_silence(samples);
            return samples;
        }
        match self.decoder.conceal(&mut self.scratch[..samples]) {
            Ok(written) if written == samples => self.append_faded(samples),
            _ => self.append_silence(samples),
        }
        samples
    }

    fn append_real(&mut self, from: usize, to: usize) {
        for sample in &self.scratch[from..to] {
            self.gain = (self.gain + 1.0 / RAMP as f32).min(1.0);
            self.ready.push(sample * self.gain);
        }
        self.concealed = 0;
    }

    fn append_faded(&mut self, samples: usize) {
        for (i, sample) in self.scratch[..samples].iter().enumerate() {
            let age = self.concealed + i;
            let wanted =
                1.0 - age.saturating_sub(CONCEAL_FULL) as f32 / (CONCEAL_END - CONCEAL_FULL) as f32;
            self.gain = self.gain.min(wanted.max(0.0));
            self.ready.push(sample * self.gain);
        }
        self.concealed += samples;
    }

    fn append_silence(&mut self, samples: usize) {
        self.ready.resize(self.ready.len() + samples, 0.0);
        self.concealed = CONCEAL_END;
        self.gain = 0.0;
    }

    /// Drops `excess` samples, joined by a short crossfade.
    fn take_out(&mut self, excess: usize) {
        let excess = excess.min(self.ready.len().saturating_sub(RAMP));
        for i in 0..RAMP.min(self.ready.len() - excess) {
            let share = i as f32 / RAMP as f32;
            self.ready[i] = self.ready[i] * (1.0 - share) + self.ready[i + excess] * share;
        }
        if self.ready.len() >= excess + RAMP {
            self.ready.drain(RAMP..RAMP + excess);
        }
    }
}
