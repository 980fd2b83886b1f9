//! Finds the onsets in what comes, and how long each took.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hustings_media::opus::{Decoder, PACKET_SAMPLES_MAX};

use super::tones::ONSET;

/// An onset that comes later than this after it was sent is not that one's.
const ONSET_MAX: Duration = Duration::from_millis(400);

pub(super) struct Ears {
    decoder: Decoder,
    pcm: Vec<f32>,
    own: usize,
    /// Samples since the last that was loud.
    quiet: usize,
    /// The last onset that was matched.
    last: Option<Instant>,
    pub(super) delays: Vec<Duration>,
}

impl Ears {
    pub(super) fn new(own: usize) -> anyhow::Result<Self> {
        Ok(Self {
            decoder: Decoder::new()?,
            pcm: vec![0.0; PACKET_SAMPLES_MAX],
            own,
            quiet: 0,
            last: None,
            delays: Vec::new(),
        })
    }

    pub(super) fn hear(&mut self, opus: &[u8], sent: &Mutex<Vec<Instant>>) -> anyhow::Result<()> {
        let now = Instant::now();
        let samples = self.decoder.decode(opus, &mut self.pcm)?;
        for at in 0..samples {
            if self.pcm[at].abs() <= ONSET {
                self.quiet += 1;
                continue;
            }
            let begins = self.quiet > 4_800;
            self.quiet = 0;
            if begins {
                self.onset(now, at, sent);
            }
        }
        Ok(())
    }

    /// Without the server the same packet would have come when it was sent, with the onset `own` samples in.
    fn onset(&mut self, now: Instant, at: usize, sent: &Mutex<Vec<Instant>>) {
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(said) = sent.last().copied().filter(|said| self.last != Some(*said)) else {
            return;
        };
        self.last = Some(said);
        let samples = |count: usize| Duration::from_secs_f64(count as f64 / 48_000.0);
        let took = (now + samples(at)).saturating_duration_since(said + samples(self.own));
        if took < ONSET_MAX {
            self.delays.push(took);
        }
    }
}
