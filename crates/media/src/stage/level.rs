//! How loud a source is: for the lamps, for the pick, and whether its microphone gives anything at all.

/// dB below full scale that counts as nothing (and the floor of every level here).
pub(super) const FLOOR_DB: f32 = -100.0;
/// RFC 6464: digital silence.
pub(super) const TOLD_SILENCE: u8 = 127;
/// dB. The first lamp lights above this …
const LAMP_FIRST_DB: f32 = -57.0;
/// … and one more every so many dB; nine lamps reach -12 dB, where loud speech peaks.
const LAMP_STEP_DB: f32 = 5.0;
/// dB a tick. A lamp falls slowly enough to be seen: 40 dB take 0.5 s.
const FALL_DB: f32 = 1.6;
/// Mean square. Digital zeros come out of the codec below this (-96 dBFS); a real microphone's noise is above.
const ZERO: f32 = 2.5e-10;
/// Ticks (3 s) of zeros before a microphone is called dead.
const ZERO_TICKS: u32 = 150;

/// Mean square.
pub(super) fn energy(pcm: &[f32]) -> f32 {
    pcm.iter().map(|sample| sample * sample).sum::<f32>() / pcm.len().max(1) as f32
}

pub(super) fn decibels(energy: f32) -> f32 {
    if energy <= 0.0 {
        FLOOR_DB
    } else {
        (10.0 * energy.log10()).max(FLOOR_DB)
    }
}

/// Follows one source from tick to tick.
pub(super) struct Meter {
    /// Rises at once, falls slowly.
    smooth_db: f32,
    zero_ticks: u32,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            smooth_db: FLOOR_DB,
            zero_ticks: 0,
        }
    }
}

impl Meter {
    /// One tick; `zero` says that it held digital silence, none that nothing arrived from which to tell.
    pub(super) fn note(&mut self, db: f32, zero: Option<bool>) {
        self.smooth_db = db.max(self.smooth_db - FALL_DB).clamp(FLOOR_DB, 0.0);
        match zero {
            Some(true) => self.zero_ticks = self.zero_ticks.saturating_add(1),
            Some(false) => self.zero_ticks = 0,
            None => {}
        }
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn loudness_db(&self) -> f32 {
        self.smooth_db
    }

    pub(super) fn zeros(&self) -> bool {
        self.zero_ticks >= ZERO_TICKS
    }

    /// 0..=9.
    pub(super) fn lamp(&self) -> u8 {
        lamp(self.smooth_db)
    }
}

pub(super) fn is_zero(energy: f32) -> bool {
    energy < ZERO
}

fn lamp(db: f32) -> u8 {
    if db < LAMP_FIRST_DB {
        0
    } else {
        (1.0 + (db - LAMP_FIRST_DB) / LAMP_STEP_DB).clamp(1.0, 9.0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lamps_span_speech() {
        let check = |db: f32, expected: u8| assert_eq!(lamp(db), expected, "{db} dB");
        check(FLOOR_DB, 0);
        check(-57.5, 0);
        check(-57.0, 1);
        check(-40.0, 4);
        check(-17.0, 9);
        check(0.0, 9);
    }

    #[test]
    fn zeros_need_three_seconds() {
        let mut meter = Meter::default();
        (0..149).for_each(|_| meter.note(FLOOR_DB, Some(true)));
        assert!(!meter.zeros());
        meter.note(FLOOR_DB, None);
        assert!(!meter.zeros());
        meter.note(FLOOR_DB, Some(true));
        assert!(meter.zeros());
        meter.note(-70.0, Some(false));
        assert!(!meter.zeros());
    }

    #[test]
    fn energy_of_a_full_sine_is_half() {
        let pcm: Vec<f32> = (0..960)
            .map(|i| (i as f32 * std::f32::consts::TAU / 96.0).sin())
            .collect();
        assert!((decibels(energy(&pcm)) + 3.01).abs() < 0.02);
        assert_eq!(decibels(0.0), FLOOR_DB);
    }
}
